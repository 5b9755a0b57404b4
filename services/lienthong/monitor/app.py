"""Puts the monitor together: the counts of decisions, what must be let go in time, and the HTTP routes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from lienthong.adapters.dead_letters import DeadLetters
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.history import History
from lienthong.adapters.keys import KeyStore
from lienthong.adapters.problems import speak_of_problems
from lienthong.adapters.register_feed import RegisterFeed, followed
from lienthong.adapters.retention import keep_letting_go
from lienthong.adapters.sealing import Sealer
from lienthong.adapters.serving import keep_strangers_out, serve
from lienthong.adapters.streams import StreamReader
from lienthong.monitor.handlers import counting, passing_over, start_of
from lienthong.monitor.routes import health_routes, volume_routes
from lienthong.runtime.clock import Clock, SystemClock
from lienthong.runtime.connection import connect
from lienthong.runtime.datadir import DataDirectory, data_directory
from lienthong.runtime.settings import Settings
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import DECISIONS

NAME = "monitor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """A running monitor: what it counts into, the register it follows, what it reads, and the tasks that do it all."""

    history: History
    feed: RegisterFeed
    reader: StreamReader
    work: Sequence[asyncio.Task[Any]]


@asynccontextmanager
async def running(directory: DataDirectory, settings: Settings, clock: Clock) -> AsyncIterator[Monitor]:
    """Run the monitor on a data directory until the block ends."""
    async with AsyncExitStack() as stack:
        log_client = connect(directory.socket("log"))
        stack.push_async_callback(log_client.aclose)
        keys = KeyStore(directory.root / "keys", settings.master_key_bytes())
        stack.callback(keys.close)
        history = History.open(directory.root / "history" / "history.sqlite")
        stack.callback(history.close)
        log = EventLog(log_client)
        feed = await stack.enter_async_context(followed(directory.socket("projection"), clock))
        reader = StreamReader(directory.socket("log"), log, clock, passing_over(history))
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
    async with running(data_directory(settings.data_dir), settings, clock) as monitor:
        app = application(monitor, settings, clock)
        await serve(app, settings.host, settings.monitor_port, monitor.work)
