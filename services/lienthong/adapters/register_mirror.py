"""The register beside the cards: a stream of accepted batches and switches, each entry naming the one it follows.

The id of an entry is its position (`0-POSITION`: the offset of the seal or of the switch in the log, plus one).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from lienthong.adapters.projection_layout import Keys

FIRST: str = "0-0"
#: What the id of a switch begins with; that of a batch is hexadecimal.
SWITCH: str = "generation:"

_MIRROR = "lienthong_1_mirror"
#: Entries in one read: a register has tens of batches, and the largest take a fraction of a megabyte.
_ENTRIES_PER_READ = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorEntry:
    """One accepted batch: where it stands, the entry it follows (`0-0` for none), and its packed bytes.

    A switch of the generation stands among them: it has no bytes, and `SWITCH` and the generation for an id.
    """

    position: int
    previous: str
    batch_id: str
    batch: bytes

    @property
    def generation(self) -> int | None:
        """Return the generation that is switched to, None for a batch."""
        return int(self.batch_id.removeprefix(SWITCH)) if self.batch_id.startswith(SWITCH) else None

    @property
    def id(self) -> str:
        """Return the entry's id in the stream."""
        return f"0-{self.position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorState:
    """How many entries the mirror has, the id of its last one, and how far the register's stream had been read."""

    entries: int
    last: str
    position: int | None
    caught_up_at_ms: int | None


class MirrorMoved(Exception):
    """The mirror does not end where an entry was to follow: another writer was there, or the store went back."""

    def __init__(self, last: str) -> None:
        super().__init__(f"the register's mirror ends at {last}")
        self.last = last


class RegisterMirror:
    """The mirror of one generation."""

    def __init__(self, redis: Redis, generation: int = 1) -> None:
        self._redis = redis
        keys = Keys(generation)
        self._stream, self._state = keys.mirror(), keys.mirror_state()

    async def append(self, entry: MirrorEntry) -> None:
        """Append an entry to the one that it follows. Raises `MirrorMoved` where that is not the last one."""
        written, last = await self._redis.fcall(
            _MIRROR, 2, self._stream, self._state, entry.previous, entry.id, entry.batch_id, entry.batch
        )
        if not written:
            raise MirrorMoved(last.decode())

    async def stands(self) -> MirrorState:
        """Return how far the mirror reaches, without reading its entries."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xlen(self._stream)
            pipeline.hmget(self._state, ["last", "position", "caught_up_at"])
            entries, (last, position, caught_up_at) = await pipeline.execute()
        return MirrorState(
            entries=entries,
            last=FIRST if last is None else last.decode(),
            position=None if position is None else int(position),
            caught_up_at_ms=None if caught_up_at is None else int(caught_up_at),
        )

    async def caught_up(self, position: int, at_ms: int) -> None:
        """Note that the register's stream had been read to its end, `position`, at a moment (Unix time, ms)."""
        await self._redis.hset(self._state, mapping={"position": position, "caught_up_at": at_ms})

    async def clear(self) -> None:
        """Remove everything: what is there is not of this log."""
        await self._redis.delete(self._stream, self._state)

    async def read_after(self, last: str, block_ms: int | None = None) -> list[MirrorEntry]:
        """Return some entries after the id, in their order; wait up to `block_ms` for the first one."""
        answer: Any = await self._redis.xread({self._stream: last}, count=_ENTRIES_PER_READ, block=block_ms)
        return [_entry(identifier, fields) for identifier, fields in _rows(answer)]

    async def read_all(self) -> list[MirrorEntry]:
        """Return every entry."""
        entries: list[MirrorEntry] = []
        while page := await self.read_after(entries[-1].id if entries else FIRST):
            entries += page
        return entries


def chained(entries: Sequence[MirrorEntry], last: str) -> bool:
    """Tell whether each entry follows the one before it, the first of them the entry `last`."""
    previous = [last, *(entry.id for entry in entries)]
    return all(entry.previous == before for entry, before in zip(entries, previous, strict=False))


def _rows(answer: Any) -> list[Any]:
    """Return the entries of the one stream that was read: a mapping in RESP3, a list of pairs in RESP2."""
    if not answer:
        return []
    if isinstance(answer, dict):
        (pages,) = answer.values()
        return [row for page in pages for row in page]
    ((_, rows),) = answer
    return list(rows)


def _entry(identifier: bytes, fields: dict[bytes, bytes]) -> MirrorEntry:
    return MirrorEntry(
        position=int(identifier.partition(b"-")[2]),
        previous=fields.get(b"prev", b"").decode(),
        batch_id=fields.get(b"batch_id", b"").decode(),
        batch=fields.get(b"batch", b""),
    )
