"""Cards projected a second from Kafka, and what one costs projector, store and broker, digests and index included.

Broker, store and projector share the machine. Each round empties the store and starts a projector of its own, which
reads a topic that is already full; rounds of a single store and of three primaries take turns.
"""

import asyncio

from tests.bench.distributed import PRIMARIES, distributed
from tests.bench.filling import Cost, Costs, fill, publish_revised, verify
from tests.bench.measures import Options, Report

EVENTS, QUICK_EVENTS = 300_000, 100_000
ROUNDS = 5


def measure(options: Options) -> Report:
    """Measure both kinds of store."""
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> Report:
    events = QUICK_EVENTS if options.quick else EVENTS
    rounds: dict[str, list[Cost]] = {"one store": [], f"a cluster of {PRIMARIES} primaries": []}
    async with distributed() as single, distributed(clustered=True) as clustered:
        both = list(zip(rounds, (single, clustered), strict=True))
        truths = [await publish_revised(made, events) for _, made in both]
        for _ in range(options.rounds(ROUNDS)):
            for (name, made), truth in zip(both, truths, strict=True):
                rounds[name].append(await fill(made, events))
                await verify(made, truth)
    costs = {name: Costs.of(seen) for name, seen in rounds.items()}
    return Report(
        title=f"{events:,} card events from Kafka into the projection, digests and index included, AOF always",
        columns=("", "events/s", "projector µs", "store µs", "broker µs", "start s"),
        rows=tuple((name, *cost.texts()) for name, cost in costs.items()),
        numbers={"events": events, **{name: cost.json() for name, cost in costs.items()}},
        notes=(
            "One event of ten is the other revision of an earlier card; what is stored is verified after each round.",
            "Start: from starting the process to a twentieth of the events, which the rate leaves out.",
        ),
    )
