"""Runs everything on one machine: servers and three processes, as one service that starts, heals and stops.

The servers are two, the log's and the projection's, less those that a setting says are elsewhere.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence

from lienthong.runtime.backoff import Backoff
from lienthong.runtime.children import Announce, Announcement, Child, ChildRefused, ChildSpec
from lienthong.runtime.datadir import DataDirectory, data_directory, held
from lienthong.runtime.embedded import EmbeddedServer, ServerFault, ServerSpec
from lienthong.runtime.settings import Settings

SERVERS = ("log", "projection")
PROCESSES = ("projector", "lookup", "monitor")
# How soon a dead server is noticed; its clients get errors meanwhile and say so.
WATCH_INTERVAL_S = 0.1


def embedded_servers(settings: Settings) -> tuple[str, ...]:
    """Return the names of the servers that run here, because no setting says where they are."""
    return tuple(name for name in SERVERS if name not in servers_elsewhere(settings))


def servers_elsewhere(settings: Settings) -> frozenset[str]:
    """Return the names of the servers that a setting says are elsewhere: nothing of them is kept here."""
    places = {"log": settings.kafka_servers, "projection": settings.projection_url}
    return frozenset(name for name, place in places.items() if place is not None)


def server_specs(directory: DataDirectory, settings: Settings) -> list[ServerSpec]:
    """Return how the servers are run: apart, so that flushing or restoring the projection spares the truth."""
    return [
        ServerSpec(
            name=name,
            data=directory.root / name,
            run=directory.run,
            socket=directory.socket(name),
            binary=settings.server_binary,
        )
        for name in embedded_servers(settings)
    ]


def child_specs(directory: DataDirectory, settings: Settings) -> list[ChildSpec]:
    """Return how the three processes are run: each with this interpreter and these settings."""
    return [
        ChildSpec(
            name=name,
            command=[sys.executable, "-m", "lienthong", name, "--data-dir", str(directory.root)],
            environment={**os.environ, **settings.environment()},
            log_file=directory.run / f"{name}-process.log" if settings.log_to == "files" else None,
        )
        for name in PROCESSES
    ]


async def up(
    settings: Settings,
    announce: Announce,
    *,
    children: Sequence[ChildSpec] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the whole service until SIGINT, SIGTERM or `stop`, then stop it cleanly.

    1. Hold the data directory.
    2. Start the servers that run here at once, or adopt those that outlived an earlier parent.
    3. Start the processes; when each has said that it is ready, announce `service ready`.
    4. Start again whatever ends, until it is time to stop.
    5. Stop the processes, then the servers.

    Prints nothing: `announce` hears of every step. Raises DataDirectoryRefused, ServerFault and ChildRefused.
    """
    directory = data_directory(settings.data_dir)
    began = time.monotonic()
    with held(directory, without=servers_elsewhere(settings)):
        specs = child_specs(directory, settings) if children is None else children
        async with _stop_signals(stop or asyncio.Event()) as ending, _servers(directory, settings, announce) as servers:
            kept = [Child(spec, announce) for spec in specs]
            watches = [_watch(server, announce) for server in servers]
            runs = [child.keep_running() for child in kept]
            await _until(ending, [*watches, *runs, _all_ready(kept, announce, began)])
    announce(Announcement(name="service", event="stopped"))


async def _until(ending: asyncio.Event, jobs: Sequence[Coroutine[None, None, None]]) -> None:
    """Run the jobs until `ending` is set, then cancel them and wait; a job that fails ends all, with its fault."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
            await ending.wait()
            for task in tasks:
                task.cancel()
    except* ChildRefused as refused:
        raise refused.exceptions[0] from None


@contextlib.asynccontextmanager
async def _stop_signals(stop: asyncio.Event) -> AsyncIterator[asyncio.Event]:
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    try:
        yield stop
    finally:
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(sign)


@contextlib.asynccontextmanager
async def _servers(
    directory: DataDirectory, settings: Settings, announce: Announce
) -> AsyncIterator[list[EmbeddedServer]]:
    servers = [EmbeddedServer(spec) for spec in server_specs(directory, settings)]
    try:
        try:
            async with asyncio.TaskGroup() as group:
                for server in servers:
                    group.create_task(_start(server, announce))
        except* ServerFault as faults:
            raise faults.exceptions[0] from None
        yield servers
    finally:
        for server in servers:
            await server.stop()
            announce(Announcement(name=server.spec.name, event="stopped"))


async def _start(server: EmbeddedServer, announce: Announce) -> None:
    how = await server.start()
    announce(Announcement(name=server.spec.name, event=how, facts={"pid": server.pid}))


async def _watch(server: EmbeddedServer, announce: Announce) -> None:
    """Start the server again whenever it is gone, with growing pauses while it does not come up."""

    def heard(fault: BaseException, attempts: int) -> None:
        facts = {"fault": str(fault), "attempts": attempts}
        announce(Announcement(name=server.spec.name, event="restarting", facts=facts))

    while True:
        await asyncio.sleep(WATCH_INTERVAL_S)
        if not server.alive():
            announce(Announcement(name=server.spec.name, event="ended"))
            await Backoff(faults=(ServerFault,)).run(lambda: _start(server, announce), on_fault=heard)


async def _all_ready(children: Sequence[Child], announce: Announce, began: float) -> None:
    await asyncio.gather(*(child.ready.wait() for child in children))
    seconds = round(time.monotonic() - began, 2)
    announce(Announcement(name="service", event="ready", facts={"seconds": seconds}))
