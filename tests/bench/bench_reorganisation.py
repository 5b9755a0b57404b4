"""The national reorganisation with ever more cards in the store, beside rewriting the address of each of them.

What is timed is the time from the decree's seal on disk to the first answer at a desk that has it. The rewrite is what
a service does that keeps today's address with every card: it reads each record, replaces the code, and writes it back
in the same store through the same Function in batches of the projector's size. It keeps no digests, which the projector
does, and it has to guess where a divided commune's card belongs.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce

from lienthong.adapters.card_codec import pack, unpack
from lienthong.adapters.card_layout import CardFact
from lienthong.adapters.event_log import READ_ENTRIES_MAX
from lienthong.adapters.projection import Before, Projection, Span
from lienthong.adapters.projection_layout import RECORD_BYTES_MAX, insurance_number, record_entry
from lienthong.adapters.register_mirror import RegisterMirror
from lienthong.adapters.registers import facts_of, shipped
from lienthong.domain.register import Register
from lienthong.domain.succession import Reference
from lienthong_schemas.streams import CARDS
from tests.bench.cards import REGISTERS, REORGANISATION, plan, projected, publish_cards, publish_set
from tests.bench.installation import Installation, free_port, installation, stop
from tests.bench.measures import Options, Report, Spread

#: Cards in the store, and how often that is measured, each time in an installation of its own.
SIZES = {10_000: 3, 100_000: 2, 1_000_000: 1}
QUICK_SIZES = {10_000: 2, 100_000: 1}
DAY = date(2025, 7, 1)
RECORDED_ON = date(2025, 6, 30)
SEEN_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One installation: seconds from seal to effect, what it wrote, and what the rewrite took instead."""

    in_force_s: float
    decree_bytes: int
    cards_unchanged: bool
    rewrite_s: float
    rewritten: int
    rewritten_bytes: int


def measure(options: Options) -> Report:
    """Measure each size."""
    sizes = QUICK_SIZES if options.quick else SIZES
    today = _today()
    return _report(
        {count: [asyncio.run(_measure(count, today)) for _ in range(rounds)] for count, rounds in sizes.items()}
    )


async def _measure(count: int, today: Mapping[str, str]) -> Measured:
    async with installation() as store:
        store.start("lienthong", "projector")
        for name in REGISTERS:
            await publish_set(store.log, name)
        await publish_cards(store.log, count)
        await projected(store, count)
        port = free_port()
        store.start("lienthong", "lookup", port=port)
        projection = Projection(store.projection, CARDS.partitions)
        await projection.open()
        before = await _content(projection)
        in_force_s, decree_bytes = await _decree(store, port)
        unchanged = await _content(projection) == before
        began = time.perf_counter()
        rewritten, rewritten_bytes = await _rewrite(projection, today)
        rewrite_s = time.perf_counter() - began
    return Measured(
        in_force_s=in_force_s,
        decree_bytes=decree_bytes,
        cards_unchanged=unchanged,
        rewrite_s=rewrite_s,
        rewritten=rewritten,
        rewritten_bytes=rewritten_bytes,
    )


async def _decree(store: Installation, port: int) -> tuple[float, int]:
    """Publish the reorganisation; return how long after its seal it was in an answer, and its bytes in the store."""
    store.start("tests.bench.witness", str(port))
    witness = store.processes.pop()
    try:
        published = await publish_set(store.log, REORGANISATION)
        assert witness.stdout is not None
        async with asyncio.timeout(SEEN_TIMEOUT_S):
            seen_at = float(await asyncio.to_thread(witness.stdout.readline))
    finally:
        stop(witness)
    (entry,) = [
        each for each in await RegisterMirror(store.projection).read_all() if each.batch_id == published.batch_id
    ]
    return max(0.0, seen_at - published.sealed_at.timestamp()), len(entry.batch)


async def _content(projection: Projection) -> tuple[object, ...]:
    """Return what stands for all that is stored of cards: positions and digests, and a hash of every record."""
    content = hashlib.sha256()
    for cell in range(projection.cells):
        for first in projection.bucket_starts():
            for key, packed in sorted(await projection.records(cell, first)):
                content.update(key + packed)
    states = [(state.position, state.facts, state.digest) for state in await projection.states()]
    return (*states, content.hexdigest())


async def _rewrite(projection: Projection, today: Mapping[str, str]) -> tuple[int, int]:
    """Give every card of a changed commune its code of today; return how many cards and bytes that wrote."""
    cards = size = 0
    for cell in range(projection.cells):
        state = (await projection.states())[cell]
        position = state.position or 0
        before = Before(position=position, facts=state.facts, digest=state.digest, records={})
        span, totals = Span(cell=cell, first=position, next=position), (state.facts, state.digest)
        waiting: list[bytes] = []
        for first in projection.bucket_starts():
            for key, packed in await projection.records(cell, first):
                changed = _with_address_of_today(key, packed, today)
                if changed is not None:
                    was_long = len(packed) > RECORD_BYTES_MAX
                    waiting.append(record_entry(key, changed, projection.buckets, was_long=was_long))
                    cards, size = cards + 1, size + len(changed)
                if len(waiting) == READ_ENTRIES_MAX:
                    await projection.write(span, before, totals, waiting)
                    waiting = []
        await projection.write(span, before, totals, waiting)
    return cards, size


def _with_address_of_today(key: bytes, packed: bytes, today: Mapping[str, str]) -> bytes | None:
    fact = unpack(insurance_number(key), packed)
    address = fact.data["address"]
    code = None if address is None else today.get(address["code"])
    if code is None:
        return None
    changed = {**address, "code": code, "recorded_on": DAY.isoformat()}
    return pack(CardFact(fact.type, {**fact.data, "address": changed}))


def _today() -> Mapping[str, str]:
    """Return the code of today for each old commune; of a divided one the first candidate, which is a guess."""
    names = (*REGISTERS, REORGANISATION)
    register = reduce(lambda folded, name: folded.with_facts(facts_of(shipped()[name])), names, Register.empty())
    found = {}
    for code in plan(1).places.communes:
        reference = Reference(level="commune", code=code, recorded_on=RECORDED_ON)
        found[code] = register.territory.resolve(reference, DAY).candidates[0].code
    return found


def _report(measured: Mapping[int, list[Measured]]) -> Report:
    rows, numbers = [], {}
    for count, rounds in measured.items():
        in_force, rewrite = (
            Spread.of([each.in_force_s for each in rounds]),
            Spread.of([each.rewrite_s for each in rounds]),
        )
        last = rounds[-1]
        written = "0" if all(each.cards_unchanged for each in rounds) else "SOME"
        rows.append(
            (
                f"{count:,}",
                in_force.text(".2f"),
                written,
                f"{last.decree_bytes:,}",
                rewrite.text(".1f"),
                f"{last.rewritten:,}",
                f"{last.rewritten_bytes:,}",
            )
        )
        numbers[str(count)] = {
            "in_force_s": in_force.json(),
            "card_bytes_written": 0 if written == "0" else None,
            "decree_bytes": last.decree_bytes,
            "rewrite_s": rewrite.json(),
            "rewritten": last.rewritten,
            "rewritten_bytes": last.rewritten_bytes,
        }
    return Report(
        title="The national reorganisation: from its seal to the first answer that has it, beside rewriting the cards",
        columns=(
            "cards",
            "in force, s",
            "card bytes",
            "decree bytes",
            "rewrite, s",
            "cards rewritten",
            "bytes rewritten",
        ),
        rows=rows,
        numbers=numbers,
        notes=(
            "Card bytes: positions, digests and every stored record compared before and after.",
            "The rewrite keeps no digests and guesses for divided communes. Medians (least–most).",
        ),
    )
