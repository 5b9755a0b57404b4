"""What a desk presents, read into one of four things: a card by number, a citizen by ID, nothing, or a malformed text.

Every text gives a presentation; none raises, whatever its size, and no sentence repeats what was read.
"""

from lienthong.domain.births import parse_birth
from lienthong.domain.card_qr import parse_card_qr
from lienthong.domain.citizen_qr import is_citizen_qr, parse_citizen_qr
from lienthong.domain.faults import Fault, FaultCode, WarningCode, malformed
from lienthong.domain.identity import card_number_in, citizen_id_in, compact, parse_citizen_id
from lienthong.domain.names import clean_name
from lienthong.domain.question import (
    CitizenPresented,
    Identity,
    NumberPresented,
    Presentation,
    PresentedKind,
)
from lienthong.domain.scan import TEXT_LENGTH_MAX, is_plausible_name, read_burst

_TYPED_KINDS = (PresentedKind.INSURANCE_NUMBER, PresentedKind.CITIZEN_ID)


def parse_presented(kind: PresentedKind, text: str) -> Presentation:
    """Read what was typed, scanned or found in an image; the text speaks for itself where the desk's kind errs.

    A QR text in the box for numbers is read as the QR code it is, and either QR code as the one it is. An image keeps
    its kind. A QR code that holds a bare number is no card's: it may be anybody's telephone number.
    """
    if kind in _TYPED_KINDS and "|" not in text:
        return parse_typed(text, kind)
    return parse_qr(text, kind)


def parse_typed(text: str, kind: PresentedKind = PresentedKind.INSURANCE_NUMBER) -> Presentation:
    """Read a typed number: 10 or 15 characters name a card, 12 digits a citizen; separators are ignored."""
    if len(text) > TEXT_LENGTH_MAX:
        return malformed(kind, Fault(code=FaultCode.TOO_LONG, position=TEXT_LENGTH_MAX))
    typed = compact(text).undoubled()
    number = citizen_id_in(typed) if typed.is_citizen_id else card_number_in(typed)
    if isinstance(number, Fault):
        return malformed(kind, number)
    if isinstance(number, str):
        return CitizenPresented(kind=PresentedKind.CITIZEN_ID, citizen_id=number)
    return NumberPresented(
        kind=PresentedKind.INSURANCE_NUMBER,
        number=number.number,
        printed=number.printed,
        group=number.group,
        benefit_level=number.benefit_level,
    )


def parse_qr(text: str, kind: PresentedKind = PresentedKind.CARD_QR) -> Presentation:
    """Read the text of a card's or a citizen ID's QR code, as scanner, camera or image gave it."""
    burst = read_burst(text)
    if isinstance(burst, Fault):
        return malformed(kind, burst)
    if len(burst.fields) == 1:
        return malformed(kind, Fault(code=FaultCode.QR_UNKNOWN, position=burst.field(0).position))
    keeps_kind = kind is PresentedKind.CARD_IMAGE
    if is_citizen_qr(burst):
        return parse_citizen_qr(burst, kind if keeps_kind else PresentedKind.CITIZEN_QR)
    return parse_card_qr(burst, kind if keeps_kind else PresentedKind.CARD_QR)


def parse_chip(number: str, name: str | None, birth: str | None) -> Presentation:
    """Read what the desk's reader software took from the chip of a citizen ID; only the number is demanded."""
    kind = PresentedKind.CITIZEN_CHIP
    if any(part is not None and len(part) > TEXT_LENGTH_MAX for part in (number, name, birth)):
        return malformed(kind, Fault(code=FaultCode.TOO_LONG, position=TEXT_LENGTH_MAX))
    citizen_id = parse_citizen_id(number)
    if isinstance(citizen_id, Fault):
        return malformed(kind, citizen_id)
    identity = Identity(name=clean_name(name or "") or None, birth=parse_birth((birth or "").strip()))
    unreadable = identity.birth is None and bool(birth)
    if identity.name is not None and not is_plausible_name(identity.name):
        identity, unreadable = Identity(name=None, birth=identity.birth), True
    return CitizenPresented(
        kind=kind,
        citizen_id=citizen_id,
        identity=None if identity == Identity(name=None, birth=None) else identity,
        warnings=(WarningCode.IDENTITY_UNREADABLE,) if unreadable else (),
    )
