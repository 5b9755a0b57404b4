"""Lets go of what may no longer be kept: entries of streams whose time is over, and the keys that sealed them."""

import asyncio
from typing import Final, NoReturn

import structlog
from redis.exceptions import RedisError

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.sealing import Sealer
from lienthong.runtime.clock import Clock
from lienthong_schemas.streams import STREAMS

#: How often to look. An image may live a minute longer than its hour, never an hour longer.
INTERVAL_S: Final = 60.0

_log = structlog.stdlib.get_logger("lienthong.retention")


async def let_go(log: EventLog, sealer: Sealer, clock: Clock) -> None:
    """Destroy the keys whose retention has ended, then remove the entries that are older than their stream keeps.

    Keys go first: without them what is still there cannot be read, whatever happens next. Raises redis.RedisError and
    OSError.
    """
    destroyed = await asyncio.to_thread(sealer.destroy_expired)
    for key_id in destroyed:
        _log.info("key_destroyed", key_id=key_id)
    for stream in STREAMS:
        if stream.kept_for is None:
            continue
        now = clock.now()
        for partition in range(log.partitions(stream.name)):
            gone = await log.retain(stream.name, partition, since=now - stream.kept_for, now=now)
            if gone:
                _log.info("entries_let_go", stream=stream.name, partition=partition, entries=gone)


async def keep_letting_go(log: EventLog, sealer: Sealer, clock: Clock) -> NoReturn:
    """Let go every `INTERVAL_S` until cancelled; a server that is away is asked again the next time."""
    while True:
        try:
            await let_go(log, sealer, clock)
        except (RedisError, OSError) as fault:
            _log.warning("retention_waits", fault=type(fault).__name__)
        await asyncio.sleep(INTERVAL_S)
