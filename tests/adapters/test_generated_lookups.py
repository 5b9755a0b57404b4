"""Generated look-ups: valid, of every kind, and each judged exactly as it is tagged."""

from collections import Counter, defaultdict
from datetime import date
from typing import Any

import pytest

from lienthong.adapters.card_record import card_from
from lienthong.adapters.generated_lookups import GeneratedLookup, LookupPlan, lookup, lookup_line, lookups
from lienthong.adapters.generated_places import shipped_places
from lienthong.adapters.generated_presentations import card_qr
from lienthong.adapters.generator import CardPlan, card, cards
from lienthong.adapters.wire import Refusal, decode
from lienthong.domain.answer import Finding, Found, Freshness, NoRecord
from lienthong.domain.card import Card
from lienthong.domain.presentation import parse_chip, parse_presented
from lienthong.domain.question import (
    CitizenPresented,
    Identity,
    NoCardReason,
    NothingPresented,
    NumberPresented,
    Presentation,
    PresentedKind,
    Question,
    VisitKind,
)
from lienthong.domain.verdict import judge
from lienthong_schemas.streams import LOOKUPS

CARD_COUNT = 5_000
LOOKUP_COUNT = 10_000
PLAN = LookupPlan(cards=CardPlan(seed=7, places=shipped_places()), card_count=CARD_COUNT)
FRESH = Freshness(register_position=0, cards_caught_up_at=None, complete=True)


@pytest.fixture(scope="module")
def asked() -> list[GeneratedLookup]:
    return list(lookups(PLAN, LOOKUP_COUNT))


class Records:
    """All cards of the plan, found as a store would find them."""

    def __init__(self) -> None:
        self.by_number: dict[str, list[Card]] = {}
        self.by_citizen: dict[str, list[Card]] = defaultdict(list)
        for generated in cards(PLAN.cards, CARD_COUNT):
            record = card_from(generated.data)
            self.by_number[record.number] = [record]
            for citizen_id in record.citizen_ids:
                self.by_citizen[citizen_id].append(record)

    def find(self, presented: Presentation) -> Finding:
        match presented:
            case NumberPresented(number=number):
                found = self.by_number.get(number, [])
            case CitizenPresented(citizen_id=citizen_id):
                found = self.by_citizen.get(citizen_id, [])
            case _:
                found = []
        return Found(cards=tuple(found), freshness=FRESH) if found else NoRecord(freshness=FRESH)


def presentation(presented: dict[str, Any]) -> Presentation:
    match presented:
        case {"kind": "no_card", "reason": reason}:
            return NothingPresented(reason=NoCardReason(reason))
        case {"kind": "citizen_chip", "fields": fields}:
            return parse_chip(fields["number"], fields["name"], fields["birth"])
        case {"kind": kind, "text": text} | {"kind": kind, "number": text}:
            return parse_presented(PresentedKind(kind), text)
    raise AssertionError(presented)


def question(data: dict[str, Any]) -> Question:
    holder, admitted_on = data["holder"], data["admitted_on"]
    return Question(
        presented=presentation(data["presented"]),
        facility_code=data["facility_code"],
        clerk_id=data["clerk_id"],
        on=date.fromisoformat(data["on"]),
        admitted_on=date.fromisoformat(admitted_on) if admitted_on else None,
        visit_kind=VisitKind(data["visit_kind"]),
        holder=Identity(name=holder["name"], birth=holder["birth"]) if holder else None,
    )


def test_the_same_plan_gives_the_same_look_up_alone_or_in_a_row(asked: list[GeneratedLookup]) -> None:
    assert lookup(PLAN, 4321) == asked[4321]
    assert [lookup_line(each) for each in lookups(PLAN, 50)] == [lookup_line(each) for each in asked[:50]]


def test_every_look_up_is_a_valid_message_with_an_id_of_its_own(asked: list[GeneratedLookup]) -> None:
    assert [each for each in (decode(lookup_line(each), LOOKUPS) for each in asked) if isinstance(each, Refusal)] == []
    assert len({each.id for each in asked}) == LOOKUP_COUNT


def test_every_kind_of_presentation_and_every_outcome_occurs(asked: list[GeneratedLookup]) -> None:
    kinds = Counter(each.question["presented"]["kind"] for each in asked)
    assert set(kinds) == {str(kind) for kind in PresentedKind} - {"card_image"}
    outcomes = Counter(each.expected for each in asked)
    assert set(outcomes) == {
        "eligible",
        "check_papers",
        "not_in_force",
        "not_found",
        "identity_mismatch",
        "malformed",
    }
    assert 0.7 < outcomes["eligible"] / LOOKUP_COUNT < 0.85
    assert {each.question["visit_kind"] for each in asked} == {"outpatient", "inpatient", "emergency"}
    assert any(each.question["admitted_on"] for each in asked)


def test_each_look_up_is_judged_as_it_is_tagged(asked: list[GeneratedLookup]) -> None:
    records = Records()
    for each in asked:
        asking = question(each.question)
        verdict = judge(asking, records.find(asking.presented))
        assert verdict.outcome == each.expected, (each.question, verdict.reason)


def test_where_the_numbers_are_used_up_an_unknown_citizen_id_is_still_not_found() -> None:
    full = LookupPlan(cards=PLAN.cards, card_count=PLAN.cards.capacity)
    unknown = [each.question["presented"] for each in lookups(full, 2000) if each.expected == "not_found"]
    assert unknown
    assert {presented["kind"] for presented in unknown} == {"citizen_id"}


def test_the_qr_of_a_generated_card_reads_as_its_holders_card() -> None:
    for index in range(300):
        generated = card(PLAN.cards, index)
        presented = parse_presented(PresentedKind.CARD_QR, card_qr(generated))
        assert isinstance(presented, NumberPresented)
        assert presented.number == generated.data["id"]
        assert presented.identity is not None
        assert (presented.identity.name, presented.identity.birth) == (
            generated.data["holder"]["name"],
            generated.data["holder"]["birth"],
        )
