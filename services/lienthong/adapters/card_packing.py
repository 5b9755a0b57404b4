"""Writes a card fact in the compact form, or says that the compact form cannot hold it.

This is the projector's path of every card, so it is written for few calls: tables instead of conversions, the parts of
a period in one function, and every code, day and number judged by the table or the pattern that writes it: what is
packed is what the contract accepts. `card_unpacking` reads in the order of this module.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date

from lienthong.adapters import card_layout as L  # noqa: N812  # the layout's names stand in every line below
from lienthong.adapters.card_message import (
    AddressMessage,
    PeriodMessage,
    PlaceMessage,
    RecordedMessage,
    WithdrawnMessage,
)
from lienthong.adapters.memo import Memo

_COMMON_CODE = re.compile(r"[0-9]{2}[0-9A-Z]{3}", re.ASCII)
_PROVINCE = re.compile(r"[0-9]{2}", re.ASCII)
_GROUP = re.compile(r"[A-Z]{2}", re.ASCII)
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_ISO_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
_ISO_YEAR = re.compile(r"[0-9]{4}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9._-]{1,16}")
_CARD_NUMBER = re.compile(r"[A-Z]{2}[0-9]{13}|[0-9]{10}")
_REASON = re.compile(r"[a-z][a-z0-9_]{0,31}")
_NO_YEAR = "0000"
_CITIZEN_ID_LENGTH = 12
_LONG_NUMBER_LENGTH = 15  # Group, level, province and the card's own number (QĐ 1351/QĐ-BHXH).
_RECORDED, _WITHDRAWN = bytes((L.COMPACT_RECORDED,)), bytes((L.COMPACT_WITHDRAWN,))
_VARINT_BITS, _VARINT_MORE = 7, 0x80
_ONE_BYTE = [bytes((value,)) for value in range(256)]
_TWO_BYTES = [value.to_bytes(2, "big") for value in range(1 << 16)]
_REASON_CODES = {reason: _ONE_BYTE[index] for index, reason in enumerate(L.REASONS)}


class UncommonError(ValueError):
    """The compact form cannot say this, or must not."""


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


def pack_compact(data: RecordedMessage) -> bytes:
    """Return the data of a card fact in a compact form; ValueError or KeyError where none can reproduce them."""
    holder, ids, address, periods = data.holder, data.citizen_ids, data.address, data.periods
    withdrawn = data.withdrawn if isinstance(data, WithdrawnMessage) else None
    form = _RECORDED if withdrawn is None else _WITHDRAWN
    birth, name = holder.birth, holder.name.encode()
    # The flags come third and are known last.
    parts = [form, varint(data.revision), b"", _BIRTHS[birth], varint(len(name)), name]
    flags = L.SEX_BITS[holder.sex] | L.BIRTH_BITS[len(birth)] | _count(ids, L.IDS_SHIFT, parts)
    for citizen_id in ids:
        # Half of what a regular expression costs.
        if len(citizen_id) != _CITIZEN_ID_LENGTH or not (citizen_id.isascii() and citizen_id.isdigit()):
            raise UncommonError
        parts.append(int(citizen_id).to_bytes(5, "big"))
    if address is not None:
        flags |= _pack_address(address, periods, parts)
    flags |= _count(periods, L.PERIODS_SHIFT, parts)
    for period in periods:
        _pack_period(period, data.id, parts)
    if withdrawn is not None:
        parts += (_DAYS[withdrawn.on], _REASONS[withdrawn.reason])
    parts[2] = _TWO_BYTES[flags]
    return b"".join(parts)


def _count(things: Sequence[object], shift: int, parts: list[bytes]) -> int:
    count = len(things)
    if count < L.MANY:
        return count << shift
    parts.append(varint(count))
    return L.MANY << shift


def _pack_address(address: AddressMessage, periods: Sequence[PeriodMessage], parts: list[bytes]) -> int:
    flags = L.HAS_ADDRESS
    parts.append(_CODES[address.code])
    if address.level != L.USUAL_LEVEL:
        flags |= L.LEVEL_AS_TEXT
        parts.append(_CODES[address.level])
    recorded_on, detail = address.recorded_on, address.detail
    if recorded_on is None:
        flags |= L.RECORDED_UNKNOWN
    elif periods and periods[0].valid_from == recorded_on:
        flags |= L.RECORDED_WITH_PERIOD
    else:
        parts.append(_DAYS[recorded_on])
    if detail is not None:
        flags |= L.HAS_DETAIL
        parts.append(_text(detail))
    return flags


def _pack_period(period: PeriodMessage, card_number: str, parts: list[bytes]) -> None:
    at = len(parts)
    valid_from, group, level, number = period.valid_from, period.group, period.benefit_level, period.number
    flags = L.ISSUER_BITS[period.issuer] | L.AREA_BITS[period.area] | L.BENEFIT_BITS[level]
    # The flags come before what they tell of.
    parts += (b"", _DAYS[valid_from])
    if (valid_to := period.valid_to) is not None:
        if valid_to < valid_from:
            raise UncommonError
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
        elif _CARD_NUMBER.fullmatch(number) is not None:
            flags |= L.NUMBER_AS_TEXT
            parts.append(_text(number))
        else:
            raise UncommonError
    if (place := period.registered_place) is not None:
        flags |= _pack_place(place, valid_from, parts)
    if (five_years_on := period.five_years_on) is not None:
        flags |= L.HAS_FIVE
        parts.append(_DAYS[five_years_on])
    if (ended := period.ended) is not None:
        flags |= L.HAS_ENDED
        parts += (_DAYS[ended.on], _REASON_CODES[ended.reason])
    parts[at] = _TWO_BYTES[flags]


def _pack_place(place: PlaceMessage, valid_from: str, parts: list[bytes]) -> int:
    parts.append(_CODES[place.code])
    recorded_on = place.recorded_on
    if recorded_on is None:
        return L.HAS_PLACE | L.PLACE_UNKNOWN
    if recorded_on == valid_from:
        return L.HAS_PLACE | L.PLACE_WITH_PERIOD
    parts.append(_DAYS[recorded_on])
    return L.HAS_PLACE


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
    if _ISO_YEAR.fullmatch(text) and text != _NO_YEAR:
        return _TWO_BYTES[int(text)]
    if _ISO_MONTH.fullmatch(text) and not text.startswith(_NO_YEAR):
        months = int(text[:4]) * 12 + int(text[5:]) - 1
        if months > L.DAY_COUNT_MAX:
            raise UncommonError
        return _TWO_BYTES[months]
    return _day(text)


def _code(code: str) -> bytes:
    """Write three bytes for two digits and three capitals or digits (communes, facilities), else length and text."""
    if _COMMON_CODE.fullmatch(code):
        return (int(code[:2]) * L.CODE_BASE + int(code[2:], len(L.CODE_DIGITS))).to_bytes(3, "big")
    if _CODE.fullmatch(code) is None:
        raise UncommonError
    return _ONE_BYTE[L.CODE_AS_TEXT | len(code)] + code.encode()


def _group(group: str) -> bytes:
    if _GROUP.fullmatch(group) is None:
        raise UncommonError
    return group.encode()


def _province(digits: str) -> bytes:
    if _PROVINCE.fullmatch(digits) is None:
        raise UncommonError
    return _ONE_BYTE[int(digits)]


def _reason(reason: str) -> bytes:
    """Write why a record was withdrawn: that vocabulary may grow, the one of periods may not."""
    code = _REASON_CODES.get(reason)
    if code is not None:
        return code
    if _REASON.fullmatch(reason) is None:
        raise UncommonError
    return _ONE_BYTE[L.REASON_AS_TEXT] + _text(reason)


def _made(make: Callable[[str], bytes]) -> Memo[bytes]:
    return Memo(make, L.CACHE_ENTRIES)


_DAYS, _BIRTHS, _CODES, _GROUPS, _PROVINCES, _REASONS = map(_made, (_day, _birth, _code, _group, _province, _reason))
