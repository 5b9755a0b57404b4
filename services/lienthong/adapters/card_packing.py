"""Writes a card fact in the compact form, or says that the compact form cannot hold it.

This is the projector's path of every card, so it is written for few calls: tables instead of conversions, and the parts
of a period in one function. `card_unpacking` reads in the order of this module.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from lienthong.adapters import card_layout as L  # noqa: N812  # the layout's names stand in every line below

_COMMON_CODE = re.compile(r"[0-9]{2}[0-9A-Z]{3}", re.ASCII)
_PROVINCE = re.compile(r"[0-9]{2}", re.ASCII)
_GROUP = re.compile(r"[A-Z]{2}", re.ASCII)
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_ISO_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
_ISO_YEAR = re.compile(r"[0-9]{4}", re.ASCII)
_CITIZEN_ID_LENGTH = 12
_LONG_NUMBER_LENGTH = 15  # Group, level, province and the card's own number (QĐ 1351/QĐ-BHXH).
_CODE_TEXT_BYTES_MAX = 0x7F
_FORMS = {L.RECORDED: bytes((L.COMPACT_RECORDED,)), L.WITHDRAWN: bytes((L.COMPACT_WITHDRAWN,))}
#: How many keys each object has: one more and the compact form would lose it.
_RECORD_KEYS, _HOLDER_KEYS, _ADDRESS_KEYS, _PERIOD_KEYS, _PLACE_KEYS, _ENDED_KEYS = 6, 3, 4, 10, 2, 2
_VARINT_BITS, _VARINT_MORE = 7, 0x80
_ONE_BYTE = [bytes((value,)) for value in range(256)]
_TWO_BYTES = [value.to_bytes(2, "big") for value in range(1 << 16)]
_REASON_CODES = {reason: _ONE_BYTE[index] for index, reason in enumerate(L.REASONS)}


class UncommonError(ValueError):
    """The compact form cannot say this."""


class _Made(dict[str, bytes]):
    """What texts are written as, each made once; a subscript of it is half the price of a call that is remembered."""

    def __init__(self, make: Callable[[str], bytes]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> bytes:
        if len(self) >= L.CACHE_ENTRIES:
            self.clear()
        made = self[text] = self._make(text)
        return made


def varint(value: int) -> bytes:
    """Return a number in as many bytes as it needs: seven bits a byte, the eighth says that more follow."""
    if value < _VARINT_MORE:
        return _ONE_BYTE[value]
    parts = bytearray()
    while value >= _VARINT_MORE:
        parts.append(value & (_VARINT_MORE - 1) | _VARINT_MORE)
        value >>= _VARINT_BITS
    parts.append(value)
    return bytes(parts)


def pack_compact(fact: L.CardFact) -> bytes:
    """Return the fact in a compact form; ValueError, KeyError or TypeError where none can reproduce it exactly."""
    data = fact.data
    withdrawn = fact.type == L.WITHDRAWN
    holder, ids, address, periods = data["holder"], data["citizen_ids"], data["address"], data["periods"]
    if len(data) != _RECORD_KEYS + withdrawn or len(holder) != _HOLDER_KEYS:
        raise UncommonError
    birth, name = holder["birth"], holder["name"].encode()
    # The flags come third and are known last.
    parts = [_FORMS[fact.type], varint(data["revision"]), b"", _BIRTHS[birth], varint(len(name)), name]
    flags = L.SEX_BITS[holder["sex"]] | L.BIRTH_BITS[len(birth)] | _count(ids, L.IDS_SHIFT, parts)
    for citizen_id in ids:
        # Half of what a regular expression costs.
        if len(citizen_id) != _CITIZEN_ID_LENGTH or not (citizen_id.isascii() and citizen_id.isdigit()):
            raise UncommonError
        parts.append(int(citizen_id).to_bytes(5, "big"))
    if address is not None:
        flags |= _pack_address(address, periods, parts)
    flags |= _count(periods, L.PERIODS_SHIFT, parts)
    for period in periods:
        _pack_period(period, data["id"], parts)
    if withdrawn:
        _pack_ended(data["withdrawn"], parts)
    parts[2] = _TWO_BYTES[flags]
    return b"".join(parts)


def _count(things: list[Any], shift: int, parts: list[bytes]) -> int:
    count = len(things)
    if count < L.MANY:
        return count << shift
    parts.append(varint(count))
    return L.MANY << shift


def _pack_address(address: Mapping[str, Any], periods: list[Any], parts: list[bytes]) -> int:
    if len(address) != _ADDRESS_KEYS:
        raise UncommonError
    flags = L.HAS_ADDRESS
    parts.append(_CODES[address["code"]])
    if address["level"] != L.USUAL_LEVEL:
        flags |= L.LEVEL_AS_TEXT
        parts.append(_CODES[address["level"]])
    recorded_on, detail = address["recorded_on"], address["detail"]
    if recorded_on is None:
        flags |= L.RECORDED_UNKNOWN
    elif periods and periods[0]["valid_from"] == recorded_on:
        flags |= L.RECORDED_WITH_PERIOD
    else:
        parts.append(_DAYS[recorded_on])
    if detail is not None:
        flags |= L.HAS_DETAIL
        parts.append(_text(detail))
    return flags


def _pack_period(period: Mapping[str, Any], card_number: str, parts: list[bytes]) -> None:
    if len(period) != _PERIOD_KEYS:
        raise UncommonError
    at = len(parts)
    valid_from, group, level, number = period["valid_from"], period["group"], period["benefit_level"], period["number"]
    flags = L.ISSUER_BITS[period["issuer"]] | L.AREA_BITS[period["area"]] | L.BENEFIT_BITS[level]
    # The flags come before what they tell of.
    parts += (b"", _DAYS[valid_from])
    if (valid_to := period["valid_to"]) is not None:
        flags |= L.HAS_TO
        parts.append(_DAYS[valid_to])
    if group is not None:
        flags |= L.HAS_GROUP
        parts.append(_GROUPS[group])
    # A 10-character number is the card's own; one of 15 is group, level, two digits of province and the card's own.
    if number != card_number:
        if len(number) == _LONG_NUMBER_LENGTH and number[5:] == card_number and number[:3] == f"{group}{level}":
            flags |= L.NUMBER_15
            parts.append(_PROVINCES[number[3:5]])
        else:
            flags |= L.NUMBER_AS_TEXT
            parts.append(_text(number))
    if (place := period["registered_place"]) is not None:
        flags |= _pack_place(place, valid_from, parts)
    if (five_years_on := period["five_years_on"]) is not None:
        flags |= L.HAS_FIVE
        parts.append(_DAYS[five_years_on])
    if (ended := period["ended"]) is not None:
        flags |= L.HAS_ENDED
        _pack_ended(ended, parts)
    parts[at] = _TWO_BYTES[flags]


def _pack_place(place: Mapping[str, Any], valid_from: str, parts: list[bytes]) -> int:
    if len(place) != _PLACE_KEYS:
        raise UncommonError
    parts.append(_CODES[place["code"]])
    recorded_on = place["recorded_on"]
    if recorded_on is None:
        return L.HAS_PLACE | L.PLACE_UNKNOWN
    if recorded_on == valid_from:
        return L.HAS_PLACE | L.PLACE_WITH_PERIOD
    parts.append(_DAYS[recorded_on])
    return L.HAS_PLACE


def _pack_ended(ended: Mapping[str, Any], parts: list[bytes]) -> None:
    if len(ended) != _ENDED_KEYS:
        raise UncommonError
    reason = ended["reason"]
    code = _REASON_CODES.get(reason)
    parts += (_DAYS[ended["on"]], _ONE_BYTE[L.REASON_AS_TEXT] + _text(reason) if code is None else code)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return varint(len(encoded)) + encoded


def _day(text: str) -> bytes:
    if _ISO_DAY.fullmatch(text) is None:
        raise UncommonError
    count = date.fromisoformat(text).toordinal() - L.DAY_ZERO
    if not 0 < count <= L.DAY_COUNT_MAX:
        raise UncommonError
    return _TWO_BYTES[count]


def _birth(text: str) -> bytes:
    """Write a year, a year with a month, or a day in 16 bits; its precision is in the record's flags."""
    if _ISO_YEAR.fullmatch(text):
        return _TWO_BYTES[int(text)]
    if _ISO_MONTH.fullmatch(text):
        months = int(text[:4]) * 12 + int(text[5:]) - 1
        if months > L.DAY_COUNT_MAX:
            raise UncommonError
        return _TWO_BYTES[months]
    return _day(text)


def _code(code: str) -> bytes:
    """Write three bytes for two digits and three capitals or digits (communes, facilities), else length and text."""
    if _COMMON_CODE.fullmatch(code):
        return (int(code[:2]) * L.CODE_BASE + int(code[2:], len(L.CODE_DIGITS))).to_bytes(3, "big")
    encoded = code.encode()
    if len(encoded) > _CODE_TEXT_BYTES_MAX:
        raise UncommonError
    return _ONE_BYTE[L.CODE_AS_TEXT | len(encoded)] + encoded


def _group(group: str) -> bytes:
    if _GROUP.fullmatch(group) is None:
        raise UncommonError
    return group.encode()


def _province(digits: str) -> bytes:
    if _PROVINCE.fullmatch(digits) is None:
        raise UncommonError
    return _ONE_BYTE[int(digits)]


_DAYS, _BIRTHS, _CODES, _GROUPS, _PROVINCES = map(_Made, (_day, _birth, _code, _group, _province))
