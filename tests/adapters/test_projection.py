"""The store refuses a server that would lose or bloat it, keeps buckets packed, and survives losing its Functions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from lienthong.adapters.projection import Before, Projection, Span, WentBack
from lienthong.adapters.projection_layout import key_of, record_entry
from lienthong.adapters.projection_servers import ProjectionRefused, check_server
from lienthong.runtime.cluster import ClusterRedis
from lienthong.runtime.connection import connect
from tests.support.card_facts import usual_card
from tests.support.distributed.store_cluster import StoreCluster
from tests.support.projecting import Projecting
from tests.support.servers import OwnServer
from tests.support.stores import keys_of

CARDS = 2_000
LONG_NAME = "Nguyễn " + "ễ" * 100


@asynccontextmanager
async def setting(redis: Redis, name: str, value: str) -> AsyncIterator[None]:
    """Set a configuration for as long as the block lasts."""
    before = (await redis.config_get(name))[name]
    assert before is not None
    await redis.config_set(name, value)
    try:
        yield
    finally:
        await redis.config_set(name, before)


@pytest.mark.parametrize(
    ("name", "value", "change"),
    [
        ("maxmemory-policy", "allkeys-lru", "set maxmemory-policy to noeviction"),
        ("hash-max-listpack-value", "64", "set hash-max-listpack-value to 255"),
        ("hash-max-listpack-entries", "32", "set hash-max-listpack-entries to 128"),
    ],
)
async def test_a_server_that_is_set_up_wrongly_is_refused_with_what_to_change(
    projection_client: Redis, name: str, value: str, change: str
) -> None:
    await check_server(projection_client)
    async with setting(projection_client, name, value):
        with pytest.raises(ProjectionRefused, match=change):
            await Projection(projection_client, 4).open()


async def test_the_server_of_a_cluster_that_is_set_up_wrongly_is_named(
    store_cluster: StoreCluster, cluster_client: ClusterRedis
) -> None:
    last = store_cluster.nodes[store_cluster.primaries[-1]]
    last.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(ProjectionRefused, match=f"The projection's server {last.address} would evict cards"):
            await Projection(cluster_client, 4).open()
    finally:
        last.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_server_that_hides_its_configuration_is_refused(projection_client: Redis) -> None:
    await projection_client.acl_setuser(
        "hidden", enabled=True, nopass=True, categories=["+@all"], commands=["-config"], keys=["*"]
    )
    try:
        hidden = Redis(connection_pool=projection_client.connection_pool)
        async with hidden.client() as one:
            await one.auth("x", "hidden")
            with pytest.raises(ProjectionRefused, match="allow CONFIG GET"):
                await check_server(one)
            await one.auth("x", "default")
    finally:
        await projection_client.acl_deluser("hidden")


async def test_buckets_stay_packed_and_long_records_have_keys_of_their_own(store_client: Redis) -> None:
    projecting = await Projecting.of(store_client, cells=2, buckets=16)
    long = [f"000009{serial:04d}" for serial in range(20)]
    projecting.publish(usual_card(f"00000{serial:05d}") for serial in range(CARDS))
    projecting.publish(usual_card(number, holder=long_holder()) for number in long)
    await projecting.project(500)
    buckets = await keys_of(store_client, "{1.*}b*")
    # Two cells of cards and sixteen of the index.
    assert len(buckets) > 16 * 2
    assert {await store_client.object("ENCODING", name) for name in buckets} == {b"listpack"}
    assert len(await keys_of(store_client, "{1.*}r*")) == len(long)


def long_holder() -> dict[str, object]:
    """Return a holder whose record does not fit into a bucket."""
    return {"name": LONG_NAME, "birth": "1962", "sex": None}


async def test_a_record_that_becomes_short_gives_its_own_key_back(store_client: Redis) -> None:
    projecting = await Projecting.of(store_client, cells=1)
    number = "0000000001"
    projecting.publish([usual_card(number, 1), usual_card(number, 2, holder=long_holder())])
    await projecting.project(1)
    (before,) = (await projecting.projection.read_old(0, [key_of(number)])).records.values()
    assert len(before) > 255
    projecting.publish([usual_card(number, 3)])
    await projecting.project()
    assert await keys_of(store_client, "{1.*}r*") == []
    assert (await projecting.digest())[0] == 1


async def test_functions_that_were_lost_are_loaded_again(store_client: Redis) -> None:
    projecting = await Projecting.of(store_client)
    projecting.publish([usual_card("0000000001")])
    await store_client.function_flush()
    await projecting.project()
    assert (await projecting.digest())[0] == 1


async def test_opening_twice_loads_the_functions_once_more_and_keeps_the_buckets(store_client: Redis) -> None:
    first = Projection(store_client, 2, buckets=32)
    await first.open()
    await first.create(0)
    second = Projection(store_client, 2)
    await second.open()
    assert second.buckets == 32
    await second.create(1)
    await store_client.hset(second.keys.state(1), "buckets", "64")
    with pytest.raises(ProjectionRefused, match="buckets"):
        await Projection(store_client, 2).open()


async def test_a_new_cell_begins_empty_whatever_lies_in_its_buckets(projection_client: Redis) -> None:
    projection = Projection(projection_client, 1, buckets=600)
    await projection.open()
    for bucket in range(600):
        await projection_client.hset(projection.keys.bucket(0, bucket), b"stray", b"record")
    assert await projection.create(0)
    assert not await projection.create(0)
    assert [row for first in projection.bucket_starts() for row in await projection.records(0, first)] == []


async def test_a_cell_that_does_not_exist_is_not_written(store_client: Redis) -> None:
    projection = Projection(store_client, 1)
    await projection.open()
    span = Span(cell=0, first=0, next=1)
    with pytest.raises(WentBack):
        await projection.read_old(0, [])
    with pytest.raises(WentBack):
        await projection.write(span, Before(position=0, facts=0, digest=0, records={}), (0, 0), [])
    await projection.mark_incomplete(0)
    assert await keys_of(store_client, "*") == []


async def test_an_index_cell_refuses_a_gap(store_client: Redis) -> None:
    projection = Projection(store_client, 1)
    await projection.open()
    await projection.create(0)
    with pytest.raises(WentBack, match="i0"):
        await projection.index_and_read_old(Span(cell=0, first=5, next=6), [], {})


async def test_the_servers_locale_changes_nothing(own_server: OwnServer) -> None:
    """Under vi_VN a server's Lua orders texts otherwise; nothing here is compared as text."""
    digests = set()
    for locale in ("C", "vi_VN.UTF-8"):
        server = own_server(locale, environment={"LC_ALL": locale})
        await server.start()
        client = connect(server.spec.socket)
        projecting = await Projecting.of(client)
        for revision in (9, 10, 2):
            projecting.publish(usual_card(f"00000{serial:05d}", revision) for serial in range(40))
        await projecting.project()
        digests.add(await projecting.digest())
        await client.aclose()
    assert len(digests) == 1


async def test_a_record_is_written_only_by_the_function(store_client: Redis) -> None:
    """A reader cannot write by mistake: its Functions are marked so, and the server refuses."""
    projection = Projection(store_client, 1)
    await projection.open()
    record = record_entry(key_of("0000000001"), b"x", 8, was_long=False)
    with pytest.raises(ResponseError):
        await store_client.fcall_ro("lienthong_1_write", 1, projection.keys.state(0), "0", "1", "1", "", record)
