"""Opens connections to an embedded server over its unix socket, without repeating what was sent."""

from pathlib import Path
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, UnixDomainSocketConnection
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from lienthong.runtime.link import PLAIN, Link

# A server that fsyncs every write answers within milliseconds; one that stays silent this long is not answering.
ANSWER_TIMEOUT_S = 5.0
# Enough for every partition of the widest stream to be written at once; callers beyond that wait for their turn.
CONNECTIONS_MAX = 32


def connect(socket: Path, *, timeout_s: float = ANSWER_TIMEOUT_S, connections_max: int = CONNECTIONS_MAX) -> Redis:
    """Return a client for the server behind `socket`; nothing is opened before the first command.

    redis-py repeats a command up to ten times by default, and an append repeated is an append done twice, so
    this client never retries: the caller sees the fault and knows what may be repeated. Close it with `aclose()`.
    Functions and appends, which are most of what is sent, share one connection; all else takes one from a pool.
    """
    pool = BlockingConnectionPool(
        max_connections=connections_max,
        timeout=timeout_s,
        connection_class=UnixDomainSocketConnection,
        path=str(socket),
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
    return _LinkedRedis(pool, Link(socket, timeout_s))


class _LinkedRedis(Redis):
    """A client that sends plain commands over a link."""

    def __init__(self, pool: BlockingConnectionPool, link: Link) -> None:
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._link = link

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command and return its answer."""
        if args[0] not in PLAIN:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # the client's
        (answer,) = await self._link.run([args])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002 -- the client's signature
        """Return a pipeline, which takes the link where its commands can."""
        return _LinkedPipeline(self, self._link, transaction=transaction, shard_hint=shard_hint)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 -- as above
        """Close the link and the pool."""
        await self._link.aclose()
        await super().aclose(close_connection_pool)


class _LinkedPipeline(Pipeline):
    """A pipeline that travels over a link where all of its commands are plain."""

    def __init__(self, client: Redis, link: Link, *, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._link = link
        self._whole = transaction

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 -- the client's signature
        """Send what was gathered and return the answers; the first refusal is raised unless refusals are wanted too."""
        commands = [args for args, _ in self.command_stack]
        unusual = self.watching or self.explicit_transaction
        if not commands or unusual or any(command[0] not in PLAIN for command in commands):
            return await super().execute(raise_on_error)
        await self.reset()  # type: ignore[no-untyped-call]  # the client's
        answers = await (self._transaction(commands) if self._whole else self._link.run(commands))
        if raise_on_error:
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return answers

    async def _transaction(self, commands: list[Any]) -> list[Any]:
        """Send the commands to be carried out as a whole; one that the server will not even queue is raised."""
        queued = await self._link.run([("MULTI",), *commands, ("EXEC",)])
        answers = queued.pop()
        if isinstance(answers, Exception):
            raise next((each for each in queued if isinstance(each, Exception)), answers)
        return list(answers)
