"""A real PostgreSQL server of the system's packages, which a test may kill and start again."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg

from lienthong.runtime.processes import ProcessIdentity, alive
from tests.support.distributed.processes import (
    GONE_TIMEOUT_S,
    LOOPBACK,
    Command,
    LocalServer,
    NotOnThisMachine,
    ServerEnded,
    free_ports,
    temporary_directory,
)
from tests.support.waiting import until

_PACKAGED = Path("/usr/lib/postgresql")
#: The server refuses to run as root; its packages bring a user of this name.
_SYSTEM_USER = "postgres"
_USERNAME, _PASSWORD = "tests", "not-a-secret"
_READY_TIMEOUT_S = 30.0
_INITIALISE_TIMEOUT_S = 60.0
_CONFIGURATION = """
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
max_connections = 200
shared_buffers = 32MB
# A killed process loses nothing that the kernel has; only a machine without power does.
fsync = off
"""


class PostgresServer:
    """A server with nothing in it, whose data goes with `stop`."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._user = _SYSTEM_USER if os.geteuid() == 0 else None
        self._root = temporary_directory()
        self._data = self._root / "data"
        self._others: list[ProcessIdentity] = []
        self.port = free_ports(1)[0]
        if self._user is not None:
            shutil.chown(self._root, self._user, self._user)
        self._process = LocalServer(
            Command(
                name="PostgreSQL",
                arguments=[self._programs / "postgres", "-D", self._data],
                log=self._root / "log",
                user=self._user,
                # Its own way to end at once, all its processes included.
                last_signal=signal.SIGQUIT,
            )
        )

    @property
    def url(self) -> str:
        """Where the server is, without a database: `postgresql://USER:PASSWORD@HOST:PORT`."""
        return f"postgresql://{_USERNAME}:{_PASSWORD}@{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """The id of the first of its processes."""
        return self._process.pid

    async def start(self) -> None:
        """Make the server's files and start it. Raises ServerEnded if it never answers."""
        self._initialise()
        await self.restart()

    async def restart(self) -> None:
        """Start the server after a kill on its old data and port, and return when it answers. Raises ServerEnded."""
        await self._gone()
        self._process.start()
        try:
            await until(self._answers, _READY_TIMEOUT_S)
        except TimeoutError:
            raise ServerEnded(self._process) from None

    def kill(self) -> None:
        """End all of the server's processes with SIGKILL, and return when the first of them is gone."""
        if self._process.running:
            server = psutil.Process(self._process.pid)
            # The first stands still, or it would begin another for each that ends.
            server.suspend()
            for each in server.children(recursive=True):
                self._others.append(ProcessIdentity(pid=each.pid, started_at=each.create_time()))
                each.kill()
            self._process.kill()

    async def heal(self) -> None:
        """Bring back a server that was killed."""
        if not self._process.running:
            await self.restart()

    async def stop(self) -> None:
        """End the server and remove its data."""
        self.kill()
        await self._gone()
        shutil.rmtree(self._root)

    async def _gone(self) -> None:
        """Return when no process of a killed server holds its memory any more."""
        await until(lambda: not any(alive(each) for each in self._others), GONE_TIMEOUT_S)
        self._others.clear()

    def _initialise(self) -> None:
        password = self._root / "password"
        password.write_text(_PASSWORD, encoding="utf-8")
        password.chmod(0o644)
        flags = ["--auth=scram-sha-256", f"--username={_USERNAME}", f"--pwfile={password}", "--no-sync"]
        subprocess.run(  # noqa: S603  # the system's program
            [self._programs / "initdb", "-D", self._data, "--encoding=UTF8", "--locale=C", *flags],
            check=True,
            capture_output=True,
            timeout=_INITIALISE_TIMEOUT_S,
            cwd=self._root,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
        )
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.write(_CONFIGURATION.format(host=LOOPBACK, port=self.port))

    def _answers(self) -> bool:
        if not self._process.running:
            raise ServerEnded(self._process)
        try:
            with psycopg.connect(f"{self.url}/postgres"):
                return True
        except psycopg.OperationalError:
            return False


@contextlib.contextmanager
def new_database(server: str) -> Iterator[str]:
    """Give the address of a new empty database of `postgresql://USER:PASSWORD@HOST:PORT` while the block lasts."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield f"{server}/{name}"
    finally:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            # Forced, because a test that failed may have left connections.
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path:
    """Return the directory of the server programs, the newest packaged ones first. Raises NotOnThisMachine."""
    packaged = [found for found in _PACKAGED.glob("*/bin") if (found / "initdb").exists()]
    if packaged:
        return max(packaged, key=lambda found: int(found.parent.name))
    on_path = shutil.which("initdb")
    if on_path is None:
        what = "PostgreSQL server (initdb)"
        raise NotOnThisMachine(what)
    return Path(on_path).parent
