"""A client of a Redis or Valkey Cluster that is used like one of a single server."""

from collections.abc import Callable, Sequence
from typing import Any

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from lienthong.runtime.cluster_nodes import ClusterNodes
from lienthong.runtime.cluster_sending import ClusterSending
from lienthong.runtime.cluster_slots import EVERYWHERE, READ_ONLY, slot_of
from lienthong.runtime.linked import Call, LinkedRedis
from lienthong.runtime.store_address import Address


class ClusterRedis(Redis):
    """A client that sends each command to the server of its key's slot; what `cluster_sending` says holds for all.

    A pipeline's commands travel in one write to each of the servers concerned, at the same time. A transaction has
    keys of one slot. Commands without a key go to every primary: the first one's answer is returned.
    """

    def __init__(
        self,
        seeds: Sequence[Address],
        client_of: Callable[[Address, Callable[[], None]], LinkedRedis],
        libraries: Sequence[str],
    ) -> None:
        self.nodes = ClusterNodes(seeds, client_of, libraries)
        self._sending = ClusterSending(self.nodes)
        # What the client of redis-py needs of a pool is how answers are parsed; no connection is taken from this one.
        super().__init__(connection_pool=self.nodes.client(seeds[0]).connection_pool)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command and return its answer."""
        if args[0] in EVERYWHERE:
            answers = [await client.execute_command(*args, **options) for _, client in await self.nodes.primaries()]
            return answers[0]
        (answer,) = await self.answers([(args, options)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002 -- the client's signature
        """Return a pipeline over all servers, or a transaction of one slot."""
        return _ClusterPipeline(self, transaction=transaction, shard_hint=shard_hint)

    async def answers(self, calls: Sequence[Call]) -> list[Any]:
        """Return an answer for each command: the server's, a refusal, or the fault after which nothing is known."""

        async def send(client: LinkedRedis, places: Sequence[int], asking: bool) -> list[Any]:  # noqa: FBT001 -- `Send`
            return await client.answers([calls[place] for place in places], asking=asking)

        slots = [slot_of(args) for args, _ in calls]
        return await self._sending.run(slots, [args[0] in READ_ONLY for args, _ in calls], send)

    async def transaction_answers(self, calls: Sequence[Call]) -> list[Any]:
        """Return the answers of commands that are carried out as a whole. Raises the refusal or fault of the whole."""
        slots = {slot_of(args) for args, _ in calls}
        if len(slots) > 1:
            message = "the keys of a transaction lie in one slot"
            raise exceptions.ClusterCrossSlotError(message)

        async def send(client: LinkedRedis, _: Sequence[int], asking: bool) -> list[Any]:  # noqa: FBT001 -- `Send`
            try:
                return [await client.transaction_answers(calls, asking=asking)]
            except exceptions.ResponseError as refusal:
                return [refusal]

        repeatable = all(args[0] in READ_ONLY for args, _ in calls)
        (answer,) = await self._sending.run(list(slots), [repeatable], send)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: ARG002, FBT001 -- the client's signature
        """Close every connection to every server."""
        await self.nodes.aclose()


class _ClusterPipeline(Pipeline):
    """Commands gathered to be sent together."""

    def __init__(self, client: ClusterRedis, *, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._client = client

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Gather a command; watching takes a connection of one server and has no place here."""
        if args[0] == "WATCH":
            message = "keys of a cluster are not watched: use a Function"
            raise exceptions.RedisError(message)
        return super().execute_command(*args, **options)

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 -- the client's signature
        """Send what was gathered and return the answers in its order.

        Raises the fault where a connection failed, and the first refusal unless refusals are wanted too.
        """
        calls = self.command_stack
        await self.reset()  # type: ignore[no-untyped-call]  # the client's
        if not calls:
            return []
        whole = self.is_transaction
        answers = await (self._client.transaction_answers(calls) if whole else self._client.answers(calls))
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        for answer in failed:
            if raise_on_error or not isinstance(answer, exceptions.ResponseError):
                raise answer
        return answers
