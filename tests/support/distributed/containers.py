"""Kafka, a store cluster and PostgreSQL in containers, for machines that have a Docker engine."""

import contextlib
import functools
import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import docker  # type: ignore[import-untyped]  # the package brings no types
import redis
from docker.errors import DockerException  # type: ignore[import-untyped]  # as above
from testcontainers.community.kafka import KafkaContainer
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer

KAFKA_IMAGE = "confluentinc/cp-kafka:8.1.0"
STORE_IMAGE = "valkey/valkey:9.0"
POSTGRES_IMAGE = "postgres:18"
_PROBE_TIMEOUT_S = 2
_LAST_SLOT = 16_383
_STORE_PORT = 6_379
_STORE = "valkey-server --cluster-enabled yes --appendonly yes --hash-max-listpack-value 255"


@functools.cache
def has_docker() -> bool:
    """Tell whether a Docker engine answers; asked once a session."""
    with warnings.catch_warnings():
        # Where nobody answers the package forgets a socket, which is no fault of a test.
        warnings.simplefilter("ignore", ResourceWarning)
        answers = _answers()
        gc.collect()
        return answers


def _answers() -> bool:
    try:
        client = docker.from_env(timeout=_PROBE_TIMEOUT_S)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


@contextmanager
def kafka_in_docker() -> Iterator[str | None]:
    """Run one broker while the block lasts and give its `HOST:PORT`; None where it cannot be had from Docker."""
    with _running(_kafka) as container:
        yield container and container.get_bootstrap_server()


@contextmanager
def postgres_in_docker() -> Iterator[str | None]:
    """Run a server while the block lasts and give its address without a database; None as above."""
    with _running(lambda: PostgresContainer(POSTGRES_IMAGE, driver=None)) as container:
        yield container and container.get_connection_url().rpartition("/")[0]


@contextmanager
def store_in_docker() -> Iterator[str | None]:
    """Run a cluster of one node while the block lasts and give its `redis+cluster://` address; None as above."""
    with _running(lambda: RedisContainer(STORE_IMAGE, port=_STORE_PORT).with_command(_STORE)) as container:
        if container is None:
            yield None
        else:
            host, port = container.get_container_host_ip(), int(container.get_exposed_port(_STORE_PORT))
            with redis.Redis(host=host, port=port) as client:
                serve_every_slot(client, host, port)
            yield f"redis+cluster://{host}:{port}"


def serve_every_slot(node: redis.Redis, host: str, port: int) -> None:
    """Make a cluster of one node, which tells clients that it is at `host` and `port`."""
    node.config_set("cluster-announce-hostname", host)
    node.config_set("cluster-preferred-endpoint-type", "hostname")
    node.config_set("cluster-announce-port", port)
    node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, _LAST_SLOT)  # type: ignore[no-untyped-call]  # the client's


def _kafka() -> Any:
    container = KafkaContainer(KAFKA_IMAGE).with_kraft()
    for name, value in (
        ("AUTO_CREATE_TOPICS_ENABLE", "false"),
        ("TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
        ("TRANSACTION_STATE_LOG_MIN_ISR", "1"),
        ("GROUP_MIN_SESSION_TIMEOUT_MS", "500"),
    ):
        container.with_env(f"KAFKA_{name}", value)
    return container


@contextmanager
def _running(make: Callable[[], Any]) -> Iterator[Any]:
    """Start a container; None without an engine, or where the image cannot be fetched."""
    with ExitStack() as stack:
        container = None
        if has_docker():
            with contextlib.suppress(DockerException):
                container = stack.enter_context(make())
        yield container
