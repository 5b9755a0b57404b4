"""The outbox: a decision is stored beside the projection before its answer leaves, and relayed to the log afterwards.

A cell is a stream in the projection's server. Its entries carry the messages to publish; an epoch is drawn when the
cell is created (or found to have gone back) and the entry's id counts within it, so a consumer drops repeats by one
mark per cell and epoch. Relaying is at least once, with the same bytes, in order within a cell.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from lienthong.adapters.coalescing import Patience
from lienthong.adapters.event_log import EventLog

#: Entries a cell may hold before appends are refused: an hour of a busy desk's look-ups (about 250 a second).
CELL_ENTRIES_MAX = 1_000_000
#: How long a question that came by an event is known again: as long as its stream keeps it, and some hours more.
REMEMBERED_S = 8 * 86_400
#: How long a decision may take to be on disk before its answer is `cannot_tell`.
APPEND_TIMEOUT_S = 0.3
#: Entries relayed in one round trip: about a megabyte.
RELAY_BATCH = 500
#: How long the relay waits for a new entry before it looks again, in milliseconds.
RELAY_BLOCK_MS = 1_000
#: A floor above every sequence: the first append of a process always draws an epoch of its own.
_UNKNOWN = 2**53

_FIELDS_PER_MESSAGE = 3
_NO_FUNCTION = "Function not found"
_KEYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to publish: the stream of the log, its partition key, and the event's bytes."""

    stream: str
    key: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMove:
    """The position of an event look-up's source partition, moved in the same step as the answers.

    `ids` has the 16 bytes of each answer's id, a UUIDv7 that the same question always gets: a question that came twice
    is answered once. Without ids everything is stored.
    """

    expected: int
    next: int
    ids: tuple[bytes, ...] = ()


class OutboxFull(Exception):
    """The cell holds as many entries as it may: the relay has not reached the log for long."""

    def __init__(self, cell: str, length: int) -> None:
        super().__init__(f"outbox cell {cell} is full ({length} entries): the log has not taken any for long")
        self.cell = cell
        self.length = length


class PositionMoved(Exception):
    """Another process has answered part of this batch: `stored` is where the cell stands."""

    def __init__(self, cell: str, stored: int) -> None:
        super().__init__(f"outbox cell {cell} stands at source position {stored}")
        self.cell = cell
        self.stored = stored


def _stream_key(cell: str) -> str:
    return f"{{o.{cell}}}outbox"


def _state_key(cell: str) -> str:
    return f"{{o.{cell}}}state"


async def load_outbox_functions(redis: Redis) -> None:
    """Load the outbox's Function library, replacing an older load of the same version."""
    source = files("lienthong.adapters").joinpath("outbox.lua").read_text(encoding="utf-8")
    await redis.function_load(source, replace=True)


class OutboxCell:
    """The writing side of one cell; appends that arrive together leave in one call."""

    def __init__(
        self,
        redis: Redis,
        cell: str,
        *,
        entries_max: int = CELL_ENTRIES_MAX,
        append_timeout_s: float = APPEND_TIMEOUT_S,
    ) -> None:
        self._redis = redis
        self._cell = cell
        self._entries_max = entries_max
        self._floor = _UNKNOWN
        self._waiting: list[tuple[list[bytes | str], asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._patience = Patience(append_timeout_s)

    async def append(self, messages: Sequence[Message]) -> None:
        """Store one entry with the messages; returns once the server has it on disk.

        Raises `OutboxFull`, the client's connection errors, and TimeoutError where it takes too long: then nothing is
        known to be stored.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((_fields(messages), future))
        self._patience.watch(future)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await future

    async def append_from(self, source: SourceMove, entries: Sequence[Sequence[Message]]) -> None:
        """Store one entry for each answer that is new and move the source position, all or nothing.

        Raises `PositionMoved` where the stored position is not `source.expected`, and `OutboxFull`.
        """
        await self._call([_fields(messages) for messages in entries], source)

    async def source_position(self) -> int | None:
        """Return the next position of the source partition to answer, None where the cell knows of none."""
        stored = await self._redis.hget(_state_key(self._cell), "position")
        return None if stored is None else int(stored)

    async def _flush(self) -> None:
        while self._waiting:
            # Who has stopped waiting was told that nothing is stored.
            taken, self._waiting = [each for each in self._waiting if not each[1].done()], []
            try:
                if taken:
                    await self._call([fields for fields, _ in taken], None)
            except Exception as error:  # noqa: BLE001 - each waiting caller gets the fault, none is lost
                for _, future in taken:
                    if not future.done():
                        future.set_exception(error)
            else:
                for _, future in taken:
                    if not future.done():
                        future.set_result(None)
        self._flushing = None

    async def _call(self, entries: list[list[bytes | str]], source: SourceMove | None) -> None:
        width = max((len(fields) for fields in entries), default=2)
        if any(len(fields) != width for fields in entries):
            message = "entries of one call publish the same number of messages"
            raise ValueError(message)
        expected, following, ids = ("", "", b"")
        if source is not None:
            expected, following, ids = str(source.expected), str(source.next), b"".join(source.ids)
        arguments = (
            _stream_key(self._cell),
            _state_key(self._cell),
            secrets.token_hex(8),
            str(self._floor),
            str(self._entries_max),
            expected,
            following,
            ids,
            str(REMEMBERED_S),
            str(width),
            *(value for fields in entries for value in fields),
        )
        try:
            reply = await self._redis.fcall("outbox_append", _KEYS, *arguments)
        except ResponseError as fault:
            # A flushed server has lost the Functions with everything else; nothing was carried out.
            if _NO_FUNCTION not in str(fault):
                raise
            await load_outbox_functions(self._redis)
            reply = await self._redis.fcall("outbox_append", _KEYS, *arguments)
        verdict = reply[0]
        if verdict == b"position":
            raise PositionMoved(self._cell, int(reply[1]))
        if verdict == b"full":
            raise OutboxFull(self._cell, int(reply[1]))
        self._floor = int(reply[3])


def _fields(messages: Sequence[Message]) -> list[bytes | str]:
    return [
        part
        for number, message in enumerate(messages)
        for part in (f"s{number}", message.stream, f"k{number}", message.key, f"v{number}", message.value)
    ]


def stamped(value: bytes, cell: str, epoch: str, sequence: int) -> bytes:
    """Return the event with its place in the outbox as CloudEvents extensions: same entry, same bytes."""
    if not value.endswith(b"}"):
        message = "an event is a JSON object"
        raise ValueError(message)
    extensions = f',"outboxcell":"{cell}","outboxepoch":"{epoch}","outboxseq":{sequence}}}'
    return value[:-1] + extensions.encode()


class Relay:
    """Moves the entries of one cell to the log, in order, at least once, and removes what the log has acknowledged."""

    def __init__(self, redis: Redis, log: EventLog, cell: str) -> None:
        self._redis = redis
        self._log = log
        self.cell = cell

    async def relay_once(self) -> int:
        """Relay up to `RELAY_BATCH` entries and return how many; with none, wait for one up to `RELAY_BLOCK_MS`.

        1. read the oldest entries; 2. append their messages to the log; 3. remove the entries. A crash between 2 and
        3 repeats the same bytes under the same ids.
        """
        key = _stream_key(self.cell)
        # 1
        entries: Any = await self._redis.xrange(key, count=RELAY_BATCH)
        if not entries:
            await self._redis.xread({key: "0-0"}, count=1, block=RELAY_BLOCK_MS)
            return 0
        # 2
        by_stream: dict[str, list[tuple[str, bytes]]] = {}
        for entry_id, fields in entries:
            sequence = int(entry_id.split(b"-")[1])
            epoch = fields[b"epoch"].decode()
            for number in range(len(fields) // _FIELDS_PER_MESSAGE):
                stream, at_key, value = (fields[b"%c%d" % (letter, number)] for letter in b"skv")
                stamped_value = stamped(value, self.cell, epoch, sequence)
                by_stream.setdefault(stream.decode(), []).append((at_key.decode(), stamped_value))
        for stream_name, items in by_stream.items():
            await self._log.append_many(stream_name, items)
        # 3
        _, _, last = entries[-1][0].partition(b"-")
        await self._redis.xtrim(key, minid=f"0-{int(last) + 1}", approximate=False)
        return len(entries)

    async def waiting(self) -> int:
        """Return how many entries wait for the log."""
        return int(await self._redis.xlen(_stream_key(self.cell)))
