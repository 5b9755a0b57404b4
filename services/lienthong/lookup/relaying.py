"""Keeps the relay of one outbox cell going, whatever happens to the servers."""

import asyncio
from typing import Final, NoReturn

import structlog
from redis.exceptions import RedisError

from lienthong.adapters.outbox import RELAY_BATCH, Relay
from lienthong.runtime.backoff import Backoff

#: The pause after a round that took all there was. Each round makes both servers wait for their disks, and desks with
#: them; one that comes after a pause takes more decisions at once. An answer to an event is this much later at most.
PAUSE_S: Final = 0.05

_log = structlog.stdlib.get_logger("lienthong.relay")


async def keep_relaying(relay: Relay) -> NoReturn:
    """Relay until cancelled; a server that is away is tried again with growing pauses, and nothing is skipped."""

    def heard(fault: BaseException, attempts: int) -> None:
        _log.warning("relay_waits", cell=relay.cell, attempts=attempts, fault=type(fault).__name__)

    backoff = Backoff(faults=(RedisError, OSError, TimeoutError))
    while True:
        relayed = await backoff.run(relay.relay_once, on_fault=heard)
        await asyncio.sleep(PAUSE_S if 0 < relayed < RELAY_BATCH else 0)
