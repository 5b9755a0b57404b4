"""The outbox: a decision is stored beside the projection before its answer leaves, and relayed to the log afterwards.

A cell is a stream in the projection's server, in one slot of a cluster; its entries carry the messages to publish, and
their ids count them. Any number of processes may append to one cell: each counts in epochs of its own, drawn at its
first append, after a fault that leaves unknown what was stored, and where the cell is found to have gone back. So no
place (cell, epoch, sequence) is used for two decisions, whatever copy of a store takes its place.

Relaying is at least once, with the same bytes. Any number of relays may work on one cell at once, and a lease that
keeps them apart only saves repeats: each begins at the oldest entry and appends in order, and an entry is removed only
after the log has acknowledged it and all before it. So when an entry first comes to a partition of the log, all that
were before it in its cell are there, and a consumer drops repeats by one mark per cell and epoch.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from lienthong.adapters.coalescing import Patience
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.outbox_layout import seen_keys, state_key, stream_key

#: Entries a cell may hold before appends are refused: an hour of 70 look-ups a second through one process, some 1.1 GB.
CELL_ENTRIES_MAX = 250_000
#: How long a question that came by an event is known again: as long as its stream keeps it, and some hours more.
REMEMBERED_S = 8 * 86_400
#: How long a decision may take to be on disk before its answer is `cannot_tell`.
APPEND_TIMEOUT_S = 0.3
#: Entries relayed in one round trip: about a megabyte.
RELAY_BATCH = 500

_FIELDS_PER_MESSAGE = 3
_NO_FUNCTION = "Function not found"
_PREFIX = "lienthong_1_outbox_"


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
    is answered once. Without ids everything is stored. Ids beyond the answers are of questions that were answered
    before, which a cell that went back has forgotten.
    """

    expected: int
    next: int
    ids: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What one call stores, where it moves a source, and the ids that it has stored before if it comes again."""

    entries: list[list[bytes | str]]
    source: SourceMove | None = None
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


async def load_outbox_functions(redis: Redis) -> None:
    """Load the outbox's Function library, replacing an older load of the same version."""
    source = files("lienthong.adapters").joinpath("outbox.lua").read_text(encoding="utf-8")
    await redis.function_load(source, replace=True)


async def call_outbox(redis: Redis, name: str, keys: Sequence[str], *arguments: bytes | str) -> Any:
    """Call one of the outbox's Functions; a server that was flushed has lost them with everything else."""
    try:
        return await redis.fcall(_PREFIX + name, len(keys), *keys, *arguments)
    except ResponseError as fault:
        # The refusal is the proof that nothing was carried out.
        if _NO_FUNCTION not in str(fault):
            raise
        await load_outbox_functions(redis)
        return await redis.fcall(_PREFIX + name, len(keys), *keys, *arguments)


class OutboxCell:
    """The writing side of one cell in one process; appends that arrive together leave in one call.

    `stored` hears when entries wait for the relay.
    """

    def __init__(
        self,
        redis: Redis,
        cell: str,
        *,
        entries_max: int = CELL_ENTRIES_MAX,
        append_timeout_s: float = APPEND_TIMEOUT_S,
        stored: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis = redis
        self._entries_max = entries_max
        self._stored = stored
        # The epoch this writer counts in, and the highest sequence it used there; '' while that is not known.
        self._epoch, self._floor = "", 0
        self._waiting: list[tuple[list[bytes | str], asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._patience = Patience(append_timeout_s)
        self.name = cell

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

    async def append_once(self, entries: Sequence[Sequence[Message]], ids: Sequence[bytes]) -> None:
        """Store one entry for each id (16 bytes, UUIDv7) that this cell has not stored before, all or nothing.

        Raises `OutboxFull` and the client's connection errors; after those it may be called again.
        """
        await self._call(_Call(entries=[_fields(messages) for messages in entries], ids=tuple(ids)))

    async def append_from(self, source: SourceMove, entries: Sequence[Sequence[Message]]) -> None:
        """Store one entry for each answer that is new and move the source position, all or nothing.

        Raises `PositionMoved` where the stored position is not `source.expected`, and `OutboxFull`.
        """
        await self._call(_Call(entries=[_fields(each) for each in entries], source=source, ids=source.ids))

    async def source_position(self) -> int | None:
        """Return the next position of the source partition to answer, None where the cell knows of none."""
        stored = await self._redis.hget(state_key(self.name), "position")
        return None if stored is None else int(stored)

    async def _flush(self) -> None:
        while self._waiting:
            # Who has stopped waiting was told that nothing is stored.
            taken, self._waiting = [each for each in self._waiting if not each[1].done()], []
            try:
                if taken:
                    await self._call(_Call(entries=[fields for fields, _ in taken]))
            except Exception as error:  # noqa: BLE001 - each waiting caller gets the fault, none is lost
                for _, future in taken:
                    if not future.done():
                        future.set_exception(error)
            else:
                for _, future in taken:
                    if not future.done():
                        future.set_result(None)
        self._flushing = None

    async def _call(self, call: _Call) -> None:
        width = max((len(fields) for fields in call.entries), default=2)
        if any(len(fields) != width for fields in call.entries):
            message = "entries of one call publish the same number of messages"
            raise ValueError(message)
        source = call.source
        epoch, floor = self._epoch, self._floor
        # Until the answer is there it is not known which sequences were used; a call beside this one draws its own.
        self._epoch, self._floor = "", 0
        reply = await call_outbox(
            self._redis,
            "append",
            [stream_key(self.name), *self._touched(call)],
            epoch,
            secrets.token_hex(8),
            str(floor),
            str(self._entries_max),
            "" if source is None else str(source.expected),
            "" if source is None else str(source.next),
            b"".join(call.ids),
            str(REMEMBERED_S),
            str(width),
            *(value for fields in call.entries for value in fields),
        )
        if reply[0] == b"ok":
            self._epoch, self._floor = reply[1].decode(), int(reply[2])
            self._stored()
            return
        self._epoch, self._floor = epoch, floor
        if reply[0] == b"position":
            raise PositionMoved(self.name, int(reply[1]))
        raise OutboxFull(self.name, int(reply[1]))

    def _touched(self, call: _Call) -> list[str]:
        """Return the keys beside the cell's stream that a call touches; a decision over HTTP touches none."""
        state = [] if call.source is None else [state_key(self.name)]
        return [*state, *seen_keys(self.name, call.ids)]


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


def _place(entry_id: bytes, fields: dict[bytes, bytes]) -> tuple[str, int]:
    return fields[b"epoch"].decode(), int(entry_id.partition(b"-")[2])


class Relay:
    """Moves the entries of one cell to the log, in order, at least once, and removes what the log has acknowledged."""

    def __init__(self, redis: Redis, log: EventLog, cell: str) -> None:
        self._redis = redis
        self._log = log
        self.cell = cell

    async def relay_once(self) -> int:
        """Relay up to `RELAY_BATCH` entries and return how many.

        1. read the oldest entries; 2. append their messages to the log; 3. remove the entries. A crash between 2 and
        3, or another relay beside this one, repeats the same bytes under the same ids.
        """
        key = stream_key(self.cell)
        # 1
        entries: Any = await self._redis.xrange(key, count=RELAY_BATCH)
        if not entries:
            return 0
        # 2
        by_stream: dict[str, list[tuple[str, bytes]]] = {}
        for entry_id, fields in entries:
            epoch, sequence = _place(entry_id, fields)
            for number in range(len(fields) // _FIELDS_PER_MESSAGE):
                stream, at_key, value = (fields[b"%c%d" % (letter, number)] for letter in b"skv")
                stamped_value = stamped(value, self.cell, epoch, sequence)
                by_stream.setdefault(stream.decode(), []).append((at_key.decode(), stamped_value))
        for stream_name, items in by_stream.items():
            await self._log.append_many(stream_name, items)
        # 3
        epoch, sequence = _place(*entries[-1])
        await call_outbox(self._redis, "remove", [key], epoch, str(sequence))
        return len(entries)

    async def waiting(self) -> int:
        """Return how many entries wait for the log."""
        return int(await self._redis.xlen(stream_key(self.cell)))
