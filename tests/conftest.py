"""Makes the shared fixtures known to every test."""

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
