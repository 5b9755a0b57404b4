"""One connection that carries the calls of many at once: they leave as they come, and answers are matched by order.

redis-py takes a connection from its pool for each call and parses each answer through a dozen coroutines: 13 µs a
command in a pipeline and 50 alone. Here it is 1 and 6. Nothing is ever sent twice; after a fault it is not known what
was carried out.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast

import hiredis
from redis import exceptions

from lienthong.runtime.store_address import OPEN, Access, Address
from lienthong.runtime.tasks import end

Command = Sequence[bytes | str | int | float]

#: Where a server listens: a unix socket, or a host and port.
Endpoint = Path | Address

#: Commands whose answers are used as the server writes them, and which never wait for anything but the disk.
PLAIN: Final = frozenset(
    {"DEL", "EXISTS", "FCALL", "FCALL_RO", "HDEL", "HGET", "HMGET", "HSET", "UNLINK", "XADD", "XLEN", "XTRIM"}
)

# A connection that nobody uses is looked after, so that a firewall does not forget it and a dead peer is noticed.
_KEEPALIVE_IDLE_S, _KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT = 30, 5, 3
# What was written has long been sent by then, or never will be.
_CLOSING_S = 1.0

_GENERAL = "ERR"
_REFUSALS: Final[dict[str, type[exceptions.ResponseError | exceptions.ConnectionError]]] = {
    "ASK": exceptions.AskError,
    "CLUSTERDOWN": exceptions.ClusterDownError,
    "CROSSSLOT": exceptions.ClusterCrossSlotError,
    "EXECABORT": exceptions.ExecAbortError,
    "LOADING": exceptions.BusyLoadingError,
    "MASTERDOWN": exceptions.MasterDownError,
    "MOVED": exceptions.MovedError,
    "NOAUTH": exceptions.AuthenticationError,
    "NOPERM": exceptions.NoPermissionError,
    "OOM": exceptions.OutOfMemoryError,
    "READONLY": exceptions.ReadOnlyError,
    "TRYAGAIN": exceptions.TryAgainError,
    "WRONGPASS": exceptions.AuthenticationError,
}


def _nothing() -> None:
    """Take no notice."""


class Link:
    """The connection to the server behind an endpoint, made at the first call and again after it was lost.

    `on_lost` hears of each connection that ends, whoever still waits for it.
    """

    def __init__(
        self, endpoint: Endpoint, timeout_s: float, access: Access = OPEN, on_lost: Callable[[], None] = _nothing
    ) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._access = access
        self._on_lost = on_lost
        self._calls: _Calls | None = None
        self._opening: asyncio.Task[_Calls] | None = None

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers in the order of the commands; one that the server refused is an exception among them.

        Raises redis.ConnectionError and, where an answer takes longer than the timeout, redis.TimeoutError.
        """
        if not commands:
            return []
        content = b"".join([_packed(command) for command in commands])
        calls = self._calls
        if calls is None or calls.lost:
            calls = await self._connected()
        return await calls.send(content, len(commands))

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return self._opening is None and (self._calls is None or not self._calls.busy)

    async def aclose(self) -> None:
        """Close the connection, and wait until it is."""
        if self._opening is not None:
            await end(self._opening)
        if self._calls is not None:
            await self._calls.closed()

    async def _connected(self) -> "_Calls":
        """Return a connection that stands; it is made to the end, even if whoever asked for it waits no longer."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect(), name="connect")
            self._opening.add_done_callback(self._tried)
        return await asyncio.shield(self._opening)

    def _tried(self, opening: "asyncio.Task[_Calls]") -> None:
        self._opening = None
        if not opening.cancelled() and opening.exception() is None:
            self._calls = opening.result()

    async def _connect(self) -> "_Calls":
        try:
            async with asyncio.timeout(self._timeout_s):
                calls = await self._opened()
        except TimeoutError:
            message = "the server did not take the connection in time"
            raise exceptions.TimeoutError(message) from None
        except OSError as fault:
            message = f"no connection to the server ({type(fault).__name__})"
            raise exceptions.ConnectionError(message) from fault
        try:
            await self._introduce(calls)
        except BaseException:
            calls.abort()
            raise
        return calls

    async def _opened(self) -> "_Calls":
        loop, endpoint = asyncio.get_running_loop(), self._endpoint
        if isinstance(endpoint, Path):
            _, calls = await loop.create_unix_connection(self._made, str(endpoint))
            return calls
        transport, calls = await loop.create_connection(
            self._made, endpoint.host, endpoint.port, ssl=self._access.context
        )
        _keep_alive(transport.get_extra_info("socket"))
        return calls

    def _made(self) -> "_Calls":
        return _Calls(self._timeout_s, self._on_lost)

    async def _introduce(self, calls: "_Calls") -> None:
        command = self._access.introduction()
        if command is None:
            return
        (answer,) = await calls.send(_packed(command), 1)
        if isinstance(answer, Exception):
            raise answer


class _Calls(asyncio.Protocol):
    """Calls under way on one connection, the oldest first."""

    def __init__(self, timeout_s: float, on_lost: Callable[[], None]) -> None:
        self.lost = False
        self._timeout_s = timeout_s
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=_refusal)
        self._waiting: deque[tuple[int, asyncio.Future[list[Any]], float]] = deque()
        self._answers: list[Any] = []
        self._gone = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._silent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; the loop's own are no subclasses of asyncio's."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone who waits that nothing more will come."""
        self.lost = True
        self._gone.set()
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            _, future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(_silence() if self._silent else _lost(exc))
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        """Give each call its answers; those of one who no longer waits are dropped."""
        self._reader.feed(data)
        try:
            while self._waiting and (answer := self._reader.gets()) is not False:
                self._answers.append(answer)
                count, future, _ = self._waiting[0]
                if len(self._answers) == count:
                    self._waiting.popleft()
                    if not future.done():
                        future.set_result(self._answers)
                    self._answers = []
        except hiredis.ProtocolError:
            self.abort()

    def send(self, content: bytes, count: int) -> asyncio.Future[list[Any]]:
        """Send packed commands and return what will hold their answers."""
        assert self._transport is not None, "a call is made when the connection is"  # noqa: S101 -- an invariant
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        if self.lost:
            future.set_exception(_lost(None))
            return future
        self._waiting.append((count, future, self._loop.time() + self._timeout_s))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._look)
        self._transport.write(content)
        return future

    @property
    def busy(self) -> bool:
        """Whether answers are to come."""
        return bool(self._waiting)

    def abort(self) -> None:
        """Drop the connection; whoever waits hears of it."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Close the connection and return when it is closed."""
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self._gone.wait()
        except TimeoutError:
            self.abort()
            await self._gone.wait()

    def _look(self) -> None:
        """Give the connection up if its oldest call has waited too long: what comes later is of no use to anyone.

        One timer for all calls finds it out also where each caller has stopped waiting before.
        """
        self._timer = None
        if not self._waiting:
            return
        until = self._waiting[0][2]
        if until > self._loop.time():
            self._timer = self._loop.call_at(until, self._look)
            return
        self._silent = True
        self.abort()


def _packed(command: Command) -> bytes:
    return bytes(hiredis.pack_command(cast("Any", tuple(command))))


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", _KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", _KEEPALIVE_COUNT),
    ):
        # Not every system lets all three be set for one connection.
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _silence() -> exceptions.TimeoutError:
    return exceptions.TimeoutError("the server did not answer in time")


def _lost(fault: Exception | None) -> exceptions.ConnectionError:
    return exceptions.ConnectionError("the connection was lost" + (f" ({type(fault).__name__})" if fault else ""))


def _refusal(text: str) -> Exception:
    code, _, rest = text.partition(" ")
    known = _REFUSALS.get(code)
    if known is not None:
        return known(rest, status_code=code)
    return exceptions.ResponseError(rest if code == _GENERAL else text)
