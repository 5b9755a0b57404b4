"""What was acknowledged, what the log holds, and how the two can disagree.

The audits derive everything a second time, in the plainest way there is: facts by the domain's fold of the whole log,
counts by counting. A finding is one way in which what is stored disagrees; a sound service has none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lienthong.adapters.event_log import Appended, EventLog, entries_per_read
from lienthong.adapters.wire import Event, decode
from lienthong.lookup import ids
from lienthong_schemas.streams import BY_NAME, CARD_IMAGES, LOOKUPS

Partitions = Sequence[Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement: what kind of, and where."""

    kind: str
    where: str


@dataclass
class Ledger:
    """What was acknowledged.

    `entries` are those of the log by (stream, partition, offset), `lookups` the ids of look-up events with the id that
    the decision on each must have, `answered` the ids of decisions that were answered over HTTP, and `batches` those
    of the register that were said to stand.
    """

    entries: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    lookups: dict[str, str] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    batches: set[str] = field(default_factory=set)

    def appended(self, stream: str, values: Iterable[bytes], places: Iterable[Appended]) -> None:
        """Note entries that the log has acknowledged, and where."""
        for value, place in zip(values, places, strict=True):
            self.entries[stream, place.partition, place.offset] = value
            event = decode(value, BY_NAME[stream])
            if isinstance(event, Event) and stream in {LOOKUPS.name, CARD_IMAGES.name}:
                self.lookups[event.envelope.id] = decision_id_of(event)


def decision_id_of(event: Event) -> str:
    """Return the id that the decision on a look-up event must have."""
    return ids.derived(event.envelope.id, event.envelope.source, datetime.fromisoformat(event.envelope.time))


async def read_stream(log: EventLog, stream: str) -> Partitions:
    """Return every entry of every partition, in order."""
    return [await _read_partition(log, stream, partition) for partition in range(log.partitions(stream))]


async def _read_partition(log: EventLog, stream: str, partition: int) -> list[bytes]:
    values: list[bytes] = []
    while entries := await log.read(stream, partition, len(values), entries_per_read(BY_NAME[stream])):
        assert isinstance(entries, tuple), f"{stream}/{partition} was trimmed or made anew: {entries}"
        values.extend(entry.value for entry in entries)
    return values


def lost(ledger: Ledger, stream: str, partitions: Partitions) -> list[Finding]:
    """Find entries that were acknowledged and are not in the log as they were."""
    return [
        Finding("acknowledged entry lost", f"{stream}/{partition}@{offset}")
        for (name, partition, offset), value in ledger.entries.items()
        if name == stream and (offset >= len(partitions[partition]) or partitions[partition][offset] != value)
    ]
