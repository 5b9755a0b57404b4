"""What only the embedded log does."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from lienthong.adapters.event_log import (
    Appended,
    Entry,
    Trimmed,
)
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.runtime.connection import connect
from lienthong_schemas.streams import CARDS, LOOKUPS
from tests.support.servers import OwnServer

NOW = datetime(2025, 8, 1, 9, tzinfo=UTC)


@pytest.fixture
def log(log_client: Redis) -> ValkeyLog:
    return ValkeyLog(log_client, [CARDS, dataclasses.replace(LOOKUPS, partitions=1)])


def event(at: datetime | str) -> bytes:
    text = at if isinstance(at, str) else at.isoformat()
    return f'{{"specversion":"1.0","id":"a","time":"{text}","data":{{"x":[1,2]}}}}'.encode()


async def test_reading_before_the_first_kept_entry_says_trimmed(log: ValkeyLog) -> None:
    old, young = event(NOW - timedelta(days=8)), event(NOW)
    await log.append_many("lookups.v1", [("k", old)] * 3 + [("k", young)] * 2)
    assert await log.retain("lookups.v1", 0, since=NOW - timedelta(days=7), now=NOW) == 3
    assert await log.read("lookups.v1", 0, 1, 5) == Trimmed(position=1, first=3)
    assert [entry.offset for entry in await _entries(log, 3)] == [3, 4]
    assert (await log.first("lookups.v1", 0), await log.end("lookups.v1", 0)) == (3, 5)


async def test_offsets_go_on_after_everything_was_trimmed(log: ValkeyLog) -> None:
    await log.append_many("lookups.v1", [("k", event(NOW - timedelta(days=8)))] * 3)
    assert await log.retain("lookups.v1", 0, since=NOW, now=NOW) == 3
    assert await log.retain("lookups.v1", 0, since=NOW, now=NOW) == 0
    assert await log.read("lookups.v1", 0, 0, 5) == Trimmed(position=0, first=3)
    assert await log.read("lookups.v1", 0, 3, 5) == ()
    assert (await log.append("lookups.v1", "k", b"v")).offset == 3


async def test_undated_and_future_entries_go_with_the_next_dated_one(log: ValkeyLog) -> None:
    old, young, future = (event(NOW + timedelta(days=days)) for days in (-9, -1, 9))
    await log.append_many("lookups.v1", [("k", value) for value in (b"\xff", future, old, b"{}", young, old, young)])
    assert await log.retain("lookups.v1", 0, since=NOW - timedelta(days=7), now=NOW) == 3
    assert await log.first("lookups.v1", 0) == 3


async def test_retention_looks_past_one_page(log: ValkeyLog) -> None:
    old = event(NOW - timedelta(days=9))
    await log.append_many("lookups.v1", [("k", old)] * 1300 + [("k", event(NOW))])
    assert await log.retain("lookups.v1", 0, since=NOW, now=NOW) == 1300


async def test_an_entry_without_our_fields_comes_out_empty(log: ValkeyLog, log_client: Redis) -> None:
    await log_client.xadd("lookups.v1/0", {"something": "else"}, id="0-1")
    assert await log.read("lookups.v1", 0, 0, 5) == (Entry(offset=0, key="", value=b""),)


async def test_a_fault_of_the_server_reaches_the_caller(log: ValkeyLog, log_client: Redis) -> None:
    await log_client.set("lookups.v1/0", "not a stream")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await log.append("lookups.v1", "k", b"v")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await log.end("lookups.v1", 0)


async def test_a_round_trip_of_appends_that_is_refused_in_part_writes_nothing(own_server: OwnServer) -> None:
    server = own_server("log")
    await server.start()
    client = connect(server.spec.socket)
    log = ValkeyLog(client, [dataclasses.replace(CARDS, partitions=1)])
    await log.append("cards.v1", "k", b"first")
    used = (await client.info("memory"))["used_memory"]
    await client.config_set("maxmemory", used + 2_000_000)
    with pytest.raises(ResponseError, match="maxmemory"):
        await log.append_many("cards.v1", [("k", bytes(50_000))] * 100)
    assert await log.end("cards.v1", 0) == 1
    await client.config_set("maxmemory", 0)
    assert await log.append("cards.v1", "k", b"next") == Appended(partition=0, offset=1)
    await client.aclose()


async def test_every_acknowledged_entry_survives_a_killed_server(own_server: OwnServer) -> None:
    server = own_server("log")
    await server.start()
    client = connect(server.spec.socket)
    log = ValkeyLog(client, [dataclasses.replace(CARDS, partitions=1)])
    acknowledged = [await log.append("cards.v1", "k", str(n).encode()) for n in range(50)]
    server.kill()
    await server.start()
    entries = await log.read("cards.v1", 0, 0, 100)
    assert isinstance(entries, tuple)
    assert [(entry.offset, entry.value) for entry in entries] == [
        (place.offset, str(n).encode()) for n, place in enumerate(acknowledged)
    ]
    await client.aclose()


async def _entries(log: ValkeyLog, position: int) -> tuple[Entry, ...]:
    read = await log.read("lookups.v1", 0, position, 1000)
    assert isinstance(read, tuple)
    return read
