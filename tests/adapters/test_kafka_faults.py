"""What becomes of entries while brokers of a real Kafka are killed, stand still, or take nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from lienthong.adapters.event_log import Appended, LogAway
from lienthong.runtime.tasks import end
from tests.support.distributed.kafka import KafkaCluster
from tests.support.sinks import Sink
from tests.support.transports import KafkaTransport
from tests.support.waiting import until


class Publisher:
    """Appends numbers one after the other, each until it is acknowledged, and keeps where each is."""

    def __init__(self, kafka: KafkaTransport) -> None:
        self._kafka = kafka
        self.acknowledged: list[Appended] = []
        self.faults = 0

    async def run(self) -> None:
        while True:
            try:
                number = str(len(self.acknowledged)).encode()
                self.acknowledged.append(await self._kafka.log.append(self._kafka.lookups, "k", number))
            except LogAway:
                self.faults += 1


@pytest.fixture
async def publisher(kafka_cluster: KafkaCluster, kafka: KafkaTransport) -> AsyncIterator[Publisher]:
    await kafka_cluster.in_sync()
    publisher = Publisher(kafka)
    task = asyncio.create_task(publisher.run())
    yield publisher
    await end(task)


async def test_where_a_leader_is_killed_every_acknowledged_entry_is_handled_once_and_in_order(
    kafka_cluster: KafkaCluster, kafka: KafkaTransport, publisher: Publisher
) -> None:
    sink, reader = Sink(), kafka.reader()
    follower = reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position > 20)
    kafka_cluster.kill(await kafka_cluster.broker_of(kafka.lookups, 0))
    killed_at = len(publisher.acknowledged)
    await until(lambda: len(publisher.acknowledged) > killed_at + 20)
    await until(lambda: sink.position > publisher.acknowledged[killed_at + 20].offset)
    assert publisher.faults == 0
    assert [sink.values[place.offset] for place in publisher.acknowledged[: killed_at + 20]] == [
        str(n).encode() for n in range(killed_at + 20)
    ]
    assert follower.progress.fault is None


async def test_where_a_leader_stands_still_the_partition_goes_on_with_another(
    kafka_cluster: KafkaCluster, kafka: KafkaTransport, publisher: Publisher
) -> None:
    sink, reader = Sink(), kafka.reader()
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position > 20)
    leader = await kafka_cluster.broker_of(kafka.lookups, 0)
    kafka_cluster.pause(leader)
    paused_at = len(publisher.acknowledged)
    await until(lambda: len(publisher.acknowledged) > paused_at + 20)
    await until(lambda: sink.position > publisher.acknowledged[paused_at + 20].offset, deadline_s=40)
    kafka_cluster.resume(leader)
    acknowledged = publisher.acknowledged[: paused_at + 20]
    assert [sink.values[place.offset] for place in acknowledged] == [str(n).encode() for n in range(len(acknowledged))]


async def test_an_append_that_too_few_brokers_have_is_not_acknowledged_and_stands_before_the_next(
    kafka_cluster: KafkaCluster, kafka: KafkaTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lienthong.adapters.kafka_log.APPEND_TIMEOUT_S", 1.0)
    await kafka_cluster.in_sync()
    await kafka.log.append(kafka.lookups, "k", b"0")
    leader = await kafka_cluster.broker_of(kafka.lookups, 0)
    others = [broker for broker in kafka_cluster.brokers if broker != leader]
    for broker in others:
        kafka_cluster.pause(broker)
    with pytest.raises(LogAway, match="TimeoutError"):
        await kafka.log.append(kafka.lookups, "k", b"1")
    for broker in others:
        kafka_cluster.resume(broker)
    monkeypatch.setattr("lienthong.adapters.kafka_log.APPEND_TIMEOUT_S", 60.0)
    place = await kafka.log.append(kafka.lookups, "k", b"2")
    read = await kafka.log.read(kafka.lookups, 0, 0, 9)
    assert isinstance(read, tuple)
    assert [entry.value for entry in read] == [b"0", b"1", b"2"]
    assert place.offset == 2
