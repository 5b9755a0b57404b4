"""What a Kafka broker knows of a peer: how far its group has committed, and what its changelog would restore."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.bench.cards import Truth
from tests.support.distributed.kafka import administration

#: Each peer stores this many bytes of the revision before the event, which begins with the mark.
REVISION_BYTES = 4
EVENT_MARK = b'{"spec'
_READ_MS = 500


class Ledger:
    """Asks the brokers about one group after the other."""

    def __init__(self, servers: str, client: AIOKafkaAdminClient) -> None:
        self._servers = servers
        self._client = client

    async def committed(self, group: str, topic: str) -> int:
        """Return how many entries of a topic a group has committed, of all its partitions together."""
        offsets = await self._client.list_consumer_group_offsets(group)
        return sum(each.offset for place, each in offsets.items() if place.topic == topic)

    async def verify_and_forget(self, group: str, truth: Truth) -> None:
        """Assert that the group's changelog restores each card once, at its highest revision; then remove it."""
        topics = [topic for topic in await self._client.list_topics() if group in topic]
        restored = await self._last_values(await self._places(topics))
        found = (len(restored), sum(map(_revision, restored.values())))
        assert found == (truth.cards, truth.revisions), (found, truth.cards, truth.revisions)
        await self._client.delete_topics(topics)

    async def _places(self, topics: list[str]) -> list[TopicPartition]:
        described = await self._client.describe_topics(topics)
        return [TopicPartition(each["topic"], part["partition"]) for each in described for part in each["partitions"]]

    async def _last_values(self, places: list[TopicPartition]) -> dict[bytes, bytes]:
        """Return the last value of each key, as a peer that lost its disk would have them."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._servers)
        await consumer.start()
        try:
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            last: dict[bytes, bytes] = {}
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=_READ_MS)).values():
                    last.update((record.key, record.value) for record in records)
        finally:
            await consumer.stop()
        return {key: value for key, value in last.items() if value is not None}


def _revision(value: bytes) -> int:
    at = value.index(EVENT_MARK)
    return int.from_bytes(value[at - REVISION_BYTES : at], "big")


@asynccontextmanager
async def ledger(servers: str) -> AsyncIterator[Ledger]:
    """Connect to the brokers while the block lasts."""
    async with administration(servers) as client:
        yield Ledger(servers, client)
