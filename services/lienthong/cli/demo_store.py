"""What the store of a demonstration holds, byte for byte, and how its cards are answered before and after a decree."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lienthong.adapters.card_codec import card
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_layout import insurance_number
from lienthong.cli.sample import Comparison
from lienthong_schemas.streams import CARDS

#: The demonstration is over within a minute; a slow machine compares as many answers as this allows, and says so.
COMPARE_S_MAX: Final = 20.0
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


def compare(held: Holdings, comparison: Comparison) -> float:
    """Answer for the cards under both registers, all of them or as many as COMPARE_S_MAX allows; return the seconds.

    The order of the store is that of a hash of the numbers, so that its first cards are a fair sample of all.
    """
    began = time.monotonic()
    comparison.of_cards = len(held.records)
    for at, (key, packed) in enumerate(held.records.items()):
        if at % _STRIDE == 0 and time.monotonic() - began > COMPARE_S_MAX:
            break
        comparison.add(card(insurance_number(key), packed))
    return time.monotonic() - began
