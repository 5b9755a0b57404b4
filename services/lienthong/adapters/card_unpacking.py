"""Reads the compact form of a card back: as the data that was packed, or as the domain's values."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from lienthong.adapters import card_layout as L  # noqa: N812  # the layout's names stand in every line below
from lienthong.domain.card import Address, Ended, Holder, Issuer, Period, RegisteredPlace, Sex

_VARINT_BITS, _VARINT_MORE = 7, 0x80


class Shape(NamedTuple):
    """What is built from a packed record: plain data as received, or the domain's values."""

    day: Callable[[int], Any]
    sex: Callable[[str | None], Any]
    issuer: Callable[[str], Any]
    many: Callable[..., Any]
    holder: Callable[..., Any]
    address: Callable[..., Any]
    place: Callable[..., Any]
    ended: Callable[..., Any]
    period: Callable[..., Any]


@lru_cache(L.CACHE_ENTRIES)
def _day_text(count: int) -> str:
    return date.fromordinal(count + L.DAY_ZERO).isoformat()


@lru_cache(L.CACHE_ENTRIES)
def _day_date(count: int) -> date:
    return date.fromordinal(count + L.DAY_ZERO)


@lru_cache(L.CACHE_ENTRIES)
def _common_code(value: int) -> str:
    head, tail = divmod(value, L.CODE_BASE)
    letters = ""
    for _ in range(3):
        tail, digit = divmod(tail, len(L.CODE_DIGITS))
        letters = L.CODE_DIGITS[digit] + letters
    return f"{head:02d}{letters}"


def _sex(sex: str | None) -> Sex | None:
    return None if sex is None else Sex(sex)


def _same(value: Any) -> Any:
    return value


AS_DATA = Shape(_day_text, _same, _same, list, dict, dict, dict, dict, dict)
AS_CARD = Shape(_day_date, _sex, Issuer, tuple, Holder, Address, RegisteredPlace, Ended, Period)


class Reader:
    """A cursor over packed bytes."""

    __slots__ = ("at", "packed")

    def __init__(self, packed: bytes, at: int) -> None:
        self.packed = packed
        self.at = at

    def byte(self) -> int:
        """Return the next byte."""
        value = self.packed[self.at]
        self.at += 1
        return value

    def number(self, size: int) -> int:
        """Return the next bytes as a number, the highest first."""
        at = self.at
        self.at = at + size
        return int.from_bytes(self.packed[at : at + size], "big")

    def varint(self) -> int:
        """Return a number of as many bytes as it needed."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & (_VARINT_MORE - 1)) << shift
            if byte < _VARINT_MORE:
                return value
            shift += _VARINT_BITS

    def text(self) -> str:
        """Return a text after its length."""
        return self._characters(self.varint())

    def code(self) -> str:
        """Return a code: three bytes of its digits, or a length and its text."""
        first = self.packed[self.at]
        if first & L.CODE_AS_TEXT:
            self.at += 1
            return self._characters(first ^ L.CODE_AS_TEXT)
        return _common_code(self.number(3))

    def _characters(self, size: int) -> str:
        at = self.at
        self.at = at + size
        return self.packed[at : at + size].decode()


def read_record(reader: Reader, number: str, shape: Shape) -> dict[str, Any]:
    """Return the fields of a record by their names in the message, the number as its id, all but `withdrawn`."""
    revision = reader.varint()
    flags = reader.number(2)
    birth = _read_birth(reader, flags)
    name = reader.text()
    count = flags >> L.IDS_SHIFT & L.MANY
    ids = shape.many([f"{reader.number(5):012d}" for _ in range(reader.varint() if count == L.MANY else count)])
    address: dict[str, Any] | None = None
    if flags & L.HAS_ADDRESS:
        address = _read_address(reader, flags, shape)
    count = flags >> L.PERIODS_SHIFT & L.MANY
    periods = [_read_period(reader, number, shape) for _ in range(reader.varint() if count == L.MANY else count)]
    if address is not None and flags & L.RECORDED_WITH_PERIOD:
        first = periods[0]
        address["recorded_on"] = first["valid_from"]
    return {
        "id": number,
        "revision": revision,
        "holder": shape.holder(name=name, birth=birth, sex=shape.sex(L.SEXES[flags & L.SEX_MASK])),
        "citizen_ids": ids,
        "address": None if address is None else shape.address(**address),
        "periods": shape.many([shape.period(**period) for period in periods]),
    }


def _read_birth(reader: Reader, flags: int) -> str:
    value = reader.number(2)
    precision = flags & L.BIRTH_MASK
    if precision == L.BIRTH_YEAR:
        return f"{value:04d}"
    if precision == L.BIRTH_MONTH:
        year, month = divmod(value, 12)
        return f"{year:04d}-{month + 1:02d}"
    return _day_text(value)


def _read_address(reader: Reader, flags: int, shape: Shape) -> dict[str, Any]:
    code = reader.code()
    level = reader.code() if flags & L.LEVEL_AS_TEXT else L.USUAL_LEVEL
    recorded_on = None if flags & (L.RECORDED_UNKNOWN | L.RECORDED_WITH_PERIOD) else shape.day(reader.number(2))
    detail = reader.text() if flags & L.HAS_DETAIL else None
    return {"level": level, "code": code, "recorded_on": recorded_on, "detail": detail}


def _read_period(reader: Reader, card_number: str, shape: Shape) -> dict[str, Any]:
    flags = reader.number(2)
    level = (flags >> L.BENEFIT_SHIFT & L.BENEFIT_MASK) or None
    valid_from = shape.day(reader.number(2))
    valid_to = shape.day(reader.number(2)) if flags & L.HAS_TO else None
    group = reader.number(2).to_bytes(2, "big").decode() if flags & L.HAS_GROUP else None
    number = card_number
    if flags & L.NUMBER_15:
        number = f"{group}{level}{reader.byte():02d}{card_number}"
    elif flags & L.NUMBER_AS_TEXT:
        number = reader.text()
    place = _read_place(reader, flags, valid_from, shape) if flags & L.HAS_PLACE else None
    return {
        "valid_from": valid_from,
        "valid_to": valid_to,
        "number": number,
        "group": group,
        "benefit_level": level,
        "area": L.AREAS[flags >> L.AREA_SHIFT & L.AREA_MASK],
        "issuer": shape.issuer(L.ISSUERS[flags & L.ISSUER_MASK]),
        "registered_place": place,
        "five_years_on": shape.day(reader.number(2)) if flags & L.HAS_FIVE else None,
        "ended": read_ended(reader, shape) if flags & L.HAS_ENDED else None,
    }


def _read_place(reader: Reader, flags: int, valid_from: Any, shape: Shape) -> Any:
    code = reader.code()
    if flags & L.PLACE_UNKNOWN:
        return shape.place(code=code, recorded_on=None)
    recorded_on = valid_from if flags & L.PLACE_WITH_PERIOD else shape.day(reader.number(2))
    return shape.place(code=code, recorded_on=recorded_on)


def read_ended(reader: Reader, shape: Shape) -> Any:
    """Return why and when something ended."""
    on = shape.day(reader.number(2))
    reason = reader.byte()
    return shape.ended(on=on, reason=reader.text() if reason == L.REASON_AS_TEXT else L.REASONS[reason])
