"""What the store of a demonstration holds, byte for byte, and how its cards are answered before and after a decree."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from lienthong.adapters.card_codec import card
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_layout import insurance_number
from lienthong.cli.console import progress_bar
from lienthong.cli.sample import Comparison
from lienthong_schemas.streams import CARDS

#: However late it is, so long a comparison is worth showing.
_COMPARE_S_MIN: Final = 5.0
#: Cards between two looks at the clock.
_STRIDE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """All cards of the store: every packed record, how far each cell has read, and how many events the log has."""

    records: Mapping[bytes, bytes]
    positions: tuple[int | None, ...]
    events: int

    @property
    def size_bytes(self) -> int:
        """Return the length of all packed records together."""
        return sum(map(len, self.records.values()))

    def written_since(self, earlier: "Holdings") -> int:
        """Return how many bytes of cards were written between two looks, by comparing every record."""
        changed = (packed for key, packed in self.records.items() if earlier.records.get(key) != packed)
        return sum(map(len, changed))


async def holdings(projection: Projection, log: EventLog) -> Holdings:
    """Read every record of every cell."""
    await projection.learn()
    records: dict[bytes, bytes] = {}
    for cell in range(projection.cells):
        for first_bucket in projection.bucket_starts():
            records.update(await projection.records(cell, first_bucket))
    bounds = await log.bounds(CARDS.name)
    return Holdings(
        records=records,
        positions=tuple(state.position for state in await projection.states()),
        events=sum(each.end for each in bounds.values()),
    )


def compare(held: Holdings, comparison: Comparison, until: float) -> float:
    """Answer for the cards under both registers, all of them or as many as fit, and return the seconds it took.

    `until` is a moment of the monotonic clock: the demonstration is over within a minute on a slow machine too.

    The order of the store is that of a hash of the numbers, so that its first cards are a fair sample of all.
    """
    began = time.monotonic()
    comparison.of_cards = len(held.records)
    with progress_bar("answers before and after", comparison.of_cards) as bar:
        records = iter(held.records.items())
        while stretch := tuple(islice(records, _STRIDE)):
            for key, packed in stretch:
                comparison.add(card(insurance_number(key), packed))
            bar.advance(len(stretch))
            if time.monotonic() > max(until, began + _COMPARE_S_MIN):
                break
    return time.monotonic() - began
