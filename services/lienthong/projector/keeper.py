"""Keeps written what is read: the generation that answers, one that is being built, and one not everybody has left."""

import asyncio
from typing import Final

import structlog
from redis.exceptions import RedisError

from lienthong.adapters.dead_letters import SetAside
from lienthong.adapters.generations import Generations, Plan, SwitchReader
from lienthong.adapters.ground import Ground
from lienthong.adapters.projection import Projection
from lienthong.adapters.register_mirror import RegisterMirror
from lienthong.projector.writing import Writing, parts_of
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import CARDS

#: How often the log is asked for switches and the store for wishes.
LOOK_INTERVAL_S: Final = 1.0
#: How many generations before the current one are looked for and removed: one that a slow projector wrote once more.
_SWEPT_BACK: Final = 2
#: Every how many looks what nobody reads is looked for.
_LOOKS_A_SWEEP: Final = 10

_PASSING: Final = (RedisError, OSError)

_log = structlog.stdlib.get_logger("lienthong.projector")


class Keeper:
    """The generations that one projector writes; every projector comes to the same ones by itself."""

    def __init__(self, ground: Ground, set_aside: SetAside) -> None:
        self._ground = ground
        self._set_aside = set_aside
        self._generations = Generations(ground.store)
        self._switches = SwitchReader(ground.log)
        self._writing: dict[int, Writing] = {}
        self._current = 0
        self._looks = 0

    @property
    def current(self) -> Writing:
        """The generation that answers."""
        return self._writing[self._current]

    async def open(self) -> None:
        """Begin to write the generation that answers. Raises `ProjectionRefused`, redis.RedisError and OSError."""
        plan = await self._generations.plan()
        try:
            self._current = await self._switches.refresh()
        except _PASSING as fault:
            # What the store repeats of the log may be old; the first look that the log answers to puts it right.
            _log.warning("log_unreachable", fault=type(fault).__name__)
            self._current = plan.current
        await self._write(self._current, self._ground.settings.card_buckets)

    async def keep(self) -> None:
        """Look every second until cancelled; ends with what ends the watch over a generation."""
        while True:
            try:
                await self._look()
            except _PASSING as fault:
                _log.warning("generations_not_looked_at", fault=type(fault).__name__)
            pause = asyncio.create_task(asyncio.sleep(LOOK_INTERVAL_S))
            watches = [writing.watching for writing in self._writing.values()]
            await asyncio.wait([pause, *watches], return_when=asyncio.FIRST_COMPLETED)
            await end(pause)
            for watch in watches:
                if watch.done():
                    # What is stored is no longer watched, and a process that starts again will do it.
                    watch.result()

    async def close(self) -> None:
        """Stop writing."""
        while self._writing:
            _, writing = self._writing.popitem()
            await writing.stop()

    async def _look(self) -> None:
        """Bring what is written into line with what is wanted.

        1. Ask the log which generation is current, and repeat it to the store. 2. Begin what is wanted. 3. Stop what
        nobody wants any more. 4. Remove, now and then, what is written no more.
        """
        # 1
        current = await self._switches.refresh()
        await self._generations.settle(current)
        plan = await self._generations.plan()
        # 2
        readers = set((await self._generations.readers(self._ground.clock.now())).values())
        wanted = self._wanted(current, plan, readers)
        for generation in wanted - set(self._writing):
            asked = plan.buckets if generation == plan.building else None
            await self._write(generation, asked or self._ground.settings.card_buckets)
        self._current = current
        # 3
        for generation in set(self._writing) - wanted:
            _log.info("generation_left", generation=generation)
            await self._writing.pop(generation).stop()
        # 4
        self._looks += 1
        if self._looks % _LOOKS_A_SWEEP == 0:
            await self._sweep(current, wanted | readers)

    def _wanted(self, current: int, plan: Plan, readers: set[int]) -> set[int]:
        """Return what is to be written: what answers, what is built, and what is written and still read."""
        wanted = {current, *(readers & set(self._writing))}
        if plan.building is not None and plan.building > current:
            wanted.add(plan.building)
        return wanted

    async def _write(self, generation: int, buckets: int) -> None:
        _log.info("generation_written", generation=generation)
        self._writing[generation] = Writing(await parts_of(self._ground, self._set_aside, generation, buckets))

    async def _sweep(self, current: int, used: set[int]) -> None:
        cells = self._ground.log.partitions(CARDS.name)
        for generation in range(max(1, current - _SWEPT_BACK), current + 2):
            if generation not in used:
                projection = Projection(self._ground.store, cells, generation)
                if await projection.forget():
                    _log.info("generation_removed", generation=generation)
                await RegisterMirror(self._ground.store, generation).clear()
