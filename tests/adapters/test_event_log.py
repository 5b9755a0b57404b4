import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from lienthong_schemas.streams import CARD_IMAGES, CARDS
from tests.support.transports import Transport

NOW = datetime(2025, 8, 1, 9, tzinfo=UTC)


def event(at: datetime | str) -> bytes:
    text = at if isinstance(at, str) else at.isoformat()
    return f'{{"specversion":"1.0","id":"a","time":"{text}","data":{{"x":[1,2]}}}}'.encode()


async def test_offsets_count_from_zero_in_each_partition(transport: Transport) -> None:
    numbers = [f"00000{n:05}" for n in range(1200)]
    appended = await transport.log.append_many(transport.cards, [(number, b"x") for number in numbers])
    seen: dict[int, int] = dict.fromkeys(range(16), 0)
    for number, place in zip(numbers, appended, strict=True):
        assert place == Appended(partition=partition_of(number, 16), offset=seen[place.partition])
        seen[place.partition] += 1
    bounds = await transport.log.bounds(transport.cards)
    assert {partition: held.end for partition, held in bounds.items()} == seen


async def test_what_is_appended_is_read_back_in_order_from_any_position(transport: Transport) -> None:
    values = [bytes([n]) * 3 for n in range(10)]
    for value in values:
        await transport.log.append(transport.lookups, "01004", value)
    for position in range(11):
        read = await transport.log.read(transport.lookups, 0, position, 4)
        assert read == tuple(
            Entry(offset=n, key="01004", value=values[n]) for n in range(position, min(position + 4, 10))
        )


async def test_an_unknown_stream_is_refused_by_name(transport: Transport) -> None:
    with pytest.raises(UnknownStream, match=r"letters\.v9"):
        await transport.log.append("letters.v9", "k", b"v")


async def test_a_partition_that_never_had_an_entry_is_empty_and_starts_at_zero(transport: Transport) -> None:
    assert await transport.log.read(transport.lookups, 0, 0, 5) == ()
    assert (await transport.log.first(transport.lookups, 0), await transport.log.end(transport.lookups, 0)) == (0, 0)


async def test_reading_before_the_first_kept_entry_says_trimmed_and_offsets_go_on(transport: Transport) -> None:
    log, stream = transport.log, transport.lookups
    await log.append_many(stream, [("k", b"v")] * 5)
    await transport.trim(stream, 0, 3)
    assert await log.read(stream, 0, 1, 5) == Trimmed(position=1, first=3)
    assert [entry.offset for entry in await _entries(transport, 3)] == [3, 4]
    await transport.trim(stream, 0, 5)
    assert (await log.first(stream, 0), await log.end(stream, 0)) == (5, 5)
    assert await log.read(stream, 0, 0, 5) == Trimmed(position=0, first=5)
    assert await log.read(stream, 0, 5, 5) == ()
    assert (await log.append(stream, "k", b"v")).offset == 5


async def test_a_stream_that_ends_before_the_position_says_recreated(transport: Transport) -> None:
    await transport.log.append_many(transport.lookups, [("k", b"v")] * 3)
    await transport.recreate(transport.lookups)
    await transport.log.append(transport.lookups, "k", b"v")
    assert await transport.log.read(transport.lookups, 0, 3, 5) == Recreated(position=3, end=1)


def test_few_large_entries_are_read_at_once() -> None:
    assert (entries_per_read(CARDS), entries_per_read(CARD_IMAGES)) == (500, 4)


async def test_concurrent_appends_lose_and_repeat_nothing(transport: Transport) -> None:
    batches = [[("k", f"{writer}-{n}".encode()) for n in range(100)] for writer in range(8)]
    await asyncio.gather(*(transport.log.append_many(transport.lookups, batch) for batch in batches))
    entries = await _entries(transport, 0)
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


async def _entries(transport: Transport, position: int) -> tuple[Entry, ...]:
    read = await transport.log.read(transport.lookups, 0, position, 1000)
    assert isinstance(read, tuple)
    return read
