"""The digest of the cards as the log alone gives it: every partition folded, up to a position."""

from collections.abc import Sequence
from dataclasses import dataclass

from lienthong.adapters.card_codec import digest
from lienthong.adapters.card_wire import decode_card
from lienthong.adapters.event_log import Entry, EventLog, Recreated, Trimmed, entries_per_read
from lienthong.adapters.projection_layout import cell_of
from lienthong.adapters.wire import Refusal
from lienthong.cli.console import fail, progress_bar
from lienthong.domain.facts import DIGEST_MODULUS
from lienthong_schemas.streams import CARDS

#: The winner of each number: its revision and SHA-256, which decide between two facts in this order.
_Winners = dict[str, tuple[int, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardsDigest:
    """How many cards there are, the sum of their facts' SHA-256, and the position in each partition that this is of."""

    facts: int
    digest: int
    positions: tuple[int, ...]


async def cards_of_log(log: EventLog, positions: Sequence[int]) -> CardsDigest:
    """Fold each partition up to its position; ends the command where the log lacks what was there."""
    facts = total = 0
    with progress_bar("reading the log", sum(positions)) as bar:
        for partition, end in enumerate(positions):
            winners: _Winners = {}
            position = 0
            while position < end:
                count = min(entries_per_read(CARDS), end - position)
                page = await log.read(CARDS.name, partition, position, count)
                if isinstance(page, Trimmed | Recreated) or not page:
                    fail(
                        f"{CARDS.name}/{partition} does not hold what was projected from it.",
                        "The projection is of another log; flush it, and it is filled from this one.",
                    )
                _fold(page, partition, len(positions), winners)
                bar.advance(len(page))
                position += len(page)
            facts += len(winners)
            total += sum(int.from_bytes(sha256, "big") for _, sha256 in winners.values())
    return CardsDigest(facts=facts, digest=total % DIGEST_MODULUS, positions=tuple(positions))


def _fold(page: Sequence[Entry], partition: int, partitions: int, winners: _Winners) -> None:
    """Let each fact compete; what is unreadable or in another's partition is set aside by the projector as well."""
    for entry in page:
        fact = decode_card(entry.value)
        if isinstance(fact, Refusal) or cell_of(fact.data["id"], partitions) != partition:
            continue
        offered = (fact.data["revision"], digest(fact))
        held = winners.get(fact.data["id"])
        if held is None or offered > held:
            winners[fact.data["id"]] = offered
