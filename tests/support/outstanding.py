"""Says what a service has still to do before everything that the log holds is projected, answered and counted."""

from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.history import History
from lienthong.adapters.projection import Projection
from lienthong.adapters.register_mirror import RegisterMirror
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.runtime.datadir import DataDirectory
from lienthong_schemas.streams import CARD_IMAGES, CARDS, DECISIONS, LOOKUPS, REGISTER


async def outstanding(directory: DataDirectory, near: Redis, far: Redis) -> list[str]:
    """Return what is not done, empty when everything is; `near` is the log's client, `far` the projection's.

    A server that is away is one such thing.
    """
    log = ValkeyLog(near)
    try:
        return [
            *await _not_projected(log, far),
            *await _not_answered(log, far),
            *await _not_counted(log, directory.history / "history.sqlite"),
        ]
    except (RedisError, OSError) as fault:
        return [f"a server is away ({type(fault).__name__})"]


async def _not_projected(log: EventLog, redis: Redis) -> list[str]:
    projection = Projection(redis, CARDS.partitions)
    ends = await log.bounds(CARDS.name)
    states, index = await projection.states(), await projection.index_positions()
    left = [
        f"cards {cell}: {state.position} of {ends[cell].end}"
        for cell, state in enumerate(states)
        if not state.complete or min([state.position or 0, *(row[cell] for row in index)]) != ends[cell].end
    ]
    mirrored, end = (await RegisterMirror(redis).stands()).position, await log.end(REGISTER.name, 0)
    return left if mirrored == end else [*left, f"register: {mirrored} of {end}"]


async def _not_answered(log: EventLog, redis: Redis) -> list[str]:
    left = []
    for stream in (LOOKUPS.name, CARD_IMAGES.name):
        for partition, bounds in (await log.bounds(stream)).items():
            position = int(await redis.hget(f"{{o.{stream}-{partition}}}state", "position") or 0)
            if position != bounds.end:
                left.append(f"{stream} {partition}: {position} of {bounds.end}")
    for name in await redis.keys("{o.*}outbox"):
        waiting = await redis.xlen(name)
        if waiting:
            left.append(f"{name!r}: {waiting} to relay")
    return left


async def _not_counted(log: EventLog, file: Path) -> list[str]:
    history = History.open(file)
    try:
        return [
            f"decisions {partition}: {history.position(DECISIONS.name, partition)} of {bounds.end}"
            for partition, bounds in (await log.bounds(DECISIONS.name)).items()
            if history.position(DECISIONS.name, partition) != bounds.end
        ]
    finally:
        history.close()
