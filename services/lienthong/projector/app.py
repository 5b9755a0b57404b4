"""Puts the projector together: the generations of the projection that it writes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from lienthong.adapters.dead_letters import DeadLetters
from lienthong.adapters.ground import grounded
from lienthong.adapters.keys import open_keys
from lienthong.adapters.sealing import Sealer, keep_prepared
from lienthong.projector.keeper import Keeper
from lienthong.projector.writing import Parts
from lienthong.runtime.children import say_ready
from lienthong.runtime.clock import Clock, SystemClock
from lienthong.runtime.settings import Settings
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import DEAD_LETTERS

NAME: Final = "projector"
_log = structlog.stdlib.get_logger("lienthong.projector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Projector:
    """A running projector; `keeping` ends before it only with a fault that was not foreseen."""

    keeper: Keeper
    keeping: asyncio.Task[None]

    @property
    def parts(self) -> Parts:
        """What writes the generation that answers."""
        return self.keeper.current.parts


@asynccontextmanager
async def running(settings: Settings, clock: Clock) -> AsyncIterator[Projector]:
    """Run the projector until the block ends."""
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(grounded(settings, clock))
        keys = open_keys(settings, ground.directory)
        stack.callback(keys.close)
        sealer = Sealer(keys, clock)
        preparing = asyncio.create_task(keep_prepared(sealer, [DEAD_LETTERS.name]), name="prepare-keys")
        stack.push_async_callback(end, preparing)
        keeper = Keeper(ground, DeadLetters(ground.log, sealer, clock, NAME).set_aside)
        stack.push_async_callback(keeper.close)
        await keeper.open()
        keeping = asyncio.create_task(keeper.keep(), name="keep-generations")
        stack.push_async_callback(end, keeping)
        yield Projector(keeper=keeper, keeping=keeping)


async def run(settings: Settings) -> None:
    """Run the projector until it is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings, SystemClock()) as projector:
        telling = asyncio.create_task(_say_when_reading(projector.parts))
        told = asyncio.create_task(stop.wait())
        await asyncio.wait([told, projector.keeping], return_when=asyncio.FIRST_COMPLETED)
        await end(telling, told)
        if projector.keeping.done():
            projector.keeping.result()


async def _say_when_reading(parts: Parts) -> None:
    """Ready means that reading has begun; how much there is to read is another matter, and is watched."""
    await parts.reader.reading.wait()
    say_ready(cells=len(parts.cells))
