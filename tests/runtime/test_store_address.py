"""One setting says where the projection's store is; what it does not say clearly is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.runtime.store_address import Access, Address, parse_store_url

HOSTS = st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z][a-z0-9]{0,5})?", fullmatch=True) | st.just("2001:db8::7")
ADDRESSES = st.builds(Address, HOSTS, st.integers(1, 65_535))


@given(st.lists(ADDRESSES, min_size=1, max_size=4), st.sampled_from(["redis+cluster", "rediss+cluster"]))
def test_a_cluster_is_known_by_any_number_of_its_servers(addresses: list[Address], scheme: str) -> None:
    url = parse_store_url(f"{scheme}://{','.join(map(str, addresses))}")
    assert url.servers == tuple(addresses)
    assert url.cluster
    assert url.encrypted == (scheme == "rediss+cluster")


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_single_server_has_the_usual_port_unless_another_is_named(scheme: str) -> None:
    url = parse_store_url(f"{scheme}://store.example/")
    assert url.servers == (Address("store.example", 6379),)
    assert (url.cluster, url.encrypted) == (False, scheme == "rediss")


def test_a_user_may_stand_in_the_address_with_signs_that_mean_something_there() -> None:
    url = parse_store_url("redis+cluster://who:p%40ss%2C1@a.example:1,b.example:2")
    assert url.password is not None
    assert (url.username, url.password.get_secret_value()) == ("who", "p@ss,1")
    assert url.servers == (Address("a.example", 1), Address("b.example", 2))
    assert "p@ss" not in repr(url)
    assert parse_store_url("redis://:secret@a.example").username is None


@pytest.mark.parametrize(
    "url",
    [
        "http://store.example",
        "redis://",
        "redis://:6379",
        "redis://a.example:1,b.example:2",
        "redis://a.example:port",
        "redis://a.example:70000",
        "redis://a.example/3",
        "redis://a.example?db=3",
        "redis://who@a.example",
        "redis+cluster://a.example:1,",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- the setting's own sentence says what is wanted
        parse_store_url(url)


def test_a_server_is_told_who_comes_only_where_that_was_set() -> None:
    url = parse_store_url("redis://who:secret@a.example")
    assert Access().introduction() is None
    assert Access(username=url.username, password=url.password).introduction() == ("AUTH", "who", "secret")
    assert Access(password=url.password).introduction() == ("AUTH", "secret")
