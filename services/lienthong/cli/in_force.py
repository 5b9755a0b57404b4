"""Waits until what was published counts in answers, and says how long that took."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.projection import Projection
from lienthong.adapters.register_mirror import RegisterMirror
from lienthong.cli.console import progress_bar
from lienthong.runtime.clock import Clock
from lienthong_schemas.streams import CARDS

#: A projector that runs takes a seal within milliseconds; one that has not by then does not run.
REGISTER_WAIT_S = 10.0
#: The projector writes tens of thousands of cards a second: one that did not move for this long does not run.
STANDSTILL_S = 10.0
_POLL_S = 0.05
_REGISTER_POLL_S = 0.005


async def register_in_force(mirror: RegisterMirror, position: int, since: datetime, clock: Clock) -> float | None:
    """Return how many seconds after `since` every look-up could have `position`; None where it is not mirrored.

    Look-ups fold what the mirror has as soon as it has it. The caller has folded the same batch meanwhile, by reading
    it back from the log, so its own time stands for theirs.
    """
    deadline = time.monotonic() + REGISTER_WAIT_S
    while int((await mirror.stands()).last.rpartition("-")[2]) < position:
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(_REGISTER_POLL_S)
    return max(0.0, (clock.now() - since).total_seconds())


async def cards_in_force(log: EventLog, projection: Projection) -> bool:
    """Wait until every cell has read its partition as far as it reaches now; False where the projector stands still."""
    ends = {partition: bounds.end for partition, bounds in (await log.bounds(CARDS.name)).items()}
    behind = await _behind(projection, ends)
    with progress_bar("cards being projected", behind) as bar:
        return await _until(projection, ends, behind, bar.advance)


async def _until(projection: Projection, ends: dict[int, int], behind: int, advance: Callable[[int], None]) -> bool:
    moved_at = time.monotonic()
    while behind:
        await asyncio.sleep(_POLL_S)
        now = await _behind(projection, ends)
        if now < behind:
            advance(behind - now)
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > STANDSTILL_S:
            return False
        behind = now
    return True


async def _behind(projection: Projection, ends: dict[int, int]) -> int:
    states = await projection.states()
    return sum(max(0, end - (states[cell].position or 0)) for cell, end in ends.items())
