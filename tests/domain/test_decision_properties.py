"""What holds of every answer: no register fact changes an outcome, a mismatch leaks nothing, absence needs proof."""

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from lienthong.adapters.native import encode_decision
from lienthong.domain.answer import Finding, Found, Outcome, StoreFault
from lienthong.domain.card import Address, Card, RegisteredPlace
from lienthong.domain.facility import facility_reference
from lienthong.domain.facts import Fact
from lienthong.domain.periods import Standing, coverage
from lienthong.domain.places import address_today, registered_place_today
from lienthong.domain.portal_code import portal_code
from lienthong.domain.question import Presentation, Question
from lienthong.domain.register import Register
from lienthong.domain.register_view import view_of
from lienthong.domain.succession import Reference
from lienthong.domain.verdict import Reason, judge
from tests.support.desk import answer, found, question, scanned
from tests.support.desk_strategies import cards, days, findings, maybe_days, presentations, questions, rules
from tests.support.facts import register_of
from tests.support.histories import wild_facts

DENIALS = {Outcome.NOT_FOUND, Outcome.NOT_IN_FORCE}
WITHOUT_PORTAL_CODE = {Reason.BEING_REISSUED, Reason.EMERGENCY}


def registers() -> st.SearchStrategy[Register]:
    return st.tuples(wild_facts, rules).map(lambda facts: register_of(*facts[0], *facts[1]))


@given(questions, findings, registers(), wild_facts, rules)
def test_publishing_any_register_fact_changes_no_outcome(
    asked: Question, finding: Finding, register: Register, more: list[Fact], more_rules: list[Fact]
) -> None:
    empty = answer(asked, finding)
    before = answer(asked, finding, register)
    after = answer(asked, finding, register.with_facts([*more, *more_rules]))
    assert empty.outcome == before.outcome == after.outcome
    assert (empty.card is None) == (after.card is None)


@given(cards(), days, maybe_days, registers())
def test_an_eligible_card_stays_eligible_whatever_is_published(
    held: Card, on: date, admitted_on: date | None, register: Register
) -> None:
    asked = replace(question(scanned(None)), on=on, admitted_on=admitted_on)
    if answer(asked, found(held)).outcome is Outcome.ELIGIBLE:
        assert answer(asked, found(held), register).outcome is Outcome.ELIGIBLE


@given(questions, findings, registers())
def test_a_mismatch_returns_the_same_whatever_the_record_holds(
    asked: Question, finding: Finding, register: Register
) -> None:
    decision = answer(asked, finding, register)
    if decision.outcome is Outcome.IDENTITY_MISMATCH:
        bare = _bare(finding)
        assert decision == answer(asked, bare, register)
        assert (decision.card, decision.address, decision.registered_place, decision.proof) == (None, None, None, ())


@given(questions, findings, registers())
def test_without_proof_nothing_is_denied(asked: Question, finding: Finding, register: Register) -> None:
    decision = answer(asked, finding, register)
    if isinstance(finding, StoreFault) or not finding.freshness.complete:
        assert decision.outcome not in DENIALS
    if decision.outcome is Outcome.CANNOT_TELL:
        assert (decision.card, decision.address, decision.registered_place) == (None, None, None)


@given(questions, findings, registers())
def test_the_holder_is_shown_only_where_name_and_birth_were_given(
    asked: Question, finding: Finding, register: Register
) -> None:
    decision = answer(asked, finding, register)
    if decision.card is not None and decision.card.holder is not None:
        given_by = [asked.holder, getattr(asked.presented, "identity", None)]
        assert any(each is not None and each.name is not None for each in given_by)
        assert any(each is not None and each.birth is not None for each in given_by)


@given(questions, findings, registers())
def test_every_question_gets_one_answer_that_can_be_written_out(
    asked: Question, finding: Finding, register: Register
) -> None:
    decision = answer(asked, finding, register)
    assert decision == answer(asked, finding, register)
    assert encode_decision(decision)
    assert all(notice.vi and notice.en for notice in decision.notices)
    emergency_line = any(notice.code == "emergency" for notice in decision.notices)
    assert emergency_line == (decision.outcome is not Outcome.ELIGIBLE)


@given(questions, findings)
def test_every_reason_has_its_portal_code(asked: Question, finding: Finding) -> None:
    verdict = judge(asked, finding)
    assert (portal_code(verdict.reason) is None) == (verdict.reason in WITHOUT_PORTAL_CODE)


@given(presentations, findings)
def test_the_order_of_candidates_is_no_argument(presented: Presentation, finding: Finding) -> None:
    asked = question(presented)
    if isinstance(finding, Found):
        assert answer(asked, finding) == answer(asked, replace(finding, cards=finding.cards[::-1]))


@given(cards(), days, maybe_days)
def test_the_period_that_answers_covers_the_day_it_answers_for(held: Card, on: date, admitted_on: date | None) -> None:
    stands = coverage(held, on, admitted_on)
    if stands.standing is Standing.IN_FORCE:
        assert stands.period is not None
        assert stands.period.covers(on)
    if stands.next_period is not None:
        assert stands.next_period.valid_from > on


@given(registers(), st.sampled_from(["00001", "00002", "00003"]), maybe_days, days)
def test_an_address_answers_as_it_resolves_whichever_day_between_two_turns_it_was_recorded(
    register: Register, code: str, recorded_on: date | None, on: date
) -> None:
    resolution = register.territory.resolve(Reference(level="commune", code=code, recorded_on=recorded_on), on)
    address = Address(level="commune", code=code, recorded_on=recorded_on, detail=None)
    shown = address_today(view_of(register).day(on), address).shown
    assert (shown.state, shown.today) == (resolution.state, resolution.candidates)
    assert shown.printed == (resolution.printed[0] if len(resolution.printed) == 1 else None)


@given(registers(), st.sampled_from(["01C51", "01C52", "01X"]), maybe_days, days)
def test_a_registered_place_answers_as_it_resolves(
    register: Register, code: str, recorded_on: date | None, on: date
) -> None:
    reference = facility_reference(code, recorded_on)
    resolution = register.facilities.resolve(reference, on)
    place = RegisteredPlace(code=code, recorded_on=recorded_on)
    told = registered_place_today(view_of(register).day(on), place)
    assert (told.shown.state, told.shown.today) == (resolution.state, resolution.candidates)
    without = any(notice.code == "place_without_successor" for notice in told.notices)
    assert without == register.facilities.lacks_successor(reference, on)


def _bare(finding: Finding) -> Finding:
    """Return the finding with nothing left of its records but whose they are."""
    if not isinstance(finding, Found):
        return finding
    bare = tuple(replace(held, address=None, periods=(), withdrawn=None) for held in finding.cards)
    return replace(finding, cards=bare)
