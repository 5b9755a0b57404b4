"""What tests on real servers rely on: the servers do what they are asked to, and are whole again for the next test."""

import asyncio
import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot

from lienthong.adapters.kafka_log import KafkaLog
from lienthong.runtime.distributed import DistributedSettings
from lienthong.runtime.processes import ProcessIdentity, alive
from tests.support.distributed.certificates import CertificateAuthority
from tests.support.distributed.containers import serve_every_slot
from tests.support.distributed.fixtures import empty_store
from tests.support.distributed.kafka import KafkaCluster
from tests.support.distributed.kafka_program import Extras
from tests.support.distributed.postgres import PostgresServer
from tests.support.distributed.processes import LOOPBACK, free_ports, temporary_directory
from tests.support.distributed.proxy import proxied
from tests.support.distributed.store_cluster import StoreCluster
from tests.support.distributed.store_server import StoreServer
from tests.support.transports import KafkaTransport
from tests.support.waiting import until, until_so

ROOT = Path(__file__).parents[2]
SLOT = key_slot(b"card")
#: Ends as a killed test run does, with servers that it has started: one as this user, one as another.
STARTER = """
import asyncio, os, signal
from tests.support.distributed.postgres import PostgresServer
from tests.support.distributed.store_server import StoreServer
servers = StoreServer(), PostgresServer()
for server in servers:
    asyncio.run(server.start())
print(*(server.pid for server in servers), flush=True)
signal.pause()
"""


@asynccontextmanager
async def redis_at(port: int, **settings: Any) -> AsyncIterator[Redis]:
    client = Redis(host=LOOPBACK, port=port, **settings)
    yield client
    await client.aclose()


async def test_a_killed_leader_is_replaced_and_comes_back_with_what_it_missed(
    kafka_cluster: KafkaCluster, kafka: KafkaTransport
) -> None:
    await kafka_cluster.in_sync()
    await kafka.log.append(kafka.lookups, "k", b"before")
    first = await kafka_cluster.broker_of(kafka.lookups, 0)
    kafka_cluster.kill(first)
    await kafka.log.append(kafka.lookups, "k", b"meanwhile")
    second = await kafka_cluster.broker_of(kafka.lookups, 0)
    await kafka_cluster.heal()
    kafka_cluster.kill(second)
    entries = await kafka.log.read(kafka.lookups, 0, 0, 10)
    assert isinstance(entries, tuple)
    assert [entry.value for entry in entries] == [b"before", b"meanwhile"]
    assert first != second


async def test_an_append_whose_acknowledgement_is_lost_on_the_way_is_written_once() -> None:
    behind, before = free_ports(2)
    cluster = KafkaCluster(1, Extras(listeners={"PROXIED": behind}, advertised={"PROXIED": before}))
    await cluster.start()
    async with proxied(behind, port=before) as proxy:
        direct = KafkaTransport(DistributedSettings(kafka_servers=cluster.servers))
        await direct.create()
        far = KafkaTransport(DistributedSettings(kafka_servers=proxy.address))
        log = KafkaLog(far.connection, direct.streams)
        await log.append(direct.lookups, "k", b"one")
        proxy.half_close()
        appending = asyncio.create_task(log.append(direct.lookups, "k", b"two"))
        await until_so(lambda: direct.log.end(direct.lookups, 0))
        proxy.cut()
        await proxy.restore()
        await appending
        assert await direct.log.end(direct.lookups, 0) == 2
        await log.aclose()
        await direct.aclose()
    await cluster.stop()


async def test_a_slot_on_its_way_asks_and_one_that_arrived_has_moved(store_cluster: StoreCluster) -> None:
    source = store_cluster.primary_of(SLOT)
    target = next(each for each in store_cluster.primaries if each != source)
    node = store_cluster.nodes[source]
    for key in ("{card}1", "{card}2"):
        node.ask("SET", key, "x")
    store_cluster.begin_move(SLOT, target)
    store_cluster.move_keys(SLOT, target, ["{card}1"])
    assert node.ask("GET", "{card}2") == b"x"
    with pytest.raises(redis.exceptions.AskError):
        node.ask("GET", "{card}1")
    with pytest.raises(redis.exceptions.TryAgainError):
        node.ask("MGET", "{card}1", "{card}2")
    store_cluster.move_keys(SLOT, target)
    await store_cluster.finish_move(SLOT, target)
    with pytest.raises(redis.exceptions.MovedError):
        node.ask("GET", "{card}2")
    assert store_cluster.nodes[target].ask("GET", "{card}2") == b"x"


async def test_a_killed_primary_is_replaced_and_the_next_test_has_six_empty_nodes(
    store_cluster: StoreCluster,
) -> None:
    killed = store_cluster.primary_of(SLOT)
    (replica,) = store_cluster.replicas_of(killed)
    store_cluster.nodes[killed].ask("SET", "{card}1", "x")
    assert store_cluster.nodes[killed].ask("WAIT", 1, 5_000) == 1
    store_cluster.kill(killed)
    await store_cluster.settled()
    assert store_cluster.primary_of(SLOT) == replica
    assert store_cluster.nodes[replica].ask("GET", "{card}1") == b"x"
    target = next(each for each in store_cluster.primaries if each != replica)
    store_cluster.begin_move(SLOT, target)
    await store_cluster.empty()
    assert store_cluster.nodes[replica].ask("GET", "{card}1") is None
    assert store_cluster.replicas_of(replica) == [killed]


async def test_a_cluster_of_one_node_tells_clients_where_it_is_and_is_emptied_by_its_address() -> None:
    node = StoreServer(settings={"cluster-enabled": "yes", "cluster-port": str(free_ports(1)[0])})
    await node.start()
    with node.client() as client:
        serve_every_slot(client, "localhost", node.port)
        await until(lambda: b"cluster_state:ok" in node_answer(node, "CLUSTER", "INFO"))
        client.set("card", "x")
        empty_store(f"redis+cluster://{node.address}")
        assert client.dbsize() == 0
    await node.stop()


def node_answer(node: StoreServer, *command: str) -> bytes:
    answer = node.ask(*command)
    assert isinstance(answer, bytes)
    return answer


async def test_a_proxy_holds_answers_back_and_hands_them_over_later(store_server: StoreServer) -> None:
    async with proxied(store_server.port) as proxy, redis_at(proxy.port) as client:
        await client.set("a", 1)
        proxy.half_close()
        setting = asyncio.ensure_future(client.set("a", 2))
        await until(lambda: store_server.ask("GET", "a") == b"2")
        assert not setting.done()
        proxy.delay(0.01)
        await proxy.restore()
        assert await setting
        proxy.hang()
        reading = asyncio.ensure_future(client.get("a"))
        assert not reading.done()
        await proxy.restore()
        proxy.delay(0.01)
        assert await reading == b"2"


async def test_a_proxy_cuts_and_refuses_connections(store_server: StoreServer) -> None:
    async with proxied(store_server.port) as proxy, redis_at(proxy.port, retry=Retry(NoBackoff(), 0)) as client:
        reading = asyncio.ensure_future(client.blpop(["nothing"]))
        await until(lambda: proxy.connections)
        proxy.cut()
        with pytest.raises(redis.exceptions.ConnectionError):
            await reading
        assert await client.ping()
        await proxy.refuse()
        with pytest.raises(redis.exceptions.ConnectionError):
            await client.ping()
        await proxy.restore()
        assert await client.ping()


async def test_a_proxy_speaks_tls_for_a_server_that_does_not(store_server: StoreServer, tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    server = authority.issue("store")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(server.certificate, server.key)
    async with (
        proxied(store_server.port, tls=tls) as proxy,
        redis_at(proxy.port, ssl=True, ssl_ca_certs=str(authority.certificate)) as client,
    ):
        assert await client.ping()


async def test_a_killed_postgres_comes_back_with_what_was_committed(
    postgres_server: PostgresServer, fresh_database: str
) -> None:
    with psycopg.connect(fresh_database) as connection:
        connection.execute("CREATE TABLE facts AS SELECT 1 AS fact")
    postgres_server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(fresh_database)
    await postgres_server.heal()
    with psycopg.connect(fresh_database) as connection:
        assert connection.execute("SELECT fact FROM facts").fetchall() == [(1,)]


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user may enter."""
    directory = temporary_directory()
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.usefixtures("postgres_server")
async def test_servers_end_with_the_process_that_started_them(open_directory: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(open_directory)}
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTER, stdout=subprocess.PIPE, cwd=ROOT, env=environment
    )
    assert starter.stdout is not None
    pids = [int(pid) for pid in (await starter.stdout.readline()).split()]
    assert len(pids) == 2
    servers = [ProcessIdentity.of(pid) for pid in pids]
    starter.send_signal(signal.SIGKILL)
    await starter.wait()
    await until(lambda: not any(server and alive(server) for server in servers))
