"""Puts the projector together: sixteen cells of cards, the register's mirror, and the watch over both."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from redis.exceptions import RedisError

from lienthong.adapters.dead_letters import DeadLetters
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.followers import Reader
from lienthong.adapters.ground import Ground, grounded
from lienthong.adapters.keys import KeyStore
from lienthong.adapters.projection import Projection, WentBack
from lienthong.adapters.register_mirror import MirrorMoved, RegisterMirror
from lienthong.adapters.sealing import Sealer
from lienthong.projector.cards import CardCell
from lienthong.projector.register import RegisterProjector
from lienthong.runtime.children import say_ready
from lienthong.runtime.clock import Clock, SystemClock
from lienthong.runtime.settings import Settings
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import CARDS, REGISTER

NAME: Final = "projector"
#: How often what is stored is compared with what was written, and absence is proved anew.
WATCH_INTERVAL_S: Final = 1.0

#: What may happen in one watch and be over in the next: the store was away, or went back while it was looked at.
_PASSING: Final = (RedisError, OSError, WentBack, MirrorMoved)

_log = structlog.stdlib.get_logger("lienthong.projector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a projector is made of."""

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
        watched = [cell.watched() for cell in self.cells]
        states, indexed = await self.projection.states(), await self.projection.index_positions()
        for cell, known in zip(self.cells, watched, strict=True):
            await cell.check(known, states[cell.cell], min(positions[cell.cell] for positions in indexed))
        # 2
        at_ms = int(self.clock.now().timestamp() * 1000)
        bounds = await self.log.bounds(CARDS.name)
        sound = [cell.cell for cell in self.cells if cell.follower.progress.fault is None]
        await self.projection.caught_up({cell: (bounds[cell].end, at_ms) for cell in sound})
        # 3
        await self.register.watch()


@dataclass(frozen=True, slots=True, kw_only=True)
class Projector:
    """A running projector; `watching` ends before it only with a fault that was not foreseen."""

    parts: Parts
    watching: asyncio.Task[None]


@asynccontextmanager
async def running(settings: Settings, clock: Clock) -> AsyncIterator[Projector]:
    """Run the projector until the block ends."""
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(grounded(settings, clock))
        parts = await _parts(stack, ground)
        parts.reader.start()
        stack.push_async_callback(parts.reader.stop)
        watching = asyncio.create_task(_keep_watching(parts), name="watch-projection")
        stack.push_async_callback(end, watching)
        yield Projector(parts=parts, watching=watching)


async def _parts(stack: AsyncExitStack, ground: Ground) -> Parts:
    log, clock = ground.log, ground.clock
    keys = KeyStore(ground.directory.keys, ground.settings.master_key_bytes())
    stack.callback(keys.close)
    projection = Projection(ground.store, log.partitions(CARDS.name))
    await projection.open()
    letters = DeadLetters(log, Sealer(keys, clock), clock, NAME)
    reader = ground.reader(NAME)
    cells = [CardCell(cell, projection, letters.set_aside) for cell in range(projection.cells)]
    for cell in cells:
        cell.follow(reader.subscribe(CARDS.name, cell.cell, cell.handle, cell.start))
    register = RegisterProjector(RegisterMirror(ground.store), letters.set_aside)
    register.follow(reader.subscribe(REGISTER.name, 0, register.handle, register.start))
    return Parts(log=log, projection=projection, cells=cells, register=register, reader=reader, clock=clock)


async def run(settings: Settings) -> None:
    """Run the projector until it is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings, SystemClock()) as projector:
        telling = asyncio.create_task(_say_when_reading(projector.parts))
        told = asyncio.create_task(stop.wait())
        await asyncio.wait([told, projector.watching], return_when=asyncio.FIRST_COMPLETED)
        await end(telling, told)
        if projector.watching.done():
            # What is stored is no longer watched, and a process that starts again will do it.
            projector.watching.result()


async def _say_when_reading(parts: Parts) -> None:
    """Ready means that reading has begun; how much there is to read is another matter, and is watched."""
    await parts.reader.reading.wait()
    say_ready(cells=len(parts.cells))


async def _keep_watching(parts: Parts) -> None:
    # Until reading has begun a cell may not have been created yet, and has nothing to go back from.
    await parts.reader.reading.wait()
    while True:
        try:
            await parts.watch()
        except _PASSING as fault:
            _log.warning("store_not_watched", fault=type(fault).__name__)
        await asyncio.sleep(WATCH_INTERVAL_S)
