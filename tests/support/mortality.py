"""Ends processes in memory, or their connections, at every single command that they send to a server.

`kill -9` of real processes meets whatever they happen to be doing; here every place between two commands has its turn.
A process that is killed before its n-th command has had the others carried out, and knows nothing of it afterwards.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from weakref import WeakSet

from redis.asyncio import BlockingConnectionPool, Redis, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost

#: killed: the process ends before it sends. refused: the server is away. unanswered: it did as told, and nobody heard.
How = Literal["killed", "refused", "unanswered"]
HOWS: tuple[How, ...] = ("killed", "refused", "unanswered")
#: A process that was struck once starts again and is left alone, so it needs no third life.
_LIVES_MAX = 3


class Killed(BaseException):
    """The process has ended: nothing in it may catch this."""


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens at the n-th command, counted from 0."""

    at: int
    how: How


class Fate:
    """Counts the commands of all connections, and strikes once."""

    def __init__(self, strike: Strike | None = None) -> None:
        self.sent = 0
        # A client that is struck while it holds a connection may never give it back.
        self.connections: WeakSet[UnixDomainSocketConnection] = WeakSet()
        self._strike = strike

    def sending(self) -> bool:
        """Count a command that is about to be sent; tell whether its answer must not be heard. Raises what strikes."""
        at, self.sent = self.sent, self.sent + 1
        if self._strike is None or self._strike.at != at:
            return False
        if self._strike.how == "killed":
            raise Killed
        if self._strike.how == "refused":
            raise ConnectionLost
        return True


class _Connection(UnixDomainSocketConnection):
    def __init__(self, *, fate: Fate, **settings: Any) -> None:
        super().__init__(**settings)
        self._fate = fate
        fate.connections.add(self)
        self._greeting = self._unheard = False

    async def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002  # redis-py's own
        self._greeting = True
        try:
            await super().on_connect_check_health(check_health)
        finally:
            self._greeting = False

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002  # redis-py's own
        unheard = not self._greeting and self._fate.sending()
        await super().send_packed_command(command, check_health)
        self._unheard = self._unheard or unheard

    async def read_response(self, *arguments: Any, **settings: Any) -> Any:
        answer = await super().read_response(*arguments, **settings)
        if self._unheard:
            self._unheard = False
            await self.disconnect()
            raise ConnectionLost
        return answer


@asynccontextmanager
async def mortal(socket: Path, fate: Fate) -> AsyncIterator[Redis]:
    """Connect to a server as a process does whose commands are counted."""
    pool = BlockingConnectionPool(
        connection_class=_Connection, path=str(socket), fate=fate, timeout=5, retry=Retry(NoBackoff(), 0)
    )
    client = Redis.from_pool(pool)
    try:
        yield client
    finally:
        await client.aclose()
        for connection in list(fate.connections):
            await connection.disconnect()


async def lived(live: Callable[[], Awaitable[None]]) -> None:
    """Run a process, and again after it was killed or gave up, until it ends by itself."""
    for _ in range(_LIVES_MAX):
        try:
            return await live()
        except (Killed, ConnectionLost):
            continue
    message = f"the process ended {_LIVES_MAX} times and was struck once"
    raise AssertionError(message)


def strikes(commands: int, hows: Sequence[How] = HOWS) -> Iterator[Strike]:
    """Yield every strike of these kinds at a process that sends so many commands when it is left alone."""
    return (Strike(at, how) for at in range(commands) for how in hows)
