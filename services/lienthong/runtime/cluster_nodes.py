"""The servers of a cluster as one client knows them: who serves which slot, and a client of its own for each server."""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence

import structlog
from redis import exceptions

from lienthong.runtime.cluster_slots import SlotMap, parse_slots
from lienthong.runtime.linked import LinkedRedis
from lienthong.runtime.store_address import Address
from lienthong.runtime.tasks import end

#: How long one server may take to say who serves what before another is asked.
ASK_TIMEOUT_S = 1.0
#: How long after one look at the map another may begin: where much goes wrong at once, every call asks for one.
SPACING_S = 0.1

# Faults that lie with who asks and not with the servers.
_OURS = (exceptions.AuthenticationError, exceptions.NoPermissionError)

_log = structlog.stdlib.get_logger("lienthong.store")


class ClusterNodes:
    """The map of a cluster and the clients of its servers, both brought up to date when something shows them stale."""

    def __init__(
        self,
        seeds: Sequence[Address],
        client_of: Callable[[Address, Callable[[], None]], LinkedRedis],
        libraries: Sequence[str],
    ) -> None:
        self._seeds = tuple(seeds)
        self._client_of = client_of
        self._libraries = tuple(libraries)
        self._clients: dict[Address, LinkedRedis] = {}
        self._map = SlotMap(owners=[], primaries=(), servers=frozenset())
        self._refreshing: asyncio.Task[None] | None = None
        self._loading: dict[Address, asyncio.Task[None]] = {}
        self._again_at = 0.0
        self._away = False
        self._closed = False

    def client(self, address: Address) -> LinkedRedis:
        """Return the client of a server, whether or not it is known to belong to the cluster."""
        client = self._clients.get(address)
        if client is None:
            client = self._clients[address] = self._client_of(address, self.suspect)
        return client

    async def primaries(self) -> list[tuple[Address, LinkedRedis]]:
        """Return the servers that have slots, as they are known now. Raises as `refresh` does."""
        await self.ready()
        return [(address, self.client(address)) for address in self._map.primaries]

    @property
    def known(self) -> bool:
        """Whether it was ever learnt who serves what."""
        return bool(self._map.owners)

    async def ready(self) -> None:
        """Learn who serves what, if that was never learnt."""
        if not self.known:
            await self.refresh()

    def owner(self, slot: int) -> Address | None:
        """Return who serves a slot, None where nobody is known to."""
        return self._map.owners[slot]

    def moved(self, slot: int, address: Address) -> None:
        """Take a server's word for where a slot is served now, and ask for the rest of the map."""
        self._map.owners[slot] = address
        self.suspect()

    def suspect(self) -> None:
        """Ask again who serves what, without waiting for it."""
        if not self._closed and self.known:
            self._refresh()

    async def refresh(self) -> None:
        """Ask the servers who serves what. Raises redis.ConnectionError where none of them answers.

        One that refuses us raises redis.AuthenticationError or redis.NoPermissionError.
        """
        await asyncio.shield(self._refresh())

    async def load_libraries(self, address: Address) -> bool:
        """Load the Function libraries on a server that lacks them; those who ask meanwhile share the load.

        Tell whether there are any. Raises redis.RedisError.
        """
        task = self._loading.get(address)
        if task is None:
            task = asyncio.create_task(self._load(address), name=f"load-functions-{address}")
            self._loading[address] = task
            task.add_done_callback(lambda _: self._loading.pop(address, None))
        await asyncio.shield(task)
        return bool(self._libraries)

    async def aclose(self) -> None:
        """Close every connection."""
        self._closed = True
        tasks = [*self._loading.values(), *([self._refreshing] if self._refreshing else [])]
        await end(*tasks)
        for client in self._clients.values():
            await client.aclose()

    def _refresh(self) -> asyncio.Task[None]:
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._learn(), name="learn-slots")
            self._refreshing.add_done_callback(self._refreshed)
        return self._refreshing

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if task.cancelled():
            return
        # Who waits for the task gets the fault; where nobody does, the next call finds out.
        fault = task.exception()
        if fault is not None and not self._away:
            _log.warning("cluster_not_reached", fault=type(fault).__name__)
        self._away = fault is not None

    async def _learn(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._again_at - loop.time())
        try:
            await self._ask()
        finally:
            self._again_at = loop.time() + SPACING_S

    async def _ask(self) -> None:
        fault: Exception = exceptions.ConnectionError("no server of the cluster is known")
        for address in self._to_ask():
            try:
                async with asyncio.timeout(ASK_TIMEOUT_S):
                    (answer,) = await self.client(address).link.run([("CLUSTER", "SLOTS")])
            except (exceptions.RedisError, OSError) as failed:
                fault = failed
                continue
            if isinstance(answer, Exception):
                fault = answer
            elif answer:
                self._map = parse_slots(answer, address)
                await self._forget()
                return
        if isinstance(fault, _OURS):
            raise fault
        message = f"no server of the cluster says who serves what ({type(fault).__name__}: {fault})"
        raise exceptions.ConnectionError(message) from fault

    def _to_ask(self) -> Iterable[Address]:
        """Return those who may know, in random order, so that one that is away or cut off is not always the first."""
        known = self._map.servers
        for group in (list(known), [seed for seed in self._seeds if seed not in known]):
            yield from random.sample(group, len(group))

    async def _forget(self) -> None:
        """Close the clients of servers that have left, once nobody waits for them."""
        for address in set(self._clients) - self._map.servers - set(self._seeds):
            if self._clients[address].link.idle:
                await self._clients.pop(address).aclose()

    async def _load(self, address: Address) -> None:
        _log.warning("functions_missing", server=str(address), libraries=len(self._libraries))
        loads = [("FUNCTION", "LOAD", "REPLACE", source) for source in self._libraries]
        for answer in await self.client(address).link.run(loads):
            if isinstance(answer, Exception):
                raise answer
