"""The shape of a card event for the compiled reader: every key, and of what type it is.

Keys stand in the order of RFC 8785, so that what is written out as it was read is canonical. What the contract says
beyond types, lengths and ranges is judged in `card_wire`.
"""

from typing import Annotated, Final, Literal

import msgspec

from lienthong.adapters.card_layout import RECORDED, WITHDRAWN
from lienthong_schemas.cards import CITIZEN_IDS_MAX, PERIODS_MAX
from lienthong_schemas.vocabulary import NAME_LENGTH_MAX, REVISION_MAX

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX)]


class _Struct(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """What all parts of a card event share."""


class HolderMessage(_Struct, frozen=True):
    """The insured person."""

    birth: str
    name: _Name
    sex: Literal["male", "female"] | None


class AddressMessage(_Struct, frozen=True):
    """The printed address."""

    code: str
    detail: _Name | None
    level: str
    recorded_on: str | None


class PlaceMessage(_Struct, frozen=True):
    """The facility of first registration."""

    code: str
    recorded_on: str | None


class EndedMessage(_Struct, frozen=True):
    """The early end of a period, or the withdrawal of a record."""

    on: str
    reason: str


class PeriodMessage(_Struct, frozen=True):
    """One coverage period."""

    area: str | None
    benefit_level: Annotated[int, msgspec.Meta(ge=1, le=9)] | None
    ended: EndedMessage | None
    five_years_on: str | None
    group: str | None
    issuer: Literal["vss", "defence", "public_security"]
    number: str
    registered_place: PlaceMessage | None
    valid_from: str
    valid_to: str | None


class RecordedMessage(_Struct, frozen=True):
    """The data of `card.recorded`."""

    address: AddressMessage | None
    citizen_ids: Annotated[list[str], msgspec.Meta(max_length=CITIZEN_IDS_MAX)]
    holder: HolderMessage
    id: str
    periods: Annotated[list[PeriodMessage], msgspec.Meta(max_length=PERIODS_MAX)]
    revision: Annotated[int, msgspec.Meta(ge=1, le=REVISION_MAX)]


class WithdrawnMessage(RecordedMessage, frozen=True):
    """The data of `card.withdrawn`."""

    withdrawn: EndedMessage


class _Event(_Struct, frozen=True):
    specversion: Literal["1.0"]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    source: str
    subject: str
    time: str


class RecordedEvent(_Event, frozen=True, tag_field="type", tag=RECORDED, kw_only=True):
    """`card.recorded` in its envelope."""

    data: RecordedMessage
    dataschema: Literal["urn:lienthong:card.recorded:1"] | None = None


class WithdrawnEvent(_Event, frozen=True, tag_field="type", tag=WITHDRAWN, kw_only=True):
    """`card.withdrawn` in its envelope."""

    data: WithdrawnMessage
    dataschema: Literal["urn:lienthong:card.withdrawn:1"] | None = None


CardEvent = RecordedEvent | WithdrawnEvent

#: The struct of the data of each type.
MESSAGES: Final[dict[str, type[RecordedMessage]]] = {RECORDED: RecordedMessage, WITHDRAWN: WithdrawnMessage}

DECODER: Final = msgspec.json.Decoder(CardEvent)
ENCODER: Final = msgspec.json.Encoder()
