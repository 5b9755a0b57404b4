"""Real embedded servers for tests: one log and one projection a session, emptied before each test that asks.

Import the fixtures you use into your test module or its conftest:

    from tests.support.servers import log_client, log_server, projection_client, projection_server  # noqa: F401

`log_server` and `projection_server` give the ServerSpec (its `socket` is where to connect) of a server that runs
for the whole session and is empty when the test begins; `log_client` and `projection_client` give a connected
client. A test that kills a server starts its own with `own_server`.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from redis.asyncio import Redis

from lienthong.runtime.connection import connect
from lienthong.runtime.embedded import EmbeddedServer, ServerSpec


def server_spec(root: Path, name: str, **changes: object) -> ServerSpec:
    """Return the spec of a server that keeps everything under `root` and dies with this process."""
    data, run = root / name, root / "run"
    for directory in (data, run):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    given = {"data": data, "run": run, "socket": run / f"{name}.sock", "die_with_parent": True, **changes}
    return ServerSpec(name=name, **given)  # type: ignore[arg-type]  # the changes are checked by the constructor


@pytest.fixture(scope="session")
def servers_root() -> Iterator[Path]:
    """A short path, because the path of a unix socket has to fit into 107 bytes."""
    root = Path(tempfile.mkdtemp(prefix="lienthong-"))
    yield root
    shutil.rmtree(root)


@contextlib.contextmanager
def _running(spec: ServerSpec) -> Iterator[ServerSpec]:
    server = EmbeddedServer(spec)
    asyncio.run(server.start())
    try:
        yield spec
    finally:
        asyncio.run(server.stop())


def _empty(spec: ServerSpec) -> None:
    with redis.Redis(unix_socket_path=str(spec.socket)) as client:
        client.flushall()
        client.function_flush()


@pytest.fixture(scope="session")
def session_log_server(servers_root: Path) -> Iterator[ServerSpec]:
    with _running(server_spec(servers_root, "log")) as spec:
        yield spec


@pytest.fixture(scope="session")
def session_projection_server(servers_root: Path) -> Iterator[ServerSpec]:
    with _running(server_spec(servers_root, "projection")) as spec:
        yield spec


@pytest.fixture
def log_server(session_log_server: ServerSpec) -> ServerSpec:
    """An empty log: where it is."""
    _empty(session_log_server)
    return session_log_server


@pytest.fixture
def projection_server(session_projection_server: ServerSpec) -> ServerSpec:
    """An empty projection server without functions: where it is."""
    _empty(session_projection_server)
    return session_projection_server


@pytest.fixture
async def log_client(log_server: ServerSpec) -> AsyncIterator[Redis]:
    """A client of the empty log."""
    client = connect(log_server.socket)
    yield client
    await client.aclose()


@pytest.fixture
async def projection_client(projection_server: ServerSpec) -> AsyncIterator[Redis]:
    """A client of the empty projection server."""
    client = connect(projection_server.socket)
    yield client
    await client.aclose()


class KillableServer(EmbeddedServer):
    """A server that a test may take down as a crash does."""

    def kill(self) -> None:
        """End the server with SIGKILL and wait until the kernel has taken it down."""
        assert self.pid is not None
        process = psutil.Process(self.pid)
        process.kill()
        process.wait(timeout=10)


OwnServer = Callable[..., KillableServer]


@pytest.fixture
async def own_server() -> AsyncIterator[OwnServer]:
    """Make a server that the test may kill: `own_server("log", appendfsync="everysec")`, not started yet.

    Servers made with the same name in one test share their data, as a restart does.
    """
    root = Path(tempfile.mkdtemp(prefix="lienthong-"))
    made: list[KillableServer] = []

    def make(name: str, **changes: object) -> KillableServer:
        server = KillableServer(server_spec(root, name, **changes))
        made.append(server)
        return server

    yield make
    for server in made:
        await server.stop()
    shutil.rmtree(root)
