"""Compares the projection with a fold of the log that it is made of: cells of cards, their index, the register."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from redis.asyncio import Redis

from lienthong.adapters import card_codec
from lienthong.adapters.event_log import EventLog, partition_of
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_layout import INDEX_CELLS, insurance_number, key_of
from lienthong.adapters.register_codec import unpack_batch
from lienthong.adapters.register_log import RegisterReader
from lienthong.adapters.register_mirror import FIRST, SWITCH, RegisterMirror, chained
from lienthong.adapters.registers import fact_of
from lienthong.adapters.wire import Event, decode
from lienthong.domain.facts import FactSet
from lienthong.domain.register import Register
from lienthong_schemas.streams import CARDS
from tests.support.audit import Finding, Ledger, Partitions

_NUMBER_BYTES = 5


def fold_cards(values: Iterable[bytes]) -> FactSet:
    """Fold card facts; what is no card fact counts for nothing."""
    return _folded(values, lambda _number: True)


def _folded(values: Iterable[bytes], belongs: Callable[[str], bool]) -> FactSet:
    facts = FactSet()
    for value in values:
        event = decode(value, CARDS)
        if isinstance(event, Event) and belongs(event.envelope.subject):
            facts.add(fact_of(event.type, event.data))
    return facts


def _fold_partition(values: Sequence[bytes], partition: int, partitions: int) -> FactSet:
    """Fold the facts of the cards that belong into a partition; any other there counts for nothing."""
    return _folded(values, lambda number: partition_of(number, partitions) == partition)


async def audit_cards(partitions: Partitions, projection: Projection) -> list[Finding]:
    """Compare the cells of cards, and their index, with a fold of the partitions they are made of."""
    found: list[Finding] = []
    folded = [_fold_partition(values, at, len(partitions)) for at, values in enumerate(partitions)]
    for cell, (values, facts, state) in enumerate(zip(partitions, folded, await projection.states(), strict=True)):
        if state.position != len(values):
            found.append(Finding("cell has not read its partition", f"{cell}: {state.position} of {len(values)}"))
        if (state.facts, state.digest) != (len(facts.winners), facts.facts_digest):
            found.append(Finding("sums of a cell differ", f"{cell}: {state.facts} facts for {len(facts.winners)}"))
        stored = await _stored(projection, cell)
        wanted = {number: fact.sha256 for (_, number), fact in facts.winners.items()}
        found += [Finding("card missing", f"{cell}: {number}") for number in wanted.keys() - stored.keys()]
        found += [Finding("card of nobody", f"{cell}: {number}") for number in stored.keys() - wanted.keys()]
        both = wanted.keys() & stored.keys()
        found += [Finding("card outdated", f"{cell}: {each}") for each in both if wanted[each] != stored[each]]
    return found + await _audit_index(folded, partitions, projection)


async def _stored(projection: Projection, cell: int) -> dict[str, bytes]:
    stored = {}
    for first in projection.bucket_starts():
        for key, packed in await projection.records(cell, first):
            number = insurance_number(key)
            stored[number] = card_codec.digest(card_codec.unpack(number, packed))
    return stored


async def _audit_index(folded: Sequence[FactSet], partitions: Partitions, projection: Projection) -> list[Finding]:
    found = [
        Finding("index has not read a partition", f"i{index}: {position} of {len(partitions[cell])} of cell {cell}")
        for index, positions in enumerate(await projection.index_positions())
        for cell, position in enumerate(positions)
        if position != len(partitions[cell])
    ]
    candidates = await _candidates(projection)
    repeated = [numbers for numbers in candidates.values() if len(set(numbers)) != len(numbers)]
    found += [Finding("index names a card twice", str(len(numbers))) for numbers in repeated]
    for facts in folded:
        for (_, number), fact in facts.winners.items():
            if any(key_of(number) not in candidates.get(key_of(each), ()) for each in fact.data["citizen_ids"]):
                found.append(Finding("index lacks a card", number))
    return found


async def _candidates(projection: Projection) -> dict[bytes, list[bytes]]:
    """Return the numbers that the index has for each citizen ID, by their keys."""
    candidates: dict[bytes, list[bytes]] = {}
    for index in range(INDEX_CELLS):
        prefix = projection.keys.index_state(index).removesuffix("state")
        for name in await projection.redis.keys(f"{prefix}b*"):
            entries: dict[Any, Any] = await projection.redis.hgetall(name)
            for citizen, numbers in entries.items():
                parts = [numbers[at : at + _NUMBER_BYTES] for at in range(0, len(numbers), _NUMBER_BYTES)]
                candidates.setdefault(citizen, []).extend(parts)
    return candidates


async def audit_register(log: EventLog, redis: Redis, ledger: Ledger, generation: int = 1) -> list[Finding]:
    """Compare a generation's mirror of the register with a fold of its stream, and both with what was said to stand."""
    wanted = await RegisterReader(log).refresh()
    entries = await RegisterMirror(redis, generation).read_all()
    found = [Finding("accepted batch lost", each) for each in ledger.batches if not wanted.has_accepted(each)]
    if not chained(entries, FIRST):
        return [*found, Finding("mirror has a gap", str([entry.id for entry in entries]))]
    batches = [entry for entry in entries if not entry.batch_id.startswith(SWITCH)]
    mirrored = Register.of(unpack_batch(entry.batch, entry.position) for entry in batches)
    if [each.batch_id for each in mirrored.batches] != [each.batch_id for each in wanted.batches]:
        found.append(Finding("batches of the mirror differ", f"{len(mirrored.batches)} for {len(wanted.batches)}"))
    digests = [(each.state_digest, each.facts_digest, each.position) for each in (mirrored, wanted)]
    if digests[0] != digests[1]:
        found.append(Finding("digests of the register differ", str(digests)))
    return found
