"""Tells the time to whoever is given a clock, so that nothing else reads one."""

from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

# The days of the law and of every message are days here: UTC+7 without summer time.
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


class Clock(Protocol):
    """Something that knows the present moment."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)


def vietnam_today(now: datetime) -> date:
    """Return the day it is in Vietnam at `now`; from 00:00 to 07:00 there it is still yesterday in UTC."""
    return now.astimezone(VIETNAM).date()
