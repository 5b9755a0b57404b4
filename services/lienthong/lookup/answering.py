"""Answers a question that came over HTTP: decided, recorded, and only then written out."""

import time
from dataclasses import dataclass
from typing import Final

import structlog

from lienthong.adapters.native import encode_decision
from lienthong.adapters.outbox import OutboxCell, OutboxFull
from lienthong.adapters.spool import Spool
from lienthong.adapters.spool_files import Spooled
from lienthong.domain.answer import Outcome, StoreFault
from lienthong.domain.question import Question
from lienthong.lookup import ids
from lienthong.lookup.desk import STORE_FAULTS, Answered, Desk, store_away
from lienthong.lookup.record import Recorder, channel_of
from lienthong.runtime.clock import Clock
from lienthong.runtime.logging import FrequentLog

#: A desk waits a second at most for `cannot_tell`; sending it takes what is left.
ANSWER_WITHIN_S: Final = 0.95

_log = structlog.stdlib.get_logger("lienthong.lookup")
_answers = FrequentLog("lienthong.lookup")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What leaves: the decision's JSON, and whether the store was there to decide from and to record in."""

    body: bytes
    store_away: bool
    outcome: Outcome


class HttpDesk:
    """Answers over HTTP through one outbox cell, and through the spool where that cannot be written."""

    def __init__(self, desk: Desk, recorder: Recorder, cell: OutboxCell, spool: Spool, clock: Clock) -> None:
        self._desk = desk
        self._recorder = recorder
        self._cell = cell
        self._spool = spool
        self._clock = clock

    async def answer(self, question: Question, asked: bytes) -> HttpAnswer:
        """Answer the question, whose JSON is `asked`, within `ANSWER_WITHIN_S` whatever is away.

        1. Decide. 2. Record the decision in the outbox. 3. Where that fails the answer is `cannot_tell`, a decision
        under an id of its own, for the outbox may hold the first one after all; it is recorded in the spool.
        """
        began = time.perf_counter()
        # 1
        given = await self._desk.answer(question, ids.drawn(), self._clock.now())
        body = encode_decision(given.decision)
        # 2
        recorded, spooled = await self._record(given, asked, body), False
        if not recorded:
            # 3
            given = store_away(given, ids.drawn())
            body = encode_decision(given.decision)
            spooled = await self._keep(given, asked, body, ANSWER_WITHIN_S - (time.perf_counter() - began))
        _answers.info(
            "lookup_answered",
            decision_id=given.decision.decision_id,
            outcome=given.decision.outcome.value,
            channel=channel_of(given),
            facility=question.facility_code,
            recorded=recorded,
            spooled=spooled,
            ms=round((time.perf_counter() - began) * 1000, 2),
        )
        away = not recorded or isinstance(given.finding, StoreFault)
        return HttpAnswer(body=body, store_away=away, outcome=given.decision.outcome)

    async def _record(self, given: Answered, asked: bytes, body: bytes) -> bool:
        try:
            # Sealing reads or makes a key where a day begins, and the file of the keys may be away like any store.
            message = self._recorder.decided(given, asked, body)
            await self._cell.append([message])
        except (*STORE_FAULTS, OutboxFull):
            return False
        return True

    async def _keep(self, given: Answered, asked: bytes, body: bytes, within_s: float) -> bool:
        decision_id = given.decision.decision_id
        try:
            message = self._recorder.decided(given, asked, body)
        except STORE_FAULTS as fault:
            # What is personal in it cannot be sealed, so it is written nowhere.
            _log.error("decision_not_recorded", decision_id=decision_id, fault=type(fault).__name__)
            return False
        record = Spooled(cell=self._cell.name, decision_id=decision_id, message=message)
        return await self._spool.keep(record, within_s)
