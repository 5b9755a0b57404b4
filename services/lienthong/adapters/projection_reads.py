"""One round trip of reads to the projection: numbers and citizen IDs, one Function call for each cell they are in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from lienthong.adapters.generations import FIRST
from lienthong.adapters.projection_layout import (
    BUCKETS,
    INDEX_CELLS,
    Keys,
    cell_of,
    citizen_blob,
    found,
    index_buckets_of,
    index_cell_of,
    key_of,
    keys_blob,
)
from lienthong.runtime.clock import Clock

#: How old the cells' states may be that a missing citizen ID is proved with: a fraction of the bound of such a proof.
STATES_AGE_MAX = timedelta(milliseconds=500)

_READ = "lienthong_1_read"
_CANDIDATES = "lienthong_1_candidates"
_NUMBER_BYTES = 5
_ABSENT = b"-"


@dataclass(frozen=True, slots=True)
class NumberRead:
    """Asks for the record of an insurance number (10 digits)."""

    number: str


@dataclass(frozen=True, slots=True)
class CitizenRead:
    """Asks for the insurance numbers on record for a citizen ID (12 digits)."""

    citizen_id: str


@dataclass(frozen=True, slots=True)
class CellSaid:
    """What a cell of cards said of itself when it was read.

    `whole` where it exists, lacks nothing of what it was ever seen to have, and is not being repaired.
    """

    position: int
    caught_up_at: datetime | None
    whole: bool


@dataclass(frozen=True, slots=True)
class RecordRead:
    """The packed record of a number, None where there is none, empty where it was damaged; and its cell."""

    packed: bytes | None
    said: CellSaid


@dataclass(frozen=True, slots=True)
class CandidatesRead:
    """The numbers on record for a citizen ID, by their keys.

    `cells` were read before the index was, and `whole` says that the index has everything up to their positions.
    """

    keys: tuple[bytes, ...]
    whole: bool
    cells: tuple[CellSaid, ...]


Read = NumberRead | CitizenRead
Answer = RecordRead | CandidatesRead


class Watermarks:
    """The highest position this process has seen of every cell: one that is lower has gone back and proves nothing."""

    def __init__(self, cells: int) -> None:
        self._cells = [0] * cells
        self._indexed = [[0] * cells for _ in range(INDEX_CELLS)]

    def reached(self, cell: int, position: int) -> bool:
        """Tell whether a cell of cards stands at least where it was seen before, and note where it stands."""
        seen = self._cells[cell]
        self._cells[cell] = max(seen, position)
        return position >= seen

    def indexed(self, index_cell: int, positions: Sequence[int]) -> bool:
        """Tell whether an index cell has at least what was seen there before, and note what it has."""
        seen = self._indexed[index_cell]
        self._indexed[index_cell] = [max(pair) for pair in zip(seen, positions, strict=True)]
        return all(now >= before for now, before in zip(positions, seen, strict=True))


class _Generation:
    """What is known of the generation that is read; a round trip keeps to the one that it began with."""

    def __init__(self, cells: int, generation: int) -> None:
        self.keys = Keys(generation)
        self.buckets = BUCKETS
        self.marks = Watermarks(cells)
        self.said: tuple[CellSaid, ...] = ()
        self.said_at = datetime.min.replace(tzinfo=UTC)


class ProjectionReads:
    """The reads of the generation that answers, behind one client."""

    def __init__(self, redis: Redis, clock: Clock, cells: int) -> None:
        self.cells = cells
        self._redis = redis
        self._clock = clock
        self._generation = _Generation(cells, FIRST)

    def move_to(self, generation: int) -> None:
        """Read another generation from the next round trip on."""
        self._generation = _Generation(self.cells, generation)

    async def round_trip(self, reads: Sequence[Read]) -> list[Answer]:
        """Answer the reads in their order. Raises redis.RedisError, OSError.

        How many buckets a cell has is part of what it says; where that is other than was thought, the reads went to
        the wrong ones and are made again.
        """
        generation = self._generation
        buckets = generation.buckets
        answers = await self._attempt(generation, reads)
        return answers if generation.buckets == buckets else await self._attempt(generation, reads)

    async def _attempt(self, generation: _Generation, reads: Sequence[Read]) -> list[Answer]:
        """1. The states of all cells, if citizen IDs need them; 2. the numbers, by cell; 3. the index, by its cells."""
        by_cell: dict[int, list[int]] = {}
        by_index: dict[int, list[int]] = {}
        for at, read in enumerate(reads):
            if isinstance(read, NumberRead):
                by_cell.setdefault(cell_of(read.number, self.cells), []).append(at)
            else:
                by_index.setdefault(index_cell_of(key_of(read.citizen_id)), []).append(at)
        now = self._clock.now()
        refresh = bool(by_index) and not timedelta() <= now - generation.said_at <= STATES_AGE_MAX
        async with self._redis.pipeline(transaction=False) as pipeline:
            if refresh:
                for cell in range(self.cells):
                    pipeline.execute_command("FCALL_RO", _READ, 1, generation.keys.state(cell), b"")
            for cell, places in by_cell.items():
                blob = keys_blob([_key(reads[at]) for at in places], generation.buckets)
                pipeline.execute_command("FCALL_RO", _READ, 1, generation.keys.state(cell), blob)
            for cell, places in by_index.items():
                index_buckets = index_buckets_of(self.cells, generation.buckets)
                blob = citizen_blob([_key(reads[at]) for at in places], index_buckets)
                pipeline.execute_command(
                    "FCALL_RO", _CANDIDATES, 1, generation.keys.index_state(cell), self.cells, blob
                )
            replies = iter(await pipeline.execute())
        if refresh:
            generation.said = tuple(_cell(generation, cell, next(replies))[0] for cell in range(self.cells))
            generation.said_at = now
        answers: dict[int, Answer] = {}
        for cell, places in by_cell.items():
            said, blob = _cell(generation, cell, next(replies))
            records = dict(found(blob))
            answers.update((at, RecordRead(records.get(rank), said)) for rank, at in enumerate(places))
        for cell, places in by_index.items():
            answers.update(_candidates(generation, cell, places, next(replies)))
        return [answers[at] for at in range(len(reads))]


def _cell(generation: _Generation, cell: int, reply: bytes) -> tuple[CellSaid, bytes]:
    header, _, blob = reply.partition(b"\n")
    position, caught_up_at, lacking, buckets = header.split(b" ")
    _learn(generation, buckets)
    stands = -1 if position == _ABSENT else int(position)
    moment = None if caught_up_at == _ABSENT else datetime.fromtimestamp(int(caught_up_at) / 1000, UTC)
    return CellSaid(stands, moment, generation.marks.reached(cell, stands) and lacking == _ABSENT), blob


def _candidates(generation: _Generation, cell: int, places: list[int], reply: bytes) -> Iterable[tuple[int, Answer]]:
    header, _, blob = reply.partition(b"\n")
    _, *positions = header.split(b" ")
    indexed = [0 if position == _ABSENT else int(position) for position in positions]
    reached = generation.marks.indexed(cell, indexed)
    whole = reached and all(has >= said.position for has, said in zip(indexed, generation.said, strict=True))
    numbers = dict(found(blob))
    for rank, at in enumerate(places):
        joined = numbers.get(rank, b"")
        keys = tuple(joined[start : start + _NUMBER_BYTES] for start in range(0, len(joined), _NUMBER_BYTES))
        yield at, CandidatesRead(keys, whole, generation.said)


def _learn(generation: _Generation, buckets: bytes) -> None:
    if buckets != _ABSENT:
        generation.buckets = int(buckets)


def _key(read: Read) -> bytes:
    return key_of(read.number if isinstance(read, NumberRead) else read.citizen_id)
