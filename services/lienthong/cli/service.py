"""The running service of a data directory, as commands reach it: its log and its projection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.generations import FIRST, Generations
from lienthong.adapters.ground import grounded
from lienthong.adapters.kafka_admin import TopicsUnusable
from lienthong.adapters.projection import Projection, WentBack
from lienthong.adapters.projection_servers import ProjectionRefused
from lienthong.adapters.register_log import RegisterGap
from lienthong.adapters.register_mirror import RegisterMirror
from lienthong.cli.console import fail, say_faults_once
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.datadir import DataDirectory, data_directory
from lienthong.runtime.settings import Settings
from lienthong_schemas.streams import CARDS, REGISTER

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An installation whose log answers; `generation` is the one that answered when the command began."""

    directory: DataDirectory
    log: EventLog
    store: Redis
    generation: int

    @property
    def projection(self) -> Projection:
        """Return the cells of cards, to be read; a command never writes them."""
        return Projection(self.store, self.log.partitions(CARDS.name), self.generation)

    @property
    def mirror(self) -> RegisterMirror:
        """Return the register as look-ups have it, to be read."""
        return RegisterMirror(self.store, self.generation)


async def answers(asked: Awaitable[object]) -> bool:
    """Tell whether a server answers what it is asked."""
    try:
        await asked
    except (RedisError, OSError):
        return False
    return True


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service | None]:
    """Connect to the servers that the settings name; None where the log does not answer."""
    say_faults_once()
    async with grounded(settings, SystemClock()) as ground:
        if await answers(ground.log.bounds(REGISTER.name)):
            generation = await _generation(ground.store)
            yield Service(directory=ground.directory, log=ground.log, store=ground.store, generation=generation)
        else:
            yield None


async def _generation(store: Redis) -> int:
    """Return the generation that answers; of a store that does not answer nothing is read afterwards either."""
    try:
        return (await Generations(store).plan()).current
    except (RedisError, OSError):
        return FIRST


@asynccontextmanager
async def running_service(settings: Settings) -> AsyncIterator[Service]:
    """Connect to the servers of the data directory; ends the command where they do not answer."""
    async with open_service(settings) as service:
        if service is None:
            fail_not_running(settings)
        yield service


def fail_not_running(settings: Settings) -> NoReturn:
    """End the command, saying how the service is started, or whom its settings take for the log."""
    if settings.kafka_servers is not None:
        fail(f"The brokers {settings.kafka_servers} do not answer.", "Start them, or correct LIENTHONG_KAFKA_….")
    root = data_directory(settings.data_dir).root
    if not root.exists():
        fail(f"There is no data directory {root}.", f"Start the service: lienthong up --data-dir {root}")
    fail(f"No service runs on {root}.", f"Start it: lienthong up --data-dir {root}")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's work to its end; a server that goes away meanwhile ends the command in one sentence."""
    try:
        return asyncio.run(work)
    except RegisterGap as fault:
        fail(f"The log is damaged: {fault}.", "Restore the log from a backup, or publish into a new --data-dir.")
    except (ProjectionRefused, TopicsUnusable) as fault:
        fail(str(fault))
    except WentBack as fault:
        fail(f"The projection is being filled anew: {fault}.", "Wait until lienthong status says complete, and repeat.")
    except (RedisError, OSError) as fault:
        kind = type(fault).__name__
        fail(
            f"The service went away ({kind}).", "See lienthong status, and call this command again; it may be repeated."
        )
