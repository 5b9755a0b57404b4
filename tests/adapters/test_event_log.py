import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from lienthong.adapters.event_log import (
    Appended,
    Entry,
    Recreated,
    Trimmed,
    UnknownStream,
    entries_per_read,
    event_time,
    partition_of,
)
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.runtime.connection import connect
from lienthong_schemas.streams import CARD_IMAGES, CARDS, LOOKUPS
from tests.support.servers import OwnServer

NOW = datetime(2025, 8, 1, 9, tzinfo=UTC)


@pytest.fixture
def log(log_client: Redis) -> ValkeyLog:
    return ValkeyLog(log_client, [CARDS, dataclasses.replace(LOOKUPS, partitions=1)])


def event(at: datetime | str) -> bytes:
    text = at if isinstance(at, str) else at.isoformat()
    return f'{{"specversion":"1.0","id":"a","time":"{text}","data":{{"x":[1,2]}}}}'.encode()


async def test_offsets_count_from_zero_in_each_partition(log: ValkeyLog) -> None:
    numbers = [f"00000{n:05}" for n in range(1200)]
    appended = await log.append_many("cards.v1", [(number, b"x") for number in numbers])
    seen: dict[int, int] = dict.fromkeys(range(16), 0)
    for number, place in zip(numbers, appended, strict=True):
        assert place == Appended(partition=partition_of(number, 16), offset=seen[place.partition])
        seen[place.partition] += 1
    assert {partition: bounds.end for partition, bounds in (await log.bounds("cards.v1")).items()} == seen


async def test_what_is_appended_is_read_back_in_order_from_any_position(log: ValkeyLog) -> None:
    values = [bytes([n]) * 3 for n in range(10)]
    for value in values:
        await log.append("lookups.v1", "01004", value)
    for position in range(11):
        read = await log.read("lookups.v1", 0, position, 4)
        assert read == tuple(
            Entry(offset=n, key="01004", value=values[n]) for n in range(position, min(position + 4, 10))
        )


async def test_an_unknown_stream_is_refused_by_name(log: ValkeyLog) -> None:
    with pytest.raises(UnknownStream, match=r"letters\.v9"):
        await log.append("letters.v9", "k", b"v")


async def test_a_partition_that_never_had_an_entry_is_empty_and_starts_at_zero(log: ValkeyLog) -> None:
    assert await log.read("lookups.v1", 0, 0, 5) == ()
    assert (await log.first("lookups.v1", 0), await log.end("lookups.v1", 0)) == (0, 0)


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


async def test_a_stream_that_ends_before_the_position_says_recreated(log: ValkeyLog, log_client: Redis) -> None:
    await log.append_many("lookups.v1", [("k", b"v")] * 3)
    await log_client.flushall()
    await log.append("lookups.v1", "k", b"v")
    assert await log.read("lookups.v1", 0, 3, 5) == Recreated(position=3, end=1)


async def test_undated_and_future_entries_go_with_the_next_dated_one(log: ValkeyLog) -> None:
    old, young, future = (event(NOW + timedelta(days=days)) for days in (-9, -1, 9))
    await log.append_many("lookups.v1", [("k", value) for value in (b"\xff", future, old, b"{}", young, old, young)])
    assert await log.retain("lookups.v1", 0, since=NOW - timedelta(days=7), now=NOW) == 3
    assert await log.first("lookups.v1", 0) == 3


async def test_retention_looks_past_one_page(log: ValkeyLog) -> None:
    old = event(NOW - timedelta(days=9))
    await log.append_many("lookups.v1", [("k", old)] * 1300 + [("k", event(NOW))])
    assert await log.retain("lookups.v1", 0, since=NOW, now=NOW) == 1300


def test_few_large_entries_are_read_at_once() -> None:
    assert (entries_per_read(CARDS), entries_per_read(CARD_IMAGES)) == (500, 4)


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


async def test_concurrent_appends_lose_and_repeat_nothing(log: ValkeyLog) -> None:
    batches = [[("k", f"{writer}-{n}".encode()) for n in range(100)] for writer in range(8)]
    await asyncio.gather(*(log.append_many("lookups.v1", batch) for batch in batches))
    entries = await _entries(log, 0)
    assert sorted(entry.value for entry in entries) == sorted(value for batch in batches for _, value in batch)
    assert [entry.offset for entry in entries] == list(range(800))


@given(st.text(max_size=30), st.integers(min_value=1, max_value=64))
def test_a_key_always_has_one_partition_within_bounds(key: str, partitions: int) -> None:
    assert partition_of(key, partitions) == partition_of(key, partitions)
    assert 0 <= partition_of(key, partitions) < partitions


def test_partitions_are_those_of_kafkas_java_client() -> None:
    # The masked hashes of Kafka's own test of its murmur2: 21 → -973932308, foobar → -790332482, abc → 479470107.
    modulus = 0x7FFFFFFF
    hashes = {"21": -973932308, "foobar": -790332482, "abc": 479470107}
    assert {key: partition_of(key, modulus) for key in hashes} == {
        key: (value & 0x7FFFFFFF) % modulus for key, value in hashes.items()
    }


@given(st.binary(max_size=60))
def test_no_value_makes_the_time_of_an_event_raise(value: bytes) -> None:
    event_time(value)


def test_a_time_without_an_offset_is_no_time() -> None:
    assert event_time(event("2025-08-01T09:00:00")) is None
    assert event_time(event("2025-08-01T16:00:00+07:00")) == NOW


async def _entries(log: ValkeyLog, position: int) -> tuple[Entry, ...]:
    read = await log.read("lookups.v1", 0, position, 1000)
    assert isinstance(read, tuple)
    return read
