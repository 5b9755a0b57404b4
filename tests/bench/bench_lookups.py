"""Look-ups a second and how long they take, at one worker, beside the least that a look-up could be.

Every round asks each of the servers for a few seconds, one after the other, so that all of them meet the same noise;
ratios are taken within a round. All are served alike and asked alike, by a client in a process of its own.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from lienthong.adapters.generated_lookups import LookupPlan, lookup
from lienthong.adapters.outbox_backlog import backlog
from lienthong.adapters.outbox_layout import all_cells
from tests.bench.bare import CARDS as BARE_CARDS
from tests.bench.cards import REGISTERS, REORGANISATION, plan, projected, publish_cards, publish_set
from tests.bench.installation import ROOT, Installation, free_port, installation
from tests.bench.load import request, write_requests
from tests.bench.measures import Options, Report, Spread, ratios

CARD_COUNT = 20_000
QUESTIONS = 5_000
CONNECTIONS = 48
ROUNDS = 7
ROUND_S = 3.0
WARM_UP_S = 2.0
#: Every desk asks about today, which here is a day after the reorganisation.
SERVICE_DAY = "2025-08-01"
#: A packed record is about this long.
BARE_RECORD = b"r" * 80
BACKLOG_TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One server and what it is asked."""

    name: str
    port: int
    pid: int
    requests: Path


def measure(options: Options) -> Report:
    """Measure all servers in interleaved rounds."""
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> Report:
    async with installation() as store:
        subjects = await _prepare(store)
        for subject in subjects:
            await _drive(subject, WARM_UP_S)
        rounds: list[list[dict[str, float]]] = []
        for _ in range(options.rounds(ROUNDS)):
            rounds.append([])
            for subject in subjects:
                rounds[-1].append(await _round(store, subject))
    return _report(subjects, rounds)


async def _prepare(store: Installation) -> list[Subject]:
    """Fill the installation, start the servers, and write down what is asked."""
    store.start("lienthong", "projector")
    for name in (*REGISTERS, REORGANISATION):
        await publish_set(store.log, name)
    await publish_cards(store.log, CARD_COUNT)
    await projected(store, CARD_COUNT)
    questions = [
        lookup(LookupPlan(cards=plan(CARD_COUNT), card_count=CARD_COUNT), at).question | {"on": SERVICE_DAY}
        for at in range(QUESTIONS)
    ]
    await store.projection.hset(BARE_CARDS, mapping={f"{at}": BARE_RECORD for at in range(QUESTIONS)})
    root = store.directory.root
    ours, numbers, bare = root / "ours", root / "numbers", root / "bare"
    bodies = [orjson.dumps(question) for question in questions]
    write_requests(ours, [request("/v1/eligibility", body) for body in bodies])
    by_number = [body for body in bodies if b'"kind":"card_qr"' in body or b'"kind":"insurance_number"' in body]
    write_requests(numbers, [request("/v1/eligibility", body) for body in by_number])
    write_requests(bare, [request(f"/cards/{at}", body) for at, body in enumerate(bodies)])
    port, reading, appending = free_port(), free_port(), free_port()
    pid = store.start("lienthong", "lookup", port=port)
    socket = str(store.directory.socket("projection"))
    reader = store.start("tests.bench.bare", "read", socket, str(reading))
    appender = store.start("tests.bench.bare", "append", socket, str(appending))
    return [
        Subject(name="one coalesced HGET", port=reading, pid=reader, requests=bare),
        Subject(name="HGET and a durable XADD", port=appending, pid=appender, requests=bare),
        Subject(name="Lien Thong, all ways", port=port, pid=pid, requests=ours),
        Subject(name="Lien Thong, number or card QR", port=port, pid=pid, requests=numbers),
    ]


async def _round(store: Installation, subject: Subject) -> dict[str, float]:
    """Ask for one round; the processor time of an answer includes relaying its decision."""
    before = _cpu_s(subject)
    measured = await _drive(subject, ROUND_S)
    await _relayed(store)
    return measured | {"cpu_us": (_cpu_s(subject) - before) / (measured["per_second"] * ROUND_S) * 1e6}


def _cpu_s(subject: Subject) -> float:
    times = psutil.Process(subject.pid).cpu_times()
    return float(times.user + times.system)


async def _drive(subject: Subject, seconds: float) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench.load", str(subject.port), str(subject.requests), str(CONNECTIONS), str(seconds)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, subject
    measured: dict[str, float] = json.loads(output)
    return measured


async def _relayed(store: Installation) -> None:
    """Wait until the outbox is empty: what one round left to do must not be done in the next."""
    async with asyncio.timeout(BACKLOG_TIMEOUT_S):
        while (await backlog(store.projection, all_cells(store.log))).entries:  # noqa: ASYNC110 -- the relay is another process
            await asyncio.sleep(POLL_INTERVAL_S)


def _report(subjects: list[Subject], rounds: list[list[dict[str, float]]]) -> Report:
    rows: list[tuple[str, ...]] = []
    numbers: dict[str, dict[str, Any]] = {}
    for at, subject in enumerate(subjects):
        seen = [measured[at] for measured in rounds]
        rate = [each["per_second"] for each in seen]
        beside = [ratios(rate, [measured[other]["per_second"] for measured in rounds]) for other in (0, 1)]
        spreads = {key: Spread.of([each[key] for each in seen]) for key in ("per_second", "p50_ms", "p99_ms", "cpu_us")}
        not_200 = sum(each["not_200"] for each in seen)
        rows.append(
            (
                subject.name,
                spreads["per_second"].text(),
                spreads["p50_ms"].text(".1f"),
                spreads["p99_ms"].text(".1f"),
                spreads["cpu_us"].text(),
                *(spread.text(".2f") for spread in beside),
            )
        )
        numbers[subject.name] = {key: spread.json() for key, spread in spreads.items()} | {
            "of_hget": beside[0].json(),
            "of_hget_and_xadd": beside[1].json(),
            "not_200": not_200,
        }
    busiest = max(each["client_cpu"] for measured in rounds for each in measured)
    return Report(
        title="Look-ups over HTTP, one worker",
        columns=("server", "a second", "p50 ms", "p99 ms", "CPU µs", "of HGET", "of HGET + XADD"),
        rows=rows,
        numbers=numbers,
        notes=(
            f"{len(rounds)} interleaved rounds of {ROUND_S:.0f} s, {CONNECTIONS} connections; medians (least–most).",
            "All ways: number, card QR, citizen ID (two reads), its QR and its chip, as generated look-ups mix them.",
            "Ours decides, seals and stores every decision, and relays it to the log in the same process.",
            f"Not answered 200: {_refusals(numbers)}. The client was busy for {busiest:.0%} of a core at most.",
        ),
    )


def _refusals(numbers: dict[str, Any]) -> int:
    return int(sum(each["not_200"] for each in numbers.values()))
