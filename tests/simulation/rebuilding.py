"""Rebuilds the projection of a simulated world, as the command does: beside the one that answers, then switched to."""

import asyncio
import uuid
from contextlib import suppress
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.generations import Generations
from lienthong.adapters.projection import Projection
from lienthong.adapters.register_mirror import RegisterMirror
from lienthong.adapters.wire import Outgoing, encode
from lienthong.cli import rebuild
from lienthong_schemas.streams import CARDS, REGISTER
from tests.simulation.ground import BUCKETS

_FAULTS = (RedisError, OSError)
_POLL_S = 0.4
#: A rebuild that is not whole after so many looks is given up.
_LOOKS_MAX = 40


async def rebuilt(log: EventLog, store: Redis, current: int, at: datetime) -> bool:
    """Build the generation after `current`, switch to it once it is whole, and tell whether that was done."""
    service: Any = SimpleNamespace(log=log, store=store, mirror=RegisterMirror(store, current))
    generations, building = Generations(store), current + 1
    projection = Projection(store, log.partitions(CARDS.name), building, BUCKETS)
    for _ in range(_LOOKS_MAX):
        await asyncio.sleep(_POLL_S)
        with suppress(*_FAULTS):
            if (await generations.plan()).building != building:
                await generations.build(building, BUCKETS)
            if (await rebuild._built(service, projection, building)).whole:
                await _switched(log, building, at)
                return True
    while True:
        with suppress(*_FAULTS):
            await generations.cancel()
            return False
        await asyncio.sleep(_POLL_S)


async def _switched(log: EventLog, generation: int, at: datetime) -> None:
    """Switch in the log, which may have had the switch already when it is written again."""
    event = Outgoing(
        id=str(uuid.uuid4()),
        type="generation.switched",
        source="/tests",
        subject=str(generation),
        time=at,
        data={"generation": generation},
    )
    while True:
        with suppress(*_FAULTS):
            await log.append(REGISTER.name, str(generation), encode(event))
            return
        await asyncio.sleep(_POLL_S)
