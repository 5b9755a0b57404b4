"""Store servers that answer as a test says and remember what they were sent, alone or as a cluster."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import hiredis

from lienthong.runtime.cluster import ClusterRedis
from lienthong.runtime.cluster_slots import SLOTS
from lienthong.runtime.linked import LinkedRedis
from lienthong.runtime.store_address import Address
from tests.support.waiting import until

HOST = "127.0.0.1"
_CHUNK_BYTES = 65_536
#: How redis-py begins a connection, and what it wants to hear.
_GREETINGS: Mapping[bytes, Any] = {b"HELLO": {b"proto": 3}, b"CLIENT": b"OK"}

Command = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer: the server's refusal in its own words, the code first."""

    words: str


#: Instead of an answer: the connection ends.
HANG_UP = object()


class ScriptedStore:
    """A server on loopback; `answer` gives what it says to a command: a Python value, a `Refusal`, or `HANG_UP`.

    `received` has every command in the order in which it came, whatever became of it.
    """

    def __init__(self, answer: Callable[[Command], Any]) -> None:
        self.answer = answer
        self.received: list[Command] = []
        self.address = Address(HOST, 0)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def count(self, name: bytes) -> int:
        """Return how often a command came."""
        return sum(command[0] == name for command in self.received)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.address.port)
        self.address = Address(HOST, self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take no more connections and end those there are."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        # Whoever serves a connection hears that it has ended.
        await until(lambda: not self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        requests = hiredis.Reader()
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                requests.feed(chunk)
                while (request := requests.gets()) is not False:
                    said = await self._said(tuple(cast("list[bytes]", request)))
                    if said is HANG_UP:
                        writer.transport.abort()
                        return
                    writer.write(_encoded(said))
        except ConnectionError:
            # Whoever asked has gone, which is no fault of a server.
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _said(self, command: Command) -> Any:
        if command[0] in _GREETINGS:
            return _GREETINGS[command[0]]
        self.received.append(command)
        said = self.answer(command)
        return await said if isinstance(said, Awaitable) else said


def _encoded(answer: Any) -> bytes:
    if answer is None:
        return b"$-1\r\n"
    if isinstance(answer, Refusal):
        return f"-{answer.words}\r\n".encode()
    if isinstance(answer, dict):
        return b"%%%d\r\n" % len(answer) + b"".join(_encoded(each) for pair in answer.items() for each in pair)
    if isinstance(answer, int):
        return b":%d\r\n" % answer
    if isinstance(answer, list):
        return b"*%d\r\n" % len(answer) + b"".join(_encoded(each) for each in answer)
    return b"$%d\r\n%s\r\n" % (len(answer), answer)


class ScriptedCluster:
    """Servers that share the slots evenly, as each of them says; `answers` gives what a server says to all else.

    Until a test says otherwise that is the last word of the command.
    """

    def __init__(self, servers: int = 2) -> None:
        self.answers: Callable[[int, Command], Any] = lambda _, command: command[-1]
        self.servers = [ScriptedStore(lambda command, at=at: self._answer(at, command)) for at in range(servers)]  # type: ignore[misc]  # a lambda's default is not typed
        #: Which server has which slots, from the first to the last.
        self.slots: dict[tuple[int, int], int] = {}

    async def start(self) -> None:
        for server in self.servers:
            await server.start()
        share = SLOTS // len(self.servers) + 1
        self.slots = {(at * share, min((at + 1) * share, SLOTS) - 1): at for at in range(len(self.servers))}

    async def stop(self) -> None:
        for server in self.servers:
            await server.stop()

    def owner(self, slot: int) -> int:
        """Return the server that has a slot."""
        return next(at for (first, last), at in self.slots.items() if first <= slot <= last)

    def place(self, at: int) -> str:
        """Return a server as a redirection names it."""
        return str(self.servers[at].address)

    def _answer(self, at: int, command: Command) -> Any:
        if command[:2] == (b"CLUSTER", b"SLOTS"):
            addresses = {at: server.address for at, server in enumerate(self.servers)}
            return [
                [first, last, [addresses[owner].host.encode(), addresses[owner].port, b"id"]]
                for (first, last), owner in self.slots.items()
            ]
        if command[0] == b"ASKING":
            return b"OK"
        return self.answers(at, command)


@asynccontextmanager
async def scripted(
    servers: int = 2, *, libraries: Mapping[str, str] | None = None, timeout_s: float = 5.0
) -> AsyncIterator[tuple[ScriptedCluster, ClusterRedis]]:
    """Run a cluster and a client of it, which knows the first server to begin with."""
    async with AsyncExitStack() as stack:
        cluster = ScriptedCluster(servers)
        await cluster.start()
        stack.push_async_callback(cluster.stop)

        def client_of(address: Address, on_lost: Callable[[], None]) -> LinkedRedis:
            return LinkedRedis.to(address, timeout_s=timeout_s, connections_max=4, on_lost=on_lost)

        client = ClusterRedis([cluster.servers[0].address], client_of, tuple((libraries or {}).values()))
        stack.push_async_callback(client.aclose)
        yield cluster, client
