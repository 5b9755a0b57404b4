"""One connection that carries the calls of many at once: they leave as they come, and answers are matched by order.

redis-py takes a connection from its pool for each call and parses each answer through a dozen coroutines: 13 µs a
command in a pipeline and 50 alone. Here it is 1 and 6. Nothing is ever sent twice; after a fault it is not known what
was carried out.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import hiredis
from redis import exceptions

Command = Sequence[bytes | str | int | float]

#: Commands whose answers are used as the server writes them, and which never wait for anything but the disk.
PLAIN: Final = frozenset({"FCALL", "FCALL_RO", "HGET", "XADD"})

_LOADING = "LOADING"
_GENERAL = "ERR "


class Link:
    """The connection to the server behind a socket, made at the first call and again after it was lost."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._calls: _Calls | None = None
        self._connecting = asyncio.Lock()

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers in the order of the commands; one that the server refused is an exception among them.

        Raises redis.ConnectionError and, where an answer takes longer than the timeout, redis.TimeoutError.
        """
        if not commands:
            return []
        content = b"".join([hiredis.pack_command(cast("Any", tuple(command))) for command in commands])
        calls = self._calls
        if calls is None or calls.lost:
            calls = await self._connected()
        answers = calls.send(content, len(commands))
        try:
            async with asyncio.timeout(self._timeout_s):
                return await answers
        except TimeoutError:
            # What comes after a silence this long is of no use to anyone.
            calls.abort()
            message = "the server did not answer in time"
            raise exceptions.TimeoutError(message) from None

    async def aclose(self) -> None:
        """Close the connection, and wait until it is."""
        if self._calls is not None:
            await self._calls.closed()

    async def _connected(self) -> "_Calls":
        async with self._connecting:
            if self._calls is None or self._calls.lost:
                self._calls = await self._connect()
            return self._calls

    async def _connect(self) -> "_Calls":
        try:
            async with asyncio.timeout(self._timeout_s):
                _, calls = await asyncio.get_running_loop().create_unix_connection(_Calls, str(self._path))
        except TimeoutError:
            message = "the server did not take the connection in time"
            raise exceptions.TimeoutError(message) from None
        except OSError as fault:
            message = f"no connection to the server ({type(fault).__name__})"
            raise exceptions.ConnectionError(message) from fault
        return calls


class _Calls(asyncio.Protocol):
    """Calls under way on one connection, the oldest first."""

    def __init__(self) -> None:
        self.lost = False
        self._reader = hiredis.Reader(replyError=_refusal)
        self._waiting: deque[tuple[int, asyncio.Future[list[Any]]]] = deque()
        self._answers: list[Any] = []
        self._gone = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; the loop's own are no subclasses of asyncio's."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone who waits that nothing more will come."""
        self.lost = True
        self._gone.set()
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(_lost(exc))

    def data_received(self, data: bytes) -> None:
        """Give each call its answers; those of one who no longer waits are dropped."""
        self._reader.feed(data)
        try:
            while self._waiting and (answer := self._reader.gets()) is not False:
                self._answers.append(answer)
                count, future = self._waiting[0]
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
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        if self.lost:
            future.set_exception(_lost(None))
            return future
        self._waiting.append((count, future))
        self._transport.write(content)
        return future

    def abort(self) -> None:
        """Drop the connection; whoever waits hears of it."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Close the connection and return when it is closed."""
        if self._transport is not None:
            self._transport.close()
            await self._gone.wait()


def _lost(fault: Exception | None) -> exceptions.ConnectionError:
    return exceptions.ConnectionError("the connection was lost" + (f" ({type(fault).__name__})" if fault else ""))


def _refusal(text: str) -> Exception:
    if text.startswith(_LOADING):
        return exceptions.BusyLoadingError(text)
    return exceptions.ResponseError(text.removeprefix(_GENERAL))
