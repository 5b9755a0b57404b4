"""The log's double: partitions in memory behind the port that every process uses, with Kafka's failures.

An append may be written in part (of each partition the first so many), written and not acknowledged, or written long
after its caller has given up. What is acknowledged stays.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

from lienthong.adapters.event_log import (
    Appended,
    Bounds,
    Entry,
    LogAway,
    Recreated,
    Trimmed,
    UnknownStream,
    partition_of,
)
from lienthong_schemas.streams import STREAMS, Stream
from tests.simulation.weather import Step, Weather

Place = tuple[str, int]


class Partitions:
    """What the brokers hold, and when each entry came (by `now`, in seconds)."""

    def __init__(self, partitions: dict[str, int], now: Callable[[], float]) -> None:
        self.name = "log"
        self.away = self.silent = False
        self.streams = {stream.name: replace(stream, partitions=partitions.get(stream.name, 1)) for stream in STREAMS}
        self.entries: dict[Place, list[Entry]] = {
            (stream.name, partition): [] for stream in self.streams.values() for partition in range(stream.partitions)
        }
        self.added_at: dict[Place, list[float]] = {place: [] for place in self.entries}
        self._now = now
        self.listeners: dict[Place, list[Callable[[], None]]] = {}

    def fault(self) -> Exception:
        """Return what the adapter makes of a lost connection."""
        return LogAway(ConnectionError())

    def timeout(self) -> Exception:
        """Return what the adapter makes of an answer that does not come."""
        return LogAway(TimeoutError())

    def add(self, place: Place, key: str, value: bytes) -> Appended:
        """Write one entry."""
        entries = self.entries[place]
        entries.append(Entry(offset=len(entries), key=key, value=value))
        self.added_at[place].append(self._now())
        for listener in self.listeners.get(place, ()):
            listener()
        return Appended(partition=place[1], offset=entries[-1].offset)

    def bounds(self, place: Place) -> Bounds:
        """Return what a partition holds."""
        return Bounds(first=0, end=len(self.entries[place]))

    def read(self, place: Place, position: int, count: int) -> tuple[Entry, ...] | Trimmed | Recreated:
        """Return entries as the port does."""
        end = len(self.entries[place])
        if position > end:
            return Recreated(position=position, end=end)
        return tuple(self.entries[place][position : position + count])


class SimulatedLog:
    """The log as one process has it."""

    def __init__(self, partitions: Partitions, weather: Weather) -> None:
        self.held = partitions
        self._weather = weather

    def stream(self, name: str) -> Stream:
        """Return the stream's row of the table."""
        try:
            return self.held.streams[name]
        except KeyError:
            raise UnknownStream(name) from None

    def partitions(self, stream: str) -> int:
        """Return how many partitions a stream has."""
        return self.stream(stream).partitions

    async def append(self, stream: str, key: str, value: bytes) -> Appended:
        """Append one entry and return where it is."""
        (appended,) = await self.append_many(stream, [(key, value)])
        return appended

    async def append_many(self, stream: str, items: Sequence[tuple[str, bytes]]) -> list[Appended]:
        """Append in the order of each partition; partitions are written in any order."""
        count = self.partitions(stream)
        placed = [(at, partition_of(key, count), key, value) for at, (key, value) in enumerate(items)]
        order = _interleaved(
            [[each for each in placed if each[1] == one] for one in range(count)], self._weather.chance
        )
        steps: list[Step] = [
            partial(self.held.add, (stream, partition), key, value) for _, partition, key, value in order
        ]
        found = await self._weather.call(self.held, f"append {len(items)} to {stream}", steps)
        by_item = {each[0]: appended for each, appended in zip(order, found, strict=True)}
        return [by_item[at] for at in range(len(items))]

    async def bounds(self, stream: str, partitions: Iterable[int] | None = None) -> dict[int, Bounds]:
        """Return what each of the partitions holds."""
        wanted = list(range(self.partitions(stream)) if partitions is None else partitions)
        steps: list[Step] = [partial(self.held.bounds, (stream, each)) for each in wanted]
        if not steps:
            return {}
        return dict(zip(wanted, await self._weather.call(self.held, f"bounds of {stream}", steps), strict=True))

    async def end(self, stream: str, partition: int) -> int:
        """Return the position after the last entry."""
        return (await self.bounds(stream, [partition]))[partition].end

    async def first(self, stream: str, partition: int) -> int:
        """Return the offset of the first entry."""
        return (await self.bounds(stream, [partition]))[partition].first

    async def read(
        self, stream: str, partition: int, position: int, count: int
    ) -> tuple[Entry, ...] | Trimmed | Recreated:
        """Return up to `count` entries from `position` on."""
        step = partial(self.held.read, (stream, partition), position, count)
        (found,) = await self._weather.call(self.held, f"read {stream}/{partition}@{position}", [step])
        return found  # type: ignore[no-any-return]  # what the one step returns

    async def retain(self, stream: str, partition: int, *, since: datetime, now: datetime) -> int:  # noqa: ARG002  # the port's
        """Let nothing go: a run is shorter than anything is kept."""
        return 0


def _interleaved(by_partition: list[list[Any]], chance: Random) -> list[Any]:
    """Return what goes to several partitions in one order that keeps that of each."""
    waiting = [iter(each) for each in by_partition if each]
    turns = [at for at, each in enumerate(each for each in by_partition if each) for _ in each]
    if len(waiting) > 1:
        chance.shuffle(turns)
    return [next(waiting[at]) for at in turns]
