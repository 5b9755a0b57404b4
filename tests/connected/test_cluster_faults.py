"""Servers of a cluster are killed and connections cut: what was not carried out is made good, and nothing is twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

import pytest
from redis import exceptions

from lienthong.adapters.outbox import Message, OutboxCell, load_outbox_functions
from lienthong.runtime.cluster import ClusterRedis
from lienthong.runtime.cluster_slots import slot_of
from tests.support.audit_projection import audit_cards
from tests.support.card_facts import usual_card
from tests.support.distributed.processes import free_ports
from tests.support.distributed.proxy import Proxy
from tests.support.distributed.store_cluster import SLOTS, StoreCluster
from tests.support.distributed.store_server import StoreServer
from tests.support.projecting import Projecting
from tests.support.stores import cluster_at
from tests.support.waiting import until, until_so

CELLS = 4
COUNTING = """#!lua name=counting_1
redis.register_function('counting_1_count', function(keys) return redis.call('INCR', keys[1]) end)
"""
KEY = "{a}count"


async def test_a_primary_that_is_killed_is_replaced_and_what_it_lost_is_read_again(
    store_cluster: StoreCluster, cluster_client: ClusterRedis
) -> None:
    projecting = await Projecting.of(cluster_client, CELLS)
    await load_outbox_functions(cluster_client)
    projecting.publish(usual_card(f"00000{serial:05d}") for serial in range(100))
    await projecting.project()
    killed = store_cluster.primary_of(slot_of(("GET", "{1.0}state")))
    store_cluster.kill(killed)
    with pytest.raises(exceptions.ConnectionError):
        await cluster_client.ping()
    # A follower tries for as long as it takes; the cells of the other primaries go on meanwhile.
    projecting.publish(usual_card(f"00000{serial:05d}", 2) for serial in range(200))
    await projecting.project()

    async def healed() -> bool:
        await projecting.watch()
        await projecting.project()
        return await audit_cards(projecting.partitions, projecting.projection) == []

    await until_so(healed)
    assert await cluster_client.ping()
    await OutboxCell(cluster_client, "http-0").append([Message(stream="decisions.v1", key="one", value=b"{}")])


async def test_a_primary_that_stands_still_is_a_fault_in_time_and_its_replica_is_found(
    store_cluster: StoreCluster,
) -> None:
    async with cluster_at(store_cluster.url) as client:
        await client.hset(KEY, "field", "1")
        silent = store_cluster.nodes[store_cluster.primary_of(slot_of(("GET", KEY)))]
        silent.pause()

        async def answered() -> bool:
            # A desk does not wait as long as a connection is given.
            try:
                return await asyncio.wait_for(client.hget(KEY, "field"), 0.5) == b"1"
            except (exceptions.RedisError, TimeoutError):
                return False

        await until_so(answered)
        silent.resume()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxied:
    """A cluster of three primaries, each of them behind a proxy that clients are sent to."""

    cluster: StoreCluster
    proxies: list[Proxy]

    def counts(self, keys: list[str]) -> list[int]:
        """Return what the servers hold, whatever the proxies do."""
        return [int(cast("bytes", self._owner(key).ask("GET", key) or b"0")) for key in keys]

    def _owner(self, key: str) -> StoreServer:
        # In a cluster whose ports are announced no server is known by its own.
        return self.cluster.nodes[slot_of(("GET", key)) * len(self.proxies) // SLOTS]


@pytest.fixture
async def proxied() -> AsyncIterator[Proxied]:
    async with AsyncExitStack() as stack:
        ports = free_ports(3)
        cluster = StoreCluster(replicas=False, announced=ports)
        await cluster.start()
        stack.push_async_callback(cluster.stop)
        proxies = [Proxy(node.port, port=port) for node, port in zip(cluster.nodes, ports, strict=True)]
        for proxy in proxies:
            await proxy.start()
            stack.push_async_callback(proxy.stop)
        yield Proxied(cluster=cluster, proxies=proxies)


async def test_a_call_whose_answer_is_lost_is_a_fault_and_was_carried_out_once(proxied: Proxied) -> None:
    async with cluster_at(proxied.cluster.url) as client:
        await client.function_load(COUNTING)
        keys = [f"{{{at}}}count" for at in range(20)]
        for turn, proxy in enumerate(proxied.proxies, 1):
            proxy.half_close()
            async with client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.execute_command("FCALL", "counting_1_count", 1, key)
                sending = asyncio.create_task(pipeline.execute())
                await until(lambda: proxied.counts(keys) == [turn] * len(keys))  # noqa: B023 -- awaited in its turn
                assert not sending.done()
                proxy.cut()
                with pytest.raises(exceptions.ConnectionError):
                    await sending
            await proxy.restore()
        assert proxied.counts(keys) == [len(proxied.proxies)] * len(keys)


async def test_cards_go_on_while_connections_are_cut_again_and_again(proxied: Proxied) -> None:
    async with cluster_at(proxied.cluster.url) as client:
        projecting = await Projecting.of(client, CELLS)
        projecting.publish(usual_card(f"00000{serial:05d}") for serial in range(300))

        def projected() -> int:
            return sum(cell.follower.progress.position or 0 for cell in projecting.cells)

        working = asyncio.create_task(projecting.project(5))
        for proxy in proxied.proxies * 4:
            before = projected()
            await until(lambda: working.done() or projected() > before)  # noqa: B023 -- awaited in its turn
            proxy.cut()
        await working
        assert await audit_cards(projecting.partitions, projecting.projection) == []
