"""Brokers that are away leave a backlog in the outbox alone, and take every decision of it in its order when back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from lienthong.adapters.outbox import Message, OutboxCell, load_outbox_functions
from lienthong.adapters.outbox_leases import Leases
from lienthong.lookup.relaying import Relays
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.tasks import end
from tests.support.distributed.kafka import KafkaCluster
from tests.support.transports import KafkaTransport
from tests.support.waiting import until

CELLS = ["http-4", "http-11"]
DECISIONS = 2_000
#: A relay that hangs on brokers that are away notices after fifteen seconds, and tries again five later.
RELAYED_S = 90.0

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def relaying(store: Redis, kafka: KafkaTransport, owner: str) -> AsyncIterator[Relays]:
    relays = Relays(store, kafka.log, Leases(store, owner), CELLS, SystemClock())
    task = asyncio.create_task(relays.run(list))
    try:
        yield relays
    finally:
        await end(task)
        await relays.stop()


async def store_all(store: Redis, kafka: KafkaTransport, numbers: range) -> None:
    """Store decisions on cards that are spread over the partitions, half of them in each cell."""
    cells = [OutboxCell(store, cell, append_timeout_s=RELAYED_S) for cell in CELLS]
    moment = SystemClock().now().isoformat()
    for first in range(numbers.start, numbers.stop, 50):
        await asyncio.gather(
            *(
                cells[number % 2].append(
                    [
                        Message(
                            stream=kafka.cards,
                            key=str(number % 97),
                            value=orjson.dumps({"number": number, "time": moment}),
                        )
                    ]
                )
                for number in range(first, first + 50)
            )
        )


async def read(kafka: KafkaTransport, partition: int) -> list[dict[str, Any]]:
    """Return every event of a partition, in order."""
    events: list[dict[str, Any]] = []
    position = 0
    while entries := await kafka.log.read(kafka.cards, partition, position, 1_000):
        assert isinstance(entries, tuple)
        events += [orjson.loads(entry.value) for entry in entries]
        position = entries[-1].offset + 1
    return events


async def test_what_was_decided_while_all_brokers_were_dead_arrives_once_and_in_order(
    kafka_cluster: KafkaCluster, kafka: KafkaTransport, projection_client: Redis
) -> None:
    store = projection_client
    await load_outbox_functions(store)
    await kafka_cluster.in_sync()
    async with relaying(store, kafka, "one") as one, relaying(store, kafka, "two") as two:
        await store_all(store, kafka, range(500))
        for broker in kafka_cluster.brokers:
            kafka_cluster.kill(broker)
        await store_all(store, kafka, range(500, DECISIONS))
        await until(lambda: one.backlog.entries >= DECISIONS - 500)
        await kafka_cluster.heal()
        await until(lambda: not one.backlog.entries and not two.backlog.entries, RELAYED_S)
    arrived: Counter[int] = Counter()
    for partition in range(kafka.log.partitions(kafka.cards)):
        marks: Counter[tuple[str, str]] = Counter()
        for event in await read(kafka, partition):
            place = event["outboxcell"], event["outboxepoch"]
            if event["outboxseq"] > marks[place]:
                marks[place] = event["outboxseq"]
                arrived[event["number"]] += 1
    assert arrived == Counter(range(DECISIONS))
