"""How much of the outbox the log has not taken, how old it is, and when that is reason for an alarm."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from redis.asyncio import Redis

from lienthong.adapters.event_log import event_time
from lienthong.adapters.outbox import CELL_ENTRIES_MAX
from lienthong.adapters.outbox_layout import stream_key

#: A cell this full is told of: as much time is left to bring the log back as it has been away.
ALARM_SHARE: Final = 0.5
#: An entry this old is told of: a broker's failover takes seconds.
ALARM_AGE: Final = timedelta(minutes=1)

_FIRST_VALUE = b"v0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits: entries in all cells and in the fullest, and when the oldest was decided (None where none waits)."""

    entries: int = 0
    fullest: int = 0
    oldest_at: datetime | None = None
    waiting: frozenset[str] = frozenset()

    def alarm(self, now: datetime, entries_max: int = CELL_ENTRIES_MAX) -> str | None:
        """Return a sentence for an operator where the log has not taken entries for too long, else None."""
        age = timedelta() if self.oldest_at is None else now - self.oldest_at
        if age <= ALARM_AGE and self.fullest < ALARM_SHARE * entries_max:
            return None
        return (
            f"{self.entries} decisions wait for the log, the oldest for {age.total_seconds():.0f} s; "
            f"the fullest cell of the outbox is at {self.fullest / entries_max:.0%} of its cap"
        )


async def backlog(redis: Redis, cells: Sequence[str]) -> Backlog:
    """Count what waits in the cells. Raises the client's connection errors."""
    pipeline = redis.pipeline(transaction=False)
    for cell in cells:
        pipeline.xlen(stream_key(cell))
    lengths: list[int] = await pipeline.execute()
    waiting = [cell for cell, length in zip(cells, lengths, strict=True) if length]
    pipeline = redis.pipeline(transaction=False)
    for cell in waiting:
        pipeline.xrange(stream_key(cell), count=1)
    heads: list[Any] = await pipeline.execute() if waiting else []
    moments = [event_time(entry[1][_FIRST_VALUE]) for entries in heads for entry in entries]
    known = [moment for moment in moments if moment is not None]
    return Backlog(
        entries=sum(lengths),
        fullest=max(lengths, default=0),
        oldest_at=min(known, default=None),
        waiting=frozenset(waiting),
    )
