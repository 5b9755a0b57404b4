"""Says what a service has still to do before everything that the log holds is projected, answered and counted."""

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.generations import Generations
from lienthong.adapters.ground import Ground
from lienthong.adapters.history import History, open_history
from lienthong.adapters.outbox import Relay
from lienthong.adapters.outbox_layout import EVENT_STREAMS, all_cells, event_cell, state_key
from lienthong.adapters.projection import Projection
from lienthong.adapters.register_mirror import RegisterMirror
from lienthong.adapters.spool import spool_directory, waiting_in
from lienthong.runtime.datadir import DataDirectory
from lienthong_schemas.streams import CARDS, DECISIONS, REGISTER

AWAY = (RedisError, OSError, SQLAlchemyError)


async def outstanding(ground: Ground) -> list[str]:
    """Return what is not done, empty when everything is. A server that is away is one such thing."""
    try:
        return [
            *await _not_projected(ground.log, ground.store),
            *await _not_answered(ground.log, ground.store),
            *_not_moved(ground.directory),
            *await _not_counted(ground),
        ]
    except AWAY as fault:
        return [f"a server is away ({type(fault).__name__})"]


async def _not_projected(log: EventLog, redis: Redis) -> list[str]:
    generation = (await Generations(redis).plan()).current
    projection = Projection(redis, log.partitions(CARDS.name), generation)
    ends = await log.bounds(CARDS.name)
    states, index = await projection.states(), await projection.index_positions()
    left = [
        f"cards {cell}: {state.position} of {ends[cell].end}"
        for cell, state in enumerate(states)
        if not state.complete or min([state.position or 0, *(row[cell] for row in index)]) != ends[cell].end
    ]
    mirrored, end = (await RegisterMirror(redis, generation).stands()).position, await log.end(REGISTER.name, 0)
    return left if mirrored == end else [*left, f"register: {mirrored} of {end}"]


async def _not_answered(log: EventLog, redis: Redis) -> list[str]:
    left = []
    for stream in EVENT_STREAMS:
        for partition, bounds in (await log.bounds(stream)).items():
            position = int(await redis.hget(state_key(event_cell(stream, partition)), "position") or 0)
            if position != bounds.end:
                left.append(f"{stream} {partition}: {position} of {bounds.end}")
    waiting = [(cell, await Relay(redis, log, cell).waiting()) for cell in all_cells(log)]
    return left + [f"{cell}: {number} to relay" for cell, number in waiting if number]


def _not_moved(directory: DataDirectory) -> list[str]:
    spooled, _ = waiting_in(spool_directory(directory))
    return [f"spool: {spooled} bytes"] if spooled else []


async def _not_counted(ground: Ground) -> list[str]:
    history = await asyncio.to_thread(open_history, ground.settings, ground.directory)
    try:
        ends = await ground.log.bounds(DECISIONS.name)
        return await asyncio.to_thread(_lacking, history, {each: bounds.end for each, bounds in ends.items()})
    finally:
        history.close()


def _lacking(history: History, ends: dict[int, int]) -> list[str]:
    counted = history.positions(DECISIONS.name)
    return [
        f"decisions {partition}: {counted.get(partition, 0)} of {end}"
        for partition, end in ends.items()
        if counted.get(partition, 0) != end
    ]
