"""Looks into the store while a run goes on: what a cell says of itself is never more than it has."""

import asyncio
from bisect import bisect_right
from typing import Final

from lienthong.adapters.projection_layout import Keys
from lienthong_schemas.streams import CARDS
from tests.simulation.log import Partitions
from tests.simulation.store import BEGAN_AT_S, Store, slot_of

_LOOK_EVERY_S: Final = 0.25


class Witness:
    """Knows when each entry was written, and so what a cell must have that says when it had everything."""

    def __init__(self, store: Store, partitions: Partitions) -> None:
        self._store = store
        self._partitions = partitions

    async def watch(self) -> str:
        """Look until a cell says that it had everything of a moment and lacks some of it; return what it says."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            for cell in range(self._partitions.streams[CARDS.name].partitions):
                for generation in range(1, 4):
                    said = self._overstated(Keys(generation).state(cell).encode(), cell)
                    if said is not None:
                        return said

    def _overstated(self, key: bytes, cell: int) -> str | None:
        state = self._store.shard_of(slot_of(key)).keyspace.keys.get(key)
        if state is None or b"caught_up_at" not in state:
            return None
        moment = int(state[b"caught_up_at"]) / 1000 - BEGAN_AT_S
        position, had = int(state[b"position"]), bisect_right(self._partitions.added_at[CARDS.name, cell], moment)
        if position >= had:
            return None
        return f"{key.decode()} says that it had everything at {moment:.3f} and stands at {position} of {had}"
