"""The QR code of the citizen ID, on the card and in VNeID: seven or more `|`-separated fields of plain UTF-8."""

import re

from lienthong.domain.births import parse_birth
from lienthong.domain.faults import Fault, FaultCode, WarningCode, malformed
from lienthong.domain.identity import CITIZEN_ID_LENGTH, parse_citizen_id
from lienthong.domain.names import clean_name
from lienthong.domain.question import CitizenPresented, Identity, Presentation, PresentedKind
from lienthong.domain.scan import Burst, Field, foreign_index, is_plausible_name

FIELDS_MIN = 7  # newer cards have more, which nothing here needs

_NUMBER, _OLD_ID, _NAME, _BIRTH, _SEX, _ADDRESS, _ISSUED = range(FIELDS_MIN)
_NUMBER_AT_END = re.compile(rf"[0-9]{{{CITIZEN_ID_LENGTH}}}\Z")
_DIGIT = re.compile(r"[0-9]")


def is_citizen_qr(burst: Burst) -> bool:
    """Tell a citizen ID's fields from a card's, which has its birth date before the sex, not after the name."""
    if burst.terminated:
        return False
    birth = burst.field(_BIRTH).text
    head = burst.field(_NUMBER).text
    digits_only = birth.isdecimal() and birth.isascii() and len(birth) in (len("yyyy"), len("ddMMyyyy"))
    return digits_only or (len(head) == CITIZEN_ID_LENGTH and head.isdecimal() and len(birth) != len("1"))


def parse_citizen_qr(burst: Burst, kind: PresentedKind) -> Presentation:
    """Read a citizen ID's QR: 12 digits, an old 9-digit ID or nothing, name, birth, sex, address, day of issue.

    A name that an input method or the scanner's code page has changed is left out, with a warning; the number before
    it has no letter that could take a tone, so it stands.
    """
    number = parse_citizen_id(burst.field(_NUMBER).text)
    if isinstance(number, Fault):
        return malformed(kind, _number_fault(burst.field(_NUMBER), number))
    fault = _shape_fault(burst)
    if fault is not None:
        return malformed(kind, fault)
    name, birth = burst.field(_NAME), burst.field(_BIRTH)
    if name.text and not is_plausible_name(name.text):
        return CitizenPresented(kind=kind, citizen_id=number, warnings=(WarningCode.SCANNER_INPUT_METHOD,))
    identity = Identity(name=clean_name(name.text) or None, birth=parse_birth(birth.text))
    if identity.name is None and identity.birth is None:
        return CitizenPresented(kind=kind, citizen_id=number)
    return CitizenPresented(kind=kind, citizen_id=number, identity=identity)


def _number_fault(field: Field, fault: Fault) -> Fault:
    foreign = foreign_index(field.text)
    if foreign is not None:
        return Fault(code=FaultCode.SCANNER_INPUT_METHOD, position=field.position + foreign)
    return Fault(code=FaultCode.QR_DAMAGED, position=field.position + (fault.position or 0))


def _shape_fault(burst: Burst) -> Fault | None:
    """Check what must hold before the number may be trusted: whole dates, no digits where words stand, one burst."""
    if len(burst.fields) < FIELDS_MIN:
        return Fault(code=FaultCode.QR_INCOMPLETE, position=burst.end)
    for index in (_BIRTH, _ISSUED):
        field = burst.field(index)
        if not field.absent and parse_birth(field.text) is None:
            return _damage(field)
    for index in (_NAME, _SEX):
        digit = _DIGIT.search(burst.field(index).text)
        if digit is not None:
            return Fault(code=FaultCode.QR_DAMAGED, position=burst.field(index).position + digit.start())
    return _second_burst(burst)


def _second_burst(burst: Burst) -> Fault | None:
    """Find a burst that was cut and begun again: a second number at a field's end, and its birth three fields on."""
    for field, birth in zip(burst.fields[_OLD_ID:], burst.fields[_OLD_ID + _BIRTH :], strict=False):
        number = _NUMBER_AT_END.search(field.text)
        if number is not None and birth.text and parse_birth(birth.text) is not None:
            return Fault(code=FaultCode.SCANNED_TWICE, position=field.position + number.start())
    return None


def _damage(field: Field) -> Fault:
    foreign = foreign_index(field.text)
    if foreign is not None:
        return Fault(code=FaultCode.SCANNER_INPUT_METHOD, position=field.position + foreign)
    return Fault(code=FaultCode.QR_DAMAGED, position=field.position)
