"""Cards projected a second, what one costs the projector and its store, and the bytes it takes, beside a hash a card.

The projector is a process of its own and reads a log that is already full. Each round empties the store under it, so
that it fills everything again; what is timed is the middle of that, from the first twentieth of the cards to the last.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import psutil
from redis.asyncio import Redis

from lienthong.adapters.projection import Projection
from lienthong_schemas.streams import CARDS
from tests.bench.cards import keyed_events, publish_cards
from tests.bench.installation import Installation, installation
from tests.bench.measures import Options, Report, Spread

CARD_COUNT, QUICK_CARD_COUNT = 200_000, 50_000
ROUNDS = 5
#: What is read before it makes the beginning of a round, which notices the flush and makes the cells, and is not timed.
WARM_UP_SHARE = 0.05
ROUND_TIMEOUT_S = 120.0
POLL_INTERVAL_S = 0.02
PER_CARD = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One moment of a round: cards projected, and the seconds of processor that either process has used."""

    at: float
    cards: int
    projector_s: float
    server_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the store's server uses and what the system gave it, in bytes."""

    used: float
    resident: float

    def beyond(self, empty: "Memory", cards: int) -> "Memory":
        """Return what each of the cards has taken."""
        return Memory(used=(self.used - empty.used) / cards, resident=(self.resident - empty.resident) / cards)


def measure(options: Options) -> Report:
    """Measure the projector, and the same cards as a hash each."""
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> Report:
    count = QUICK_CARD_COUNT if options.quick else CARD_COUNT
    async with installation() as store:
        await publish_cards(store.log, count)
        empty = await _memory(store)
        projector = psutil.Process(store.start("lienthong", "projector"))
        rounds = [await _round(store, projector, count) for _ in range(options.rounds(ROUNDS))]
        memory = (await _memory(store)).beyond(empty, count)
        projector.suspend()
        await store.projection.flushall()
        hashes_a_second = await _hash_a_card(store.projection, count)
        hashes = (await _memory(store)).beyond(empty, count)
        projector.resume()
    return _report(count, rounds, memory, (hashes_a_second, hashes))


async def _round(store: Installation, projector: psutil.Process, count: int) -> tuple[Sample, Sample]:
    """Empty the store, and return the moments between which the projector filled it again."""
    projection = Projection(store.projection, CARDS.partitions)
    server = psutil.Process(store.projection_server.pid)
    await store.projection.flushall()
    began = await _until(projection, projector, server, lambda cards: WARM_UP_SHARE * count <= cards < count)
    return began, await _until(projection, projector, server, lambda cards: cards >= count)


async def _until(
    projection: Projection, projector: psutil.Process, server: psutil.Process, reached: Callable[[int], bool]
) -> Sample:
    end = time.monotonic() + ROUND_TIMEOUT_S
    while time.monotonic() < end:
        cards = sum(state.facts for state in await projection.states())
        if reached(cards):
            return Sample(at=time.perf_counter(), cards=cards, projector_s=_cpu_s(projector), server_s=_cpu_s(server))
        await asyncio.sleep(POLL_INTERVAL_S)
    raise TimeoutError


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _memory(store: Installation) -> Memory:
    used = (await store.projection.info("memory"))["used_memory"]
    return Memory(used=used, resident=psutil.Process(store.projection_server.pid).memory_info().rss)


async def _hash_a_card(redis: Redis, count: int) -> float:
    """Store each card as a hash with a field for each part of it, and return how many a second."""
    spent = 0.0
    for chunk in keyed_events(count):
        rows = [(f"card:{number}", _fields(orjson.loads(value)["data"])) for number, value in chunk]
        began = time.perf_counter()
        async with redis.pipeline(transaction=False) as pipeline:
            for name, fields in rows:
                pipeline.hset(name, mapping=fields)  # type: ignore[arg-type]  # the stub wants every kind of value at once
            await pipeline.execute()
        spent += time.perf_counter() - began
    return count / spent


def _fields(data: dict[str, Any]) -> dict[str, bytes]:
    return {name: value.encode() if isinstance(value, str) else orjson.dumps(value) for name, value in data.items()}


def _report(count: int, rounds: list[tuple[Sample, Sample]], memory: Memory, hashes: tuple[float, Memory]) -> Report:
    a_second = Spread.of([(end.cards - began.cards) / (end.at - began.at) for began, end in rounds])
    projector_us, server_us = (
        Spread.of([PER_CARD * spent(began, end) / (end.cards - began.cards) for began, end in rounds])
        for spent in (_projector_s, _server_s)
    )
    hashes_a_second, hashes_memory = hashes
    return Report(
        title=f"{count:,} cards into the projection, digests and citizen-ID index included, AOF always",
        columns=("", "cards/s", "projector µs/card", "store µs/card", "bytes used/card", "resident/card"),
        rows=(
            (
                "projector",
                a_second.text(),
                projector_us.text(".1f"),
                server_us.text(".1f"),
                f"{memory.used:.0f}",
                f"{memory.resident:.0f}",
            ),
            (
                "a hash a card, no index, no digest",
                f"{hashes_a_second:,.0f}",
                "",
                "",
                f"{hashes_memory.used:.0f}",
                f"{hashes_memory.resident:.0f}",
            ),
        ),
        numbers={
            "cards": count,
            "cards_a_second": a_second.json(),
            "projector_us": projector_us.json(),
            "server_us": server_us.json(),
            "used_bytes": memory.used,
            "resident_bytes": memory.resident,
            "hash_a_card": {
                "cards_a_second": hashes_a_second,
                "used_bytes": hashes_memory.used,
                "resident_bytes": hashes_memory.resident,
            },
        },
        notes=(
            "The more cards there are, the fewer bytes each takes of its bucket's own: they are made for a million.",
        ),
    )


def _projector_s(began: Sample, end: Sample) -> float:
    return end.projector_s - began.projector_s


def _server_s(began: Sample, end: Sample) -> float:
    return end.server_s - began.server_s
