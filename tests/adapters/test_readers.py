"""What a reader does, whatever the log is."""

import asyncio
from datetime import timedelta

from lienthong.adapters.event_log import Recreated, Trimmed
from lienthong.adapters.followers import Batch, Fault, Follower
from lienthong.adapters.watching import WATCH_INTERVAL_S
from lienthong.runtime.clock import SystemClock
from tests.support.sinks import Sink, append, values
from tests.support.transports import Transport
from tests.support.waiting import until


async def test_what_was_there_and_what_comes_is_handled_once_and_in_order(transport: Transport) -> None:
    reader = transport.reader()
    sink = Sink()
    await append(transport, 0, 1200)
    reader.subscribe(transport.lookups, 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position == 1200)
    await append(transport, 1200, 1210)
    await until(lambda: sink.position == 1210)
    assert sink.values == values(0, 1210)
    assert max(sink.batches) == 500


async def test_reading_begins_at_the_position_that_is_handed_in(transport: Transport) -> None:
    reader = transport.reader()
    sink = Sink()
    sink.position = 7
    await append(transport, 0, 10)
    reader.subscribe(transport.lookups, 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position == 10)
    assert sink.values == values(7, 10)


async def test_nothing_is_handled_before_every_position_is_known(transport: Transport) -> None:
    reader = transport.reader()
    sink, known, asked = Sink(), asyncio.Event(), 0

    async def start() -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ConnectionError
        await known.wait()
        return 0

    await append(transport, 0, 3)
    reader.subscribe(transport.lookups, 0, sink.take, start)
    reader.start()
    await until(lambda: asked == 2)
    assert [progress.position for progress in reader.progress()] == [None]
    assert not reader.progress()[0].progressing(SystemClock().now(), timedelta(hours=1))
    known.set()
    await until(lambda: sink.position == 3)


async def test_every_partition_is_followed_by_itself(transport: Transport) -> None:
    reader = transport.reader()
    sinks = [Sink() for _ in range(16)]
    for partition, sink in enumerate(sinks):
        reader.subscribe(transport.cards, partition, sink.take, sink.start)
    reader.start()
    numbers = [f"00000{n:05}" for n in range(2000)]
    await transport.log.append_many(transport.cards, [(number, number.encode()) for number in numbers])
    await until(lambda: sum(sink.position for sink in sinks) == 2000)
    assert sorted(value for sink in sinks for value in sink.values) == sorted(n.encode() for n in numbers)


async def test_a_failing_handler_is_tried_again_with_its_batch_and_nothing_is_skipped(
    transport: Transport,
) -> None:
    reader = transport.reader()
    sink, tried = Sink(), 0

    async def fail_thrice(batch: Batch) -> None:
        nonlocal tried
        assert [entry.value for entry in batch.entries] == values(0, 5)
        tried += 1
        if tried < 4:
            raise ConnectionError

    await append(transport, 0, 5)
    sink.before = fail_thrice
    reader.subscribe(transport.lookups, 0, sink.take, sink.start)
    reader.start()
    await until(lambda: reader.progress()[0].failing == "ConnectionError")
    await until(lambda: sink.position == 5)
    sink.before = None
    await append(transport, 5, 8)
    await until(lambda: sink.position == 8)
    assert sink.values == values(0, 8)
    assert reader.progress()[0].failing is None


async def test_seeking_back_while_running_reads_again_from_there(transport: Transport) -> None:
    reader = transport.reader()
    sink = Sink()
    await append(transport, 0, 10)
    follower = reader.subscribe(transport.lookups, 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position == 10)
    sink.position = 4
    follower.seek(4)
    await until(lambda: sink.position == 10)
    await append(transport, 10, 12)
    await until(lambda: sink.position == 12)
    assert sink.values == values(0, 10) + values(4, 12)


async def test_a_handler_may_seek_and_its_batch_does_not_move_the_position(transport: Transport) -> None:
    reader = transport.reader()
    sink = Sink()

    async def seek_once(batch: Batch) -> None:
        assert batch.entries[0].offset == 5
        sink.before, sink.position = None, 2
        follower.seek(2)
        raise ConnectionError

    follower = reader.subscribe(transport.lookups, 0, sink.take, sink.start)
    await append(transport, 0, 5)
    reader.start()
    await until(lambda: sink.position == 5)
    sink.before = seek_once
    await append(transport, 5, 10)
    await until(lambda: sink.position == 10)
    assert sink.values == values(0, 5) + values(2, 10)


async def test_seeking_back_forgets_what_was_read_ahead(transport: Transport) -> None:
    reader = transport.reader()
    sink = Sink()

    async def go_back(batch: Batch) -> None:
        if batch.position == 500:
            sink.before, sink.position = None, 100
            follower.seek(100)
            raise ConnectionError

    sink.before = go_back
    follower = reader.subscribe(transport.lookups, 0, sink.take, sink.start)
    await append(transport, 0, 1700)
    reader.start()
    await until(lambda: sink.position == 1700)
    assert sink.values == values(0, 500) + values(100, 1700)


async def test_seeking_ahead_skips_what_the_caller_says(transport: Transport) -> None:
    reader = transport.reader()
    sink = Sink()

    async def fail(_batch: Batch) -> None:
        raise ConnectionError

    sink.before = fail
    follower = reader.subscribe(transport.lookups, 0, sink.take, sink.start)
    await append(transport, 0, 5)
    reader.start()
    await until(lambda: follower.progress.failing)
    sink.before, sink.position = None, 3
    follower.seek(3)
    await until(lambda: sink.position == 5)
    assert sink.values == values(3, 5)


async def test_a_recreated_stream_is_told_and_stops_until_someone_seeks(transport: Transport) -> None:
    sink, told = Sink(), list[Fault]()

    async def hear(_follower: Follower, fault: Fault) -> None:
        told.append(fault)

    reader = transport.reader(on_fault=hear)
    follower = reader.subscribe(transport.lookups, 0, sink.take, sink.start)
    reader.start()
    await append(transport, 0, 10)
    await until(lambda: sink.position == 10)
    await transport.recreate(transport.lookups)
    await append(transport, 0, 4)
    await until(lambda: told)
    assert told == [Recreated(position=10, end=4)]
    assert follower.progress.fault == told[0]
    assert not follower.progress.progressing(SystemClock().now(), timedelta(hours=1))
    sink.position = 0
    follower.seek(0)
    await append(transport, 4, 6)
    await until(lambda: sink.position == 6)
    assert sink.values == values(0, 10) + values(0, 6)
    assert follower.progress.fault is None


async def test_a_position_before_the_first_kept_entry_is_told_and_nothing_is_handled(transport: Transport) -> None:
    sink = Sink()

    async def go_on(follower: Follower, fault: Fault) -> None:
        assert fault == Trimmed(position=0, first=6)
        assert sink.values == []
        sink.position = 6
        follower.seek(6)

    await append(transport, 0, 10)
    await transport.trim(transport.lookups, 0, 6)
    reader = transport.reader(on_fault=go_on)
    reader.subscribe(transport.lookups, 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position == 10)
    assert sink.values == values(6, 10)


async def test_progress_tells_lag_and_when_all_was_handled(transport: Transport) -> None:
    reader = transport.reader()
    sink, gate = Sink(), asyncio.Event()

    async def wait(_batch: Batch) -> None:
        await gate.wait()

    sink.before = wait
    await append(transport, 0, 10)
    before = SystemClock().now()
    follower = reader.subscribe(transport.lookups, 0, sink.take, sink.start)
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


async def test_stopping_while_a_handler_keeps_failing_takes_no_longer_than_its_attempt(transport: Transport) -> None:
    sink, tried = Sink(), 0

    async def fail(_batch: Batch) -> None:
        nonlocal tried
        tried += 1
        raise ConnectionError

    sink.before = fail
    reader = transport.reader()
    reader.subscribe(transport.lookups, 0, sink.take, sink.start)
    await append(transport, 0, 3)
    reader.start()
    await until(lambda: tried >= 3)
    async with asyncio.timeout(2):
        await reader.stop()
    assert sink.values == []
