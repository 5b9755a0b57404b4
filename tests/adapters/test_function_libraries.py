"""Function libraries carry their version in every name, so that processes of two versions share one store."""

import hashlib
import re

import pytest
from redis.asyncio import Redis

from lienthong.adapters import projection
from lienthong.adapters.projection_servers import library_source, library_sources, load_functions
from tests.support.audit_projection import audit_cards
from tests.support.card_facts import usual_card
from tests.support.projecting import Projecting

#: The sources of each version that processes may be running with: a store has one source under one name.
DIGESTS = {
    ("functions.lua", 1): "76cbed22df84c587ba913527bdb3cadb6f71afec7a114a7eff8054711c5f3791",
    ("outbox.lua", 1): "bd004f9e1305f5fafefab6cec57f7e61744bcd07e4723ac6f82cd12e60456a03",
}
NAMED = re.compile(r"^#!lua name=lienthong_(?:[a-z]+_)?(\d+)(?:_[a-z]+)?\n")
REGISTERED = re.compile(r"'lienthong_(\d+)_")


def version_of(source: str) -> int:
    named = NAMED.match(source)
    assert named is not None, "a library's name says its version"
    return int(named[1])


@pytest.mark.parametrize("name", sorted({name for name, _ in DIGESTS}))
def test_a_changed_source_is_a_new_version(name: str) -> None:
    source = library_source(name)
    digest = hashlib.sha256(source.encode()).hexdigest()
    version = version_of(source)
    assert DIGESTS.get((name, version)) == digest, (
        f"{name} is not what version {version} was. Processes of both would take turns in replacing each other's: give "
        "the library, its Functions and those who call them the next number, and enter its digest here. Only a version "
        "that was never released may change its digest."
    )


def test_a_library_and_its_functions_have_one_version() -> None:
    for source in library_sources():
        assert {int(version) for version in REGISTERED.findall(source)} == {version_of(source)}


def next_version(source: str) -> str:
    """Return a library as it would be in the next version."""
    version = version_of(source)
    return re.sub(
        rf"(lienthong_(?:projection_)?){version}\b|(lienthong_){version}(?=_)", rf"\g<1>\g<2>{version + 1}", source
    )


async def test_processes_of_two_versions_share_a_store(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    older = await Projecting.of(redis)
    await redis.function_load(next_version(library_source("functions.lua")), replace=True)
    for revision in range(1, 5):
        with monkeypatch.context() as patch:
            if revision % 2:
                patch.setattr(projection, "_PREFIX", "lienthong_2_")
            older.publish(usual_card(f"00000{serial:05d}", revision) for serial in range(20))
            await older.project()
        # One of the older version that starts meanwhile takes nothing from the newer one.
        await load_functions(redis)
    assert await audit_cards(older.partitions, older.projection) == []
    libraries = str(await redis.function_list())
    assert "lienthong_projection_1" in libraries
    assert "lienthong_projection_2" in libraries


@pytest.fixture
def redis(projection_client: Redis) -> Redis:
    return projection_client
