"""Projects the cards' stream: one partition into one cell, each batch once, whatever happens to the store meanwhile."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from lienthong.adapters.card_codec import UnreadableRecord, digest, unpack
from lienthong.adapters.card_wire import read_card
from lienthong.adapters.dead_letters import SetAside
from lienthong.adapters.event_log import Entry
from lienthong.adapters.followers import Batch, Follower
from lienthong.adapters.projection import Before, Projection, Span, WentBack
from lienthong.adapters.projection_layout import (
    DIGEST_MODULUS,
    CellState,
    cell_of,
    index_entry,
    insurance_number,
    key_of,
    record_entry,
)
from lienthong.adapters.wire import Refusal, RefusalCode
from lienthong.projector.winners import Offered, Settled, settle

_WRONG_PARTITION = Refusal(
    code=RefusalCode.WRONG_STREAM,
    message="stands in a partition that is not its number's; publish with the murmur2 partitioner",
    path="subject",
)

_log = structlog.stdlib.get_logger("lienthong.projector")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBatch:
    """What a batch says: the facts, their index entries by index cell, and what could not be read by its index."""

    offers: tuple[Offered, ...]
    index: dict[int, list[bytes]]
    refused: tuple[tuple[int, Refusal], ...]


def read_batch(entries: Sequence[Entry], partition: int, projection: Projection) -> ReadBatch:
    """Return what the entries of a partition say; never raises for any bytes."""
    offers: list[Offered] = []
    index: dict[int, list[bytes]] = {}
    refused: list[tuple[int, Refusal]] = []
    cells, buckets = projection.cells, projection.index_buckets
    for at, entry in enumerate(entries):
        card = read_card(entry.value)
        if isinstance(card, Refusal):
            refused.append((at, card))
            continue
        number, revision, citizen_ids, sha256, packed = card
        if cell_of(number, cells) != partition:
            refused.append((at, _WRONG_PARTITION))
            continue
        key = key_of(number)
        offers.append(Offered(key, revision, sha256, packed, entry.offset))
        for citizen_id in citizen_ids:
            cell, entered = index_entry(citizen_id, key, buckets)
            index.setdefault(cell, []).append(entered)
    return ReadBatch(offers=tuple(offers), index=index, refused=tuple(refused))


class CardCell:
    """One cell and the partition it is made of."""

    def __init__(self, cell: int, projection: Projection, set_aside: SetAside) -> None:
        self.cell = cell
        self._projection = projection
        self._set_aside = set_aside
        self._follower: Follower | None = None
        # A batch under way and a repair must not overlap: each begins by reading what the other may be changing.
        self._turn = asyncio.Lock()
        # The positions last known to be stored: of the cell, and the least one of the index.
        self._written = 0
        self._indexed = 0

    def follow(self, follower: Follower) -> None:
        """Take the follower of the partition, to be sent back where the store went back."""
        self._follower = follower

    @property
    def follower(self) -> Follower:
        """The follower of the partition."""
        assert self._follower is not None, "a cell is followed before anything is handled"  # noqa: S101  # an invariant
        return self._follower

    async def start(self) -> int:
        """Create the cell where there is none, and return the position to read from."""
        await self._projection.create(self.cell)
        return await self._located()

    async def handle(self, batch: Batch) -> None:
        """Project one batch. A batch that was projected before changes nothing.

        1. Set aside what cannot be read.
        2. Index the citizen IDs, and read the records that the facts compete with.
        3. Write the winners with the new position.
        If the store turns out to have gone back, repair the cell and read again from where it stands.
        """
        async with self._turn:
            read = read_batch(batch.entries, self.cell, self._projection)
            for at, refusal in read.refused:
                await self._set_aside(batch, at, refusal)
            span = Span(cell=self.cell, first=batch.position, next=batch.next)
            try:
                await self._project(span, read)
            except WentBack as fault:
                _log.warning("store_went_back", cell=fault.cell, position=fault.position, partition=self.cell)
                await self._repair()
            except UnreadableRecord:
                await self._begin_anew()
                await self._repair()

    def watched(self) -> tuple[int, int]:
        """Return the positions that the store must not be behind of, of the cell and of the index."""
        return self._written, self._indexed

    async def check(self, watched: tuple[int, int], state: CellState, indexed: int) -> None:
        """Repair the cell if the store is behind what `watched` said before the store was read."""
        written, known = watched
        if state.position is not None and state.position >= written and indexed >= known:
            return
        async with self._turn:
            if self.watched() == watched:
                _log.warning("store_went_back", cell=str(self.cell), position=state.position, indexed=indexed)
                await self._repair()

    async def _project(self, span: Span, read: ReadBatch) -> None:
        keys = list({offer.key: None for offer in read.offers})
        before = await self._projection.index_and_read_old(span, keys, read.index)
        self._indexed = max(self._indexed, span.next)
        if before.position >= span.next:
            return
        if before.position < span.first:
            raise WentBack(str(span.cell), before.position)
        settled = settle(read.offers, {keys[at]: packed for at, packed in before.records.items()})
        await self._write(span, before, settled)
        for offset in settled.conflicts:
            _log.error("revision_conflict", partition=self.cell, position=offset)

    async def _write(self, span: Span, before: Before, settled: Settled) -> None:
        buckets = self._projection.buckets
        totals = (before.facts + settled.added, (before.digest + settled.digest) % DIGEST_MODULUS)
        records = [record_entry(write.key, write.packed, buckets, was_long=write.was_long) for write in settled.writes]
        await self._projection.write(span, before, totals, records)
        self._written = span.next

    async def _repair(self) -> None:
        """Make the cell sound as it stands and read on from there.

        1. Create it where it is gone; say that it lacks something.
        2. Count what it holds: of a copy that was put back in part, the sums say less than the records.
        3. Read again from the least position that it or its index has.
        """
        projection = self._projection
        created = await projection.create(self.cell)
        await projection.mark_incomplete(self.cell)
        if not created:
            try:
                await self._recount()
            except UnreadableRecord:
                await self._begin_anew()
        self.follower.seek(await self._located())

    async def _begin_anew(self) -> None:
        """Empty the cell: which fact a damaged record was is lost with it, and only the whole partition can say."""
        _log.error("record_damaged", partition=self.cell)
        await self._projection.drop(self.cell)
        await self._projection.create(self.cell)

    async def _located(self) -> int:
        state, indexed = (await self._projection.states())[self.cell], await self._projection.index_positions()
        self._written = state.position or 0
        self._indexed = min(positions[self.cell] for positions in indexed)
        return min(self._written, self._indexed)

    async def _recount(self) -> None:
        state = (await self._projection.states())[self.cell]
        facts = total = 0
        for first in self._projection.bucket_starts():
            for key, packed in await self._projection.records(self.cell, first):
                facts += 1
                total += int.from_bytes(digest(unpack(insurance_number(key), packed)), "big")
        totals = (facts, total % DIGEST_MODULUS)
        if totals != (state.facts, state.digest):
            _log.warning("cell_recounted", partition=self.cell, facts=facts, facts_before=state.facts)
            await self._projection.recounted(self.cell, state.position or 0, totals)
