"""Write the texts of card and citizen-ID QR codes as their issuers do, for generated cards and for tests."""

from dataclasses import dataclass

from lienthong.domain.births import print_birth, print_day
from lienthong.domain.card import Sex
from lienthong.domain.card_qr import AREAS, FIELDS_MIN
from lienthong.domain.identity import print_facility_on_card
from lienthong.domain.question import CardFace

_SEX_DIGITS = {Sex.MALE: "1", Sex.FEMALE: "2", None: "-"}
_SEX_WORDS = {Sex.MALE: "Nam", Sex.FEMALE: "Nữ", None: ""}
_AREA_DIGITS = {None: "4"} | {area: digit for digit, area in AREAS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedCard:
    """What a card's QR holds: `number` of 10 or 15 characters, `birth` as `YYYY[-MM[-DD]]`, a facility code."""

    number: str
    name: str
    birth: str
    facility_code: str
    face: CardFace


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedCitizen:
    """What a citizen ID's QR holds: `birth` is `YYYY-MM-DD` or a year, `issued_on` likewise."""

    citizen_id: str
    name: str
    birth: str
    sex: Sex
    address: str
    issued_on: str
    old_id: str = ""


def card_qr_text(card: PrintedCard, *, short: bool = False) -> str:
    """Write a card's QR text: 14 fields and as many of the newer two as there are, or the old form of 10 fields."""
    face = card.face
    fields = [
        card.number,
        _hex(card.name),
        print_birth(card.birth),
        _SEX_DIGITS[face.sex],
        _hex(face.address),
        print_facility_on_card(card.facility_code),
        print_day(face.valid_from),
        print_day(face.valid_to),
        print_day(face.issued_on),
        face.office or "-",
        _hex(face.parent),
        _AREA_DIGITS[face.area],
        " " + print_day(face.five_years_on),  # printed with this space on real cards
        face.check_string or "-",
    ]
    if face.benefit_code is not None or face.issuing_place is not None:
        fields += [face.benefit_code or "-", _hex(face.issuing_place)]
    return "|".join(fields[:FIELDS_MIN] if short else fields) + "|$"


def citizen_qr_text(citizen: PrintedCitizen) -> str:
    """Write a citizen ID's QR text: seven fields of plain text, dates as ddMMyyyy or a year."""
    fields = (
        citizen.citizen_id,
        citizen.old_id,
        citizen.name,
        print_birth(citizen.birth).replace("/", ""),
        _SEX_WORDS[citizen.sex],
        citizen.address,
        print_birth(citizen.issued_on).replace("/", ""),
    )
    return "|".join(fields)


def _hex(text: str | None) -> str:
    return "-" if not text else text.encode("utf-8").hex()
