"""The projector's hot path: card facts decoded by a compiled reader that accepts nothing its contract refuses.

The contract is the pydantic model. What the compiled reader does not accept, an unusual event or a wrong one, is
judged by the contract itself, so both give the same verdict, and a refusal has the contract's words.
"""

import re
from datetime import date
from typing import Annotated, Final, Literal

import msgspec
import orjson

from lienthong.adapters.card_layout import RECORDED, WITHDRAWN, CardFact
from lienthong.adapters.wire import Refusal, decode
from lienthong_schemas.cards import CITIZEN_IDS_MAX, PERIODS_MAX
from lienthong_schemas.streams import CARDS
from lienthong_schemas.vocabulary import NAME_LENGTH_MAX, REVISION_MAX, instant

# The patterns of the contract, with `\Z` for `$`: Python's `$` also matches before a last line feed.
_Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,16}\Z")]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
_Birth = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")


class _Struct(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """What all parts of a card event share."""


class _Holder(_Struct, frozen=True):
    birth: str
    name: _Name
    sex: Literal["male", "female"] | None


class _Address(_Struct, frozen=True):
    code: _Code
    detail: _Name | None
    level: _Code
    recorded_on: date | None


class _RegisteredPlace(_Struct, frozen=True):
    code: _Code
    recorded_on: date | None


class _PeriodEnded(_Struct, frozen=True):
    on: date
    reason: Literal["moved_out", "moved_within", "rejoined", "stopped", "reissued", "reduced"]


class _Withdrawn(_Struct, frozen=True):
    on: date
    reason: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]


class _Period(_Struct, frozen=True):
    area: Annotated[str, msgspec.Meta(pattern=r"^K[1-9]\Z")] | None
    benefit_level: Annotated[int, msgspec.Meta(ge=1, le=9)] | None
    ended: _PeriodEnded | None
    five_years_on: date | None
    group: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}\Z")] | None
    issuer: Literal["vss", "defence", "public_security"]
    number: Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{2}[0-9]{13}|[0-9]{10})\Z")]
    registered_place: _RegisteredPlace | None
    valid_from: date
    valid_to: date | None


class _Recorded(_Struct, frozen=True):
    address: _Address | None
    citizen_ids: Annotated[
        list[Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}\Z")]], msgspec.Meta(max_length=CITIZEN_IDS_MAX)
    ]
    holder: _Holder
    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{10}\Z")]
    periods: Annotated[list[_Period], msgspec.Meta(max_length=PERIODS_MAX)]
    revision: Annotated[int, msgspec.Meta(ge=1, le=REVISION_MAX)]


class _CardWithdrawn(_Recorded, frozen=True):
    withdrawn: _Withdrawn


class _Event(_Struct, frozen=True):
    specversion: Literal["1.0"]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    source: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{1,255}\Z")]
    subject: str
    time: str


class _RecordedEvent(_Event, frozen=True, tag_field="type", tag=RECORDED, kw_only=True):
    data: _Recorded
    dataschema: Literal["urn:lienthong:card.recorded:1"] | None = None


class _WithdrawnEvent(_Event, frozen=True, tag_field="type", tag=WITHDRAWN, kw_only=True):
    data: _CardWithdrawn
    dataschema: Literal["urn:lienthong:card.withdrawn:1"] | None = None


_DECODER: Final = msgspec.json.Decoder(_RecordedEvent | _WithdrawnEvent)


def decode_card(value: bytes) -> CardFact | Refusal:
    """Return the card fact that the bytes of `cards.v1` are, or why they are none; never raises for any bytes."""
    fact = _accepted(value)
    if fact is not None:
        return fact
    judged = decode(value, CARDS)
    return judged if isinstance(judged, Refusal) else CardFact(judged.type, judged.data)


def _accepted(value: bytes) -> CardFact | None:
    """Return the fact where the compiled reader accepts the bytes, None where the contract must judge them."""
    if len(value) > CARDS.event_bytes_max:
        return None
    try:
        event = _DECODER.decode(value)
        document = orjson.loads(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, orjson.JSONDecodeError):
        return None
    return CardFact(document["type"], document["data"]) if _agrees(event) else None


def _agrees(event: _RecordedEvent | _WithdrawnEvent) -> bool:
    """Tell whether what types alone cannot say holds too: the calendar, the subject, order, and printable texts."""
    data = event.data
    if event.subject != data.id or not _TIME.fullmatch(event.time) or not _Birth.fullmatch(data.holder.birth):
        return False
    address = data.address
    texts = f"{event.id}{data.holder.name}{'' if address is None else address.detail}"
    if _UNPRINTABLE.search(texts) or len(set(data.citizen_ids)) != len(data.citizen_ids):
        return False
    for period in data.periods:
        if period.valid_to is not None and period.valid_to < period.valid_from:
            return False
    try:
        instant(event.time)
        date.fromisoformat((data.holder.birth + "-01-01")[:10])
    except ValueError:
        return False
    return True
