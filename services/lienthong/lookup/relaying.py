"""Keeps the relay of one outbox cell going, whatever happens to the servers."""

import asyncio

import structlog
from redis.exceptions import RedisError

from lienthong.adapters.outbox import Relay
from lienthong.runtime.backoff import Backoff

_log = structlog.stdlib.get_logger("lienthong.relay")


async def keep_relaying(relay: Relay) -> None:
    """Relay until cancelled; a server that is away is tried again with growing pauses, and nothing is skipped."""

    def heard(fault: BaseException, attempts: int) -> None:
        _log.warning("relay_waits", cell=relay.cell, attempts=attempts, fault=type(fault).__name__)

    backoff = Backoff(faults=(RedisError, OSError, TimeoutError))
    while True:
        await backoff.run(relay.relay_once, on_fault=heard)
        await asyncio.sleep(0)
