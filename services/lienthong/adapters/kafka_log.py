"""The distributed log: appends to and reads from the topics of an Apache Kafka, named as the streams.

An offset is returned once as many brokers as must agree have the entry. Offsets may have gaps: whatever lies between
two entries never was one.

The batches of one partition go one after the other, each once the one before it is acknowledged: where an append
fails, a beginning of what it gave each partition is in the log, and nothing lacks within it. The producer repeats a
batch until the brokers have it, and they recognise the repetition, so nothing is written twice by it. What was not
acknowledged in time may still be written while this process lives, and always before what is appended later.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import DuplicateSequenceNumber, KafkaError, OffsetOutOfRangeError, ProducerClosed

from lienthong.adapters.event_log import (
    Appended,
    Bounds,
    Entry,
    Recreated,
    Trimmed,
    UnknownStream,
    partition_of,
)
from lienthong.adapters.kafka_client import KafkaConnection, log_faults
from lienthong.runtime.distributed import DistributedSettings
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import CARDS, STREAMS, Stream

C = TypeVar("C", AIOKafkaProducer, AIOKafkaConsumer)

# A partition whose leader was lost has another within some seconds, of which brokers by default take nine to notice.
APPEND_TIMEOUT_S: Final = 15.0
READ_TIMEOUT_S: Final = 15.0
# A producer or a consumer that could not say goodbye by then is left to itself; nobody waits for it.
CLOSE_TIMEOUT_S: Final = 5.0
# How long one look for records lasts before the position is looked at: what is there comes at once.
POLL_MS: Final = 50


def distributed_streams(settings: DistributedSettings) -> tuple[Stream, ...]:
    """Return the table of streams with the partitions that each has in a distributed log."""
    return tuple(
        dataclasses.replace(
            stream,
            partitions=settings.card_partitions if stream is CARDS else stream.partitions_distributed,
        )
        for stream in STREAMS
    )


async def _unchecked() -> None:
    """Accept the topics as they are."""


class KafkaLog:
    """The log behind one set of brokers; `streams` is the table of what it holds.

    `check` is awaited before the first use, and again until it passes; it raises what a caller is to be told.
    """

    def __init__(
        self, connection: KafkaConnection, streams: Iterable[Stream], check: Callable[[], Awaitable[None]] = _unchecked
    ) -> None:
        self._connection = connection
        self._streams = {stream.name: stream for stream in streams}
        self._check = check
        self._checked = False
        self._opening = asyncio.Lock()
        self._producer: AIOKafkaProducer | None = None
        # One asks for bounds and never fetches, so that no fetch keeps an answer waiting; the other reads pages.
        self._surveyor: AIOKafkaConsumer | None = None
        self._pages: AIOKafkaConsumer | None = None
        self._reading = asyncio.Lock()
        # Where the reader of pages stands, None where that is not known.
        self._stands: tuple[TopicPartition, int] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        """Close every connection; an append under way is given up."""
        for client in (self._producer, self._surveyor, self._pages):
            if client is not None:
                self._leave(client)
        self._producer = self._surveyor = self._pages = None
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=2 * CLOSE_TIMEOUT_S)

    def stream(self, name: str) -> Stream:
        """Return the stream's row of the table. Raises UnknownStream."""
        try:
            return self._streams[name]
        except KeyError:
            raise UnknownStream(name) from None

    def partitions(self, stream: str) -> int:
        """Return how many partitions a stream has. Raises UnknownStream."""
        return self.stream(stream).partitions

    async def append(self, stream: str, key: str, value: bytes) -> Appended:
        """Append one entry to its key's partition and return where it is, once it is acknowledged."""
        (appended,) = await self.append_many(stream, [(key, value)])
        return appended

    async def append_many(self, stream: str, items: Sequence[tuple[str, bytes]]) -> list[Appended]:
        """Append `(key, value)` pairs in order and return where each is, in the same order.

        The order is kept within a partition. Raises LogAway; see the module for what is then known.
        """
        partitions = self.partitions(stream)
        given: dict[int, list[int]] = {}
        for at, (key, _) in enumerate(items):
            given.setdefault(partition_of(key, partitions), []).append(at)
        places: dict[int, Appended] = {}

        async def send(producer: AIOKafkaProducer, partition: int) -> None:
            wanted = [items[at] for at in given[partition]]
            offsets = await _send(producer, TopicPartition(stream, partition), wanted)
            places.update(
                (at, Appended(partition=partition, offset=offset))
                for at, offset in zip(given[partition], offsets, strict=True)
            )

        async with self._within(APPEND_TIMEOUT_S):
            producer = await self._started_producer()
            await self._sending(producer, [send(producer, partition) for partition in given])
        return [places[at] for at in range(len(items))]

    async def bounds(self, stream: str, partitions: Iterable[int] | None = None) -> dict[int, Bounds]:
        """Return what each of the partitions holds (all of them by default). Raises LogAway."""
        wanted = list(range(self.partitions(stream)) if partitions is None else partitions)
        places = [TopicPartition(stream, partition) for partition in wanted]
        async with self._within(READ_TIMEOUT_S):
            consumer = await self._started_surveyor()
            ends, firsts = await asyncio.gather(consumer.end_offsets(places), consumer.beginning_offsets(places))
        # A partition that was made anew between the two questions may have ended before it began.
        return {place.partition: Bounds(first=min(firsts[place], ends[place]), end=ends[place]) for place in places}

    async def end(self, stream: str, partition: int) -> int:
        """Return the position after the last entry ever appended, 0 for a partition that never had one."""
        return (await self.bounds(stream, [partition]))[partition].end

    async def first(self, stream: str, partition: int) -> int:
        """Return the offset of the first entry that is kept, the end if none is."""
        return (await self.bounds(stream, [partition]))[partition].first

    async def read(
        self, stream: str, partition: int, position: int, count: int
    ) -> tuple[Entry, ...] | Trimmed | Recreated:
        """Return up to `count` entries from `position` on, empty at the end.

        A position whose entry retention has removed gives Trimmed, a position beyond the end gives Recreated: neither
        is ever skipped in silence. Raises LogAway.
        """
        async with self._within(READ_TIMEOUT_S), self._reading:
            while True:
                bounds = (await self.bounds(stream, [partition]))[partition]
                if bounds.end < position:
                    return Recreated(position=position, end=bounds.end)
                if bounds.first > position:
                    return Trimmed(position=position, first=bounds.first)
                if bounds.end == position:
                    return ()
                try:
                    return await self._page(TopicPartition(stream, partition), position, bounds.end, count)
                except OffsetOutOfRangeError:
                    # What it held changed since it was asked.
                    continue

    async def retain(self, stream: str, partition: int, *, since: datetime, now: datetime) -> int:  # noqa: ARG002  # as the port has it
        """Return 0: the brokers let go of what is past its term by themselves."""
        return 0

    async def _page(self, place: TopicPartition, position: int, last: int, count: int) -> tuple[Entry, ...]:
        """Return entries from `position` to before `last`, none where only marks of transactions are left."""
        consumer = await self._started_pages()
        stood, self._stands = self._stands, None
        if stood != (place, position):
            consumer.assign([place])
            consumer.seek(place, position)
        entries: list[Entry] = []
        while len(entries) < count and await consumer.position(place) < last:
            found = await consumer.getmany(place, timeout_ms=POLL_MS, max_records=count - len(entries))
            entries.extend(entry_of(record) for record in found.get(place, ()))
        if entries:
            self._stands = (place, entries[-1].offset + 1)
        return tuple(entries)

    async def _sending(self, producer: AIOKafkaProducer, sends: list[Awaitable[None]]) -> None:
        """Await all; after a fault none goes on, and the producer that met it is not used again."""
        tasks = [asyncio.ensure_future(send) for send in sends]
        try:
            await asyncio.gather(*tasks)
        except KafkaError:
            # Brokers refuse what comes after a batch that failed, for its number lacks in their order.
            if self._producer is producer:
                self._producer = None
                self._leave(producer)
            raise
        finally:
            await end(*tasks)

    async def _started_producer(self) -> AIOKafkaProducer:
        await self._checked_once()
        async with self._opening:
            if self._producer is None:
                self._producer = await self._started(self._connection.producer())
            return self._producer

    async def _started_surveyor(self) -> AIOKafkaConsumer:
        await self._checked_once()
        async with self._opening:
            if self._surveyor is None:
                self._surveyor = await self._started(self._connection.consumer())
            return self._surveyor

    async def _started_pages(self) -> AIOKafkaConsumer:
        async with self._opening:
            if self._pages is None:
                self._pages = await self._started(self._connection.consumer())
            return self._pages

    async def _checked_once(self) -> None:
        if not self._checked:
            await self._check()
            self._checked = True

    async def _started(self, client: C) -> C:
        try:
            await client.start()
        except BaseException:
            self._leave(client)
            raise
        return client

    def _leave(self, client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
        task = asyncio.create_task(_close(client))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    @asynccontextmanager
    async def _within(self, seconds: float) -> AsyncIterator[None]:
        with log_faults():
            async with asyncio.timeout(seconds):
                yield


def entry_of(record: ConsumerRecord) -> Entry:
    """Return the entry that a record is; it never raises, so that no record can stop its partition."""
    key = record.key
    return Entry(
        offset=record.offset,
        key="" if key is None else key.decode("utf-8", "replace"),
        value=b"" if record.value is None else record.value,
    )


async def _send(producer: AIOKafkaProducer, place: TopicPartition, items: Sequence[tuple[str, bytes]]) -> list[int]:
    """Send batch after batch and return the offset of each item."""
    offsets: list[int] = []
    batch = producer.create_batch()
    filled = 0
    for key, value in items:
        if batch.append(key=key.encode(), value=value, timestamp=None) is None:
            offsets.extend(await _acknowledged(producer, place, batch, filled))
            batch, filled = producer.create_batch(), 0
            batch.append(key=key.encode(), value=value, timestamp=None)
        filled += 1
    offsets.extend(await _acknowledged(producer, place, batch, filled))
    return offsets


async def _acknowledged(producer: AIOKafkaProducer, place: TopicPartition, batch: object, entries: int) -> range:
    written = await producer.send_batch(batch, place.topic, partition=place.partition)
    first = (await written).offset
    if first < 0:
        # The batch is there, and the brokers have forgotten where.
        raise DuplicateSequenceNumber
    return range(first, first + entries)


async def _close(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Close a client within bounds, whatever state it is in."""
    if isinstance(client, AIOKafkaProducer):
        # An idempotent producer waits for ever for what it could not send, and has no public way to give it up.
        client._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001  # as above
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await client.stop()
    except (KafkaError, TimeoutError):
        pass
