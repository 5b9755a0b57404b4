"""Decisions as events, for what counts and keeps them: by number, each on a day and with a place in an outbox."""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta

from lienthong.adapters.archive_record import ArchivedDecision
from lienthong.adapters.wire import Event, decode
from lienthong.runtime.clock import VIETNAM
from lienthong_schemas.streams import DECISIONS
from tests.support.messages import EXAMPLES, event_of

NINE = datetime(2025, 8, 1, 9, tzinfo=VIETNAM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision; `number` tells it from others, and its id has the time it was decided at."""

    number: int
    at: datetime = NINE
    facility: str = "01004"
    outcome: str = "eligible"
    commune: str | None = "00004"
    place: str | None = "01C51"
    epoch: str = "a1"

    @property
    def decision_id(self) -> str:
        """The UUIDv7 of its time and number."""
        digits = f"{int(self.at.timestamp() * 1000):012x}"
        return f"{digits[:8]}-{digits[8:]}-7000-8000-{self.number:012x}"

    def value(self) -> bytes:
        """Return its event."""
        address = {"level": "commune", "code": self.commune, "recorded_on": None, "version": None}
        place = {"code": self.place, "recorded_on": None}
        data = EXAMPLES["eligibility.decided"] | {
            "decision_id": self.decision_id,
            "facility_code": self.facility,
            "outcome": self.outcome,
            "printed_references": {
                "address": None if self.commune is None else address,
                "registered_place": None if self.place is None else place,
            },
            "on": f"{self.at:%Y-%m-%d}",
            "sealed": {
                "key_id": f"decisions.v1/{self.at:%Y-%m-%d}/1",
                "bytes": base64.b64encode(f"sealed {self.number}".encode()).decode(),
            },
        }
        return event_of(
            "eligibility.decided",
            data,
            id=self.decision_id,
            subject=f"pseudonym{self.number % 7}",
            time=self.at.isoformat(),
            outboxcell="http-0",
            outboxepoch=self.epoch,
            outboxseq=self.number + 1,
        )

    def archived(self) -> ArchivedDecision:
        """Return it as the archive keeps it."""
        value = self.value()
        event = decode(value, DECISIONS)
        assert isinstance(event, Event), event
        return ArchivedDecision.of(event, value)


def decided(number: int, days: int = 0) -> Decided:
    """Return the decision of that number, some days after the first."""
    return Decided(number=number, at=NINE + timedelta(days=days, seconds=number))
