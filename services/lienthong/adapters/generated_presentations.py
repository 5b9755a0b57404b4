"""How a generated card, or its holder's citizen ID, is presented at a desk, rightly and wrongly."""

import unicodedata
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from lienthong.adapters.generated_periods import Data
from lienthong.adapters.generator import GeneratedCard
from lienthong.adapters.invented_people import Dice, holder
from lienthong.domain.births import print_birth
from lienthong.domain.card import Sex
from lienthong.domain.names import name_key
from lienthong.domain.qr_text import PrintedCard, PrintedCitizen, card_qr_text, citizen_qr_text
from lienthong.domain.question import CardFace

# One syllable may be written with its tone mark on either letter; the other way of each is the same name.
_TONE_PLACES: Final = (("oà", "òa"), ("oả", "ỏa"), ("oè", "òe"), ("uý", "úy"), ("uỳ", "ùy"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The card that a look-up is about, the identity that is given with it, and the draws that remain."""

    card: GeneratedCard
    name: str
    birth: str
    dice: Dice

    def printed(self) -> Data:
        """Return the period of the latest printed card."""
        period: Data = self.card.data["periods"][-1]
        return period


def asked_about(generated: GeneratedCard, dice: Dice) -> Asked:
    """Ask about a card with its holder's own name and birth date, written in one of the ways that are right."""
    person = generated.data["holder"]
    return Asked(card=generated, name=_written(person["name"], dice), birth=_told(person["birth"], dice), dice=dice)


def card_qr(generated: GeneratedCard) -> str:
    """Return the QR text of the card that was printed last, in the newer form of 16 fields."""
    return _card_qr(generated, generated.data["holder"]["name"], generated.data["holder"]["birth"])


def typed(asked: Asked) -> Data:
    """Type the number, with name and birth date."""
    return typed_number(asked) | {"holder": {"name": asked.name, "birth": asked.birth}}


def typed_number(asked: Asked) -> Data:
    """Type the number alone."""
    return {"presented": {"kind": "insurance_number", "number": asked.printed()["number"]}}


def scanned(asked: Asked) -> Data:
    """Scan the card's QR, which carries name and birth date."""
    return {"presented": {"kind": "card_qr", "text": _card_qr(asked.card, asked.name, asked.birth)}}


def chip(asked: Asked) -> Data:
    """Read the citizen ID's chip."""
    fields = {"number": _citizen_id(asked), "name": asked.name, "birth": print_birth(asked.birth)}
    return {"presented": {"kind": "citizen_chip", "fields": fields}}


def citizen_scanned(asked: Asked) -> Data:
    """Scan the citizen ID's QR, which has a birth day or year, never a month."""
    sex = asked.card.data["holder"]["sex"]
    printed = PrintedCitizen(
        citizen_id=_citizen_id(asked),
        name=unicodedata.normalize("NFC", asked.name),
        birth=asked.birth if len(asked.birth) == len("YYYY-MM-DD") else asked.birth[:4],
        sex=Sex(sex) if sex else Sex.FEMALE,
        address="Tổ 1, Xã Mẫu",
        issued_on="2021-05-20",
    )
    return {"presented": {"kind": "citizen_qr", "text": citizen_qr_text(printed)}}


def citizen_typed(asked: Asked) -> Data:
    """Type the citizen ID, with name and birth date."""
    holder_typed = {"name": asked.name, "birth": asked.birth}
    return {"presented": {"kind": "citizen_id", "number": _citizen_id(asked)}, "holder": holder_typed}


def other_name(asked: Asked) -> Asked:
    """Give somebody else's name."""
    while name_key(name := holder(asked.dice)["name"]) == name_key(asked.name):
        pass
    return replace(asked, name=name)


def other_birth(asked: Asked) -> Asked:
    """Give a birth date four years later, when there is a 29 February too."""
    return replace(asked, birth=f"{int(asked.birth[:4]) + 4}{asked.birth[4:]}")


def _card_qr(generated: GeneratedCard, name: str, birth: str) -> str:
    period, sex = generated.data["periods"][-1], generated.data["holder"]["sex"]
    place, five_years_on = period["registered_place"], period["five_years_on"]
    return card_qr_text(
        PrintedCard(
            number=period["number"],
            name=unicodedata.normalize("NFC", name),
            birth=birth,
            facility_code=place["code"] if place else "01C51",
            face=CardFace(
                sex=Sex(sex) if sex else None,
                address="Tổ 1, Xã Mẫu",
                valid_from=date.fromisoformat(period["valid_from"]),
                valid_to=date.fromisoformat(period["valid_to"]) if period["valid_to"] else None,
                issued_on=date.fromisoformat(period["valid_from"]),
                office="0100",
                parent=None,
                area=period["area"],
                five_years_on=date.fromisoformat(five_years_on) if five_years_on else None,
                check_string="00000000000000000000-0000",
                benefit_code=str(period["benefit_level"]) if period["benefit_level"] else None,
                issuing_place="Hà Nội",
            ),
        )
    )


def _citizen_id(asked: Asked) -> str:
    return str(asked.dice.of(asked.card.data["citizen_ids"]))


def _written(name: str, dice: Dice) -> str:
    """Write a name in one of the ways in which it is still the same name."""
    match dice.below(6):
        case 0:
            return name.upper()
        case 1:
            return unicodedata.normalize("NFD", name)
        case 2:
            for one, other in _TONE_PLACES:
                name = name.replace(one, other) if one in name else name.replace(other, one)
            return name
        case _:
            return name


def _told(birth: str, dice: Dice) -> str:
    """Tell a birth date: where the record has a year alone, half of the people tell the day."""
    if len(birth) > len("YYYY") or dice.below(2):
        return birth
    return f"{birth}-{dice.below(12) + 1:02d}-{dice.below(28) + 1:02d}"
