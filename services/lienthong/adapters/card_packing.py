"""Writes a card fact in the compact form, or says that the compact form cannot hold it."""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from lienthong.adapters import card_layout as L  # noqa: N812  # the layout's names stand in every line below

_COMMON_CODE = re.compile(r"[0-9]{2}[0-9A-Z]{3}", re.ASCII)
_PROVINCE = re.compile(r"[0-9]{2}", re.ASCII)
_GROUP = re.compile(r"[A-Z]{2}", re.ASCII)
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_ISO_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
_ISO_YEAR = re.compile(r"[0-9]{4}", re.ASCII)
_CITIZEN_ID_LENGTH = 12
_CODE_TEXT_BYTES_MAX = 0x7F
_FORMS = {L.RECORDED: bytes((L.COMPACT_RECORDED,)), L.WITHDRAWN: bytes((L.COMPACT_WITHDRAWN,))}
#: How many keys each object has: one more and the compact form would lose it.
_RECORD_KEYS, _HOLDER_KEYS, _ADDRESS_KEYS, _PERIOD_KEYS, _PLACE_KEYS, _ENDED_KEYS = 6, 3, 4, 10, 2, 2
_VARINT_BITS, _VARINT_MORE = 7, 0x80
_LONG_NUMBER_LENGTH = 15  # Group, level, province and the card's own number (QĐ 1351/QĐ-BHXH).


class UncommonError(ValueError):
    """The compact form cannot say this."""


def varint(value: int) -> bytes:
    """Return a number in as many bytes as it needs: seven bits a byte, the eighth says that more follow."""
    if value < _VARINT_MORE:
        return bytes((value,))
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
    _exactly(data, _RECORD_KEYS + withdrawn)
    _exactly(holder, _HOLDER_KEYS)
    birth = holder["birth"]
    flags = L.SEX_BITS[holder["sex"]] | L.BIRTH_BITS[len(birth)]
    flags |= min(len(ids), L.MANY) << L.IDS_SHIFT | min(len(periods), L.MANY) << L.PERIODS_SHIFT
    parts = [_birth(birth), _text(holder["name"])]
    if len(ids) >= L.MANY:
        parts.append(varint(len(ids)))
    parts += [_citizen_id(citizen_id) for citizen_id in ids]
    if address is not None:
        flags |= _pack_address(address, periods, parts)
    if len(periods) >= L.MANY:
        parts.append(varint(len(periods)))
    for period in periods:
        _pack_period(period, data["id"], parts)
    if withdrawn:
        _pack_ended(data["withdrawn"], parts)
    return b"".join((_FORMS[fact.type], varint(data["revision"]), flags.to_bytes(2, "big"), *parts))


def _pack_address(address: Mapping[str, Any], periods: list[Any], parts: list[bytes]) -> int:
    _exactly(address, _ADDRESS_KEYS)
    flags = L.HAS_ADDRESS
    parts.append(_code(address["code"]))
    if address["level"] != L.USUAL_LEVEL:
        flags |= L.LEVEL_AS_TEXT
        parts.append(_code(address["level"]))
    recorded_on, detail = address["recorded_on"], address["detail"]
    if recorded_on is None:
        flags |= L.RECORDED_UNKNOWN
    elif periods and periods[0]["valid_from"] == recorded_on:
        flags |= L.RECORDED_WITH_PERIOD
    else:
        parts.append(_day(recorded_on))
    if detail is not None:
        flags |= L.HAS_DETAIL
        parts.append(_text(detail))
    return flags


def _pack_period(period: Mapping[str, Any], card_number: str, parts: list[bytes]) -> None:
    _exactly(period, _PERIOD_KEYS)
    level, group = period["benefit_level"], period["group"]
    flags = L.ISSUER_BITS[period["issuer"]] | L.AREA_BITS[period["area"]] | L.BENEFIT_BITS[level]
    after = [_day(period["valid_from"])]
    if period["valid_to"] is not None:
        flags |= L.HAS_TO
        after.append(_day(period["valid_to"]))
    if group is not None:
        flags |= L.HAS_GROUP
        after.append(_group(group))
    flags |= _pack_number(period["number"], f"{group}{level}", card_number, after)
    place = period["registered_place"]
    if place is not None:
        flags |= _pack_place(place, period["valid_from"], after)
    if period["five_years_on"] is not None:
        flags |= L.HAS_FIVE
        after.append(_day(period["five_years_on"]))
    if period["ended"] is not None:
        flags |= L.HAS_ENDED
        _pack_ended(period["ended"], after)
    parts.append(flags.to_bytes(2, "big"))
    parts += after


def _pack_number(number: str, prefix: str, card_number: str, parts: list[bytes]) -> int:
    """Write what the card's own number does not say: of 15 characters, usually two digits of province."""
    if number == card_number:
        return 0
    if len(number) == _LONG_NUMBER_LENGTH and number[:3] == prefix and number[5:] == card_number:
        parts.append(_province(number[3:5]))
        return L.NUMBER_15
    parts.append(_text(number))
    return L.NUMBER_AS_TEXT


def _pack_place(place: Mapping[str, Any], valid_from: str, parts: list[bytes]) -> int:
    _exactly(place, _PLACE_KEYS)
    parts.append(_code(place["code"]))
    recorded_on = place["recorded_on"]
    if recorded_on is None:
        return L.HAS_PLACE | L.PLACE_UNKNOWN
    if recorded_on == valid_from:
        return L.HAS_PLACE | L.PLACE_WITH_PERIOD
    parts.append(_day(recorded_on))
    return L.HAS_PLACE


def _pack_ended(ended: Mapping[str, Any], parts: list[bytes]) -> None:
    _exactly(ended, _ENDED_KEYS)
    parts.append(_day(ended["on"]))
    reason = ended["reason"]
    if reason in L.REASONS:
        parts.append(bytes((L.REASONS.index(reason),)))
    else:
        parts.append(bytes((L.REASON_AS_TEXT,)) + _text(reason))


def _exactly(fields: Mapping[str, Any], count: int) -> None:
    """Refuse a field that the compact form has no place for."""
    if len(fields) != count:
        raise UncommonError


def _text(text: str) -> bytes:
    encoded = text.encode()
    return varint(len(encoded)) + encoded


@lru_cache(L.CACHE_ENTRIES)
def _day(text: str) -> bytes:
    if _ISO_DAY.fullmatch(text) is None:
        raise UncommonError
    count = date.fromisoformat(text).toordinal() - L.DAY_ZERO
    if not 0 < count <= L.DAY_COUNT_MAX:
        raise UncommonError
    return count.to_bytes(2, "big")


@lru_cache(L.CACHE_ENTRIES)
def _birth(text: str) -> bytes:
    """Write a year, a year with a month, or a day in 16 bits; its precision is in the record's flags."""
    if _ISO_YEAR.fullmatch(text):
        return int(text).to_bytes(2, "big")
    if _ISO_MONTH.fullmatch(text):
        months = int(text[:4]) * 12 + int(text[5:]) - 1
        if months > L.DAY_COUNT_MAX:
            raise UncommonError
        return months.to_bytes(2, "big")
    return _day(text)


@lru_cache(L.CACHE_ENTRIES)
def _code(code: str) -> bytes:
    """Three bytes for two digits and three capitals or digits (communes, facilities), else a length and the text."""
    if _COMMON_CODE.fullmatch(code):
        return (int(code[:2]) * L.CODE_BASE + int(code[2:], 36)).to_bytes(3, "big")
    encoded = code.encode()
    if len(encoded) > _CODE_TEXT_BYTES_MAX:
        raise UncommonError
    return bytes((L.CODE_AS_TEXT | len(encoded),)) + encoded


@lru_cache(L.CACHE_ENTRIES)
def _group(group: str) -> bytes:
    if _GROUP.fullmatch(group) is None:
        raise UncommonError
    return group.encode()


@lru_cache(maxsize=128)
def _province(digits: str) -> bytes:
    if _PROVINCE.fullmatch(digits) is None:
        raise UncommonError
    return bytes((int(digits),))


def _citizen_id(citizen_id: str) -> bytes:
    # Half of what a regular expression costs, on the path of every card.
    if len(citizen_id) != _CITIZEN_ID_LENGTH or not (citizen_id.isascii() and citizen_id.isdigit()):
        raise UncommonError
    return int(citizen_id).to_bytes(5, "big")
