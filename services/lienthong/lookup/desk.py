"""Answers one question: read the card, judge it, write the answer out, and record it before it leaves."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from redis.exceptions import RedisError

from lienthong.domain.answer import Decision, Finding, Freshness, NoRecord, StoreFault
from lienthong.domain.decision import Stamp, compose, freshness_of
from lienthong.domain.question import CitizenPresented, NumberPresented, Presentation, Question
from lienthong.domain.register import Register
from lienthong.domain.verdict import Verdict, judge

#: A desk waits a second at most for `cannot_tell`: reading gets half of it, recording and writing out the rest.
READ_DEADLINE_S = 0.5

STORE_FAULTS = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One question answered, with all that the answer was derived from."""

    question: Question
    finding: Finding
    verdict: Verdict
    decision: Decision
    register: Register


class Cards(Protocol):
    """Where cards are read; both raise the client's faults when the store is away.

    One read that takes longer than `READ_DEADLINE_S` raises TimeoutError; a citizen ID takes two, and is timed here.
    """

    async def by_number(self, number: str, register_position: int) -> Finding:
        """Return the card of an insurance number (10 digits), or that there is no record, with the proof."""
        ...

    async def by_citizen_id(self, citizen_id: str, register_position: int) -> Finding:
        """Return every live card of a citizen ID (12 digits), or that there is none, with the proof."""
        ...


class Desk:
    """Answers questions from the projection and the register of the moment."""

    def __init__(self, cards: Cards, register: Callable[[], Register]) -> None:
        self._cards = cards
        self._register = register

    async def answer(self, question: Question, decision_id: str, decided_at: datetime) -> Answered:
        """Answer from one snapshot of the register; a store that is away or slow gives `cannot_tell`, never a fault."""
        register = self._register()
        try:
            finding = await self._find(question.presented, register.position)
        except STORE_FAULTS:
            finding = StoreFault(register_position=register.position)
        return answered(question, finding, register, Stamp(decision_id=decision_id, decided_at=decided_at))

    async def _find(self, presented: Presentation, register_position: int) -> Finding:
        if isinstance(presented, NumberPresented):
            return await self._cards.by_number(presented.number, register_position)
        if isinstance(presented, CitizenPresented):
            async with asyncio.timeout(READ_DEADLINE_S):
                return await self._cards.by_citizen_id(presented.citizen_id, register_position)
        # Nothing is looked up for what cannot be read or was not shown, so nothing is known to be missing either.
        return NoRecord(
            freshness=Freshness(register_position=register_position, cards_caught_up_at=None, complete=False)
        )


def answered(question: Question, finding: Finding, register: Register, stamp: Stamp) -> Answered:
    """Judge and write out the answer."""
    verdict = judge(question, finding)
    decision = compose(verdict, question, freshness_of(finding), register, stamp)
    return Answered(question=question, finding=finding, verdict=verdict, decision=decision, register=register)


def store_away(given: Answered, decision_id: str) -> Answered:
    """Return another answer to the same question, for a store that could not keep the first: `cannot_tell`."""
    stamp = Stamp(decision_id=decision_id, decided_at=given.decision.decided_at)
    fault = StoreFault(register_position=given.register.position)
    return answered(given.question, fault, given.register, stamp)
