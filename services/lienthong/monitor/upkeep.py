"""Keeps the history in order while the monitor runs: room for the days to come, nothing longer than it may be kept."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NoReturn

import structlog
from sqlalchemy.exc import SQLAlchemyError

from lienthong.adapters.archive import Archive
from lienthong.adapters.database_faults import DatabaseAway
from lienthong.adapters.history import History
from lienthong.monitor.handlers import DecisionConsumer
from lienthong.runtime.clock import Clock, vietnam_today
from lienthong_schemas.streams import DECISIONS

#: How soon it is noticed that a database was restored from an older copy while no decision came.
WATCH_INTERVAL_S: Final = 10.0
#: How often days are made and removed; they are made a week ahead.
TIDY_INTERVAL: Final = timedelta(minutes=10)

_log = structlog.stdlib.get_logger("lienthong.monitor")


def tidy(history: History, archive: Archive, clock: Clock) -> None:
    """Make the archive's days to come; remove those that ended, and marks of what is in the log no longer.

    Raises DatabaseAway.
    """
    gone = archive.keep_days()
    assert DECISIONS.kept_for is not None, "decisions are kept for a time"  # noqa: S101 -- an invariant
    marks = history.forget_marks(vietnam_today(clock.now() - DECISIONS.kept_for).isoformat())
    if gone or marks:
        _log.info("history_let_go", archived=gone, marks=marks)


async def keep_in_order(
    history: History, archive: Archive, consumers: Sequence[DecisionConsumer], clock: Clock
) -> NoReturn:
    """Watch and tidy until cancelled; a database that is away is asked again the next time."""
    tidied_at = None
    while True:
        try:
            now = clock.now()
            if tidied_at is None or now - tidied_at >= TIDY_INTERVAL:
                await asyncio.to_thread(tidy, history, archive, clock)
                tidied_at = now
            for consumer in consumers:
                await consumer.watch()
        except DatabaseAway as fault:
            _log.warning("history_not_in_order", fault=type(fault).__name__, reason=fault.reason)
        except SQLAlchemyError as fault:
            _log.warning("history_not_in_order", fault=type(fault).__name__)
        await asyncio.sleep(WATCH_INTERVAL_S)
