import pytest

from lienthong.runtime.addresses import addresses
from lienthong.runtime.settings import load

WORD = "opensesame"


def test_what_is_kept_on_this_machine_has_no_address() -> None:
    assert addresses(load()) == {"log": None, "projection": None, "history": None, "keys": None}


@pytest.mark.parametrize(
    ("setting", "url", "shown"),
    [
        ("projection_url", "redis://store.example:6379", "redis://store.example:6379"),
        (
            "projection_url",
            f"rediss+cluster://user:{WORD}@a.example:1,b.example:2",
            "rediss+cluster://a.example:1,b.example:2",
        ),
        ("history_url", f"postgresql://user:{WORD}@db.example:5432/history", "postgresql://db.example:5432/history"),
        ("history_url", f"postgresql://user:p@{WORD}@db.example/history", "postgresql://db.example/history"),
        ("keys_url", f"postgresql://db.example/keys?user=a&password={WORD}", "postgresql://db.example/keys"),
    ],
)
def test_an_address_is_shown_without_user_and_password(setting: str, url: str, shown: str) -> None:
    found = addresses(load(**{setting: url}))
    assert found[setting.removesuffix("_url")] == shown
    assert WORD not in str(found)


def test_brokers_are_shown_with_how_they_are_talked_to() -> None:
    settings = load(
        kafka_servers="a.example:1,b.example:2", kafka_security="SASL_SSL", kafka_username="u", kafka_password=WORD
    )
    assert addresses(settings)["log"] == "kafka://a.example:1,b.example:2 (SASL_SSL)"
