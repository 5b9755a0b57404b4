"""Which generation of the projection answers, which one is being built beside it, and who reads which.

A generation is a prefix of keys. The log says which one is current (`generation.switched` on the register's stream);
the store repeats it for look-ups, which read nothing but the store, and carries the wish for another one, which
projectors fulfil. Every process that reads the projection says once a second which generation it reads, so that an old
one is removed when nobody reads it any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from redis.asyncio import Redis

from lienthong.adapters.event_log import EventLog, Recreated, Trimmed
from lienthong.adapters.wire import Event, decode
from lienthong_schemas.batches import GenerationSwitched
from lienthong_schemas.streams import REGISTER

FIRST: Final = 1
#: A reader that has not been heard of for this long is gone; one that lives on finds nothing, and says so to its desks.
SILENCE_MAX: Final = timedelta(seconds=10)

_STATE: Final = "{generations}state"
_READERS: Final = "{generations}readers"
#: Entries of the register's stream in one read.
_READ: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the store says: the generation that answers, and the one to build with its buckets a cell, if any."""

    current: int
    building: int | None
    buckets: int | None


class Generations:
    """The plan and the readers, behind one client of the store."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def plan(self) -> Plan:
        """Return the plan; where nobody has made one the first generation answers."""
        current, building, buckets = await self._redis.hmget(_STATE, ["current", "building", "buckets"])
        return Plan(
            current=FIRST if current is None else int(current),
            building=None if building is None else int(building),
            buckets=None if buckets is None else int(buckets),
        )

    async def build(self, generation: int, buckets: int) -> None:
        """Ask the projectors for a generation. Asking again is harmless."""
        await self._redis.hset(_STATE, mapping={"building": generation, "buckets": buckets})

    async def cancel(self) -> None:
        """Ask for no generation any more; what was built of one is removed by the projectors."""
        await self._redis.hdel(_STATE, "building", "buckets")

    async def settle(self, current: int) -> None:
        """Repeat what the log says; a generation that was asked for and is current now is no wish any more."""
        plan = await self.plan()
        await self._redis.hset(_STATE, "current", str(current))
        if plan.building is not None and plan.building <= current:
            await self.cancel()

    async def reads(self, reader: str, generation: int, now: datetime) -> None:
        """Say that a process reads a generation."""
        await self._redis.hset(_READERS, reader, f"{generation} {int(now.timestamp())}")

    async def leaves(self, reader: str) -> None:
        """Say that a process reads no more."""
        await self._redis.hdel(_READERS, reader)

    async def readers(self, now: datetime) -> Mapping[str, int]:
        """Return which generation each reader reads, of those that were heard of lately; the others are forgotten."""
        found: dict[str, int] = {}
        said_by: Any = await self._redis.hgetall(_READERS)
        for reader, said in said_by.items():
            generation, _, at = said.decode().partition(" ")
            if now.timestamp() - int(at) <= SILENCE_MAX.total_seconds():
                found[reader.decode()] = int(generation)
            else:
                await self._redis.hdel(_READERS, reader)
        return found


class SwitchReader:
    """Follows the switches in the log; a generation once left is not taken up again, so the highest one counts."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._position = 0
        self._current = FIRST

    async def refresh(self) -> int:
        """Return the generation that the log says is current. Raises redis.RedisError and OSError."""
        while True:
            found = await self._log.read(REGISTER.name, 0, self._position, _READ)
            if isinstance(found, Recreated):
                self._position, self._current = 0, FIRST
                continue
            if isinstance(found, Trimmed):
                self._position = found.first
                continue
            if not found:
                return self._current
            for entry in found:
                if b"generation.switched" in entry.value:
                    self._take(entry.value)
            self._position = found[-1].offset + 1

    def _take(self, value: bytes) -> None:
        event = decode(value, REGISTER)
        if isinstance(event, Event) and isinstance(event.message, GenerationSwitched):
            self._current = max(self._current, event.message.generation)
