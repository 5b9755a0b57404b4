import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from lienthong.adapters.event_log import EventLog, Recreated, Trimmed
from lienthong.adapters.followers import Batch, Fault, Follower
from lienthong.adapters.streams import WATCH_INTERVAL_S, StreamReader
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.connection import connect
from lienthong.runtime.embedded import ServerSpec
from lienthong_schemas.streams import CARDS, LOOKUPS
from tests.support.servers import OwnServer
from tests.support.waiting import until

STREAMS = [CARDS, dataclasses.replace(LOOKUPS, partitions=1)]


class Sink:
    """Takes batches as a projection does: the position moves with the data."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.position = 0
        self.batches: list[int] = []
        self.before: Callable[[Batch], Awaitable[None]] | None = None

    async def start(self) -> int:
        return self.position

    async def take(self, batch: Batch) -> None:
        if self.before is not None:
            await self.before(batch)
        assert batch.entries[0].offset == self.position
        self.values.extend(entry.value for entry in batch.entries)
        self.position = batch.entries[-1].offset + 1
        self.batches.append(len(batch.entries))


@pytest.fixture
def log(log_client: Redis) -> EventLog:
    return ValkeyLog(log_client, STREAMS)


@pytest.fixture
async def reader(log_server: ServerSpec, log: EventLog) -> AsyncIterator[StreamReader]:
    reader = StreamReader(log_server.socket, log, SystemClock())
    yield reader
    await reader.stop()


def values(first: int, end: int) -> list[bytes]:
    return [str(n).encode() for n in range(first, end)]


async def append(log: EventLog, first: int, end: int) -> None:
    await log.append_many("lookups.v1", [("k", value) for value in values(first, end)])


async def test_what_was_there_and_what_comes_is_handled_once_and_in_order(log: EventLog, reader: StreamReader) -> None:
    sink = Sink()
    await append(log, 0, 1200)
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position == 1200)
    await append(log, 1200, 1210)
    await until(lambda: sink.position == 1210)
    assert sink.values == values(0, 1210)
    assert max(sink.batches) == 500


async def test_reading_begins_at_the_position_that_is_handed_in(log: EventLog, reader: StreamReader) -> None:
    sink = Sink()
    sink.position = 7
    await append(log, 0, 10)
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position == 10)
    assert sink.values == values(7, 10)


async def test_nothing_is_handled_before_every_position_is_known(log: EventLog, reader: StreamReader) -> None:
    sink, known, asked = Sink(), asyncio.Event(), 0

    async def start() -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ConnectionError
        await known.wait()
        return 0

    await append(log, 0, 3)
    reader.subscribe("lookups.v1", 0, sink.take, start)
    reader.start()
    await until(lambda: asked == 2)
    assert [progress.position for progress in reader.progress()] == [None]
    assert not reader.progress()[0].progressing(SystemClock().now(), timedelta(hours=1))
    known.set()
    await until(lambda: sink.position == 3)


async def test_every_partition_is_followed_by_itself(log: EventLog, reader: StreamReader) -> None:
    sinks = [Sink() for _ in range(16)]
    for partition, sink in enumerate(sinks):
        reader.subscribe("cards.v1", partition, sink.take, sink.start)
    reader.start()
    numbers = [f"00000{n:05}" for n in range(2000)]
    await log.append_many("cards.v1", [(number, number.encode()) for number in numbers])
    await until(lambda: sum(sink.position for sink in sinks) == 2000)
    assert sorted(value for sink in sinks for value in sink.values) == sorted(n.encode() for n in numbers)


async def test_a_failing_handler_is_tried_again_with_the_same_batch_and_nothing_is_skipped(
    log: EventLog, reader: StreamReader
) -> None:
    sink, tried = Sink(), 0

    async def fail_thrice(batch: Batch) -> None:
        nonlocal tried
        assert [entry.value for entry in batch.entries] == values(0, 5)
        tried += 1
        if tried < 4:
            raise ConnectionError

    await append(log, 0, 5)
    sink.before = fail_thrice
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await until(lambda: reader.progress()[0].failing == "ConnectionError")
    await until(lambda: sink.position == 5)
    sink.before = None
    await append(log, 5, 8)
    await until(lambda: sink.position == 8)
    assert sink.values == values(0, 8)
    assert reader.progress()[0].failing is None


async def test_seeking_back_while_running_reads_again_from_there(log: EventLog, reader: StreamReader) -> None:
    sink = Sink()
    await append(log, 0, 10)
    follower = reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position == 10)
    sink.position = 4
    follower.seek(4)
    await until(lambda: sink.position == 10)
    await append(log, 10, 12)
    await until(lambda: sink.position == 12)
    assert sink.values == values(0, 10) + values(4, 12)


async def test_a_handler_may_seek_and_its_batch_does_not_move_the_position(log: EventLog, reader: StreamReader) -> None:
    sink = Sink()

    async def seek_once(batch: Batch) -> None:
        assert batch.entries[0].offset == 5
        sink.before, sink.position = None, 2
        follower.seek(2)
        raise ConnectionError

    follower = reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    await append(log, 0, 5)
    reader.start()
    await until(lambda: sink.position == 5)
    sink.before = seek_once
    await append(log, 5, 10)
    await until(lambda: sink.position == 10)
    assert sink.values == values(0, 5) + values(2, 10)


async def test_seeking_ahead_skips_what_the_caller_says(log: EventLog, reader: StreamReader) -> None:
    sink = Sink()
    follower = reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await until(lambda: follower.progress.caught_up_at)
    sink.position = 3
    follower.seek(3)
    await append(log, 0, 5)
    await until(lambda: sink.position == 5)
    assert sink.values == values(3, 5)


async def test_a_killed_server_is_read_on_well_within_five_seconds(own_server: OwnServer) -> None:
    server, sink = own_server("log"), Sink()
    await server.start()
    client = connect(server.spec.socket)
    log = ValkeyLog(client, STREAMS)
    reader = StreamReader(server.spec.socket, log, SystemClock())
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await append(log, 0, 10)
    await until(lambda: sink.position == 10)
    server.kill()
    await server.start()
    await append(log, 10, 20)
    await until(lambda: sink.position == 20, deadline_s=3)
    assert sink.values == values(0, 20)
    await reader.stop()
    await client.aclose()


async def test_a_recreated_stream_is_told_and_stops_until_someone_seeks(
    log: EventLog, log_server: ServerSpec, log_client: Redis
) -> None:
    sink, told = Sink(), list[Fault]()

    async def hear(_follower: Follower, fault: Fault) -> None:
        told.append(fault)

    reader = StreamReader(log_server.socket, log, SystemClock(), on_fault=hear)
    follower = reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await append(log, 0, 10)
    await until(lambda: sink.position == 10)
    await log_client.flushall()
    await append(log, 0, 4)
    await until(lambda: told)
    assert told == [Recreated(position=10, end=4)]
    assert follower.progress.fault == told[0]
    assert not follower.progress.progressing(SystemClock().now(), timedelta(hours=1))
    sink.position = 0
    follower.seek(0)
    await append(log, 4, 6)
    await until(lambda: sink.position == 6)
    assert sink.values == values(0, 10) + values(0, 6)
    assert follower.progress.fault is None
    await reader.stop()


async def test_a_position_before_the_first_kept_entry_is_told_and_nothing_is_handled(
    log: EventLog, log_server: ServerSpec, log_client: Redis
) -> None:
    sink = Sink()

    async def go_on(follower: Follower, fault: Fault) -> None:
        assert fault == Trimmed(position=0, first=6)
        assert sink.values == []
        sink.position = 6
        follower.seek(6)

    await append(log, 0, 10)
    await log_client.xtrim("lookups.v1/0", minid="0-7", approximate=False)
    reader = StreamReader(log_server.socket, log, SystemClock(), on_fault=go_on)
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position == 10)
    assert sink.values == values(6, 10)
    await reader.stop()


async def test_entries_trimmed_while_a_handler_fails_are_told_too(
    log: EventLog, log_server: ServerSpec, log_client: Redis
) -> None:
    sink, told = Sink(), list[Fault]()
    entered, gate = asyncio.Event(), asyncio.Event()

    async def hear(_follower: Follower, fault: Fault) -> None:
        told.append(fault)

    async def wait(_batch: Batch) -> None:
        entered.set()
        await gate.wait()

    sink.before = wait
    reader = StreamReader(log_server.socket, log, SystemClock(), on_fault=hear)
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    await append(log, 0, 500)
    reader.start()
    await entered.wait()
    await append(log, 500, 520)
    await log_client.xtrim("lookups.v1/0", minid="0-511", approximate=False)
    gate.set()
    await until(lambda: Trimmed(position=500, first=510) in told)
    assert sink.position == 500
    await reader.stop()


async def test_entries_that_are_not_ours_reach_the_handler_and_the_rest_goes_on(
    log: EventLog, reader: StreamReader, log_client: Redis
) -> None:
    sink = Sink()
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await log_client.xadd("lookups.v1/0", {b"\xff": b"\xfe"}, id="0-1")
    await log_client.xadd("lookups.v1/0", {"k": b"\xff", "v": b"\xff\x00"}, id="0-2")
    await log.append("lookups.v1", "k", b"3")
    await until(lambda: sink.position == 3)
    assert sink.values == [b"", b"\xff\x00", b"3"]


async def test_progress_tells_lag_and_when_all_was_handled(log: EventLog, reader: StreamReader) -> None:
    sink, gate = Sink(), asyncio.Event()

    async def wait(_batch: Batch) -> None:
        await gate.wait()

    sink.before = wait
    await append(log, 0, 10)
    before = SystemClock().now()
    follower = reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await until(lambda: follower.progress.lag == 10)
    assert follower.progress.caught_up_at is None
    gate.set()
    await until(lambda: follower.progress.lag == 0 and follower.progress.caught_up_at)
    assert follower.progress.caught_up_at is not None
    assert follower.progress.caught_up_at >= before
    earlier = follower.progress.caught_up_at
    await until(lambda: follower.progress.caught_up_at != earlier)
    assert follower.progress.progressing(SystemClock().now(), timedelta(seconds=3 * WATCH_INTERVAL_S))


async def test_stopping_while_a_handler_keeps_failing_takes_no_longer_than_its_attempt(
    log: EventLog, log_server: ServerSpec
) -> None:
    sink, tried = Sink(), 0

    async def fail(_batch: Batch) -> None:
        nonlocal tried
        tried += 1
        raise ConnectionError

    sink.before = fail
    reader = StreamReader(log_server.socket, log, SystemClock())
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    await append(log, 0, 3)
    reader.start()
    await until(lambda: tried >= 3)
    async with asyncio.timeout(2):
        await reader.stop()
    assert sink.values == []


async def test_a_reader_started_before_its_server_begins_when_the_server_comes(own_server: OwnServer) -> None:
    server, sink = own_server("log"), Sink()
    client = connect(server.spec.socket)
    log = ValkeyLog(client, STREAMS)
    reader = StreamReader(server.spec.socket, log, SystemClock())
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await server.start()
    await append(log, 0, 3)
    await until(lambda: sink.position == 3)
    await reader.stop()
    await client.aclose()
