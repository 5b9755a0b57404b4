"""Makes the shared fixtures known to every test."""

import io
import logging as standard
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from lienthong.runtime import logging
from tests.support.databases import database, open_database
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

__all__ = [
    "database",
    "log_client",
    "log_server",
    "open_database",
    "own_server",
    "place",
    "projection_client",
    "projection_server",
    "servers_root",
    "session_log_server",
    "session_projection_server",
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
