"""What only a reader of the distributed log meets, on real brokers: each test is a trap that it does not fall into."""

import asyncio
import dataclasses
import time
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError

from lienthong.adapters import kafka_lanes, kafka_reader
from lienthong.adapters.event_log import Trimmed
from lienthong.adapters.followers import Batch, Fault, Follower
from lienthong.adapters.kafka_lanes import BATCHES_WAITING
from lienthong.adapters.kafka_log import KafkaLog
from lienthong.adapters.kafka_reader import KafkaReader
from lienthong.runtime.clock import SystemClock
from tests.support.distributed.kafka import KafkaCluster, administration
from tests.support.sinks import Sink, append, values
from tests.support.transports import KafkaTransport, produced, producing
from tests.support.waiting import until, until_so

NOBODY = b"UNREADABLE-\xff"


async def test_a_header_that_is_not_utf_8_costs_nobody_a_batch(kafka: KafkaTransport) -> None:
    sink, reader = Sink(), kafka.reader()
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    reader.start()
    async with producing(kafka) as producer:
        for key, value in ((b"k", b"1"), (NOBODY, None), (None, NOBODY), (b"k", b"4")):
            await producer.send_and_wait(kafka.lookups, key=key, value=value, partition=0, headers=[("trace", NOBODY)])
    await until(lambda: sink.position == 4)
    assert sink.values == [b"1", b"", NOBODY, b"4"]


async def test_a_partition_that_keeps_failing_keeps_no_other_waiting_and_is_not_tried_hot(
    kafka: KafkaTransport,
) -> None:
    attempts = 0

    async def fail(_batch: Batch) -> None:
        nonlocal attempts
        attempts += 1
        raise ConnectionError

    broken = Sink()
    broken.before = fail
    sinks = [broken, *(Sink() for _ in range(15))]
    reader = kafka.reader()
    for partition, sink in enumerate(sinks):
        reader.subscribe(kafka.cards, partition, sink.take, sink.start)
    reader.start()
    numbers = [f"00000{n:05}" for n in range(1600)]
    places = await kafka.log.append_many(kafka.cards, [(number, number.encode()) for number in numbers])
    elsewhere = sum(place.partition != 0 for place in places)
    await until(lambda: sum(sink.position for sink in sinks) == elsewhere)
    await until(lambda: attempts >= 4)
    seen = attempts
    for n in range(40):
        elsewhere += (await kafka.log.append(kafka.cards, f"0000099{n:03}", b"v")).partition != 0
        await until(lambda: sum(sink.position for sink in sinks) == elsewhere)  # noqa: B023  # awaited in its turn
    assert attempts - seen < 40
    assert next(each.failing for each in reader.progress() if each.partition == 0) == "ConnectionError"
    broken.before = None
    await until(lambda: broken.position == (1600 + 40) - elsewhere)
    assert broken.values == [value for value in broken.values if value]


async def test_what_a_failed_read_took_with_it_is_read_again(
    kafka: KafkaTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_lanes, "LOOKS_BEFORE_ASKING", 1)
    sink, reader = Sink(), kafka.reader()
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    reader.start()
    await append(kafka, 0, 10)
    await until(lambda: sink.position == 10)
    # aiokafka counts as read what it took before the fault of another partition, and hands it to nobody.
    _consumer(reader).seek(TopicPartition(kafka.lookups, 0), 15)
    await append(kafka, 10, 20)
    await until(lambda: sink.position == 20)
    _consumer(reader).seek(TopicPartition(kafka.lookups, 0), 25)
    await append(kafka, 20, 25)
    await until(lambda: sink.position == 25)
    assert sink.values == values(0, 25)


async def test_the_marks_of_transactions_are_passed_over_and_the_position_is_beyond_them(kafka: KafkaTransport) -> None:
    sink, reader = Sink(), kafka.reader()
    sink.gaps = True
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    reader.start()
    async with producing(kafka, transactional_id=kafka.group) as producer:
        for n in range(5):
            async with producer.transaction():
                await produced(producer, kafka.lookups, values(2 * n, 2 * n + 2))
    await until(lambda: len(sink.values) == 10)
    assert sink.values == values(0, 10)
    assert sink.position == await kafka.log.end(kafka.lookups, 0) == 15


async def test_a_reader_that_is_started_before_its_brokers_says_so_and_begins_when_they_come() -> None:
    cluster = KafkaCluster(brokers=1)
    kafka = KafkaTransport.at(cluster.servers)
    sink, reader = Sink(), kafka.reader()
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    task = reader.start()
    try:
        await until(reader.progress)
        assert not reader.progress()[0].progressing(SystemClock().now(), timedelta(hours=1))
        assert not reader.reading.is_set()
        await cluster.start()
        await kafka.create()
        await append(kafka, 0, 3)
        await until(lambda: sink.position == 3)
        assert not task.done()
    finally:
        await kafka.aclose()
        await cluster.stop()


async def test_a_loop_that_was_blocked_for_longer_than_the_session_gets_its_partitions_back_and_loses_nothing(
    kafka: KafkaTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "SESSION_TIMEOUT_MS", 1000)
    monkeypatch.setattr(kafka_reader, "HEARTBEAT_INTERVAL_MS", 200)
    sink, reader, starts = Sink(), kafka.reader(), 0

    async def start() -> int:
        nonlocal starts
        starts += 1
        return sink.position

    async def block(batch: Batch) -> None:
        if batch.position >= 5 and starts == 1:
            time.sleep(2.5)  # noqa: ASYNC251  # the trap

    sink.before = block
    reader.subscribe(kafka.lookups, 0, sink.take, start)
    reader.start()
    await append(kafka, 0, 5)
    await until(lambda: sink.position == 5)
    await append(kafka, 5, 10)
    await until(lambda: starts > 1)
    await append(kafka, 10, 15)
    await until(lambda: sink.position == 15)
    assert sink.values == values(0, 15)


async def test_a_position_that_is_not_in_the_log_keeps_no_other_partition_waiting(kafka: KafkaTransport) -> None:
    told = list[tuple[int, Fault]]()

    async def hear(follower: Follower, fault: Fault) -> None:
        told.append((follower.partition, fault))

    sinks = [Sink() for _ in range(16)]
    places = await kafka.log.append_many(kafka.cards, [(f"00000{n:05}", b"v") for n in range(320)])
    trimmed = places[0].partition
    await kafka.trim(kafka.cards, trimmed, 3)
    reader = kafka.reader(hear)
    for partition, sink in enumerate(sinks):
        reader.subscribe(kafka.cards, partition, sink.take, sink.start)
    reader.start()
    elsewhere = sum(place.partition != trimmed for place in places)
    await until(lambda: sum(sink.position for sink in sinks) == elsewhere)
    assert told == [(trimmed, Trimmed(position=0, first=3))]
    assert sinks[trimmed].values == []


async def test_two_members_share_the_partitions_and_every_entry_is_handled_once(kafka: KafkaTransport) -> None:
    stores = [Sink() for _ in range(16)]
    readers = [_sharing(kafka, stores) for _ in range(2)]
    readers[0].start()
    written = 0

    async def write() -> None:
        nonlocal written
        items = [(f"00000{n:05}", str(n).encode()) for n in range(written, written + 1600)]
        await kafka.log.append_many(kafka.cards, items)
        written += 1600

    def handled() -> int:
        return sum(store.position for store in stores)

    await write()
    await until(lambda: handled() == written)
    readers[1].start()
    await write()
    await until(lambda: all(len(reader.progress()) == 8 for reader in readers))
    await until(lambda: handled() == written)
    await write()
    await readers[0].stop()
    await until(lambda: len(readers[1].progress()) == 16)
    await write()
    await until(lambda: handled() == written)
    assert sorted(int(value) for store in stores for value in store.values) == list(range(written))


async def test_a_member_with_a_name_gets_its_partitions_back_before_its_session_has_ended(
    kafka: KafkaTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def say_nothing(_coordinator: GroupCoordinator) -> None:
        """Leave the group as a process does that was killed."""

    monkeypatch.setattr(GroupCoordinator, "_maybe_leave_group", say_nothing)
    # Otherwise the group waits no longer than this for one that it divides anew without.
    monkeypatch.setattr(kafka_reader, "REBALANCE_TIMEOUT_MS", 60_000)
    sink = Sink()
    for end in (5, 10):
        reader = kafka.reader(instance="desk-1")
        reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
        reader.start()
        await append(kafka, end - 5, end)
        await until(lambda: sink.position == end)  # noqa: B023  # awaited in its turn
        await reader.stop()
    assert sink.values == values(0, 10)


async def test_what_waits_for_a_slow_handler_is_bounded(kafka: KafkaTransport) -> None:
    sink, reader, gate = Sink(), kafka.reader(), asyncio.Event()

    async def wait(_batch: Batch) -> None:
        await gate.wait()

    sink.before = wait
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    place = TopicPartition(kafka.lookups, 0)
    many = 3 * kafka_reader.MAX_RECORDS
    await append(kafka, 0, many)
    reader.start()
    await until(lambda: reader.reading.is_set() and place in _consumer(reader).paused())
    (lane,) = reader._lanes.values()
    assert len(lane._waiting) < kafka_reader.MAX_RECORDS + BATCHES_WAITING * 500
    gate.set()
    await until(lambda: sink.position == many)
    assert sink.values == values(0, many)


async def test_a_partition_that_nobody_here_knows_is_seen(kafka: KafkaTransport) -> None:
    lookups = dataclasses.replace(kafka.log.stream(kafka.lookups), name=f"wide-{kafka.group}", partitions=2)
    await kafka.create([lookups])
    log = KafkaLog(kafka.connection, [dataclasses.replace(lookups, partitions=1)])
    sink, reader = Sink(), kafka.reader(log=log)
    reader.subscribe(lookups.name, 0, sink.take, sink.start)
    reader.start()
    await until(reader.reading.is_set)
    assert {(each.partition, each.failing) for each in reader.progress()} == {(0, None), (1, "PartitionUnknown")}
    await log.aclose()


async def test_a_consumer_that_has_stopped_is_replaced(kafka: KafkaTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_lanes, "LOOKS_BEFORE_GIVING_UP", 1)
    sink, reader = Sink(), kafka.reader()
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    reader.start()
    await append(kafka, 0, 5)
    await until(lambda: sink.position == 5)
    _consumer(reader).pause(TopicPartition(kafka.lookups, 0))
    await append(kafka, 5, 10)
    await until(lambda: sink.position == 10)
    assert sink.values == values(0, 10)


async def test_a_consumer_that_complains_of_its_group_is_replaced(
    kafka: KafkaTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "COMPLAINTS_MAX", 2)
    sink, reader = Sink(), kafka.reader()
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    reader.start()
    await until(reader.reading.is_set)
    broken = _consumer(reader)

    async def complain(*_places: TopicPartition, **_options: object) -> None:
        raise GroupAuthorizationFailedError

    monkeypatch.setattr(broken, "getmany", complain)
    await until(lambda: reader._consumer not in {None, broken})
    await append(kafka, 0, 5)
    await until(lambda: sink.position == 5)
    assert sink.values == values(0, 5)


async def test_a_topic_that_is_gone_is_seen(kafka: KafkaTransport) -> None:
    sink, reader = Sink(), kafka.reader()
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    reader.start()
    await until(reader.reading.is_set)
    await kafka.remove()
    await until(lambda: reader._given == [])
    assert [(each.stream, each.position) for each in reader.progress()] == [(kafka.lookups, None)]
    assert not reader.progress()[0].progressing(SystemClock().now(), timedelta(0))


async def test_the_group_is_told_how_far_its_members_are(
    kafka: KafkaTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "LOOKS_PER_COMMIT", 1)
    sink, reader = Sink(), kafka.reader()
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    reader.start()
    await append(kafka, 0, 7)

    async def told() -> bool:
        async with administration(kafka.servers) as admin:
            offsets = await admin.list_consumer_group_offsets(kafka.group)
        return TopicPartition(kafka.lookups, 0) in offsets and offsets[TopicPartition(kafka.lookups, 0)].offset == 7

    await until_so(told)


def _consumer(reader: KafkaReader) -> AIOKafkaConsumer:
    consumer = reader._consumer
    assert consumer is not None
    return consumer


def _sharing(kafka: KafkaTransport, stores: list[Sink]) -> KafkaReader:
    """Return a member that handles into stores which all members share, and which know their positions."""
    reader = kafka.reader()
    for partition, store in enumerate(stores):
        followers = list[Follower]()

        async def take(batch: Batch, store: Sink = store, followers: list[Follower] = followers) -> None:
            await asyncio.sleep(0)
            if store.position != batch.position:
                followers[0].seek(store.position)
            else:
                await store.take(batch)

        followers.append(reader.subscribe(kafka.cards, partition, take, store.start))
    return reader
