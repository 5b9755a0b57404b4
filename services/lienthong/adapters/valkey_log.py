"""The embedded log: appends to and reads from the Valkey streams that hold the truth on one machine.

One stream per partition, `cards.v1/7`; entry ids count 0-1, 0-2, … so that *offset* = n - 1, as in Kafka.

The server runs with `appendfsync always`, so an offset is returned only after the entry is on disk. This client itself
never repeats a command. The appends of a round trip are written as a whole or not at all: a server that finishes
loading its data in between would refuse the first of them and take the others, and an order that consumers rely on
would be lost for good.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from lienthong.adapters.event_log import (
    Appended,
    Bounds,
    Entry,
    Recreated,
    Trimmed,
    UnknownStream,
    entries_per_read,
    event_time,
    partition_of,
)
from lienthong_schemas.streams import STREAMS, Stream

# A round trip of 500 appends keeps the socket's buffers small and spreads the cost of one fsync over them all.
APPENDS_PER_ROUND_TRIP = 500


def stream_key(stream: str, partition: int) -> str:
    """Return the name of a partition's stream in the server."""
    return f"{stream}/{partition}"


def entry_id(position: int) -> str:
    """Return the id of the last entry before `position`: the one to read after."""
    return f"0-{position}"


def offset_of(identifier: bytes) -> int:
    """Return the offset of the entry with this id."""
    return int(identifier.rpartition(b"-")[2]) - 1


class ValkeyLog:
    """The log behind one client; `streams` is the table of what it holds."""

    def __init__(self, client: Redis, streams: Iterable[Stream] = STREAMS) -> None:
        self._client = client
        self._streams = {stream.name: stream for stream in streams}

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
        """Append one entry to its key's partition and return where it is, once it is on disk."""
        (appended,) = await self.append_many(stream, [(key, value)])
        return appended

    async def append_many(self, stream: str, items: Sequence[tuple[str, bytes]]) -> list[Appended]:
        """Append `(key, value)` pairs in order and return where each is, in the same order.

        The order is kept within a partition. Raises redis.RedisError; see the module for what is then known.
        """
        partitions = self.partitions(stream)
        appended: list[Appended] = []
        for start in range(0, len(items), APPENDS_PER_ROUND_TRIP):
            chunk = items[start : start + APPENDS_PER_ROUND_TRIP]
            targets = [partition_of(key, partitions) for key, _ in chunk]
            async with self._client.pipeline(transaction=True) as pipeline:
                for (key, value), partition in zip(chunk, targets, strict=True):
                    _append(pipeline, stream_key(stream, partition), key, value)
                identifiers = await pipeline.execute()
            appended.extend(
                Appended(partition=partition, offset=offset_of(identifier))
                for partition, identifier in zip(targets, identifiers, strict=True)
            )
        return appended

    async def bounds(self, stream: str, partitions: Iterable[int] | None = None) -> dict[int, Bounds]:
        """Return what each of the partitions holds (all of them by default), in one round trip."""
        wanted = list(range(self.partitions(stream)) if partitions is None else partitions)
        async with self._client.pipeline(transaction=False) as pipeline:
            for partition in wanted:
                pipeline.xinfo_stream(stream_key(stream, partition))
            answers = await pipeline.execute(raise_on_error=False)
        return {partition: _bounds(answer) for partition, answer in zip(wanted, answers, strict=True)}

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

        A position whose entry retention has removed gives Trimmed, a position beyond the end gives Recreated:
        neither is ever skipped in silence. A stream that was recreated *and* has grown past the position looks
        like the old one from here; positions are kept beside data that name what they were derived from.
        """
        found = await self._range(stream, partition, position, count)
        if found and found[0].offset == position:
            return found
        if found:
            return Trimmed(position=position, first=found[0].offset)
        bounds = (await self.bounds(stream, [partition]))[partition]
        if bounds.end < position:
            return Recreated(position=position, end=bounds.end)
        return Trimmed(position=position, first=bounds.first) if bounds.first > position else ()

    async def retain(self, stream: str, partition: int, *, since: datetime, now: datetime) -> int:
        """Remove the entries at the head whose event time is before `since`; return how many went.

        It reads from the head and stops at the first entry that is young enough, so each entry is looked at once
        in its life and a wrong time in the middle can neither remove what stands before it nor keep what stands
        after it. An entry without a readable time, or dated after `now`, goes together with the next dated one.
        """
        bounds = (await self.bounds(stream, [partition]))[partition]
        position = keep = bounds.first
        page_entries = entries_per_read(self.stream(stream))
        while position < bounds.end:
            page = await self._range(stream, partition, position, page_entries)
            if not page:
                break
            for entry in page:
                at = event_time(entry.value)
                if at is None or at > now:
                    continue
                if at >= since:
                    return await self._trim(stream, partition, bounds.first, keep)
                keep = entry.offset + 1
            position = page[-1].offset + 1
        return await self._trim(stream, partition, bounds.first, keep)

    async def _trim(self, stream: str, partition: int, first: int, keep: int) -> int:
        if keep == first:
            return 0
        # The id of offset n is 0-(n + 1), so everything below that of `keep` goes.
        return int(await self._client.xtrim(stream_key(stream, partition), minid=f"0-{keep + 1}", approximate=False))

    async def _range(self, stream: str, partition: int, position: int, count: int) -> tuple[Entry, ...]:
        name = stream_key(stream, partition)
        found: Any = await self._client.xrange(name, min=f"({entry_id(position)}", count=count)
        return tuple(entry_of(identifier, fields) for identifier, fields in found)


def entry_of(identifier: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """Return the entry a stream answered with; it never raises, so that no entry can stop its partition.

    One that some other program wrote without our fields comes out empty and is found unreadable by its reader.
    """
    key = fields.get(b"k", b"").decode("utf-8", "replace")
    return Entry(offset=offset_of(identifier), key=key, value=fields.get(b"v", b""))


def _append(pipeline: Pipeline, stream: str, key: str, value: bytes) -> None:
    pipeline.execute_command("XADD", stream, "0-*", "k", key, "v", value)


def _bounds(answer: Any) -> Bounds:
    if isinstance(answer, ResponseError) and "no such key" in str(answer):
        return Bounds(first=0, end=0)
    if isinstance(answer, Exception):
        raise answer
    end = offset_of(answer["last-generated-id"]) + 1
    head = answer["first-entry"]
    return Bounds(first=end if head is None else offset_of(head[0]), end=end)
