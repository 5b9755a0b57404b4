"""The projection's store: cells of cards, their citizen-ID index, and the positions that say how far each has read.

Every write is one Function call in one cell and moves that cell's position with it, if the position is the one that the
writer knows: what is stored and how far it has been read cannot disagree, a replay is recognised by its position, and
of two writers only one goes on. Nothing here is tried again: a fault leaves unknown whether the call was carried out,
and reading the position is how to find out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from lienthong.adapters.projection_layout import (
    BUCKETS,
    DIGEST_BYTES,
    INDEX_CELLS,
    CellState,
    Keys,
    found,
    index_buckets_of,
    keys_blob,
)
from lienthong.adapters.projection_servers import ProjectionRefused, check_server, load_functions, rights_explained

_PREFIX = "lienthong_1_"
_NO_FUNCTION = "Function not found"
# Functions that write nothing, which a client may send again after a fault.
_READS = frozenset({"old"})
# A position that no partition reaches.
_NEVER = 2**53
_BUCKETS_PER_READ = 64
_STATE_FIELDS = ("position", "facts", "digest", "caught_up_at", "incomplete", "buckets")


class WentBack(Exception):
    """The store lacks what this writer wrote: it was flushed, or an older copy took its place."""

    def __init__(self, cell: str, position: int | None) -> None:
        stands = "is gone" if position is None else f"stands at position {position}"
        super().__init__(f"cell {cell} {stands}, which is before what was written to it")
        self.cell = cell
        self.position = position


class Overtaken(Exception):
    """Another writer moved the cell: `position` is where it stands now."""

    def __init__(self, cell: int, position: int) -> None:
        super().__init__(f"cell {cell} was moved to position {position} by another writer")
        self.cell = cell
        self.position = position


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What of a partition a batch covers: from the offset `first` up to before `next`."""

    cell: int
    first: int
    next: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A cell before a batch; `records` are the packed records there are of the numbers asked for, by their index."""

    position: int
    facts: int
    digest: int
    records: Mapping[int, bytes]


class Projection:
    """One generation of the projection behind one client.

    `cells` is the number of partitions of the cards' stream, `buckets` that of a new cell; both are settled when a
    generation is made, and a cell that exists keeps its own.
    """

    def __init__(self, redis: Redis, cells: int, generation: int = 1, buckets: int = BUCKETS) -> None:
        self.redis = redis
        self.cells = cells
        self.buckets = buckets
        self.keys = Keys(generation)

    @property
    def index_buckets(self) -> int:
        """How many buckets an index cell has."""
        return index_buckets_of(self.cells, self.buckets)

    async def open(self) -> None:
        """Make the store ready: check the servers, load the Functions, learn how many buckets the cells have.

        Raises `ProjectionRefused` with what to change.
        """
        async with rights_explained():
            await check_server(self.redis)
            await load_functions(self.redis)
            # Calls that change nothing show whether any may be made.
            await self.caught_up({0: (_NEVER, 0)})
            await self._call("old", self.keys.state(0), b"")
            await self.learn()

    async def learn(self) -> None:
        """Learn from the cells how many buckets they have, as a reader must; where none exists nothing changes."""
        states = await self._hashes([self.keys.state(cell) for cell in range(self.cells)], "buckets")
        counts = {int(count) for (count,) in states if count is not None}
        if len(counts) > 1:
            message = f"The projection's cells have {sorted(counts)} buckets: flush it, and it is filled from the log."
            raise ProjectionRefused(message)
        if counts:
            self.buckets = counts.pop()

    async def create(self, cell: int) -> bool:
        """Create the cell where it has no state, empty and incomplete; tell whether it was created."""
        return bool(await self._call("open", self.keys.state(cell), self.buckets))

    async def drop(self, cell: int) -> None:
        """Forget how far the cell has read, so that `create` empties it: what it holds cannot be trusted."""
        await self.redis.delete(self.keys.state(cell))

    async def states(self) -> list[CellState]:
        """Return the state of every cell of cards, in one round trip."""
        rows = await self._hashes([self.keys.state(cell) for cell in range(self.cells)], *_STATE_FIELDS)
        return [_state(row) for row in rows]

    async def index_positions(self) -> list[list[int]]:
        """Return how far each index cell has indexed each cell of cards: by index cell, then by cell of cards."""
        names = [f"pos:{cell}" for cell in range(self.cells)]
        rows = await self._hashes([self.keys.index_state(cell) for cell in range(INDEX_CELLS)], *names)
        return [[int(position or 0) for position in row] for row in rows]

    async def start_of(self, cell: int) -> int:
        """Return where to read the cell's partition from: the least of its own position and those of the index."""
        state, indexed = (await self.states())[cell], await self.index_positions()
        return min(state.position or 0, *(positions[cell] for positions in indexed))

    async def read_old(self, cell: int, keys: list[bytes]) -> Before:
        """Return the cell as it is, with the records of these numbers. Raises `WentBack` where it does not exist."""
        return self._before(cell, await self._call("old", self.keys.state(cell), keys_blob(keys, self.buckets)))

    async def index_and_read_old(self, span: Span, keys: list[bytes], entries: Mapping[int, list[bytes]]) -> Before:
        """Index a batch's citizen IDs and return the cell as `read_old` does, in one round trip.

        `entries` are those of each index cell. Every index cell notes the batch, also one without an entry. An index
        cell that would be left with a gap refuses: then `WentBack` is raised, and the cell must not be written.
        """
        async with self.redis.pipeline(transaction=False) as pipeline:
            _fcall(pipeline, "old", self.keys.state(span.cell), keys_blob(keys, self.buckets))
            for index in range(INDEX_CELLS):
                blob = b"".join(entries.get(index, ()))
                numbers = (span.cell, span.first, span.next, self.index_buckets)
                _fcall(pipeline, "index", self.keys.index_state(index), *numbers, blob)
            before, *indexed = await self._run(pipeline)
        for index, (taken, position) in enumerate(indexed):
            if not taken:
                cell = f"i{index}"
                raise WentBack(cell, position)
        return self._before(span.cell, before)

    async def write(self, span: Span, before: Before, totals: tuple[int, int], records: Sequence[bytes]) -> None:
        """Write records and the new position in one step; `totals` are the count of facts and the digest after it.

        Raises `WentBack` or `Overtaken` where the cell is no longer as it was `before`, and then writes nothing.
        """
        facts, digest = totals
        written, position = await self._call(
            "write",
            self.keys.state(span.cell),
            before.position,
            span.next,
            facts,
            digest.to_bytes(DIGEST_BYTES, "big"),
            b"".join(records),
        )
        if written:
            return
        stands = int(position) if position else None
        if stands is None or stands < before.position:
            raise WentBack(str(span.cell), stands)
        raise Overtaken(span.cell, stands)

    async def mark_incomplete(self, cell: int) -> None:
        """Say that the cell lacks something until it has caught up again."""
        await self._call("incomplete", self.keys.state(cell))

    async def caught_up(self, ends: Mapping[int, tuple[int, int]]) -> None:
        """Note of each cell that has read its partition to the end that it had at a moment (Unix time, ms)."""
        async with self.redis.pipeline(transaction=False) as pipeline:
            for cell, (end, at_ms) in ends.items():
                _fcall(pipeline, "caught_up", self.keys.state(cell), end, at_ms)
            await self._run(pipeline)

    async def records(self, cell: int, first_bucket: int) -> list[tuple[bytes, bytes]]:
        """Return (number, packed record) of as many buckets as one read takes, from `first_bucket` on."""
        buckets = range(first_bucket, min(first_bucket + _BUCKETS_PER_READ, self.buckets))
        async with self.redis.pipeline(transaction=False) as pipeline:
            for bucket in buckets:
                pipeline.hgetall(self.keys.bucket(cell, bucket))
            rows = [row for answer in await self._run(pipeline) for row in answer.items()]
        long = [key for key, packed in rows if not packed]
        if not long:
            return rows
        whole = await self.read_old(cell, long)
        return [row for row in rows if row[1]] + [(long[at], packed) for at, packed in whole.records.items()]

    def bucket_starts(self) -> range:
        """Return the `first_bucket` of each read that goes once through a cell."""
        return range(0, self.buckets, _BUCKETS_PER_READ)

    async def recounted(self, cell: int, position: int, totals: tuple[int, int]) -> bool:
        """Replace a cell's count and digest, if it still stands at `position`; tell whether it did."""
        facts, digest = totals
        state = self.keys.state(cell)
        return bool(await self._call("recount", state, facts, digest.to_bytes(DIGEST_BYTES, "big"), position))

    async def forget(self) -> bool:
        """Remove the generation, which nobody may be reading or writing; tell whether there was anything of it.

        1. Take the positions, so that nothing is proved by what is about to be empty. 2. Remove the buckets. 3. Remove
        what is left of the states, by which a removal that was cut short is found again.
        """
        states = [self.keys.state(cell) for cell in range(self.cells)]
        states += [self.keys.index_state(cell) for cell in range(INDEX_CELLS)]
        found = zip(states, await self._hashes(states, "buckets"), strict=True)
        counts = {state: int(count) for state, (count,) in found if count is not None}
        # 1
        for state in counts:
            await self.redis.hdel(state, "position", "caught_up_at")
        # 2
        for state, buckets in counts.items():
            for first in range(0, buckets, _BUCKETS_PER_READ):
                await self._call("forget", state, first, min(first + _BUCKETS_PER_READ, buckets) - 1)
            # 3
            await self.redis.unlink(state)
        return bool(counts)

    def _before(self, cell: int, answer: Sequence[Any]) -> Before:
        position, facts, digest, blob = answer
        if position is None:
            raise WentBack(str(cell), None)
        return Before(
            position=int(position), facts=int(facts), digest=int.from_bytes(digest, "big"), records=dict(found(blob))
        )

    async def _hashes(self, names: list[str], *fields: str) -> list[list[bytes | None]]:
        async with self.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hmget(name, list(fields))
            rows: list[list[bytes | None]] = await self._run(pipeline)
            return rows

    async def _call(self, function: str, key: str, *arguments: Any) -> Any:
        async with self.redis.pipeline(transaction=False) as pipeline:
            _fcall(pipeline, function, key, *arguments)
            (answer,) = await self._run(pipeline)
            return answer

    async def _run(self, pipeline: Any) -> Any:
        """Send the pipeline; a server that has lost the Functions gets them before the fault goes on to the caller."""
        try:
            return await pipeline.execute()
        except ResponseError as fault:
            if _NO_FUNCTION in str(fault):
                await load_functions(self.redis)
            raise


def _fcall(pipeline: Any, function: str, key: str, *arguments: Any) -> None:
    command = "FCALL_RO" if function in _READS else "FCALL"
    pipeline.execute_command(command, _PREFIX + function, 1, key, *arguments)


def _state(row: Sequence[bytes | None]) -> CellState:
    position, facts, digest, caught_up_at, incomplete, _ = row
    return CellState(
        position=None if position is None else int(position),
        facts=int(facts or 0),
        digest=int.from_bytes(digest or b"", "big"),
        caught_up_at_ms=None if caught_up_at is None else int(caught_up_at),
        complete=position is not None and caught_up_at is not None and incomplete is None,
    )
