"""The same topic materialised by our projector, by Kafka Streams and by Quix Streams, side by side.

`python -m tests.bench.peers [--events N] [--rounds N] [--json FILE]`; README.md beside this says what each does.
"""

import argparse
import asyncio
import json
from pathlib import Path

import psutil
from rich.console import Console

from tests.bench.cards import Truth
from tests.bench.distributed import distributed
from tests.bench.filling import Cost, Costs, publish_revised
from tests.bench.measures import Report, ratios
from tests.bench.peers.contestants import Contestant, Job, KafkaStreams, KafkaStreamsWhole, LienThong, QuixStreams
from tests.bench.peers.ledger import ledger

EVENTS, ROUNDS = 300_000, 5


async def compete(events: int, rounds: int) -> Report:
    """Let each do the job in turn, `rounds` times after it got warm, and return how they compare."""
    contestants: list[Contestant] = [LienThong(), KafkaStreamsWhole(), KafkaStreams(), QuixStreams()]
    async with distributed() as made:
        truth = await publish_revised(made, events)
        servers = made.settings.kafka_servers
        assert servers is not None
        try:
            async with ledger(servers) as books:
                job = Job(made=made, events=events, truth=truth, ledger=books)
                first = {each.name: await _first(each, job) for each in contestants}
                seen: dict[str, list[Cost]] = {each.name: [] for each in contestants}
                for _ in range(rounds):
                    for each in contestants:
                        seen[each.name].append(await each.round(job))
        finally:
            for each in contestants:
                await each.close()
    return _report(truth, events, first, seen)


async def _first(contestant: Contestant, job: Job) -> Cost:
    """Let it get warm, and return what its first round of all cost."""
    rounds = [await contestant.round(job) for _ in range(contestant.rounds_unmeasured)]
    return rounds[0]


def _report(truth: Truth, events: int, first: dict[str, Cost], seen: dict[str, list[Cost]]) -> Report:
    ours = seen[LienThong.name]
    rows, numbers = [], {}
    for name, rounds in seen.items():
        costs = Costs.of(rounds)
        rate = ratios([each.a_second for each in ours], [each.a_second for each in rounds])
        worker = ratios([each.worker_us for each in ours], [each.worker_us for each in rounds])
        total = ratios(*([_total_us(each) for each in both] for both in (ours, rounds)))
        rows.append((name, *costs.texts(), rate.text(".2f"), worker.text(".2f"), total.text(".2f")))
        numbers[name] = costs.json() | {
            "our_rate": rate.json(),
            "our_worker": worker.json(),
            "our_total": total.json(),
            "first_round": {"a_second": first[name].a_second, "worker_us": first[name].worker_us},
        }
    cold = first[KafkaStreams.name]
    return Report(
        title=f"{events:,} events of {truth.cards:,} cards from one Kafka topic, each card's highest revision kept",
        columns=(
            "",
            "events/s",
            "worker µs",
            "store µs",
            "broker µs",
            "start s",
            "our rate: its",
            "our worker: its",
            "all of ours: its",
        ),
        rows=rows,
        numbers={"events": events, "cards": truth.cards, **numbers},
        notes=(
            f"A JVM that has just started: {cold.a_second:,.0f} events/s, {cold.worker_us:.1f} µs each.",
            "Ours also validates each event, keeps digests and a citizen-ID index, and has each batch on disk.",
            f"Medians (least–most), rounds take turns; load {psutil.getloadavg()[0]:.1f} at the end.",
        ),
    )


def _total_us(cost: Cost) -> float:
    return cost.worker_us + cost.store_us + cost.broker_us


def main() -> None:
    """Print the comparison, and write the numbers into a file if one was named."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="events in the topic")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measured rounds of each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    given = parser.parse_args()
    report = asyncio.run(compete(given.events, given.rounds))
    report.show(Console(width=None if Console().is_terminal else 160))
    if given.json is not None:
        given.json.write_text(f"{json.dumps(report.numbers, indent=1)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
