"""Filling a store from a Kafka topic, timed from the first twentieth of the events to the last, and what it cost.

What comes before the first twentieth (joining a group, creating stores, filling caches) is told apart.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lienthong.adapters.card_codec import revision_of
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_layout import DIGEST_MODULUS
from lienthong.runtime.connection import servers
from lienthong_schemas.streams import CARDS
from tests.bench.cards import Truth, revised_events
from tests.bench.distributed import Distributed, cpu_s
from tests.bench.measures import Spread

WARM_UP_PARTS = 20
PATIENCE_S = 240.0
POLL_INTERVAL_S = 0.02
_US = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How many events were handled by then, and the seconds of processor that worker, store and broker had used."""

    at: float
    events: int
    worker_s: float
    store_s: float
    broker_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One filling: events a second, microseconds of processor for each, and seconds until the first twentieth."""

    a_second: float
    worker_us: float
    store_us: float
    broker_us: float
    start_s: float

    @classmethod
    def between(cls, start: float, began: Moment, ended: Moment) -> "Cost":
        """Return what lies between two moments; `start` is when the worker was told to begin."""
        events = ended.events - began.events
        return cls(
            a_second=events / (ended.at - began.at),
            worker_us=_US * (ended.worker_s - began.worker_s) / events,
            store_us=_US * (ended.store_s - began.store_s) / events,
            broker_us=_US * (ended.broker_s - began.broker_s) / events,
            start_s=began.at - start,
        )


def moment(made: Distributed, events: int, *workers: int, stores: Sequence[int] = ()) -> Moment:
    """Return this moment."""
    return Moment(
        at=time.perf_counter(),
        events=events,
        worker_s=cpu_s(workers),
        store_s=cpu_s(stores),
        broker_s=cpu_s(made.brokers),
    )


async def publish_revised(made: Distributed, events: int) -> Truth:
    """Append so many events of cards to the log, and return what a store must hold after them."""
    truth = Truth()
    for chunk in revised_events(events, truth):
        await made.log.append_many(CARDS.name, chunk)
    return truth


async def empty_store(made: Distributed) -> None:
    """Remove all that is stored."""
    for _, primary in await servers(made.store):
        await primary.flushall()


async def fill(made: Distributed, events: int) -> Cost:
    """Empty the store, and let a projector of its own fill it from the log."""
    await empty_store(made)
    projection = Projection(made.store, made.settings.card_partitions)
    start = time.perf_counter()
    projector = made.start("lienthong", "projector")
    began = await _reached(made, projection, projector.pid, events // WARM_UP_PARTS)
    ended = await _reached(made, projection, projector.pid, events)
    made.stop(projector)
    return Cost.between(start, began, ended)


async def _reached(made: Distributed, projection: Projection, worker: int, events: int) -> Moment:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            stands = sum(state.position or 0 for state in await projection.states())
            if stands >= events:
                return moment(made, stands, worker, stores=made.stores)
            await asyncio.sleep(POLL_INTERVAL_S)


async def verify(made: Distributed, truth: Truth) -> None:
    """Assert that each card is in the store once, at its highest revision, and that the digests are theirs."""
    projection = Projection(made.store, made.settings.card_partitions)
    await projection.learn()
    cards = revisions = 0
    for cell in range(projection.cells):
        for first in projection.bucket_starts():
            for _, packed in await projection.records(cell, first):
                cards, revisions = cards + 1, revisions + revision_of(packed)
    assert (cards, revisions) == (truth.cards, truth.revisions), (cards, revisions, truth.cards, truth.revisions)
    assert sum(state.digest for state in await projection.states()) % DIGEST_MODULUS == truth.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The spreads of repeated fillings."""

    a_second: Spread
    worker_us: Spread
    store_us: Spread
    broker_us: Spread
    start_s: Spread

    @classmethod
    def of(cls, rounds: Sequence[Cost]) -> "Costs":
        """Return the spreads of one or more fillings."""
        return cls(
            a_second=Spread.of([each.a_second for each in rounds]),
            worker_us=Spread.of([each.worker_us for each in rounds]),
            store_us=Spread.of([each.store_us for each in rounds]),
            broker_us=Spread.of([each.broker_us for each in rounds]),
            start_s=Spread.of([each.start_s for each in rounds]),
        )

    def texts(self) -> tuple[str, ...]:
        """Return events a second, and microseconds of worker, store and broker for each."""
        return (
            self.a_second.text(),
            self.worker_us.text(".1f"),
            self.store_us.text(".1f"),
            self.broker_us.text(".1f"),
            self.start_s.text(".1f"),
        )

    def json(self) -> dict[str, Any]:
        """Return them for programs."""
        return {
            "a_second": self.a_second.json(),
            "worker_us": self.worker_us.json(),
            "store_us": self.store_us.json(),
            "broker_us": self.broker_us.json(),
            "start_s": self.start_s.json(),
        }
