"""Puts the monitor together: counts and archive of decisions, what must be let go in time, and the HTTP routes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from lienthong.adapters.archive import Archive
from lienthong.adapters.dead_letters import DeadLetters
from lienthong.adapters.followers import Progress, Reader
from lienthong.adapters.ground import Ground, grounded
from lienthong.adapters.history import History, open_history
from lienthong.adapters.keys import open_keys
from lienthong.adapters.problems import speak_of_problems
from lienthong.adapters.register_feed import RegisterFeed, followed
from lienthong.adapters.retention import keep_letting_go
from lienthong.adapters.sealing import Sealer, keep_prepared
from lienthong.adapters.serving import keep_strangers_out, serve
from lienthong.monitor.handlers import DecisionConsumer
from lienthong.monitor.keepers import Archived, Counts
from lienthong.monitor.routes import health_routes, volume_routes
from lienthong.monitor.upkeep import keep_in_order
from lienthong.runtime.clock import Clock, SystemClock
from lienthong.runtime.settings import Settings
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import DEAD_LETTERS, DECISIONS

NAME = "monitor"
#: The archive reads for itself: what stops the one does not stop the other.
ARCHIVE = "archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """A running monitor: what it counts and archives into, the register it follows, what reads, and the tasks."""

    history: History
    archive: Archive
    feed: RegisterFeed
    readers: Mapping[str, Reader]
    work: Sequence[asyncio.Task[Any]]

    def progress(self) -> list[tuple[str, Progress]]:
        """Return how far each partition was read, by the counts and by the archive."""
        return [(name, each) for name, reader in self.readers.items() for each in reader.progress()]


@asynccontextmanager
async def running(settings: Settings, clock: Clock) -> AsyncIterator[Monitor]:
    """Run the monitor until the block ends."""
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(grounded(settings, clock))
        keys = await asyncio.to_thread(open_keys, settings, ground.directory)
        stack.callback(keys.close)
        history = await asyncio.to_thread(open_history, settings, ground.directory)
        stack.callback(history.close)
        archive = Archive(history.database, clock)
        feed = await stack.enter_async_context(followed(ground.store, clock))
        sealer = Sealer(keys, clock)
        # Both consumers set the same event aside under one id, which counts once.
        letters = DeadLetters(ground.log, sealer, clock, NAME)
        counts = DecisionConsumer(Counts(history), letters.set_aside)
        archived = DecisionConsumer(Archived(archive), letters.set_aside)
        readers = {NAME: _reader(ground, NAME, counts), ARCHIVE: _reader(ground, ARCHIVE, archived)}
        reading = [reader.start() for reader in readers.values()]
        for reader in readers.values():
            stack.push_async_callback(reader.stop)
        work: list[asyncio.Task[Any]] = [
            asyncio.create_task(keep_letting_go(ground.log, sealer, clock), name="retention"),
            asyncio.create_task(keep_in_order(history, archive, [counts, archived], clock), name="upkeep"),
            asyncio.create_task(keep_prepared(sealer, [DEAD_LETTERS.name]), name="keys"),
        ]
        stack.push_async_callback(end, *work)
        work += [*reading, feed.following]
        yield Monitor(history=history, archive=archive, feed=feed, readers=readers, work=work)


def _reader(ground: Ground, group: str, consumer: DecisionConsumer) -> Reader:
    reader = ground.reader(group, consumer.pass_over)
    consumer.subscribe(reader, ground.log.partitions(DECISIONS.name))
    return reader


def application(monitor: Monitor, settings: Settings, clock: Clock) -> FastAPI:
    """Return the HTTP application of a running monitor."""
    app = FastAPIOffline(title="Lien Thong monitor", summary="Look-up volumes; counts, never costs.", redoc_url=None)
    speak_of_problems(app)
    app.include_router(volume_routes(monitor.history, lambda: monitor.feed.register, clock))
    app.include_router(health_routes(monitor.progress, monitor.history.database.ping, clock))
    keep_strangers_out(app, settings)
    return app


async def run(settings: Settings) -> None:
    """Run the monitor until it is told to stop."""
    clock = SystemClock()
    async with running(settings, clock) as monitor:
        app = application(monitor, settings, clock)
        await serve(app, settings.host, settings.monitor_port, monitor.work)
