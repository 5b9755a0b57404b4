"""Answers a question that came over HTTP: decided, recorded, and only then written out."""

import time
from dataclasses import dataclass

import structlog

from lienthong.adapters.native import encode_decision
from lienthong.adapters.outbox import OutboxCell, OutboxFull
from lienthong.domain.answer import Outcome, StoreFault
from lienthong.domain.question import Question
from lienthong.lookup import ids
from lienthong.lookup.desk import STORE_FAULTS, Answered, Desk, store_away
from lienthong.lookup.record import Recorder, channel_of
from lienthong.runtime.clock import Clock
from lienthong.runtime.logging import FrequentLog

_log = structlog.stdlib.get_logger("lienthong.lookup")
_answers = FrequentLog("lienthong.lookup")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What leaves: the decision's JSON, and whether the store was there to decide from and to record in."""

    body: bytes
    store_away: bool
    outcome: Outcome


class HttpDesk:
    """Answers over HTTP through one outbox cell."""

    def __init__(self, desk: Desk, recorder: Recorder, cell: OutboxCell, clock: Clock) -> None:
        self._desk = desk
        self._recorder = recorder
        self._cell = cell
        self._clock = clock

    async def answer(self, question: Question, asked: bytes) -> HttpAnswer:
        """Answer the question, whose JSON is `asked`.

        1. Decide. 2. Record the decision in the outbox. 3. Where it cannot be recorded the answer is `cannot_tell`.
        """
        began = time.perf_counter()
        # 1
        given = await self._desk.answer(question, ids.drawn(), self._clock.now())
        body = encode_decision(given.decision)
        # 2
        recorded = await self._record(given, asked, body)
        if not recorded and given.decision.outcome is not Outcome.CANNOT_TELL:
            # 3
            given = store_away(given)
            body = encode_decision(given.decision)
        _answers.info(
            "lookup_answered",
            decision_id=given.decision.decision_id,
            outcome=given.decision.outcome.value,
            channel=channel_of(given),
            facility=question.facility_code,
            recorded=recorded,
            ms=round((time.perf_counter() - began) * 1000, 2),
        )
        away = not recorded or isinstance(given.finding, StoreFault)
        return HttpAnswer(body=body, store_away=away, outcome=given.decision.outcome)

    async def _record(self, given: Answered, asked: bytes, body: bytes) -> bool:
        try:
            # Sealing reads or makes a key where a day begins, and the file of the keys may be away like any store.
            message = self._recorder.decided(given, asked, body)
            await self._cell.append([message])
        except (*STORE_FAULTS, OutboxFull) as fault:
            _log.error("decision_not_recorded", decision_id=given.decision.decision_id, fault=type(fault).__name__)
            return False
        return True
