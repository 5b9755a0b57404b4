"""What a look-up reads of the projection: a card by its number or its holder's citizen ID, or proof that there is none.

Reads that arrive while a round trip is under way share the next one. A number takes one round trip, a citizen ID two.
A store that does not answer in time is a fault, and never a missing card.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from lienthong.adapters.card_codec import UnreadableRecord, card
from lienthong.adapters.coalescing import Coalescer
from lienthong.adapters.projection_layout import insurance_number
from lienthong.adapters.projection_reads import (
    Answer,
    CandidatesRead,
    CellSaid,
    CitizenRead,
    NumberRead,
    ProjectionReads,
    Read,
    RecordRead,
)
from lienthong.domain.answer import Finding, Found, Freshness, NoRecord, StoreFault
from lienthong.domain.card import Card
from lienthong.runtime.clock import Clock

#: How far behind a cell may be and still prove that a card does not exist: two of the projector's seconds and slack.
ABSENCE_BOUND = timedelta(seconds=5)
#: A desk waits a second at most for an answer that says the store is away; reading gets half of it.
READ_TIMEOUT_S = 0.5
#: A record names up to eight citizen IDs, and a mistaken one is shared by a few people, never by this many.
CANDIDATES_MAX = 50


class CardReader:
    """Reads cards of one generation of the projection."""

    def __init__(self, reads: ProjectionReads, clock: Clock, absence_bound: timedelta = ABSENCE_BOUND) -> None:
        self._clock = clock
        self._bound = absence_bound
        self._rounds: Coalescer[Read, Answer] = Coalescer(reads.round_trip, READ_TIMEOUT_S)

    async def by_number(self, number: str, register_position: int) -> Finding:
        """Return the card of an insurance number (10 digits), or that there is no record, with the proof.

        Raises redis.RedisError, OSError or TimeoutError where the store is away.
        """
        record = await self._record(number)
        freshness = self._freshness([record.said], register_position)
        return _finding([(number, record)], freshness, lambda _card: True)

    async def by_citizen_id(self, citizen_id: str, register_position: int) -> Finding:
        """Return every card of a citizen ID (12 digits), or that there is none, with the proof.

        A card counts if its own record names the citizen ID: the index keeps what a record once named. Raises as
        `by_number` does.
        """
        read = await self._rounds.ask(CitizenRead(citizen_id))
        assert isinstance(read, CandidatesRead), "a read of a citizen ID has candidates"  # noqa: S101  # an invariant
        numbers = [insurance_number(key) for key in read.keys[-CANDIDATES_MAX:]]
        records = await self._records(numbers)
        said = [*read.cells, *(record.said for record in records)]
        # The index is written before the cell: a candidate without a record is about to have one.
        all_there = len(read.keys) <= CANDIDATES_MAX and all(record.packed is not None for record in records)
        freshness = self._freshness(said, register_position, whole=read.whole and all_there)
        return _finding(zip(numbers, records, strict=True), freshness, lambda found: citizen_id in found.citizen_ids)

    async def _records(self, numbers: list[str]) -> list[RecordRead]:
        if len(numbers) == 1:  # as it is for nearly everybody, and needs no task
            return [await self._record(numbers[0])]
        return await asyncio.gather(*(self._record(number) for number in numbers))

    async def _record(self, number: str) -> RecordRead:
        read = await self._rounds.ask(NumberRead(number))
        assert isinstance(read, RecordRead), "a read of a number has a record"  # noqa: S101  # an invariant
        return read

    def _freshness(self, said: Sequence[CellSaid], register_position: int, *, whole: bool = True) -> Freshness:
        moments = [each.caught_up_at for each in said]
        caught_up_at: datetime | None = None
        if None not in moments:
            caught_up_at = min(moment for moment in moments if moment is not None)
        return Freshness(
            register_position=register_position,
            cards_caught_up_at=caught_up_at,
            # A moment that lies far ahead is as little of a proof as one that lies far back: a clock was set.
            complete=whole
            and all(each.whole for each in said)
            and caught_up_at is not None
            and abs(self._clock.now() - caught_up_at) <= self._bound,
        )


def _finding(
    records: Iterable[tuple[str, RecordRead]], freshness: Freshness, wanted: Callable[[Card], bool]
) -> Finding:
    try:
        cards = [card(number, record.packed) for number, record in records if record.packed is not None]
    except UnreadableRecord:
        return StoreFault(register_position=freshness.register_position)
    chosen = tuple(each for each in cards if wanted(each))
    return Found(cards=chosen, freshness=freshness) if chosen else NoRecord(freshness=freshness)
