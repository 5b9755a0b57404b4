"""The client of one server: plain commands over a link, which all callers share; all others over a bounded pool."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from lienthong.runtime.link import PLAIN, Command, Endpoint, Link
from lienthong.runtime.store_address import OPEN, Access, Address

#: A command with the options that redis-py parses its answer with.
Call = tuple[Sequence[Any], Mapping[str, Any]]

# Says that the next command may reach a slot that is still being moved to the server.
_ASKING: Final = ("ASKING",)
_ASK_FIRST: Final[Call] = (_ASKING, {})


class LinkedRedis(Redis):
    """A client that sends plain commands over a link and never sends anything twice."""

    def __init__(self, pool: BlockingConnectionPool, link: Link) -> None:
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self.link = link

    @classmethod
    def to(
        cls,
        endpoint: Endpoint,
        *,
        timeout_s: float,
        connections_max: int,
        access: Access = OPEN,
        on_lost: Callable[[], None] | None = None,
    ) -> "LinkedRedis":
        """Return a client of the server behind an endpoint; nothing is opened before the first command.

        redis-py repeats a command up to ten times by default, and an append repeated is an append done twice, so the
        pool's connections never do: the caller sees the fault and knows what may be repeated.
        """
        pool = BlockingConnectionPool(
            max_connections=connections_max,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            **_kind(endpoint, access),
        )
        return cls(pool, Link(endpoint, timeout_s, access, *(() if on_lost is None else (on_lost,))))

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command and return its answer."""
        if args[0] not in PLAIN:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # the client's
        (answer,) = await self.link.run([args])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002 -- the client's signature
        """Return a pipeline, which takes the link where its commands can."""
        return _LinkedPipeline(self, transaction=transaction, shard_hint=shard_hint)

    async def answers(self, calls: Sequence[Call], *, asking: bool = False) -> list[Any]:
        """Return the answers in one round trip, refusals among them; `asking` reaches a slot that is being moved."""
        if all(args[0] in PLAIN for args, _ in calls):
            return await self.plain_answers([args for args, _ in calls], asking=asking)
        sent = [each for call in calls for each in (_ASK_FIRST, call)] if asking else calls
        # The pipeline of redis-py parses answers as its client does; this one's own would come back here.
        pipeline = Pipeline(self.connection_pool, self.response_callbacks, transaction=False, shard_hint=None)
        pipeline.command_stack = [(tuple(args), dict(options)) for args, options in sent]
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers[1::2] if asking else answers

    async def plain_answers(self, commands: Sequence[Command], *, asking: bool = False) -> list[Any]:
        """Return what `answers` does of plain commands."""
        if not asking:
            return await self.link.run(commands)
        return (await self.link.run([each for command in commands for each in (_ASKING, command)]))[1::2]

    async def transaction_answers(self, calls: Sequence[Call], *, asking: bool = False) -> list[Any]:
        """Return the answers of commands that are carried out as a whole, each of which is plain.

        Raises the refusal where the server does not carry them out.
        """
        if unusual := [args[0] for args, _ in calls if args[0] not in PLAIN]:
            message = f"{unusual[0]} is not for a transaction"
            raise exceptions.RedisError(message)
        first = [_ASKING] if asking else []
        queued = await self.link.run([*first, ("MULTI",), *(args for args, _ in calls), ("EXEC",)])
        answers = queued.pop()
        if isinstance(answers, Exception):
            raise next((each for each in queued if isinstance(each, Exception)), answers)
        return list(answers)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 -- as above
        """Close the link and the pool."""
        await self.link.aclose()
        await super().aclose(close_connection_pool)


class _LinkedPipeline(Pipeline):
    """A pipeline that travels over a link where all of its commands are plain."""

    def __init__(self, client: LinkedRedis, *, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._client = client
        self._whole = transaction

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 -- the client's signature
        """Send what was gathered and return the answers; the first refusal is raised unless refusals are wanted too."""
        calls = self.command_stack
        unusual = self.watching or self.explicit_transaction
        if not calls or unusual or any(args[0] not in PLAIN for args, _ in calls):
            return await super().execute(raise_on_error)
        await self.reset()  # type: ignore[no-untyped-call]  # the client's
        if self._whole:
            answers = await self._client.transaction_answers(calls)
        else:
            answers = await self._client.plain_answers([args for args, _ in calls])
        if raise_on_error:
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return answers


def _kind(endpoint: Endpoint, access: Access) -> dict[str, Any]:
    """Return how the pool's connections are made, as redis-py has it."""
    if not isinstance(endpoint, Address):
        return {"connection_class": UnixDomainSocketConnection, "path": str(endpoint)}
    kind: dict[str, Any] = {
        "connection_class": Connection,
        "host": endpoint.host,
        "port": endpoint.port,
        "socket_keepalive": True,
    }
    if access.password is not None:
        kind.update(username=access.username, password=access.password.get_secret_value())
    if access.tls is not None:
        files = access.tls
        kind.update(
            connection_class=SSLConnection,
            ssl_ca_certs=None if files.ca_file is None else str(files.ca_file),
            ssl_certfile=None if files.certificate_file is None else str(files.certificate_file),
            ssl_keyfile=None if files.key_file is None else str(files.key_file),
        )
    return kind
