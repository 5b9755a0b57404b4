"""Generated look-ups: what desks ask about generated cards, each with the outcome it must have.

The distribution, in hundredths of all look-ups: of the 88 that are right, 28 scan the card's QR, 24 type its number (a
third of them without a name), 16 read the citizen ID's chip, 13 scan its QR, 7 type it with name and birth date · 6
have another name, 2 another birth date · 2 present what is on no record · 1 is malformed · 1 has no card. Days lie in
the window in which a generated card stands as its kind says. Names that are right may be in capitals, decomposed, or
with the tone mark in its other place; a birth date may be a day where the record has a year. Of the look-ups of a card
that ended in the window half come from a patient who was admitted before.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import orjson

from lienthong.adapters.demo_cards import NEVER_ISSUED_CITIZEN_ID
from lienthong.adapters.generated_periods import WINDOW_FIRST, WINDOW_LAST, CardKind, Data
from lienthong.adapters.generated_presentations import (
    Asked,
    asked_about,
    card_qr,
    chip,
    citizen_scanned,
    citizen_typed,
    other_birth,
    other_name,
    scanned,
    typed,
    typed_number,
)
from lienthong.adapters.generator import CardPlan, GeneratedCard, card
from lienthong.adapters.invented_people import Dice, iso_day, weighted

SOURCE: Final = "/generated/desks"

ELIGIBLE: Final = "eligible"
CHECK_PAPERS: Final = "check_papers"
NOT_IN_FORCE: Final = "not_in_force"
NOT_FOUND: Final = "not_found"
IDENTITY_MISMATCH: Final = "identity_mismatch"
MALFORMED: Final = "malformed"

_STANDING: Final[Mapping[CardKind, str]] = {
    CardKind.ENDED: NOT_IN_FORCE,
    CardKind.GAP: NOT_IN_FORCE,
    CardKind.NOT_STARTED: NOT_IN_FORCE,
    CardKind.STOPPED: NOT_IN_FORCE,
    CardKind.WITHDRAWN: NOT_IN_FORCE,
    # The period that answers now may not be recorded yet: nothing was confirmed and nothing denied.
    CardKind.MOVED: CHECK_PAPERS,
}
_VISITS: Final = weighted({"outpatient": 15, "inpatient": 3, "emergency": 2})
_TREATMENT_DAYS_MAX: Final = 10
_CLERKS: Final = 20
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupPlan:
    """What generated look-ups depend on: they ask about the first `card_count` cards of a plan, at its facilities."""

    cards: CardPlan
    card_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedLookup:
    """One question as messages write it, and the outcome that it must have once all of the plan's cards are known."""

    id: str
    question: Data
    expected: str


def lookup(plan: LookupPlan, index: int) -> GeneratedLookup:
    """Return the look-up at an index from 0: a function of the plan and the index alone."""
    dice = Dice(plan.cards.seed, f"lookup/{index}")
    way = dice.of(_WAYS)
    question, expected = way(plan, dice)
    named = hashlib.blake2b(f"{plan.cards.seed}/lookup/{index}".encode(), digest_size=_ID_BYTES)
    return GeneratedLookup(id=named.hexdigest(), question=question, expected=expected)


def lookups(plan: LookupPlan, count: int) -> Iterator[GeneratedLookup]:
    """Give the first `count` look-ups of a plan."""
    return (lookup(plan, index) for index in range(count))


def lookup_line(generated: GeneratedLookup) -> bytes:
    """Return one look-up as a CloudEvent on a line, with its end."""
    event = {
        "specversion": "1.0",
        "id": generated.id,
        "type": "lookup.requested",
        "source": SOURCE,
        "subject": generated.question["facility_code"],
        "time": f"{generated.question['on']}T08:00:00+07:00",
        "dataschema": "urn:lienthong:lookup.requested:1",
        "data": {"question": generated.question},
    }
    return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)


def _right(present: Callable[[Asked], Data]) -> "_Way":
    def way(plan: LookupPlan, dice: Dice) -> tuple[Data, str]:
        asked = _asked(plan, dice)
        question = _question(plan, dice) | present(asked)
        return question, _expected(asked.card, question, dice)

    return way


def _wrong(present: Callable[[Asked], Data], spoil: Callable[[Asked], Asked]) -> "_Way":
    def way(plan: LookupPlan, dice: Dice) -> tuple[Data, str]:
        asked = spoil(_asked(plan, dice))
        return _question(plan, dice) | present(asked), IDENTITY_MISMATCH

    return way


def _asked(plan: LookupPlan, dice: Dice) -> Asked:
    return asked_about(card(plan.cards, dice.below(plan.card_count)), dice)


def _question(plan: LookupPlan, dice: Dice) -> Data:
    return {
        "presented": None,
        "facility_code": dice.of(plan.cards.places.facilities),
        "clerk_id": f"NV{dice.below(_CLERKS) + 1:02d}",
        "on": iso_day(WINDOW_FIRST + dice.below(WINDOW_LAST - WINDOW_FIRST + 1)),
        "admitted_on": None,
        "visit_kind": dice.of(_VISITS),
        "holder": None,
    }


def _expected(generated: GeneratedCard, question: Data, dice: Dice) -> str:
    """Say what the question's answer must be; a card that ended in the window may get an earlier admission."""
    if generated.data["periods"][-1]["issuer"] != "vss":
        return CHECK_PAPERS
    if generated.kind is not CardKind.ENDING:
        return _STANDING.get(generated.kind, ELIGIBLE)
    last = generated.data["periods"][-1]["valid_to"]
    if question["on"] <= last:
        return ELIGIBLE
    if dice.below(2):
        return NOT_IN_FORCE
    question["admitted_on"] = iso_day(date.fromisoformat(last).toordinal() - dice.below(_TREATMENT_DAYS_MAX))
    question["visit_kind"] = "inpatient"
    return ELIGIBLE


def _unknown(plan: LookupPlan, dice: Dice) -> tuple[Data, str]:
    """Present a number after the plan's last card, or a citizen ID that no card has where the numbers are used up."""
    room = plan.cards.capacity - plan.card_count
    if room and dice.below(2):
        number = plan.cards.number(plan.card_count + dice.below(room))
        presented = {"kind": "insurance_number", "number": number}
    else:
        presented = {"kind": "citizen_id", "number": NEVER_ISSUED_CITIZEN_ID}
    return _question(plan, dice) | {"presented": presented}, NOT_FOUND


def _malformed(plan: LookupPlan, dice: Dice) -> tuple[Data, str]:
    """Present a number that lacks a digit, one with a letter for a digit, or the beginning of a QR text."""
    asked = _asked(plan, dice)
    number = asked.card.data["id"]
    spoilt: Sequence[Data] = (
        {"kind": "insurance_number", "number": number[:-1]},
        {"kind": "insurance_number", "number": f"{number[:4]}O{number[5:]}"},
        {"kind": "card_qr", "text": "|".join(card_qr(asked.card).split("|")[:3])},
    )
    return _question(plan, dice) | {"presented": dice.of(spoilt)}, MALFORMED


def _no_card(plan: LookupPlan, dice: Dice) -> tuple[Data, str]:
    presented = {"kind": "no_card", "reason": dice.of(("child", "reissue", "emergency"))}
    return _question(plan, dice) | {"presented": presented}, CHECK_PAPERS


_Way = Callable[[LookupPlan, Dice], tuple[Data, str]]

_WAYS: Final[Sequence[_Way]] = weighted(
    {
        _right(scanned): 28,
        _right(typed): 16,
        _right(typed_number): 8,
        _right(chip): 16,
        _right(citizen_scanned): 13,
        _right(citizen_typed): 7,
        _wrong(typed, other_name): 3,
        _wrong(chip, other_name): 2,
        _wrong(scanned, other_name): 1,
        _wrong(citizen_typed, other_birth): 1,
        _wrong(scanned, other_birth): 1,
        _unknown: 2,
        _malformed: 1,
        _no_card: 1,
    }
)
