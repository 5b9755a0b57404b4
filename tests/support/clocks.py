"""A clock that tests set."""

from datetime import UTC, datetime, timedelta


class SetClock:
    """Tells the time it was last set to."""

    def __init__(self, now: datetime = datetime(2025, 8, 1, 2, tzinfo=UTC)) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the moment that was set."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._now += by
