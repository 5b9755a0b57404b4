"""A decision as the archive keeps it: what it is found by, the sealed bytes, and the event to the last byte.

Nothing in it is personal but what is sealed, and that cannot be opened once its key is destroyed.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from lienthong.adapters.wire import Event
from lienthong.runtime.clock import vietnam_today
from lienthong_schemas.decisions import EligibilityDecided


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedDecision:
    """One `eligibility.decided`; `day` is the day of Vietnam on which it was decided, `service_on` the one it was for.

    `address_…` and `place_code` are what stood on the card: the unit with the version that its code meant, and the
    registered place. `event` has the bytes as they came.
    """

    decision_id: str
    day: date
    decided_at: datetime
    service_on: date
    facility_code: str
    channel: str
    outcome: str
    portal_code: str | None
    pseudonym: str
    notices: tuple[str, ...]
    address_level: str | None
    address_code: str | None
    address_version: str | None
    place_code: str | None
    register_position: int
    card_revision: int | None
    software: str
    key_id: str
    sealed: bytes
    event: bytes

    @classmethod
    def of(cls, event: Event, value: bytes) -> Self:
        """Return what is kept of a decision that came as `value`."""
        decided = event.message
        assert isinstance(decided, EligibilityDecided), "the stream carries decisions alone"  # noqa: S101 -- an invariant
        decided_at = datetime.fromisoformat(event.envelope.time)
        address = decided.printed_references.address
        place = decided.printed_references.registered_place
        return cls(
            decision_id=decided.decision_id,
            day=vietnam_today(decided_at),
            decided_at=decided_at,
            service_on=date.fromisoformat(decided.on),
            facility_code=decided.facility_code,
            channel=decided.channel,
            outcome=decided.outcome,
            portal_code=decided.portal_code,
            pseudonym=event.envelope.subject,
            notices=decided.notices,
            address_level=None if address is None else address.level,
            address_code=None if address is None else address.code,
            address_version=None if address is None else address.version,
            place_code=None if place is None else place.code,
            register_position=decided.register_position,
            card_revision=decided.card_revision,
            software=decided.software,
            key_id=decided.sealed.key_id,
            sealed=_decoded(decided.sealed.bytes),
            event=value,
        )

    def row(self) -> dict[str, Any]:
        """Return the values of its row: the event without the base64 of the sealed bytes, which are most of it."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values |= {"notices": list(self.notices), "sealed_at": None}
        text = base64.b64encode(self.sealed)
        if text and self.event.count(text) == 1:
            before, after = self.event.split(text)
            values |= {"event": before + after, "sealed_at": len(before)}
        return values

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the decision of a row, its event to the last byte as it came."""
        values = dict(row)
        sealed_at, event = values.pop("sealed_at"), bytes(values["event"])
        sealed = bytes(values["sealed"])
        if sealed_at is not None:
            event = event[:sealed_at] + base64.b64encode(sealed) + event[sealed_at:]
        return cls(**values | {"event": event, "sealed": sealed, "notices": tuple(values["notices"])})


def _decoded(text: str) -> bytes:
    """Return the sealed bytes; of what is no base64 the event alone is kept, for nobody could open it."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
