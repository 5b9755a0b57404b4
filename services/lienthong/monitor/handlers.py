"""Reads the stream of decisions for whatever keeps them: each decision once, from where its keeper stands."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from lienthong.adapters.dead_letters import SetAside
from lienthong.adapters.event_log import Entry, Trimmed
from lienthong.adapters.followers import Batch, Fault, Follower, Reader
from lienthong.adapters.history_positions import PositionBehind, Stretch
from lienthong.adapters.wire import Event, Refusal, decode
from lienthong_schemas.streams import DECISIONS

_log = structlog.stdlib.get_logger("lienthong.monitor")


class Read(NamedTuple):
    """One decision that was read, and the entry it came in."""

    entry: Entry
    event: Event


class Keeper(Protocol):
    """Keeps decisions together with how far they were read, in one transaction; raises DatabaseAway."""

    def positions(self) -> Mapping[int, int]:
        """Return the next offset to read of each partition that has one."""
        ...

    def keep(self, stretch: Stretch, decisions: Sequence[Read]) -> int:
        """Keep what is new and return how many were. Raises PositionBehind."""
        ...


class DecisionConsumer:
    """One consumer of the decisions: counts them, or archives them."""

    def __init__(self, keeper: Keeper, set_aside: SetAside) -> None:
        self._keeper = keeper
        self._set_aside = set_aside
        self._followers: dict[int, Follower] = {}

    def subscribe(self, reader: Reader, partitions: int) -> None:
        """Follow every partition from where the keeper stands."""
        for partition in range(partitions):
            self._followers[partition] = reader.subscribe(
                DECISIONS.name, partition, self.handle, partial(self.start, partition)
            )

    async def start(self, partition: int) -> int:
        """Return the position to read a partition from."""
        return (await asyncio.to_thread(self._keeper.positions)).get(partition, 0)

    async def handle(self, batch: Batch) -> None:
        """Keep a batch. One that was kept before changes nothing.

        1. Set aside what cannot be read. 2. Keep the rest together with the position. 3. Where the keeper has gone
        back, as a restored database has, go on from there.
        """
        # 1
        decoded = await asyncio.to_thread(_decoded, batch.entries)
        decisions = []
        for at, (entry, event) in enumerate(zip(batch.entries, decoded, strict=True)):
            if isinstance(event, Refusal):
                await self._set_aside(batch, at, event)
            else:
                decisions.append(Read(entry, event))
        # 2
        try:
            await asyncio.to_thread(self._keeper.keep, _stretch(batch, batch.position, batch.next), decisions)
        except PositionBehind as behind:
            # 3
            _went_back(batch.partition, behind.stored)
            if batch.partition not in self._followers:
                raise
            self._followers[batch.partition].seek(behind.stored)

    async def pass_over(self, follower: Follower, fault: Fault) -> None:
        """Go on after decisions that were let go before they were kept.

        That is how a history that was lost begins again: with what is still kept. A partition that was made anew stays
        stopped.
        """
        if not isinstance(fault, Trimmed):
            return
        stretch = _stretch(follower, fault.position, fault.first)
        try:
            await asyncio.to_thread(self._keeper.keep, stretch, [])
        except PositionBehind as behind:
            follower.seek(behind.stored)
        except (SQLAlchemyError, OSError):
            # The fault is told of again at the next look, for its partition still stands before what was let go.
            follower.seek(fault.position)
        else:
            lost = fault.first - fault.position
            _log.error("decisions_let_go", stream=follower.stream, partition=follower.partition, entries=lost)
            follower.seek(fault.first)

    async def watch(self) -> None:
        """Go back to where the keeper stands wherever it has gone back while no decision came. Raises DatabaseAway."""
        known = {partition: follower.progress.position for partition, follower in self._followers.items()}
        stored = await asyncio.to_thread(self._keeper.positions)
        for partition, position in known.items():
            stands = stored.get(partition, 0)
            if position is not None and stands < position == self._followers[partition].progress.position:
                _went_back(partition, stands)
                self._followers[partition].seek(stands)


def _decoded(entries: Sequence[Entry]) -> list[Event | Refusal]:
    return [decode(entry.value, DECISIONS) for entry in entries]


def _stretch(of: Batch | Follower, position: int, following: int) -> Stretch:
    return Stretch(stream=of.stream, partition=of.partition, position=position, next=following)


def _went_back(partition: int, stored: int) -> None:
    _log.warning("history_went_back", stream=DECISIONS.name, partition=partition, position=stored)
