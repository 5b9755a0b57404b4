"""Makes the shared fixtures known to every test."""

import io
import logging as standard
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from lienthong.runtime import logging
from tests.support.databases import database, open_database
from tests.support.distributed.fixtures import (
    elsewhere_kafka,
    elsewhere_postgres,
    elsewhere_store,
    empty_kafka,
    fresh_database,
    kafka_cluster,
    kafka_servers,
    postgres_server,
    secured_kafka,
    session_kafka_cluster,
    session_postgres_server,
    session_store_cluster,
    session_store_server,
    store_cluster,
    store_server,
    store_url,
)
from tests.support.place import place
from tests.support.servers import (
    log_client,
    log_server,
    own_server,
    projection_client,
    projection_server,
    servers_root,
    session_log_server,
    session_projection_server,
)
from tests.support.stores import cluster_client, store_client
from tests.support.transports import kafka, transport, transport_place

__all__ = [
    "cluster_client",
    "database",
    "elsewhere_kafka",
    "elsewhere_postgres",
    "elsewhere_store",
    "empty_kafka",
    "fresh_database",
    "kafka",
    "kafka_cluster",
    "kafka_servers",
    "log_client",
    "log_server",
    "open_database",
    "own_server",
    "place",
    "postgres_server",
    "projection_client",
    "projection_server",
    "secured_kafka",
    "servers_root",
    "session_kafka_cluster",
    "session_log_server",
    "session_postgres_server",
    "session_projection_server",
    "session_store_cluster",
    "session_store_server",
    "store_client",
    "store_cluster",
    "store_server",
    "store_url",
    "transport",
    "transport_place",
]

# Time per example says more about what else runs on the machine than about the code; pytest's timeout bounds a test.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _logged_as_in_service() -> Iterator[None]:
    """Log as a process does; structlog's own default draws every fault with its locals, which stops an event loop."""
    root = standard.getLogger()
    handlers, level = root.handlers[:], root.level
    logging.configure("warning", stream=io.StringIO())
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
