"""Given a card, when a desk asks, then: cards, questions and findings as short as a test wants to say them."""

from datetime import UTC, date, datetime
from typing import Any

from lienthong.domain.answer import Decision, Finding, Found, Freshness, NoRecord, Notice
from lienthong.domain.card import Address, Card, Ended, Holder, Issuer, Period, RegisteredPlace, Sex
from lienthong.domain.decision import decide
from lienthong.domain.question import (
    CitizenPresented,
    Identity,
    NoCardReason,
    NothingPresented,
    NumberPresented,
    Presentation,
    PresentedKind,
    Question,
)
from lienthong.domain.register import Register

NUMBER = "0000012345"
CITIZEN_ID = "000001234567"
PRINTED = f"HC401{NUMBER}"
NAME, BIRTH = "Nguyễn Thị Mẫu", "1962-05-17"
HOLDER = Identity(name=NAME, birth=BIRTH)
DECISION_ID = "01970000-0000-7000-8000-000000000000"
NOW = datetime(2025, 8, 1, 2, 0, tzinfo=UTC)  # nine in the morning in Vietnam
FRESH = Freshness(register_position=7, cards_caught_up_at=NOW, complete=True)
BEHIND = Freshness(register_position=7, cards_caught_up_at=NOW, complete=False)


def day(text: str) -> date:
    return date.fromisoformat(text)


def period(valid_from: str = "2023-03-01", valid_to: str | None = "2027-02-28", **other: Any) -> Period:
    """Build a period of coverage; `ended` is (day, reason), `place` (code, recorded_on)."""
    ended, place = other.pop("ended", None), other.pop("place", None)
    given: dict[str, Any] = {
        "valid_from": day(valid_from),
        "valid_to": None if valid_to is None else day(valid_to),
        "number": PRINTED,
        "group": "HC",
        "benefit_level": 4,
        "area": None,
        "issuer": Issuer.VSS,
        "registered_place": RegisteredPlace(code=place[0], recorded_on=day(place[1])) if place else None,
        "five_years_on": None,
        "ended": Ended(on=day(ended[0]), reason=ended[1]) if ended else None,
    }
    return Period(**given | other)


def card(*periods: Period, **other: Any) -> Card:
    """Build a card, with one usual period unless others are given; `address` is (level, code, recorded_on)."""
    address, withdrawn = other.pop("address", None), other.pop("withdrawn", None)
    given: dict[str, Any] = {
        "number": NUMBER,
        "revision": 1,
        "holder": Holder(name=NAME, birth=BIRTH, sex=Sex.FEMALE),
        "citizen_ids": (CITIZEN_ID,),
        "address": Address(level=address[0], code=address[1], recorded_on=day(address[2]), detail="Ngõ 12")
        if address
        else None,
        "periods": periods or (period(),),
        "withdrawn": Ended(on=day(withdrawn[0]), reason=withdrawn[1]) if withdrawn else None,
    }
    return Card(**given | other)


def typed(printed: str = NUMBER, **other: Any) -> NumberPresented:
    """Present a number; one of 15 characters shows its group and level."""
    shown: dict[str, Any] = (
        {"group": printed[:2], "benefit_level": int(printed[2])} if len(printed) > len(NUMBER) else {}
    )
    kind = other.pop("kind", PresentedKind.INSURANCE_NUMBER)
    return NumberPresented(kind=kind, number=printed[-10:], printed=printed, **shown, **other)


def scanned(identity: Identity | None = HOLDER, printed: str = PRINTED) -> NumberPresented:
    """Present a card's QR code, which carries a name and a birth date."""
    return typed(printed, kind=PresentedKind.CARD_QR, identity=identity)


def citizen(identity: Identity | None = None) -> CitizenPresented:
    return CitizenPresented(kind=PresentedKind.CITIZEN_ID, citizen_id=CITIZEN_ID, identity=identity)


def no_card(reason: str) -> NothingPresented:
    return NothingPresented(reason=NoCardReason(reason))


def question(presented: Presentation | None = None, on: str = "2025-08-01", **other: Any) -> Question:
    """Ask; a typed number unless something else is presented. `admitted_on` is a text."""
    admitted_on = other.pop("admitted_on", None)
    given: dict[str, Any] = {
        "presented": presented or typed(),
        "facility_code": "01004",
        "clerk_id": "NV01",
        "on": day(on),
        "admitted_on": None if admitted_on is None else day(admitted_on),
    }
    return Question(**given | other)


def found(*cards: Card, freshness: Freshness = FRESH) -> Found:
    return Found(cards=cards, freshness=freshness)


def nothing(freshness: Freshness = FRESH) -> NoRecord:
    return NoRecord(freshness=freshness)


def answer(asked: Question, finding: Finding, register: Register | None = None) -> Decision:
    """Decide, on an empty register unless one is given."""
    return decide(asked, finding, register or Register.empty(), decision_id=DECISION_ID, decided_at=NOW)


def codes(decision: Decision) -> list[str]:
    """Return the codes of the notices, in their order."""
    return [notice.code for notice in decision.notices]


def told(decision: Decision, code: str) -> Notice:
    """Return the one notice of a code."""
    (notice,) = [each for each in decision.notices if each.code == code]
    return notice
