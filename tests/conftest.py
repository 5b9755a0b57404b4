"""Makes the shared fixtures known to every test."""

from hypothesis import settings

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
    "log_client",
    "log_server",
    "own_server",
    "projection_client",
    "projection_server",
    "servers_root",
    "session_log_server",
    "session_projection_server",
]

# Time per example says more about what else runs on the machine than about the code; pytest's timeout bounds a test.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
