"""Rebuilding the projection from Kafka with `lienthong rebuild`, laid out as a country's would be, and bytes a card.

The cells are as many as a country's, and buckets so few that each holds as many records as a country's would: what a
card takes then is what it would take there. A look-up process runs, as the switch waits for it.
"""

import asyncio
import json
import os
import sys
import time

import psutil

from lienthong.adapters.projection import Projection
from lienthong.runtime.connection import servers
from tests.bench.cards import publish_cards
from tests.bench.distributed import Distributed, cpu_s, distributed
from tests.bench.installation import ROOT, free_port
from tests.bench.measures import Options, Report, Spread

CARDS, QUICK_CARDS = 1_000_000, 100_000
ROUNDS = 3
#: Of a country: its cards (the end of 2025), and the cells that they are spread over.
COUNTRY_CARDS, COUNTRY_CELLS = 96_460_000, 128
RECORDS_A_BUCKET = 64
FILL_TIMEOUT_S = 600.0
POLL_INTERVAL_S = 0.1
_MIB, _GIB = 2**20, 2**30


def measure(options: Options) -> Report:
    """Fill the projection, rebuild it again and again, and weigh it."""
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> Report:
    count = QUICK_CARDS if options.quick else CARDS
    buckets = max(1, count // COUNTRY_CELLS // RECORDS_A_BUCKET)
    async with distributed(partitions=COUNTRY_CELLS) as made:
        await publish_cards(made.log, count)
        empty = await _used(made), _resident(made)
        began = time.perf_counter()
        projector = made.start("lienthong", "projector")
        await _filled(made)
        filled_s = time.perf_counter() - began
        made.start("lienthong", "lookup", port=free_port())
        fragmentation = (_resident(made) - empty[1]) / (await _used(made) - empty[0])
        seconds, worker_us = [], []
        for _ in range(options.rounds(ROUNDS)):
            before = cpu_s([projector.pid])
            seconds.append(await _rebuild(made, count, buckets))
            worker_us.append((cpu_s([projector.pid]) - before) / count * 1e6)
        bytes_a_card = (await _weighed(made) - empty[0]) / count
    return _report(count, filled_s, Spread.of(seconds), Spread.of(worker_us), (bytes_a_card, fragmentation))


async def _filled(made: Distributed) -> None:
    projection = Projection(made.store, made.settings.card_partitions)
    async with asyncio.timeout(FILL_TIMEOUT_S):
        while not all(state.complete for state in await projection.states()):  # noqa: ASYNC110  # another process
            await asyncio.sleep(POLL_INTERVAL_S)


async def _rebuild(made: Distributed, count: int, buckets: int) -> float:
    """Call the command, and return how many seconds it says that it took."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lienthong", "rebuild", "--json", "--buckets", str(buckets)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **made.settings.environment()},
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output
    said = json.loads(output)
    assert said["cards"] == count, said
    await _left(made, said["before"])
    return float(said["seconds"])


async def _left(made: Distributed, generation: int) -> None:
    """Wait until nothing of a generation is stored."""
    projection = Projection(made.store, made.settings.card_partitions, generation)
    async with asyncio.timeout(FILL_TIMEOUT_S):
        while any(state.position is not None for state in await projection.states()):  # noqa: ASYNC110  # as above
            await asyncio.sleep(POLL_INTERVAL_S)


async def _weighed(made: Distributed) -> float:
    """Return the bytes used once they get no fewer: what a server lets go of it removes beside its work."""
    least = await _used(made)
    while True:
        await asyncio.sleep(1)
        used = await _used(made)
        if used >= least * 0.999:
            return used
        least = used


async def _used(made: Distributed) -> float:
    return float(sum([(await each.info("memory"))["used_memory"] for _, each in await servers(made.store)]))


def _resident(made: Distributed) -> float:
    return float(sum(psutil.Process(pid).memory_info().rss for pid in made.stores))


def _report(count: int, filled_s: float, seconds: Spread, worker_us: Spread, memory: tuple[float, float]) -> Report:
    used, fragmentation = memory
    country = used * COUNTRY_CARDS
    arithmetic = (
        f"{COUNTRY_CARDS:,} cards × {used:.0f} B = {country / _GIB:.1f} GiB in all, "
        f"{country / COUNTRY_CELLS / _MIB:.0f} MiB a cell; twice that while a generation is rebuilt."
    )
    return Report(
        title=f"{count:,} cards in {COUNTRY_CELLS} cells, rebuilt beside the generation that answers",
        columns=("", "seconds", "cards/s", "projector µs/card"),
        rows=(
            ("first filled, with the process's start", f"{filled_s:.1f}", f"{count / filled_s:,.0f}", ""),
            ("lienthong rebuild", seconds.text(".1f"), f"{count / seconds.median:,.0f}", worker_us.text(".1f")),
        ),
        numbers={
            "cards": count,
            "filled_s": filled_s,
            "rebuild_s": seconds.json(),
            "projector_us": worker_us.json(),
            "used_bytes": used,
            "resident_of_used": fragmentation,
        },
        notes=(
            f"{used:.0f} bytes a card used, index included; resident {fragmentation:.2f} times that.",
            arithmetic,
        ),
    )
