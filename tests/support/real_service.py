"""`lienthong up` as it runs on a machine: a parent, three processes and two servers, each of which a test may kill."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
from redis.asyncio import Redis

from lienthong.runtime.connection import connect
from lienthong.runtime.datadir import DataDirectory, data_directory
from lienthong.runtime.embedded import find_orphan
from lienthong.runtime.processes import ProcessIdentity, alive
from lienthong.runtime.settings import Settings, load
from lienthong.runtime.supervisor import server_specs
from tests.support.waiting import until

UP = "up"
EVERYTHING, PARENT = "everything", "parent"
SERVERS = ("log", "projection")
PROCESSES = ("projector", "lookup", "monitor")
#: Three processes import their libraries at once on two busy cores, again after a pause of up to ten seconds.
READY_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 40.0
_LINES_SHOWN = 8


class RealService:
    """One data directory and the processes on it."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.directory: DataDirectory = data_directory(root)
        self.lookup_port, self.monitor_port = _free_ports()
        self.account = root / "account.log"
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._identities: dict[str, ProcessIdentity] = {}
        self._ready: set[str] = set()

    @property
    def lookup_url(self) -> str:
        """Where desks ask."""
        return f"http://127.0.0.1:{self.lookup_port}"

    @property
    def monitor_url(self) -> str:
        """Where volumes are read."""
        return f"http://127.0.0.1:{self.monitor_port}"

    async def start(self) -> None:
        """Start the parent, and return when everything has said that it is ready."""
        self._ready.clear()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LIENTHONG_")}
        settings = {
            "LIENTHONG_DATA_DIR": str(self.directory.root),
            "LIENTHONG_LOOKUP_PORT": str(self.lookup_port),
            "LIENTHONG_MONITOR_PORT": str(self.monitor_port),
            "LIENTHONG_LOG_TO": "files",
            "LIENTHONG_LOG_LEVEL": "warning",
        }
        with self.account.open("ab") as account:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "lienthong", "up", "--json"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=account,
                env={**environment, **settings, **self._environment},
                start_new_session=True,
            )
        self._know(UP, self._process.pid)
        self._listening = asyncio.create_task(self._listen(self._process))
        await self.ready()

    def accounts(self) -> dict[str, list[str]]:
        """Return the last lines that the parent and each process wrote."""
        run = self.directory.run
        files = {UP: self.account, **{name: run / f"{name}-process.log" for name in PROCESSES}}
        return {
            name: file.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_SHOWN:]
            for name, file in files.items()
            if file.exists()
        }

    async def ready(self) -> None:
        """Return when all three processes are ready, or fail with what the parent said last."""
        await until(lambda: self._ready >= set(PROCESSES) or not self.runs(UP), READY_DEADLINE_S)
        assert self.runs(UP), self.accounts()

    def runs(self, name: str) -> bool:
        """Tell whether a process or server is known and lives."""
        identity = self._identities.get(name)
        return identity is not None and alive(identity)

    def identity(self, name: str) -> ProcessIdentity | None:
        """Return which process it is, None while it is not known to run."""
        return self._identities.get(name) if self.runs(name) else None

    def environment_of(self, name: str) -> Mapping[str, str]:
        """Return the environment that a running process was given."""
        identity = self.identity(name)
        assert identity is not None, f"{name} does not run"
        return dict(psutil.Process(identity.pid).environ())

    def signal(self, name: str, number: int) -> bool:
        """Send a signal to a process or server that was started for this service; tell whether it lived."""
        identity = self.identity(name)
        if identity is None:
            return False
        with contextlib.suppress(psutil.Error):
            psutil.Process(identity.pid).send_signal(number)
            return True
        return False

    async def gone(self, names: Iterable[str]) -> None:
        """Return when each of them has ended."""
        struck = [identity for name in names if (identity := self._identities.get(name)) is not None]
        await until(lambda: not any(alive(each) for each in struck))

    async def ended(self) -> None:
        """Return when the parent, having been killed, is reaped, and what it started beside the servers has ended."""
        if self._process is not None:
            await asyncio.wait_for(self._process.wait(), _STOP_DEADLINE_S)
        if self._listening is not None:
            await asyncio.wait_for(self._listening, _STOP_DEADLINE_S)
        await self.gone(PROCESSES)

    async def stop(self) -> None:
        """Stop the service as an operator does, and whatever an earlier kill has left."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _STOP_DEADLINE_S)
        for name in (UP, *PROCESSES, *SERVERS):
            self.signal(name, 9)
        for spec in server_specs(self.directory, load(data_dir=self.directory.root)):
            orphan = find_orphan(spec)
            if orphan is not None:
                with contextlib.suppress(psutil.Error):
                    psutil.Process(orphan.pid).kill()
        if self._listening is not None:
            await self._listening

    @property
    def settings(self) -> Settings:
        """The settings of the service, for who connects to its servers."""
        return load(data_dir=self.directory.root)

    async def strike(self, kind: str, chance: random.Random) -> None:
        """Kill what is named, and return when it is dead; of everything and of the parent, when it runs again."""
        if kind in {EVERYTHING, PARENT}:
            names = [UP, *PROCESSES, *SERVERS] if kind == EVERYTHING else [UP]
            chance.shuffle(names)
            for name in names:
                self.signal(name, signal.SIGKILL)
            await self.ended()
            await self.start()
        else:
            await until(lambda: self.signal(kind, signal.SIGKILL), READY_DEADLINE_S)

    @asynccontextmanager
    async def client(self, name: str) -> AsyncIterator[Redis]:
        """Connect to one of the two servers."""
        client = connect(self.directory.socket(name))
        try:
            yield client
        finally:
            await client.aclose()

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx.AsyncClient]:
        """Connect to the look-up service as a desk does."""
        async with httpx.AsyncClient(base_url=self.lookup_url, timeout=5) as client:
            yield client

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Take what the parent announces until it ends; a child of it may keep the pipe open for a moment longer."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            with contextlib.suppress(ValueError):
                self._take(json.loads(line))

    def _take(self, announced: Mapping[str, object]) -> None:
        name, event = str(announced["name"]), announced["event"]
        if event in {"started", "adopted", "replaced"}:
            self._know(name, int(str(announced["pid"])))
        elif event == "ready":
            self._ready.add(name)
        elif event == "ended":
            self._ready.discard(name)

    def _know(self, name: str, pid: int) -> None:
        identity = ProcessIdentity.of(pid)
        if identity is not None:
            self._identities[name] = identity


@asynccontextmanager
async def real_service(environment: Mapping[str, str] | None = None) -> AsyncIterator[RealService]:
    """Make a service on an empty data directory of its own, not started yet; it is stopped and removed at the end."""
    root = Path(tempfile.mkdtemp(prefix="lienthong-"))
    service = RealService(root, environment or {})
    try:
        yield service
    finally:
        await service.stop()
        shutil.rmtree(root)


def _free_ports() -> tuple[int, int]:
    """Return two ports that nothing listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]
