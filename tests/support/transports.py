"""Both transports of the log behind one face, so that one suite says what either does.

`transport` is parametrised: a test that asks for it runs on the embedded log and on a real Kafka. `kafka` is the latter
alone. Each test has streams of its own: CARDS of sixteen partitions and LOOKUPS of one, under names of the transport.
"""

import dataclasses
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError
from redis.asyncio import Redis

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.followers import OnFault, Reader, halt
from lienthong.adapters.kafka_client import KafkaConnection
from lienthong.adapters.kafka_log import KafkaLog
from lienthong.adapters.kafka_reader import KafkaReader, Membership
from lienthong.adapters.streams import StreamReader
from lienthong.adapters.valkey_log import ValkeyLog, stream_key
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.connection import connect
from lienthong.runtime.distributed import DistributedSettings
from lienthong.runtime.embedded import ServerSpec
from lienthong_schemas.streams import CARDS, LOOKUPS, Stream
from tests.support.distributed.kafka import administration
from tests.support.waiting import until_so


class Transport(Protocol):
    """A log with two streams, readers of it, and what may happen to it."""

    cards: str
    lookups: str

    @property
    def log(self) -> EventLog:
        """The log, with these two streams."""
        ...

    def reader(self, on_fault: OnFault = halt) -> Reader:
        """Make a reader, which the transport stops at the end of the test; it is the only member of its group."""
        ...

    async def recreate(self, stream: str) -> None:
        """Lose a stream and have it anew, empty."""
        ...

    async def trim(self, stream: str, partition: int, first: int) -> None:
        """Let go of every entry before `first`."""
        ...


@dataclass
class EmbeddedTransport:
    """The streams of an embedded log's server, which is empty."""

    socket: ServerSpec
    client: Redis
    cards: str = CARDS.name
    lookups: str = LOOKUPS.name
    readers: list[Reader] = field(default_factory=list)

    @property
    def log(self) -> EventLog:
        return ValkeyLog(self.client, [CARDS, dataclasses.replace(LOOKUPS, partitions=1)])

    def reader(self, on_fault: OnFault = halt) -> Reader:
        self.readers.append(StreamReader(self.socket.socket, self.log, SystemClock(), on_fault))
        return self.readers[-1]

    async def recreate(self, stream: str) -> None:
        for partition in range(self.log.partitions(stream)):
            await self.client.delete(stream_key(stream, partition))

    async def trim(self, stream: str, partition: int, first: int) -> None:
        await self.client.xtrim(stream_key(stream, partition), minid=f"0-{first + 1}", approximate=False)

    async def aclose(self) -> None:
        for reader in self.readers:
            await reader.stop()
        await self.client.aclose()


class KafkaTransport:
    """Topics of a Kafka, which nobody else uses."""

    def __init__(self, settings: DistributedSettings, name: str | None = None) -> None:
        self.connection = KafkaConnection.of(settings)
        self.name = name = name or uuid.uuid4().hex[:12]
        self.cards, self.lookups, self.group = f"cards-{name}", f"lookups-{name}", f"group-{name}"
        self.streams = [
            dataclasses.replace(CARDS, name=self.cards, partitions=16),
            dataclasses.replace(LOOKUPS, name=self.lookups, partitions=1),
        ]
        self._log = KafkaLog(self.connection, self.streams)
        self.log: EventLog = self._log
        self.readers: list[Reader] = []

    @classmethod
    def at(cls, servers: str) -> Self:
        return cls(DistributedSettings(kafka_servers=servers))

    def through(self, settings: DistributedSettings) -> "KafkaTransport":
        """Return the same topics, reached in another way."""
        return KafkaTransport(settings, self.name)

    @property
    def servers(self) -> str:
        return ",".join(self.connection.servers)

    def reader(
        self, on_fault: OnFault = halt, *, instance: str | None = None, log: EventLog | None = None
    ) -> KafkaReader:
        membership = Membership(connection=self.connection, group=self.group, instance=instance)
        reader = KafkaReader(membership, log or self.log, SystemClock(), on_fault)
        self.readers.append(reader)
        return reader

    async def create(self, streams: Iterable[Stream] | None = None) -> None:
        """Make the topics and return when each partition has a leader."""
        made = list(self.streams if streams is None else streams)
        copies = min(3, len(self.connection.servers))
        topics = [NewTopic(each.name, each.partitions, copies) for each in made]

        async def created(admin: AIOKafkaAdminClient) -> bool:
            await admin.create_topics(topics)
            found = {each["topic"]: each["partitions"] for each in await admin.describe_topics()}
            return all(
                topic.name in found and all(each["leader"] >= 0 for each in found[topic.name]) for topic in topics
            )

        await self._until(created)

    async def recreate(self, stream: str) -> None:
        async def gone(admin: AIOKafkaAdminClient) -> bool:
            await admin.delete_topics([stream])
            return stream not in await admin.list_topics()

        await self._until(gone)
        await self.create([self.log.stream(stream)])

    async def trim(self, stream: str, partition: int, first: int) -> None:
        place = TopicPartition(stream, partition)

        async def trimmed(admin: AIOKafkaAdminClient) -> bool:
            return bool((await admin.delete_records({place: RecordsToDelete(first)}))[place] == first)

        await self._until(trimmed)

    async def _until(self, done: Callable[[AIOKafkaAdminClient], Awaitable[bool]]) -> None:
        """Ask the brokers until it is done: busy ones may take longer than they are given, and do it all the same."""

        async def attempt() -> bool:
            try:
                async with administration(self.servers) as admin:
                    return await done(admin)
            except KafkaError:
                return False

        await until_so(attempt)

    async def aclose(self) -> None:
        for reader in self.readers:
            await reader.stop()
        await self._log.aclose()

    async def remove(self) -> None:
        """Leave the brokers without these topics: a thousand would wear them down."""
        with suppress(KafkaError):
            async with administration(self.servers) as admin:
                await admin.delete_topics([each.name for each in self.streams])


@asynccontextmanager
async def producing(kafka: KafkaTransport, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """Run a producer that is not ours, with options of its own."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.servers, acks="all", **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def produced(producer: AIOKafkaProducer, topic: str, values: Iterable[bytes], partition: int = 0) -> None:
    """Send values one after the other, each acknowledged before the next."""
    for value in values:
        await producer.send_and_wait(topic, value, partition=partition)


@pytest.fixture
async def kafka(kafka_servers: str) -> AsyncIterator[KafkaTransport]:
    made = KafkaTransport.at(kafka_servers)
    await made.create()
    yield made
    await made.aclose()
    await made.remove()


@pytest.fixture(params=["embedded", "kafka"])
def transport_place(request: pytest.FixtureRequest) -> ServerSpec | str:
    """Where the log is: a server's socket, or brokers."""
    name = {"embedded": "log_server", "kafka": "kafka_servers"}[request.param]
    place: ServerSpec | str = request.getfixturevalue(name)
    return place


@pytest.fixture
async def transport(transport_place: ServerSpec | str) -> AsyncIterator[Transport]:
    if isinstance(transport_place, str):
        kafka = KafkaTransport.at(transport_place)
        await kafka.create()
        yield kafka
        await kafka.aclose()
        await kafka.remove()
    else:
        embedded = EmbeddedTransport(transport_place, connect(transport_place.socket))
        yield embedded
        await embedded.aclose()
