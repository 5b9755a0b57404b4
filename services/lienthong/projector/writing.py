"""Writes one generation of the projection: its cells of cards, its mirror of the register, and the watch over both."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from redis.exceptions import RedisError

from lienthong.adapters.dead_letters import SetAside
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.followers import Reader
from lienthong.adapters.ground import Ground
from lienthong.adapters.projection import Projection, WentBack
from lienthong.adapters.register_mirror import MirrorMoved, RegisterMirror
from lienthong.projector.cards import CardCell
from lienthong.projector.register import RegisterProjector
from lienthong.runtime.clock import Clock
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import CARDS, REGISTER

#: How often what is stored is compared with what was written, and absence is proved anew.
WATCH_INTERVAL_S: Final = 1.0

#: What may happen in one watch and be over in the next: the store was away, or went back while it was looked at.
_PASSING: Final = (RedisError, OSError, WentBack, MirrorMoved)

_log = structlog.stdlib.get_logger("lienthong.projector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What writes a generation. Only the cells whose partitions are followed here are this process's own."""

    generation: int
    log: EventLog
    projection: Projection
    cells: Sequence[CardCell]
    register: RegisterProjector
    reader: Reader
    clock: Clock

    async def watch(self) -> None:
        """Look once at what is stored.

        1. Repair the cells that went back. 2. Note which cells have read to the ends of their partitions, with the
        moment before those ends were read; a partition that was recreated ends before its cell and proves nothing.
        3. Write up what the register's mirror lacks.
        """
        # 1
        own = [cell for cell in self.cells if cell.follower.following]
        watched = [cell.watched() for cell in own]
        states, indexed = await self.projection.states(), await self.projection.index_positions()
        for cell, known in zip(own, watched, strict=True):
            await cell.check(known, states[cell.cell], min(positions[cell.cell] for positions in indexed))
        # 2
        at_ms = int(self.clock.now().timestamp() * 1000)
        sound = [cell.cell for cell in own if cell.follower.progress.fault is None]
        bounds = await self.log.bounds(CARDS.name, sound)
        await self.projection.caught_up({cell: (bounds[cell].end, at_ms) for cell in sound})
        # 3
        await self.register.watch()


async def parts_of(ground: Ground, set_aside: SetAside, generation: int, buckets: int) -> Parts:
    """Open a generation of the projection and put together what writes it; reading begins when it is run.

    Raises `ProjectionRefused`, redis.RedisError and OSError.
    """
    log = ground.log
    projection = Projection(ground.store, log.partitions(CARDS.name), generation, buckets)
    await projection.open()
    # Each generation reads everything for itself, so its readers are a group of their own.
    reader = ground.reader(f"projector.{generation}")
    cells = [CardCell(cell, projection, set_aside) for cell in range(projection.cells)]
    for cell in cells:
        cell.follow(reader.subscribe(CARDS.name, cell.cell, cell.handle, cell.start))
    register = RegisterProjector(RegisterMirror(ground.store, generation), set_aside, ground.clock)
    register.follow(reader.subscribe(REGISTER.name, 0, register.handle, register.start))
    return Parts(
        generation=generation,
        log=log,
        projection=projection,
        cells=cells,
        register=register,
        reader=reader,
        clock=ground.clock,
    )


class Writing:
    """A generation that is being written; `watching` ends before it is stopped only with a fault not foreseen."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        parts.reader.start()
        self.watching = asyncio.create_task(_keep_watching(parts), name=f"watch-generation-{parts.generation}")

    async def stop(self) -> None:
        """Stop; what was under way is done again by whoever goes on."""
        await end(self.watching)
        await self.parts.reader.stop()


async def _keep_watching(parts: Parts) -> None:
    # Until reading has begun a cell may not have been created yet, and has nothing to go back from.
    await parts.reader.reading.wait()
    while True:
        try:
            await parts.watch()
        except _PASSING as fault:
            _log.warning("store_not_watched", generation=parts.generation, fault=type(fault).__name__)
        await asyncio.sleep(WATCH_INTERVAL_S)
