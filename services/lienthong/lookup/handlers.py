"""Answers look-ups that came as events: each once, in order, with its source's position in the same step."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, Protocol
from uuid import UUID

import orjson
import structlog
from redis.exceptions import RedisError

from lienthong.adapters.dead_letters import SetAside
from lienthong.adapters.event_log import EventLog, Trimmed
from lienthong.adapters.followers import Batch, Fault, Follower
from lienthong.adapters.native import encode_decision, question_from
from lienthong.adapters.outbox import Message, OutboxCell, PositionMoved, SourceMove
from lienthong.adapters.wire import Event, Refusal, RefusalCode, decode
from lienthong.domain.answer import StoreFault
from lienthong.domain.question import Presentation, Question
from lienthong.lookup import ids
from lienthong.lookup.answered import RECENT_ANSWERS, AnsweredBefore
from lienthong.lookup.desk import Answered, Desk
from lienthong.lookup.record import Recorder, channel_of
from lienthong.runtime.clock import Clock
from lienthong.runtime.logging import FrequentLog
from lienthong_schemas.lookups import LookupRequested
from lienthong_schemas.questions import CardImagePresented
from lienthong_schemas.streams import BY_NAME

#: How often an answer that fails for no known reason is tried before its look-up is set aside.
ATTEMPTS_MAX = 5
#: How often a cell is compared with what was answered through it.
LOOK_INTERVAL_S = 1.0

_PASSING = (RedisError, OSError, TimeoutError)
_UNANSWERABLE = Refusal(code=RefusalCode.UNANSWERABLE, message="could not be answered, for a fault on our side")

_log = structlog.stdlib.get_logger("lienthong.lookup")
_answers = FrequentLog("lienthong.lookup")


class StoreAway(Exception):
    """The store could not be read: the batch is tried again, for an event can wait and a desk cannot."""


class ImageOpener(Protocol):
    """Reads the sealed image of an event."""

    async def open(self, presented: CardImagePresented) -> Presentation | Refusal:
        """Return what the image presents, or why it can never be read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What a desk takes events with: where unreadable ones go, what reads images, and the log that has the answers."""

    set_aside: SetAside
    images: ImageOpener
    log: EventLog
    clock: Clock


class EventDesk:
    """Answers one partition of look-ups through the outbox cell of that partition."""

    def __init__(self, desk: Desk, recorder: Recorder, cell: OutboxCell, intake: Intake) -> None:
        self._desk = desk
        self._recorder = recorder
        self._cell = cell
        self._intake = intake
        self._before: AnsweredBefore | None = None
        # How often answering the entry at an offset failed for no known reason, since a batch was last stored.
        self._failed: dict[int, int] = {}
        self._follower: Follower | None = None

    def follow(self, follower: Follower) -> None:
        """Take the follower of the partition, to be pointed to where the outbox says that it stands."""
        self._follower = follower

    async def start(self) -> int:
        """Return the position to read from: the one that is kept with the answers.

        A cell without one is new, or its store was flushed: then everything is read again, and what the log holds
        an answer of is passed over. One with a position may have lost its newest answers in a failover.
        """
        position = await self._cell.source_position()
        await self._look_back(None if position is None else RECENT_ANSWERS)
        return position or 0

    async def handle(self, batch: Batch) -> None:
        """Answer a batch. One that was answered before changes nothing.

        1. Answer every look-up, setting aside what is none. 2. Store the answers and the position in one step.
        3. Where the cell stands elsewhere, go on from there. Raises `StoreAway` to be given the batch again.
        """
        # 1
        given = await asyncio.gather(*(self._answer(batch, at) for at in range(len(batch.entries))))
        # Those that were answered before bring no messages, and come after those that do.
        answers = sorted((answer for answer in given if answer is not None), key=lambda answer: not answer[1])
        source = SourceMove(
            expected=batch.position,
            next=batch.next,
            ids=tuple(UUID(decision_id).bytes for decision_id, _ in answers),
        )
        # 2
        try:
            await self._cell.append_from(source, [messages for _, messages in answers if messages])
        except PositionMoved as moved:
            # 3
            _log.warning("outbox_stands_elsewhere", stream=batch.stream, partition=batch.partition, at=moved.stored)
            if moved.stored < source.expected:
                await self._look_back(None)
            if self._follower is not None:
                self._follower.seek(moved.stored)
        else:
            if self._before is not None and batch.next >= self._before.until:
                self._before = None
        self._failed.clear()

    async def _look_back(self, recent: int | None) -> None:
        """Pass over what the log holds answers to, until the partition is read to where it ends now."""
        if self._follower is not None:
            end = await self._intake.log.end(self._follower.stream, self._follower.partition)
            self._before = AnsweredBefore(self._intake.log, end, recent)

    async def look(self) -> None:
        """Read again from where the cell stands, if that is before what was answered: its store went back.

        The answers that it lost before they were relayed it lost together with the position; where no look-up comes,
        nothing else notices. Raises redis.RedisError and OSError.
        """
        follower = self._follower
        answered_to = None if follower is None else follower.progress.position
        if follower is None or answered_to is None:
            return
        stored = await self._cell.source_position() or 0
        if stored < answered_to:
            _log.warning("outbox_went_back", stream=follower.stream, partition=follower.partition, at=stored)
            await self._look_back(None)
            follower.seek(stored)

    async def pass_over(self, fault: Fault) -> None:
        """Go on after look-ups that were let go before they were answered: nobody has them any more.

        A partition that was made anew stays stopped: what it holds is not what was being read.
        """
        follower = self._follower
        if not isinstance(fault, Trimmed) or follower is None:
            return
        try:
            await self._cell.append_from(SourceMove(expected=fault.position, next=fault.first), [])
        except PositionMoved as moved:
            follower.seek(moved.stored)
        except (RedisError, OSError):
            # The fault is told of again at the next look, for its partition still stands before what was let go.
            follower.seek(fault.position)
        else:
            lost = fault.first - fault.position
            _log.error("lookups_let_go", stream=follower.stream, partition=follower.partition, entries=lost)
            follower.seek(fault.first)

    async def _answer(self, batch: Batch, at: int) -> tuple[str, list[Message]] | None:
        """Return the id of the decision and the messages of the answer, none of one that the log has.

        None is returned where there is nothing to answer.
        """
        event = decode(batch.entries[at].value, BY_NAME[batch.stream])
        if isinstance(event, Refusal):
            await self._intake.set_aside(batch, at, event)
            return None
        asked = event.message
        assert isinstance(asked, LookupRequested), "the stream carries look-ups alone"  # noqa: S101 -- an invariant
        image = await self._image(asked)
        if isinstance(image, Refusal):
            await self._intake.set_aside(batch, at, image)
            return None
        # An event is answered for the day on which it was asked, however late it is read.
        asked_at = datetime.fromisoformat(event.envelope.time)
        decision_id = ids.derived(event.envelope.id, event.envelope.source, asked_at)
        if self._before is not None and await self._before.holds(asked.question.facility_code, decision_id):
            return decision_id, []
        try:
            question = question_from(asked.question, asked_at, image=image)
            return decision_id, await self._decided(batch, event, question, decision_id)
        except (StoreAway, *_PASSING):
            raise
        except Exception as fault:
            # One question must not keep all that come after it from their answers.
            offset = batch.entries[at].offset
            attempts = self._failed[offset] = self._failed.get(offset, 0) + 1
            if attempts < ATTEMPTS_MAX:
                raise
            _log.error("lookup_unanswerable", stream=batch.stream, partition=batch.partition, exc_info=fault)
            await self._intake.set_aside(batch, at, _UNANSWERABLE, attempts)
            return None

    async def _decided(self, batch: Batch, event: Event, question: Question, decision_id: str) -> list[Message]:
        given = await self._desk.answer(question, decision_id, self._intake.clock.now())
        if isinstance(given.finding, StoreFault):
            raise StoreAway
        return self._messages(batch, event, given)

    def _messages(self, batch: Batch, event: Event, given: Answered) -> list[Message]:
        body = encode_decision(given.decision)
        _answers.info(
            "lookup_answered",
            decision_id=given.decision.decision_id,
            outcome=given.decision.outcome.value,
            channel=channel_of(given),
            facility=given.question.facility_code,
            stream=batch.stream,
        )
        question = event.data["question"]
        if question["presented"]["kind"] == "card_image":
            question = {**question, "presented": {"kind": "card_image"}}
        return [
            self._recorder.decided(given, orjson.dumps(question), body),
            self._recorder.answered(given, event.envelope.id, body),
        ]

    async def _image(self, asked: LookupRequested) -> Presentation | Refusal | None:
        presented = asked.question.presented
        if not isinstance(presented, CardImagePresented):
            return None
        return await self._intake.images.open(presented)


async def keep_looking(desks: Collection[EventDesk]) -> NoReturn:
    """Look at the cell of every desk once a second until cancelled; a store that is away is looked at the next time."""
    while True:
        await asyncio.sleep(LOOK_INTERVAL_S)
        for desk in desks:
            try:
                await desk.look()
            except _PASSING as fault:
                _log.warning("outbox_not_looked_at", fault=type(fault).__name__)
