"""What is kept of a decision: its counts, and itself in the archive."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from lienthong.adapters.archive import Archive
from lienthong.adapters.archive_record import ArchivedDecision
from lienthong.adapters.history import CountedLookup, CountedUnit, History, OutboxPlace
from lienthong.adapters.history_positions import Stretch
from lienthong.adapters.wire import Event
from lienthong.monitor.handlers import Read
from lienthong.runtime.clock import VIETNAM
from lienthong_schemas.decisions import EligibilityDecided, PrintedUnit
from lienthong_schemas.streams import DECISIONS


class Counts:
    """Counts decisions in the history."""

    def __init__(self, history: History) -> None:
        self._history = history

    def positions(self) -> Mapping[int, int]:
        """Return the next offset to count of each partition of which something was counted."""
        return self._history.positions(DECISIONS.name)

    def keep(self, stretch: Stretch, decisions: Sequence[Read]) -> int:
        """Count what is new, with the position, in one transaction."""
        return self._history.count(stretch, [counted(entry.offset, event) for entry, event in decisions])


class Archived:
    """Keeps decisions in the archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def positions(self) -> Mapping[int, int]:
        """Return the next offset to store of each partition of which something was stored."""
        return self._archive.positions(DECISIONS.name)

    def keep(self, stretch: Stretch, decisions: Sequence[Read]) -> int:
        """Store what is new, with the position, in one transaction."""
        given = [(entry.offset, ArchivedDecision.of(event, entry.value)) for entry, event in decisions]
        return self._archive.store(stretch, given)


def counted(offset: int, event: Event) -> CountedLookup:
    """Return what is counted of a decision: when (in Vietnam), where, how, with what outcome, and the printed unit."""
    decided = event.message
    assert isinstance(decided, EligibilityDecided), "the stream carries decisions alone"  # noqa: S101 -- an invariant
    envelope = event.envelope
    moment = datetime.fromisoformat(envelope.time).astimezone(VIETNAM)
    place = None
    if envelope.outboxcell is not None and envelope.outboxepoch is not None and envelope.outboxseq is not None:
        place = OutboxPlace(cell=envelope.outboxcell, epoch=envelope.outboxepoch, sequence=envelope.outboxseq)
    day = moment.date().isoformat()
    return CountedLookup(
        offset=offset,
        minute=f"{day}T{moment:%H:%M}",
        day=day,
        facility_code=decided.facility_code,
        channel=decided.channel,
        outcome=decided.outcome,
        units=_units(decided.printed_references.address),
        place=place,
    )


def _units(printed: PrintedUnit | None) -> tuple[CountedUnit, ...]:
    if printed is None:
        return ()
    # The version's id is LEVEL/CODE/VALID_FROM; without one the day is unknown, as it is in such an id.
    valid_from = "-" if printed.version is None else printed.version.rpartition("/")[2]
    return (CountedUnit(level=printed.level, code=printed.code, valid_from=valid_from),)
