"""Puts the monitor together: the counts of decisions, what must be let go in time, and the HTTP routes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from lienthong.adapters.dead_letters import DeadLetters
from lienthong.adapters.followers import Reader
from lienthong.adapters.ground import grounded
from lienthong.adapters.history import History
from lienthong.adapters.keys import KeyStore
from lienthong.adapters.problems import speak_of_problems
from lienthong.adapters.register_feed import RegisterFeed, followed
from lienthong.adapters.retention import keep_letting_go
from lienthong.adapters.sealing import Sealer
from lienthong.adapters.serving import keep_strangers_out, serve
from lienthong.monitor.handlers import counting, passing_over, start_of
from lienthong.monitor.routes import health_routes, volume_routes
from lienthong.runtime.clock import Clock, SystemClock
from lienthong.runtime.settings import Settings
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import DECISIONS

NAME = "monitor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """A running monitor: what it counts into, the register it follows, what it reads, and the tasks that do it all."""

    history: History
    feed: RegisterFeed
    reader: Reader
    work: Sequence[asyncio.Task[Any]]


@asynccontextmanager
async def running(settings: Settings, clock: Clock) -> AsyncIterator[Monitor]:
    """Run the monitor until the block ends."""
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(grounded(settings, clock))
        log = ground.log
        keys = KeyStore(ground.directory.keys, settings.master_key_bytes())
        stack.callback(keys.close)
        history = History.open(ground.directory.history / "history.sqlite")
        stack.callback(history.close)
        feed = await stack.enter_async_context(followed(ground.store, clock))
        reader = ground.reader(NAME, passing_over(history))
        sealer = Sealer(keys, clock)
        letters = DeadLetters(log, sealer, clock, NAME)
        handle = counting(history, letters.set_aside)
        for partition in range(log.partitions(DECISIONS.name)):
            reader.subscribe(DECISIONS.name, partition, handle, start_of(history, partition))
        reading = reader.start()
        stack.push_async_callback(reader.stop)
        letting_go = asyncio.create_task(keep_letting_go(log, sealer, clock), name="retention")
        stack.push_async_callback(end, letting_go)
        yield Monitor(history=history, feed=feed, reader=reader, work=[letting_go, reading, feed.following])


def application(monitor: Monitor, settings: Settings, clock: Clock) -> FastAPI:
    """Return the HTTP application of a running monitor."""
    app = FastAPIOffline(title="Lien Thong monitor", summary="Look-up volumes; counts, never costs.", redoc_url=None)
    speak_of_problems(app)
    app.include_router(volume_routes(monitor.history, lambda: monitor.feed.register, clock))
    app.include_router(health_routes(monitor.reader.progress, clock))
    keep_strangers_out(app, settings)
    return app


async def run(settings: Settings) -> None:
    """Run the monitor until it is told to stop."""
    clock = SystemClock()
    async with running(settings, clock) as monitor:
        app = application(monitor, settings, clock)
        await serve(app, settings.host, settings.monitor_port, monitor.work)
