"""Clients of a projection's store wherever it is, for tests that say the same of each.

`cluster_client` is a client of the session's cluster, `store_client` one of the embedded server and of the cluster in
turn. Both stores are empty when a test begins.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from lienthong.adapters.projection_servers import connect_projection
from lienthong.runtime.cluster import ClusterRedis
from lienthong.runtime.connection import servers
from lienthong.runtime.settings import load
from tests.support.distributed.store_cluster import StoreCluster

#: Where the embedded server would be; a test that is sent elsewhere never looks there.
NOWHERE = Path("/nonexistent")


@asynccontextmanager
async def store_at(url: str, **settings: Any) -> AsyncIterator[Redis]:
    """Connect to a store as the service does, while the block lasts; `settings` come besides."""
    client = connect_projection(load(projection_url=url, **settings), NOWHERE)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def cluster_at(url: str, **settings: Any) -> AsyncIterator[ClusterRedis]:
    """Connect to a cluster as the service does, while the block lasts."""
    async with store_at(url, **settings) as client:
        yield cast("ClusterRedis", client)


async def keys_of(client: Redis, pattern: str) -> list[bytes | str]:
    """Return the keys of every server of a store."""
    return [key for _, server in await servers(client) for key in await server.keys(pattern)]


async def calls_of(client: Redis, command: str) -> int:
    """Return how often the servers of a store have carried out a command."""
    stats = [(await server.info("commandstats")).get(f"cmdstat_{command}", {}) for _, server in await servers(client)]
    return sum(each.get("calls", 0) for each in stats)


@pytest.fixture
async def cluster_client(store_cluster: StoreCluster) -> AsyncIterator[ClusterRedis]:
    async with cluster_at(store_cluster.url) as client:
        yield client


@pytest.fixture(params=["embedded", "cluster"])
def store_client(request: pytest.FixtureRequest) -> Redis:
    name = {"embedded": "projection_client", "cluster": "cluster_client"}[request.param]
    client: Redis = request.getfixturevalue(name)
    return client
