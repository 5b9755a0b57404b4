"""Projects card facts from a log in memory into a real store, through the projector's own cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from redis.asyncio import Redis

from lienthong.adapters.card_layout import CardFact
from lienthong.adapters.event_log import Entry, partition_of
from lienthong.adapters.followers import Batch, Follower
from lienthong.adapters.projection import Projection
from lienthong.adapters.wire import Refusal
from lienthong.projector.cards import CardCell
from tests.support.clocks import SetClock


def card_event(fact: CardFact) -> bytes:
    """Return the event that carries the fact."""
    number = fact.data["id"]
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"{number}-{fact.data['revision']}",
            "type": fact.type,
            "source": "/tests",
            "subject": number,
            "time": "2025-06-20T09:00:00+07:00",
            "data": fact.data,
        }
    )


@dataclass
class Projecting:
    """The partitions of a log, the cells they are projected into, and what was set aside."""

    projection: Projection
    partitions: list[list[bytes]]
    cells: list[CardCell] = field(default_factory=list)
    set_aside: list[tuple[int, int, Refusal]] = field(default_factory=list)

    @classmethod
    async def of(cls, redis: Redis, cells: int = 4, buckets: int = 8) -> "Projecting":
        """Open a projection with a few cells and buckets."""
        projection = Projection(redis, cells, buckets=buckets)
        await projection.open()
        made = cls(projection, [[] for _ in range(cells)])
        await made.restart()
        return made

    async def restart(self) -> None:
        """Begin as a new process would: without knowing anything but what is stored."""
        self.cells = [CardCell(cell, self.projection, self._aside) for cell in range(self.projection.cells)]
        for cell in self.cells:
            follower = Follower("cards.v1", cell.cell, cell.handle, SetClock())
            cell.follow(follower)
            follower.seek(await cell.start())

    def publish(self, facts: Iterable[CardFact]) -> None:
        """Append the facts to their partitions."""
        for fact in facts:
            self.publish_bytes(partition_of(fact.data["id"], len(self.partitions)), card_event(fact))

    def publish_bytes(self, partition: int, value: bytes) -> None:
        """Append anything at all to a partition."""
        self.partitions[partition].append(value)

    async def project(self, batch_size: int = 7) -> None:
        """Handle everything from where each cell's follower stands, as often as it is sent back."""
        for cell in self.cells:
            values = self.partitions[cell.cell]
            while (position := cell.follower.progress.position or 0) < len(values):
                await cell.follower.take(entries(values, position, batch_size))

    async def watch(self) -> None:
        """Compare what is stored with what was written, as the projector does once a second."""
        watched = [cell.watched() for cell in self.cells]
        states, indexed = await self.projection.states(), await self.projection.index_positions()
        for cell, known in zip(self.cells, watched, strict=True):
            await cell.check(known, states[cell.cell], min(row[cell.cell] for row in indexed))

    async def caught_up(self, at: datetime) -> None:
        """Say of every cell how far its partition reached at the moment."""
        at_ms = int(at.timestamp() * 1000)
        await self.projection.caught_up({cell.cell: (len(self.partitions[cell.cell]), at_ms) for cell in self.cells})

    async def digest(self) -> tuple[int, int]:
        """Return how many cards there are, and the digest of all cells."""
        states = await self.projection.states()
        return sum(state.facts for state in states), sum(state.digest for state in states) % (1 << 256)

    async def _aside(self, batch: Batch, at: int, refusal: Refusal, _attempts: int = 1) -> None:
        self.set_aside.append((batch.partition, batch.entries[at].offset, refusal))


def entries(values: Sequence[bytes], position: int, count: int) -> tuple[Entry, ...]:
    """Return the entries of a partition from a position on."""
    page = values[position : position + count]
    return tuple(Entry(offset=position + at, key="", value=value) for at, value in enumerate(page))
