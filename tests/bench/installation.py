"""An installation of its own for a benchmark: a data directory, both servers, and processes that end with it."""

import asyncio
import functools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from redis.asyncio import Redis

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.runtime.connection import connect
from lienthong.runtime.datadir import DataDirectory, data_directory
from lienthong.runtime.embedded import EmbeddedServer
from lienthong.runtime.processes import die_with_parent
from lienthong.runtime.settings import PREFIX, Settings
from lienthong.runtime.supervisor import server_specs

ROOT = Path(__file__).parents[2]
#: A process that has not said that it is ready by then has failed.
READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What a benchmark measures: where it is, its two servers and clients for them, and what else it has started."""

    directory: DataDirectory
    settings: Settings
    log_server: EmbeddedServer
    projection_server: EmbeddedServer
    log: EventLog
    projection: Redis
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str, port: int | None = None) -> int:
        """Start a Python module with its arguments, wait until it says that it is ready, and return its process id."""
        self.processes.append(start_process(self.settings, self.directory, command, port))
        return self.processes[-1].pid


def start_process(
    settings: Settings, directory: DataDirectory, command: Sequence[str], port: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a Python module with its arguments under these settings, and wait until it says that it is ready."""
    environment = {**os.environ, **settings.environment(), "PYTHONPATH": str(ROOT)}
    if port is not None:
        environment[f"{PREFIX}LOOKUP_PORT"] = str(port)
    with (directory.run / f"{command[0]}.log").open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and modules
            [sys.executable, "-m", *command],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd=ROOT,
            preexec_fn=functools.partial(die_with_parent, os.getpid()),  # noqa: PLW1509  # one system call
        )
    assert process.stdout is not None
    line = _first_line(process.stdout, command)
    assert b"ready" in line, line
    return process


def _first_line(stream: IO[bytes], command: Sequence[str]) -> bytes:
    os.set_blocking(stream.fileno(), True)
    line = stream.readline()
    if not line:
        message = f"{' '.join(command)} ended before it was ready"
        raise RuntimeError(message)
    return line


@asynccontextmanager
async def installation() -> AsyncIterator[Installation]:
    """Run both servers in a directory of their own while the block lasts; nothing of it stays."""
    root = Path(tempfile.mkdtemp(prefix="lienthong-bench-"))
    settings = Settings(data_dir=root, lookup_port=free_port(), monitor_port=free_port(), log_to="files")
    directory = data_directory(root)
    directory.prepare()
    servers = [EmbeddedServer(replace(spec, die_with_parent=True)) for spec in server_specs(directory, settings)]
    clients = [connect(directory.socket(name)) for name in ("log", "projection")]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        await asyncio.gather(*(server.start() for server in servers))
        yield Installation(
            directory=directory,
            settings=settings,
            log_server=servers[0],
            projection_server=servers[1],
            log=ValkeyLog(clients[0]),
            projection=clients[1],
            processes=processes,
        )
    finally:
        for process in processes:
            stop(process)
        for client in clients:
            await client.aclose()
        for server in servers:
            await server.stop()
        shutil.rmtree(root, ignore_errors=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started here, and wait until it is gone."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
