"""What a Kafka broker knows of a peer: how far its group has committed, and what its changelog would restore."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from lienthong.adapters.projection_layout import DIGEST_MODULUS
from tests.bench.cards import Truth
from tests.support.distributed.kafka import administration

#: Each peer stores this many bytes of the revision before the event, which begins with the mark.
REVISION_BYTES = 4
EVENT_MARK = b'{"spec'
#: The key under which a partition keeps the sum of its digests.
SUM = b"sum"
_READ_MS = 500


class Ledger:
    """Asks the brokers about one group after the other."""

    def __init__(self, servers: str, client: AIOKafkaAdminClient) -> None:
        self._servers = servers
        self._client = client

    async def has_committed(self, group: str, entries: Mapping[str, int]) -> bool:
        """Tell whether a group has committed so many entries of each topic, of all its partitions together."""
        committed: Counter[str] = Counter()
        for place, each in (await self._client.list_consumer_group_offsets(group)).items():
            committed[place.topic] += each.offset
        return all(committed[topic] >= count for topic, count in entries.items())

    async def verify_and_forget(self, group: str, truth: Truth) -> None:
        """Assert that the group's changelog restores each card once, at its highest revision; then remove it.

        Where it has an index by citizen ID, each ID must be in it, and its partitions' sums must be the digest.
        """
        topics = [topic for topic in await self._client.list_topics() if group in topic]
        index = [topic for topic in topics if topic.endswith("citizens-changelog")]
        stored = [topic for topic in topics if "changelog" in topic and topic not in index]
        restored = await self._last_values(await self._places(stored))
        revisions = [_revision(value) for value in restored.values() if EVENT_MARK in value]
        found = (len(revisions), sum(revisions))
        assert found == (truth.cards, truth.revisions), (found, truth.cards, truth.revisions)
        if index:
            citizens = await self._last_values(await self._places(index))
            assert {key.decode() for _, key in citizens} == truth.citizens
            sums = [int.from_bytes(value, "big") for (_, key), value in restored.items() if key == SUM]
            assert sum(sums) % DIGEST_MODULUS == truth.digest
        await self._client.delete_topics(topics)

    async def _places(self, topics: list[str]) -> list[TopicPartition]:
        described = await self._client.describe_topics(topics)
        return [TopicPartition(each["topic"], part["partition"]) for each in described for part in each["partitions"]]

    async def _last_values(self, places: list[TopicPartition]) -> dict[tuple[int, bytes], bytes]:
        """Return the last value of each partition and key, as a peer that lost its disk would have them."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._servers)
        await consumer.start()
        try:
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            last: dict[tuple[int, bytes], bytes] = {}
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=_READ_MS)).values():
                    last.update(((record.partition, record.key), record.value) for record in records)
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
