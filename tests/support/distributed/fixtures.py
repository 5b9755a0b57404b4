"""Real servers of a distributed installation for tests: started once a session, when first asked for.

`kafka_servers`, `store_url` and `fresh_database` are addresses. Their servers are those of the environment
(LIENTHONG_TEST_KAFKA=HOST:PORT,…; LIENTHONG_TEST_STORE=redis://… or redis+cluster://…; LIENTHONG_TEST_POSTGRES=
postgresql://USER:PASSWORD@HOST:PORT), else containers where Docker is, else processes of this machine. The tests empty
servers of the environment too, so they have to be servers that nobody needs.

`kafka_cluster`, `store_cluster` and `postgres_server` are always processes of this machine, because tests kill them; a
test that asks for one of them has its address as well. Whatever a test did to them, the next one has them whole again.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Protocol, TypeVar

import pytest
import redis

from tests.support.distributed.kafka import KafkaCluster, delete_topics
from tests.support.distributed.postgres import PostgresServer, new_database
from tests.support.distributed.processes import NotOnThisMachine
from tests.support.distributed.secured_kafka import SecuredKafka
from tests.support.distributed.store_cluster import StoreCluster
from tests.support.distributed.store_server import StoreServer
from tests.support.server_programs import missing

KAFKA, STORE, POSTGRES = "LIENTHONG_TEST_KAFKA", "LIENTHONG_TEST_STORE", "LIENTHONG_TEST_POSTGRES"


class _Startable(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


_Server = TypeVar("_Server", bound=_Startable)


@contextmanager
def _running(make: Callable[[], _Server]) -> Iterator[_Server]:
    """Run a server of this machine; what it lacks leaves the test out, or fails it where everything is expected."""
    try:
        server = make()
    except NotOnThisMachine as fault:
        missing(str(fault))
    try:
        asyncio.run(server.start())
        yield server
    except NotOnThisMachine as fault:
        missing(str(fault))
    finally:
        asyncio.run(server.stop())


def _containers() -> ModuleType:
    from tests.support.distributed import containers  # noqa: PLC0415  # it takes a second, which few tests need

    return containers


@pytest.fixture(scope="session")
def session_kafka_cluster() -> Iterator[KafkaCluster]:
    with _running(KafkaCluster) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def session_store_cluster() -> Iterator[StoreCluster]:
    with _running(StoreCluster) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def session_store_server() -> Iterator[StoreServer]:
    with _running(StoreServer) as server:
        yield server


@pytest.fixture(scope="session")
def session_postgres_server() -> Iterator[PostgresServer]:
    with _running(PostgresServer) as server:
        yield server


@pytest.fixture(scope="session")
def secured_kafka() -> Iterator[SecuredKafka]:
    """A broker that also listens where clients have to say who they are, or speak TLS."""
    with _running(SecuredKafka) as server:
        yield server


@pytest.fixture(scope="session")
def elsewhere_kafka() -> Iterator[str | None]:
    """Brokers of the environment or of Docker, None if there are none."""
    with _containers().kafka_in_docker() if KAFKA not in os.environ else nullcontext(os.environ[KAFKA]) as servers:
        yield servers


@pytest.fixture(scope="session")
def elsewhere_store() -> Iterator[str | None]:
    """A store of the environment or of Docker, None if there is none."""
    with _containers().store_in_docker() if STORE not in os.environ else nullcontext(os.environ[STORE]) as url:
        yield url


@pytest.fixture(scope="session")
def elsewhere_postgres() -> Iterator[str | None]:
    """A PostgreSQL of the environment or of Docker, None if there is none."""
    given = os.environ.get(POSTGRES)
    with _containers().postgres_in_docker() if given is None else nullcontext(given) as url:
        yield url


@pytest.fixture
def kafka_cluster(session_kafka_cluster: KafkaCluster) -> KafkaCluster:
    """Three brokers of this machine, without any topic: a thousand of other tests' would wear them down."""
    asyncio.run(session_kafka_cluster.empty())
    return session_kafka_cluster


@pytest.fixture
def kafka_servers(elsewhere_kafka: str | None, request: pytest.FixtureRequest) -> str:
    """Where Kafka is, `HOST:PORT,HOST:PORT`; topics of other tests may be on it."""
    if elsewhere_kafka is not None and "kafka_cluster" not in request.fixturenames:
        return elsewhere_kafka
    cluster: KafkaCluster = request.getfixturevalue("kafka_cluster")
    return cluster.servers


@pytest.fixture
def empty_kafka(kafka_servers: str) -> str:
    """Where a Kafka without any topic is."""
    asyncio.run(delete_topics(kafka_servers))
    return kafka_servers


@pytest.fixture
def store_cluster(session_store_cluster: StoreCluster) -> StoreCluster:
    """An empty cluster of this machine, of three primaries and their replicas."""
    asyncio.run(session_store_cluster.empty())
    return session_store_cluster


@pytest.fixture
def store_server(session_store_server: StoreServer) -> StoreServer:
    """An empty server of this machine that is no cluster."""
    asyncio.run(session_store_server.heal())
    session_store_server.empty()
    return session_store_server


@pytest.fixture
def store_url(elsewhere_store: str | None, request: pytest.FixtureRequest) -> str:
    """The address of an empty store, as the settings want it; without anything said a cluster's."""
    if elsewhere_store is not None and "store_cluster" not in request.fixturenames:
        empty_store(elsewhere_store)
        return elsewhere_store
    cluster: StoreCluster = request.getfixturevalue("store_cluster")
    return cluster.url


@pytest.fixture
def postgres_server(session_postgres_server: PostgresServer) -> PostgresServer:
    """A PostgreSQL of this machine that runs; `new_database(server.url)` gives a database of it."""
    asyncio.run(session_postgres_server.heal())
    return session_postgres_server


@pytest.fixture
def fresh_database(elsewhere_postgres: str | None, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`."""
    server = None if "postgres_server" in request.fixturenames else elsewhere_postgres
    with new_database(server or request.getfixturevalue("postgres_server").url) as url:
        yield url


def empty_store(url: str) -> None:
    """Remove all data and functions of a server or of every primary of a cluster. Raises redis.RedisError."""
    scheme, _, places = url.partition("://")
    seed = f"{scheme.removesuffix('+cluster')}://{places.split(',')[0]}"
    with redis.Redis.from_url(seed) as client:
        client.response_callbacks.clear()
        seen = client.execute_command("CLUSTER", "SLOTS") if scheme.endswith("+cluster") else []
    primaries = [f"redis://{host.decode()}:{port}" for _, _, (host, port, *_), *_ in seen]
    for server in primaries or [seed]:
        with redis.Redis.from_url(server) as client:
            client.flushall()
            client.function_flush()
