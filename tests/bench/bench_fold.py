"""The whole register at the start of a look-up process: read from the mirror and folded, beside parsing it alone."""

import asyncio
import time
import zlib

import orjson

from lienthong.adapters.register_feed import RegisterFeed
from lienthong.adapters.register_mirror import MirrorEntry, RegisterMirror
from lienthong.runtime import garbage
from lienthong.runtime.clock import SystemClock
from tests.bench.cards import REGISTERS, REORGANISATION, publish_set
from tests.bench.installation import Installation, installation
from tests.bench.measures import Options, Report, Spread, ratios

ROUNDS = 9
READY_TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.05


def measure(options: Options) -> Report:
    """Fold the register from a real mirror, again and again."""
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> Report:
    garbage.collect_seldom()  # as every process of the service does
    async with installation() as store:
        store.start("lienthong", "projector")
        for name in (*REGISTERS, REORGANISATION):
            await publish_set(store.log, name)
        entries = await _mirrored(store, len(REGISTERS) + 1)
        folded, parsed = [], []
        facts = 0
        for _ in range(options.rounds(ROUNDS)):
            began = time.perf_counter()
            feed = RegisterFeed(store.projection, SystemClock())
            await feed.refresh()
            folded.append(time.perf_counter() - began)
            facts = len(feed.register.facts.winners)
            began = time.perf_counter()
            for entry in entries:
                orjson.loads(zlib.decompress(entry.batch))
            parsed.append(time.perf_counter() - began)
    return _report(facts, folded, parsed)


async def _mirrored(store: Installation, batches: int) -> list[MirrorEntry]:
    """Return the mirror's entries once all batches are there."""
    mirror = RegisterMirror(store.projection)
    async with asyncio.timeout(READY_TIMEOUT_S):
        while (await mirror.stands()).entries < batches:  # noqa: ASYNC110 -- the projector is another process
            await asyncio.sleep(POLL_INTERVAL_S)
    return await mirror.read_all()


def _report(facts: int, folded: list[float], parsed: list[float]) -> Report:
    fold, parse, ratio = Spread.of(folded), Spread.of(parsed), ratios(folded, parsed)
    return Report(
        title=f"The register at start: {facts:,} facts",
        columns=("", "seconds", "of parsing alone"),
        rows=(
            ("read from the mirror, verified and folded", fold.text(".2f"), ratio.text(".1f")),
            ("parsed alone", parse.text(".2f"), "1.0"),
        ),
        numbers={"facts": facts, "fold_s": fold.json(), "parse_s": parse.json(), "of_parsing": ratio.json()},
        notes=(f"{len(folded)} rounds; medians (least–most).",),
    )
