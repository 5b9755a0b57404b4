"""Opens connections to an embedded server over its unix socket, without repeating what was sent."""

from pathlib import Path

from redis.asyncio import BlockingConnectionPool, Redis, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

# A server that fsyncs every write answers within milliseconds; one that stays silent this long is not answering.
ANSWER_TIMEOUT_S = 5.0
# Enough for every partition of the widest stream to be written at once; callers beyond that wait for their turn.
CONNECTIONS_MAX = 32


def connect(socket: Path, *, timeout_s: float = ANSWER_TIMEOUT_S, connections_max: int = CONNECTIONS_MAX) -> Redis:
    """Return a client for the server behind `socket`; nothing is opened before the first command.

    redis-py repeats a command up to ten times by default, and an append repeated is an append done twice, so
    this client never retries: the caller sees the fault and knows what may be repeated. Close it with `aclose()`.
    """
    pool = BlockingConnectionPool(
        max_connections=connections_max,
        timeout=timeout_s,
        connection_class=UnixDomainSocketConnection,
        path=str(socket),
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)
