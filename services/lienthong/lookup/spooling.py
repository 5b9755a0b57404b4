"""Moves what was spooled into the outbox, in order and each decision once, when the store is back."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NoReturn
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from lienthong.adapters.outbox import OutboxCell, OutboxFull
from lienthong.adapters.spool import Spool, Take
from lienthong.adapters.spool_files import Spooled

#: How often it is looked whether something was spooled, here or by a process that has died.
MOVE_INTERVAL_S: Final = 1.0

_log = structlog.stdlib.get_logger("lienthong.spool")


def into_outbox(store: Redis, stored: Callable[[str], Callable[[], None]]) -> Take:
    """Return what takes spooled records into the cells that they were for; `stored` gives what hears of a cell's.

    A cell knows the ids it was given so, whoever gives them: a record that comes again is there once.
    """
    cells: dict[str, OutboxCell] = {}

    async def take(name: str, records: Sequence[Spooled]) -> None:
        cell = cells.get(name)
        if cell is None:
            cell = cells[name] = OutboxCell(store, name, stored=stored(name))
        await cell.append_once(
            [[record.message] for record in records], [UUID(record.decision_id).bytes for record in records]
        )

    return take


async def keep_moving(spool: Spool, take: Take) -> NoReturn:
    """Move until cancelled; while the store is away, or the outbox full, everything stays where it is."""
    while True:
        try:
            moved = await spool.move(take)
        except (RedisError, OSError, OutboxFull) as fault:
            _log.warning("spool_waits", bytes=spool.size_bytes, fault=type(fault).__name__)
        else:
            if moved:
                _log.warning("spool_moved", decisions=moved)
        await asyncio.sleep(MOVE_INTERVAL_S)
