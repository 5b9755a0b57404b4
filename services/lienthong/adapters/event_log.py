"""The log as everything that uses it sees it: partitions of entries, appended to and read by their positions.

*Offset* is the place of an entry in its partition, counted from 0; a *position* is the offset of the next entry to
read. Acknowledged means that an entry survives `kill -9` of any process: an offset is returned only after the embedded
log has it on disk, or after the distributed one has it on as many brokers as must agree. A fault during an append
leaves unknown whether its entries were written: none of them was acknowledged, and appending again is the caller's
choice (facts and look-ups are recognised by their ids).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec
from aiokafka.partitioner import murmur2

from lienthong_schemas.streams import Stream

# What one read may bring into memory at most, whatever the stream's largest event is.
READ_BYTES_MAX = 32 * 1024 * 1024
READ_ENTRIES_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a partition; `value` is as it was appended, readable or not."""

    offset: int
    key: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Where an acknowledged entry was written."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """What was to be read is no longer kept: entries from `position` up to before `first` are gone."""

    position: int
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recreated:
    """The partition ends before the position: it is not the stream that the position was taken from."""

    position: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The offsets a partition holds: from `first` up to before `end`; equal when it holds nothing."""

    first: int
    end: int


class UnknownStream(LookupError):
    """The stream is not in the table of streams that this log was opened with."""

    def __init__(self, stream: str) -> None:
        super().__init__(f"There is no stream named {stream}.")


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key: murmur2 as Kafka's Java client and aiokafka compute it."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


class LogAway(OSError):
    """The log did not do what was asked of it in time; a later attempt may succeed."""

    def __init__(self, fault: BaseException) -> None:
        super().__init__(f"the log is away ({type(fault).__name__})")


def entries_per_read(stream: Stream) -> int:
    """Return how many entries of a stream to read at once, so that even the largest fit into memory."""
    return max(1, min(READ_ENTRIES_MAX, READ_BYTES_MAX // stream.event_bytes_max))


class EventLog(Protocol):
    """The log behind one client. Whatever is asked of it raises OSError or redis.RedisError where it is away."""

    def stream(self, name: str) -> Stream:
        """Return the stream's row of the table, with the number of partitions it has here. Raises UnknownStream."""
        ...

    def partitions(self, stream: str) -> int:
        """Return how many partitions a stream has. Raises UnknownStream."""
        ...

    async def append(self, stream: str, key: str, value: bytes) -> Appended:
        """Append one entry to its key's partition and return where it is, once it is acknowledged."""
        ...

    async def append_many(self, stream: str, items: Sequence[tuple[str, bytes]]) -> list[Appended]:
        """Append `(key, value)` pairs in order and return where each is, in the same order.

        The order is kept within a partition.
        """
        ...

    async def bounds(self, stream: str, partitions: Iterable[int] | None = None) -> dict[int, Bounds]:
        """Return what each of the partitions holds (all of them by default)."""
        ...

    async def end(self, stream: str, partition: int) -> int:
        """Return the position after the last entry ever appended, 0 for a partition that never had one."""
        ...

    async def first(self, stream: str, partition: int) -> int:
        """Return the offset of the first entry that is kept, the end if none is."""
        ...

    async def read(
        self, stream: str, partition: int, position: int, count: int
    ) -> tuple[Entry, ...] | Trimmed | Recreated:
        """Return up to `count` entries from `position` on, empty at the end.

        A position whose entry retention has removed gives Trimmed, a position beyond the end gives Recreated:
        neither is ever skipped in silence.
        """
        ...

    async def retain(self, stream: str, partition: int, *, since: datetime, now: datetime) -> int:
        """Remove the entries at the head whose event time is before `since`, and return how many went.

        A log that does this by itself, by the retention of its topics, returns 0.
        """
        ...


class _Dated(msgspec.Struct):
    time: datetime


_DATED = msgspec.json.Decoder(_Dated)


def event_time(value: bytes) -> datetime | None:
    """Return the `time` of a CloudEvent, None if the value is no such event or its time has no offset."""
    try:
        at = _DATED.decode(value).time
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return at if at.tzinfo is not None else None
