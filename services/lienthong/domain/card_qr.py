"""The QR code of a health-insurance card, on paper and in the app: `|`-separated text that ends in `|$`."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from enum import Enum, auto
from itertools import pairwise
from typing import Literal

from lienthong.domain.births import parse_birth, parse_day
from lienthong.domain.card import Sex
from lienthong.domain.faults import Fault, FaultCode, WarningCode, malformed
from lienthong.domain.identity import (
    PRINTED_NUMBER_LENGTH,
    CardNumber,
    card_number_in,
    citizen_id_in,
    compact,
    parse_facility_on_card,
)
from lienthong.domain.question import (
    CardFace,
    CitizenPresented,
    Identity,
    NumberPresented,
    Presentation,
    PresentedKind,
)
from lienthong.domain.scan import Burst, Field, is_plausible_name

FIELDS_MIN = 10  # the old short form; shorter texts were cut
FIELD_LENGTH_SHORT = 10  # characters: no field but the hex ones and the check string is longer
UNTOUCHED_MIN = 2  # pairs of a vowel and a digit, in the whole text

_NUMBER, _NAME, _BIRTH, _SEX, _ADDRESS, _FACILITY, _FROM, _TO, _ISSUED, _OFFICE = range(FIELDS_MIN)
_PARENT, _AREA, _FIVE_YEARS, _CHECK, _BENEFIT, _ISSUING_PLACE = range(FIELDS_MIN, 16)
_SEXES = {"1": Sex.MALE, "2": Sex.FEMALE}
AREAS = {"5": "K1", "6": "K2", "7": "K3"}  # 4 is none; seen in one public source only
_HEX = re.compile(r"[0-9A-Fa-f]+")
_VOWELS = frozenset("ae")  # of the hex digits
_UNTOUCHED_BY_VNI = re.compile(r"[ae][1-6]|a8|d9", re.IGNORECASE)
_FACILITY_SHAPE = re.compile(r"[0-9]{2} *- *[0-9A-Za-z]{3}")
_CUT_NUMBER = re.compile(r"[A-Za-z]{0,2}[0-9]+")


class _Hex(Enum):
    """What stands in a hex field instead of a text."""

    GARBLED = auto()


_HexText = str | Literal[_Hex.GARBLED] | None


def parse_card_qr(burst: Burst, kind: PresentedKind) -> Presentation:
    """Read a card's QR; all of its fields but the number are only compared or shown.

    An input method that is on changes the hex fields (`aa` becomes `â`) but no digits without a vowel before them: a
    number that reads whole, in a text whose shape is whole, is certain, and is presented without an identity.
    """
    number = _number(burst.field(_NUMBER))
    if isinstance(number, Fault):
        return malformed(kind, _number_fault(burst, number))
    fault = _shape_fault(burst)
    if fault is not None:
        return malformed(kind, fault)
    return _presented(number, burst, kind)


def _presented(number: CardNumber | str, burst: Burst, kind: PresentedKind) -> Presentation:
    texts = {index: _hex_text(burst.field(index)) for index in (_NAME, _ADDRESS, _PARENT, _ISSUING_PLACE)}
    if burst.foreign_at is not None or _Hex.GARBLED in texts.values() or _name_is_garbled(texts[_NAME], burst):
        return _identified(number, kind, identity=None, warnings=(WarningCode.SCANNER_INPUT_METHOD,))
    name, birth = _text(texts[_NAME]), parse_birth(burst.field(_BIRTH).text)
    warnings: tuple[str, ...] = ()
    if name is not None and not _HEX.fullmatch(burst.field(_NAME).text):
        # A name that is no hex was not changed by an input method, but is not sure to be the name either.
        name, warnings = None, (WarningCode.IDENTITY_UNREADABLE,)
    identity = None if name is None and birth is None else Identity(name=name, birth=birth)
    presented = _identified(number, kind, identity=identity, warnings=warnings)
    return presented if isinstance(presented, CitizenPresented) else _with_face(presented, burst, texts)


def _identified(
    number: CardNumber | str, kind: PresentedKind, *, identity: Identity | None, warnings: tuple[str, ...]
) -> NumberPresented | CitizenPresented:
    if isinstance(number, str):
        return CitizenPresented(kind=kind, citizen_id=number, identity=identity, warnings=warnings)
    return NumberPresented(
        kind=kind,
        number=number.number,
        printed=number.printed,
        group=number.group,
        benefit_level=number.benefit_level,
        identity=identity,
        warnings=warnings,
    )


def _with_face(presented: NumberPresented, burst: Burst, texts: Mapping[int, _HexText]) -> NumberPresented:
    days = {index: parse_day(burst.field(index).text) for index in (_FROM, _TO, _ISSUED, _FIVE_YEARS)}
    readable = all(day is not None or burst.field(index).absent for index, day in days.items())
    return NumberPresented(
        kind=presented.kind,
        number=presented.number,
        printed=presented.printed,
        group=presented.group,
        benefit_level=presented.benefit_level,
        identity=presented.identity,
        printed_place=parse_facility_on_card(burst.field(_FACILITY).text),
        warnings=presented.warnings if readable else (*presented.warnings, WarningCode.QR_DATES_UNREADABLE),
        face=_face(burst, texts, days) if readable else None,
    )


def _face(burst: Burst, texts: Mapping[int, _HexText], days: Mapping[int, date | None]) -> CardFace:
    return CardFace(
        sex=_SEXES.get(burst.field(_SEX).text),
        address=_text(texts[_ADDRESS]),
        valid_from=days[_FROM],
        valid_to=days[_TO],
        issued_on=days[_ISSUED],
        office=_plain(burst.field(_OFFICE)),
        parent=_text(texts[_PARENT]),
        area=AREAS.get(burst.field(_AREA).text),
        five_years_on=days[_FIVE_YEARS],
        check_string=_plain(burst.field(_CHECK)),
        benefit_code=_plain(burst.field(_BENEFIT)),
        issuing_place=_text(texts[_ISSUING_PLACE]),
    )


def _number(field: Field) -> CardNumber | str | Fault:
    printed = compact(field.text)
    return citizen_id_in(printed) if printed.is_citizen_id else card_number_in(printed)


def _number_fault(burst: Burst, fault: Fault) -> Fault:
    field = burst.field(_NUMBER)
    place = field.position + (fault.position or 0)
    if burst.foreign_at is not None:
        return Fault(code=FaultCode.SCANNER_INPUT_METHOD, position=burst.foreign_at)
    if len(field.text) > PRINTED_NUMBER_LENGTH and _CUT_NUMBER.match(field.text):
        return Fault(code=FaultCode.SCANNED_TWICE, position=place)
    if field.text.isdecimal():
        return Fault(code=FaultCode.QR_INCOMPLETE, position=place)
    if _CUT_NUMBER.fullmatch(field.text):
        # VNI takes digits after a vowel for tones and may leave plain letters: `TE1` can lose its 1 without a trace.
        return Fault(code=FaultCode.SCANNER_INPUT_METHOD, position=place)
    return Fault(code=FaultCode.QR_UNKNOWN, position=place)


def _shape_fault(burst: Burst) -> Fault | None:
    """Check what must hold before the number may be trusted: no cut, no second burst, a birth date in its place."""
    if len(burst.fields) < FIELDS_MIN:
        return Fault(code=FaultCode.QR_INCOMPLETE, position=burst.end)
    birth = burst.field(_BIRTH)
    if not birth.absent and parse_birth(birth.text) is None:
        code = FaultCode.QR_DAMAGED if burst.foreign_at is None else FaultCode.SCANNER_INPUT_METHOD
        return Fault(code=code, position=birth.position)
    return _second_burst(burst)


def _second_burst(burst: Burst) -> Fault | None:
    """Find a burst that was cut and begun again: a facility where none stands, or a name before a second birth."""
    for index, field in enumerate(burst.fields):
        if "-" not in field.text or index == _FACILITY or len(field.text) > FIELD_LENGTH_SHORT:
            continue
        if _FACILITY_SHAPE.fullmatch(field.text):
            return Fault(code=FaultCode.SCANNED_TWICE, position=field.position)
    for name, birth in zip(burst.fields[_BIRTH:], burst.fields[_SEX:], strict=False):
        if len(name.text) > FIELD_LENGTH_SHORT and "/" in birth.text:
            return Fault(code=FaultCode.SCANNED_TWICE, position=name.position)
    return None


def _name_is_garbled(name: _HexText, burst: Burst) -> bool:
    """Tell whether an input method can have taken letters out of the name without leaving a foreign one.

    VNI takes a digit after a or e for a tone and the next 0 for taking the tone away: a space (20) or P (50) behind n
    (6e) or ê (c3aa) is gone. Small letters show it by a capital inside a word. Capitals do not, so they are trusted
    only where digits still stand behind vowels; two of them, since a digit typed twice undoes itself and stands once.
    """
    if not isinstance(name, str) or not _HEX.fullmatch(burst.field(_NAME).text):
        return False
    if not is_plausible_name(name) or any(before.islower() and after.isupper() for before, after in pairwise(name)):
        return True
    if _VOWELS.isdisjoint(name.encode().hex()) or not any(word.isupper() for word in name.split()):
        return False
    return sum(len(_UNTOUCHED_BY_VNI.findall(field.text)) for field in burst.fields) < UNTOUCHED_MIN


def _hex_text(field: Field) -> _HexText:
    """Decode hex of UTF-8; a text that is no hex comes back as it is, hex that says nothing is garbled."""
    if field.absent:
        return None
    if not _HEX.fullmatch(field.text):
        return field.text
    try:
        text = unicodedata.normalize("NFC", bytes.fromhex(field.text).decode("utf-8").replace("\0", "").strip())
    except ValueError:
        return _Hex.GARBLED
    return text if text and text.isprintable() else _Hex.GARBLED


def _text(text: _HexText) -> str | None:
    return None if text is _Hex.GARBLED else text


def _plain(field: Field) -> str | None:
    return None if field.absent else field.text
