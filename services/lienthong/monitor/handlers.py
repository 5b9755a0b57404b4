"""Counts each answered look-up once, from the stream of decisions."""

import asyncio
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from lienthong.adapters.dead_letters import SetAside
from lienthong.adapters.event_log import Trimmed
from lienthong.adapters.followers import Batch, Fault, Follower, Handler, OnFault, Start
from lienthong.adapters.history import CountedLookup, CountedUnit, History, OutboxPlace
from lienthong.adapters.wire import Event, Refusal, decode
from lienthong.runtime.clock import VIETNAM
from lienthong_schemas.decisions import EligibilityDecided, PrintedUnit
from lienthong_schemas.streams import DECISIONS

_log = structlog.stdlib.get_logger("lienthong.monitor")


def counting(history: History, set_aside: SetAside) -> Handler:
    """Return the handler of decisions: what it counts and how far it has read change in one transaction."""

    async def count(batch: Batch) -> None:
        """1. Set aside what cannot be read; 2. count the rest together with the position."""
        lookups = []
        for at, entry in enumerate(batch.entries):
            event = decode(entry.value, DECISIONS)
            if isinstance(event, Refusal):
                await set_aside(batch, at, event)
            else:
                lookups.append(counted(event))
        await asyncio.to_thread(history.count, batch.stream, batch.partition, batch.next, lookups)

    return count


def start_of(history: History, partition: int) -> Start:
    """Return what tells where to go on counting a partition."""

    async def start() -> int:
        return await asyncio.to_thread(history.position, DECISIONS.name, partition)

    return start


def passing_over(history: History) -> OnFault:
    """Return what goes on counting after decisions that were let go before they were counted.

    That is how a history that was lost begins again: with what is still kept. A partition that was made anew stays
    stopped.
    """

    async def pass_over(follower: Follower, fault: Fault) -> None:
        if not isinstance(fault, Trimmed):
            return
        try:
            await asyncio.to_thread(history.count, follower.stream, follower.partition, fault.first, [])
        except SQLAlchemyError:
            # The fault is told of again at the next look, for its partition still stands before what was let go.
            follower.seek(fault.position)
        else:
            lost = fault.first - fault.position
            _log.error("decisions_let_go", stream=follower.stream, partition=follower.partition, entries=lost)
            follower.seek(fault.first)

    return pass_over


def counted(event: Event) -> CountedLookup:
    """Return what is counted of a decision: when (in Vietnam), where, how, with what outcome, and the printed unit."""
    decided = event.message
    assert isinstance(decided, EligibilityDecided), "the stream carries decisions alone"  # noqa: S101 -- an invariant
    envelope = event.envelope
    moment = datetime.fromisoformat(envelope.time).astimezone(VIETNAM)
    place = None
    if envelope.outboxcell is not None and envelope.outboxepoch is not None and envelope.outboxseq is not None:
        place = OutboxPlace(cell=envelope.outboxcell, epoch=envelope.outboxepoch, sequence=envelope.outboxseq)
    return CountedLookup(
        minute=f"{moment:%Y-%m-%dT%H:%M}",
        day=f"{moment:%Y-%m-%d}",
        facility_code=decided.facility_code,
        channel=decided.channel,
        outcome=decided.outcome,
        units=_units(decided.printed_references.address),
        place=place,
    )


def _units(printed: PrintedUnit | None) -> tuple[CountedUnit, ...]:
    if printed is None:
        return ()
    # The version's id is LEVEL/CODE/VALID_FROM; without one the day is unknown, as it is in such an id.
    valid_from = "-" if printed.version is None else printed.version.rpartition("/")[2]
    return (CountedUnit(level=printed.level, code=printed.code, valid_from=valid_from),)
