"""One setting opens the embedded server's socket, a server elsewhere, or a cluster, and each is used alike."""

from pathlib import Path

import pytest
from redis import exceptions
from redis.asyncio import Redis

from lienthong.runtime.cluster import ClusterRedis
from lienthong.runtime.connection import connect_store, servers
from lienthong.runtime.server_spec import ServerSpec
from lienthong.runtime.settings import BadSettings, load
from tests.support.distributed.store_cluster import StoreCluster
from tests.support.distributed.store_server import Login, StoreServer
from tests.support.scripted_store import HANG_UP, ScriptedStore
from tests.support.stores import NOWHERE, store_at

LOGIN = Login(username="service", password="p@ss,word")  # noqa: S106 -- of a test's own server


async def used(client: Redis) -> None:
    """Use the client as adapters do: plain commands, parsed ones, one that waits, pipelines and a transaction."""
    assert await client.ping()
    assert await client.hset("{a}hash", mapping={"one": 1, "two": 2}) == 2
    assert await client.hget("{a}hash", "one") == b"1"
    assert await client.hgetall("{a}hash") == {b"one": b"1", b"two": b"2"}
    await client.xadd("{a}stream", {"field": "value"}, id="0-7")
    ((identifier, fields),) = list(await client.xrange("{a}stream") or ())
    assert (identifier, fields) == (b"0-7", {b"field": b"value"})
    assert not await client.xread({"{a}stream": "0-7"}, block=10)
    assert await client.set("{b}once", "1", nx=True, px=60_000)
    assert await client.set("{b}once", "2", nx=True, px=60_000) is None
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.hmget("{a}hash", ["one", "three"])
        pipeline.xlen("{a}stream")
        pipeline.hgetall("{b}none")
        assert await pipeline.execute() == [[b"1", None], 1, {}]
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.xlen("{a}stream")
        pipeline.hmget("{a}hash", ["two"])
        assert await pipeline.execute() == [1, [b"2"]]
    assert await client.xtrim("{a}stream", minid="0-8", approximate=False) == 1
    assert await client.delete("{a}hash", "{a}stream") == 2
    assert await client.delete("{b}once") == 1
    with pytest.raises(exceptions.ResponseError, match="Function not found"):
        await client.fcall("none", 1, "{a}hash")


async def test_the_embedded_server_is_used_where_nothing_is_set(projection_server: ServerSpec) -> None:
    client = connect_store(load(), projection_server.socket)
    await used(client)
    assert [name for name, _ in await servers(client)] == [""]
    await client.aclose()


async def test_a_server_elsewhere_is_used_like_the_embedded_one(store_server: StoreServer) -> None:
    async with store_at(store_server.url) as client:
        await used(client)
        assert [name for name, _ in await servers(client)] == [""]


async def test_a_cluster_is_used_like_the_embedded_server(store_cluster: StoreCluster) -> None:
    async with store_at(store_cluster.url) as client:
        assert isinstance(client, ClusterRedis)
        await used(client)
        primaries = {store_cluster.nodes[number].address for number in store_cluster.primaries}
        assert {name for name, _ in await servers(client)} == primaries


async def test_a_user_is_who_the_address_or_the_settings_say() -> None:
    server = StoreServer(login=LOGIN)
    await server.start()
    try:
        given = {"projection_username": LOGIN.username, "projection_password": LOGIN.password}
        async with store_at(server.url, **given) as client:
            await used(client)
        async with store_at(server.url.replace("//", "//service:p%40ss%2Cword@")) as client:
            await used(client)
        async with store_at(server.url) as client:
            with pytest.raises(exceptions.AuthenticationError, match="Authentication required"):
                await client.hget("a", "b")
        async with store_at(server.url, projection_password="wrong") as client:  # noqa: S106 -- as above
            for command in (client.ping(), client.hget("a", "b")):
                with pytest.raises(exceptions.AuthenticationError):
                    await command
    finally:
        await server.stop()


def test_a_user_without_a_password_is_refused() -> None:
    settings = load(projection_url="redis://store.example", projection_username="who")
    with pytest.raises(BadSettings, match="LIENTHONG_PROJECTION_PASSWORD"):
        connect_store(settings, NOWHERE)


async def test_nothing_is_opened_before_it_is_used() -> None:
    for url in ("redis://127.0.0.1:1", "redis+cluster://127.0.0.1:1"):
        async with store_at(url) as client:
            with pytest.raises(exceptions.ConnectionError):
                await client.hget("a", "b")
    client = connect_store(load(), Path("/nonexistent/socket"))
    with pytest.raises(exceptions.ConnectionError):
        await client.hget("a", "b")
    await client.aclose()


@pytest.mark.parametrize("command", [("FCALL", "f", 1, "a"), ("HGET", "a", "b"), ("INCR", "a")])
async def test_a_single_server_is_never_sent_anything_twice(command: tuple[str | int, ...]) -> None:
    server = ScriptedStore(lambda _: HANG_UP)
    await server.start()
    async with store_at(f"redis://{server.address}") as client:
        with pytest.raises(exceptions.ConnectionError):
            await client.execute_command(*command)  # type: ignore[no-untyped-call]  # the client's
    await server.stop()
    assert [received[0].decode() for received in server.received] == [command[0]]
