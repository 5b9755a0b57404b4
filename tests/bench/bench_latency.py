"""From a look-up's event to its answer through Kafka, at rising rates, with one look-up process and with two.

Everything shares the machine: broker, store, projector, look-up processes, and who asks. A rate is kept where
what waits does not grow; beyond that the log holds it, and times say nothing but how long it lasted.
The first rate that is not kept is the last one; what is answered until nothing waits any more is the most there is.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lienthong.adapters.generated_lookups import LookupPlan, lookup, lookup_line
from lienthong.adapters.projection import Projection
from tests.bench.asker import ID
from tests.bench.cards import PROJECTED_TIMEOUT_S, REGISTERS, REORGANISATION, plan, publish_cards, publish_set
from tests.bench.distributed import Distributed, cpu_s, distributed
from tests.bench.installation import ROOT, free_port
from tests.bench.load import write_requests
from tests.bench.measures import Options, Report

CARD_COUNT = 20_000
QUESTIONS = 5_000
RATES, QUICK_RATES = (250, 500, 1_000, 1_500, 2_000, 3_000, 5_000), (250, 1_000, 5_000)
PROCESSES = (1, 2)
ROUND_S = 8.0
WARM_UP = (500.0, 4.0)
POLL_INTERVAL_S = 0.05
#: Where the last hundredth waited longer than this, what waits was growing.
KEPT_P99_MS = 2_000

Measured = dict[str, float]


def measure(options: Options) -> Report:
    """Measure each rate, with each number of look-up processes."""
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> Report:
    rates = QUICK_RATES if options.quick else RATES
    seen: dict[int, dict[int, Measured]] = {}
    async with distributed() as made:
        questions = await _prepare(made)
        for processes in PROCESSES:
            made.start("lienthong", "lookup", port=free_port())
            await _ask(made, questions, *WARM_UP)
            seen[processes] = await _climb(made, questions, rates)
    return _report(seen)


async def _climb(made: Distributed, questions: Path, rates: Sequence[int]) -> dict[int, Measured]:
    """Ask at each rate up to the first that is not kept, which shows how many a second can be."""
    seen: dict[int, Measured] = {}
    for rate in rates:
        seen[rate] = await _ask(made, questions, rate, ROUND_S)
        if not _kept(seen[rate]):
            break
    return seen


async def _prepare(made: Distributed) -> Path:
    """Publish registers and cards, wait until they are projected, and write down what is asked."""
    made.start("lienthong", "projector")
    for name in (*REGISTERS, REORGANISATION):
        await publish_set(made.log, name)
    await publish_cards(made.log, CARD_COUNT)
    projection = Projection(made.store, made.settings.card_partitions)
    async with asyncio.timeout(PROJECTED_TIMEOUT_S):
        while not all(state.complete for state in await projection.states()):  # noqa: ASYNC110  # another process
            await asyncio.sleep(POLL_INTERVAL_S)
    asked = (lookup(LookupPlan(cards=plan(CARD_COUNT), card_count=CARD_COUNT), at) for at in range(QUESTIONS))
    file = made.directory.root / "lookups"
    write_requests(
        file,
        [
            each.question["facility_code"].encode() + b"\n" + lookup_line(each).rstrip().replace(each.id.encode(), ID)
            for each in asked
        ],
    )
    return file


async def _ask(made: Distributed, questions: Path, rate: float, seconds: float) -> Measured:
    """Ask at one rate, and add what an answer cost the look-up processes."""
    workers = [process.pid for process in made.processes[1:]]
    before = cpu_s(workers)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench.asker", str(made.settings.kafka_servers), str(questions), str(rate), str(seconds)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, rate
    measured: Measured = json.loads(output)
    return measured | {"cpu_us": (cpu_s(workers) - before) / measured["answered"] * 1e6}


def _report(seen: dict[int, dict[int, Measured]]) -> Report:
    rows: list[tuple[str, ...]] = []
    numbers: dict[str, Any] = {}
    for processes, by_rate in seen.items():
        numbers[f"processes_{processes}"] = {str(rate): measured for rate, measured in by_rate.items()}
        rows.extend(
            (
                str(processes),
                f"{rate:,}",
                f"{measured['answered_per_second']:,.0f}",
                f"{measured['until_all_per_second']:,.0f}",
                "yes" if _kept(measured) else "no",
                f"{measured['p50_ms']:,.0f}",
                f"{measured['p99_ms']:,.0f}",
                f"{measured['cpu_us']:,.0f}",
            )
            for rate, measured in by_rate.items()
        )
    unanswered = sum(measured["unanswered"] for by_rate in seen.values() for measured in by_rate.values())
    return Report(
        title="Look-ups by event: from being due to the answer's arrival, through Kafka",
        columns=("processes", "asked a second", "answered", "until all were", "kept", "p50 ms", "p99 ms", "CPU µs"),
        rows=rows,
        numbers=numbers,
        notes=(
            f"{ROUND_S:.0f} s each; answered a second while asking lasted, and until the last one was.",
            f"Never answered: {unanswered:.0f}.",
        ),
    )


def _kept(measured: Measured) -> bool:
    return measured["p99_ms"] <= KEPT_P99_MS
