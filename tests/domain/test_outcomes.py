"""Every row of the desk's table "Outcomes by case", and the order in which a question is judged."""

from dataclasses import replace

import pytest

from lienthong.domain.answer import Outcome, StoreFault
from lienthong.domain.card import Issuer
from lienthong.domain.faults import Fault, FaultCode, malformed
from lienthong.domain.portal_code import portal_code
from lienthong.domain.question import Identity, PresentedKind
from lienthong.domain.verdict import Reason, Verdict, judge
from tests.support.desk import (
    BEHIND,
    HOLDER,
    NUMBER,
    PRINTED,
    card,
    citizen,
    day,
    found,
    no_card,
    nothing,
    period,
    question,
    scanned,
    typed,
)

OLD_PRINTED = f"CN301{NUMBER}"


def said(verdict: Verdict) -> tuple[Outcome, str | None]:
    return verdict.outcome, portal_code(verdict.reason)


def test_a_card_in_force_is_eligible_on_both_of_its_ends() -> None:
    for on in ("2023-03-01", "2025-08-01", "2027-02-28"):
        assert said(judge(question(on=on), found(card()))) == (Outcome.ELIGIBLE, "000")


def test_an_open_end_is_not_expired() -> None:
    open_card = card(period(valid_to=None))
    assert said(judge(question(on="2099-12-31"), found(open_card))) == (Outcome.ELIGIBLE, "000")


@pytest.mark.parametrize(
    ("identity", "code"),
    [
        (Identity(name="Trần Văn Thử", birth=HOLDER.birth), "060"),
        (Identity(name="Ngô Tú Mai", birth=HOLDER.birth), "061"),
        (Identity(name=HOLDER.name, birth="1963"), "070"),
        (Identity(name="Trần Văn Thử", birth="1963"), "060"),
    ],
)
def test_060_061_070_are_a_mismatch_of_identity_and_no_denial(identity: Identity, code: str) -> None:
    by_card = judge(question(scanned(identity)), found(card()))
    by_typing = judge(question(holder=identity), found(card()))
    assert said(by_card) == said(by_typing) == (Outcome.IDENTITY_MISMATCH, code)


@pytest.mark.parametrize(("issuer", "code"), [(Issuer.DEFENCE, "001"), (Issuer.PUBLIC_SECURITY, "002")])
def test_001_002_are_decided_by_the_issuer_and_not_by_the_group(issuer: Issuer, code: str) -> None:
    theirs = card(period(issuer=issuer, group="HC"))
    assert said(judge(question(), found(theirs))) == (Outcome.CHECK_PAPERS, code)
    ours = card(period(group="QN"))
    assert said(judge(question(), found(ours))) == (Outcome.ELIGIBLE, "000")


def test_the_dates_of_a_card_of_the_armed_forces_confirm_and_deny_nothing() -> None:
    ended = card(period(issuer=Issuer.DEFENCE, valid_to="2024-01-01"))
    verdict = judge(question(), found(ended))
    assert said(verdict) == (Outcome.CHECK_PAPERS, "001")
    assert verdict.period is None


def test_003_an_old_card_is_presented_and_the_new_one_is_in_force() -> None:
    old = period(valid_to="2025-06-30", number=OLD_PRINTED, ended=("2025-06-30", "reissued"))
    both = card(old, period("2025-07-01"))
    verdict = judge(question(typed(OLD_PRINTED)), found(both))
    assert said(verdict) == (Outcome.ELIGIBLE, "003")
    assert verdict.period == period("2025-07-01")
    assert said(judge(question(typed(PRINTED)), found(both))) == (Outcome.ELIGIBLE, "000")
    assert said(judge(question(typed(NUMBER)), found(both))) == (Outcome.ELIGIBLE, "000")


def test_003_in_the_gap_before_the_new_card_starts_the_card_is_not_in_force() -> None:
    both = card(period(valid_to="2025-06-30", ended=("2025-06-30", "reissued")), period("2025-09-01"))
    verdict = judge(question(on="2025-08-01"), found(both))
    assert (verdict.outcome, verdict.reason) == (Outcome.NOT_IN_FORCE, Reason.GAP)
    assert verdict.next_period == period("2025-09-01")
    assert judge(question(on="2025-09-01"), found(both)).outcome is Outcome.ELIGIBLE


def test_004_keeps_the_old_card_to_its_end_and_tells_of_the_new_one() -> None:
    old, new = period(valid_to="2025-12-31", number=OLD_PRINTED, group="CN"), period("2026-01-01")
    verdict = judge(question(on="2025-12-31"), found(card(new, old)))
    assert said(verdict) == (Outcome.ELIGIBLE, "004")
    assert (verdict.period, verdict.next_period) == (old, new)


def test_the_new_level_counts_from_the_new_cards_first_day() -> None:
    old, new = period(valid_to="2025-12-31", benefit_level=4), period("2025-10-01", benefit_level=2)
    assert judge(question(on="2025-09-30"), found(card(old, new))).period == old
    assert judge(question(on="2025-10-01"), found(card(old, new))).period == new


@pytest.mark.parametrize(("reason", "code"), [("moved_out", "121"), ("moved_within", "122"), ("rejoined", "123")])
def test_121_to_123_look_for_the_current_period_first_and_are_amber_else(reason: str, code: str) -> None:
    moved = period(ended=("2025-05-31", reason))
    assert said(judge(question(), found(card(moved)))) == (Outcome.CHECK_PAPERS, code)
    assert said(judge(question(), found(card(moved, period("2025-06-01"))))) == (Outcome.ELIGIBLE, "000")
    assert said(judge(question(on="2025-05-31"), found(card(moved)))) == (Outcome.ELIGIBLE, "000")


def test_a_move_explains_only_the_days_that_the_card_would_still_have_covered() -> None:
    moved = period(valid_to="2025-06-30", ended=("2025-05-31", "moved_out"))
    assert said(judge(question(on="2025-07-01"), found(card(moved)))) == (Outcome.NOT_IN_FORCE, "010")


@pytest.mark.parametrize(("reason", "code"), [("reduced", "120"), ("stopped", "124")])
def test_120_124_are_not_in_force(reason: str, code: str) -> None:
    ended = card(period(ended=("2025-05-31", reason)))
    assert said(judge(question(), found(ended))) == (Outcome.NOT_IN_FORCE, code)


def test_a_card_replaced_by_one_that_is_not_on_record_yet_is_for_the_papers() -> None:
    replaced = card(period(ended=("2025-05-31", "reissued")))
    assert said(judge(question(), found(replaced))) == (Outcome.CHECK_PAPERS, "003")


def test_110_a_withdrawn_card_still_answers_for_earlier_days() -> None:
    withdrawn = card(withdrawn=("2025-05-31", "reduced"))
    assert said(judge(question(on="2025-05-31"), found(withdrawn))) == (Outcome.ELIGIBLE, "000")
    assert said(judge(question(on="2025-06-01"), found(withdrawn))) == (Outcome.NOT_IN_FORCE, "110")


def test_a_withdrawal_takes_periods_that_had_not_begun() -> None:
    withdrawn = card(period("2026-01-01"), withdrawn=("2025-05-31", "reduced"))
    verdict = judge(question(), found(withdrawn))
    assert said(verdict) == (Outcome.NOT_IN_FORCE, "110")
    assert (verdict.period, verdict.next_period) == (None, None)


def test_not_yet_valid_is_not_started_with_code_010() -> None:
    verdict = judge(question(on="2023-02-28"), found(card()))
    assert (verdict.outcome, verdict.reason) == (Outcome.NOT_IN_FORCE, Reason.NOT_STARTED)
    assert portal_code(verdict.reason) == "010"
    assert (verdict.period, verdict.next_period) == (None, period())


def test_a_record_without_any_period_is_not_in_force() -> None:
    assert said(judge(question(), found(replace(card(), periods=())))) == (Outcome.NOT_IN_FORCE, "010")


def test_a_card_that_ended_during_treatment_is_eligible_whatever_the_visit() -> None:
    ended = card(period(valid_to="2025-07-28"))
    verdict = judge(question(admitted_on="2025-07-28"), found(ended))
    assert said(verdict) == (Outcome.ELIGIBLE, "000")
    assert (verdict.reason, verdict.last_day) == (Reason.ENDED_IN_TREATMENT, day("2025-07-28"))
    assert judge(question(admitted_on="2025-07-29"), found(ended)).outcome is Outcome.NOT_IN_FORCE


def test_a_renewal_without_a_day_between_carries_the_treatment_on() -> None:
    renewed = card(period(valid_to="2025-06-30"), period("2025-07-01", "2025-07-20"))
    verdict = judge(question(admitted_on="2025-06-15"), found(renewed))
    assert (verdict.outcome, verdict.last_day) == (Outcome.ELIGIBLE, day("2025-07-20"))
    broken = card(period(valid_to="2025-06-30"), period("2025-07-02", "2025-07-20"))
    assert judge(question(admitted_on="2025-06-15"), found(broken)).last_day == day("2025-06-30")


def test_an_admission_after_the_service_day_says_nothing() -> None:
    ended = card(period(valid_to="2025-07-28"))
    assert judge(question(on="2025-08-01", admitted_on="2025-08-02"), found(ended)).outcome is Outcome.NOT_IN_FORCE


def test_presented_late_the_card_counts_from_the_day_it_is_in_force() -> None:
    late = card(period("2025-08-01"))
    assert judge(question(admitted_on="2025-07-20"), found(late)).outcome is Outcome.ELIGIBLE


def test_130_a_child_without_a_card_is_for_the_papers_and_no_number_is_made_up() -> None:
    verdict = judge(question(no_card("child")), nothing(BEHIND))
    assert said(verdict) == (Outcome.CHECK_PAPERS, "130")
    assert verdict.card is None


@pytest.mark.parametrize("reason", ["reissue", "emergency"])
def test_a_card_being_reissued_and_an_emergency_are_for_the_papers(reason: str) -> None:
    assert said(judge(question(no_card(reason)), nothing())) == (Outcome.CHECK_PAPERS, None)


def test_052_053_are_never_answered_for_printed_characters_of_another_time() -> None:
    for printed in (f"CN199{NUMBER}", f"ZZ001{NUMBER}"):
        assert said(judge(question(typed(printed)), found(card()))) == (Outcome.ELIGIBLE, "000")


def test_050_only_with_proof_of_absence() -> None:
    assert said(judge(question(), nothing())) == (Outcome.NOT_FOUND, "050")
    assert said(judge(question(), nothing(BEHIND))) == (Outcome.CANNOT_TELL, "500")


def test_a_denial_waits_until_the_cell_has_caught_up_and_the_rest_stands() -> None:
    ended = card(period(valid_to="2024-12-31"))
    assert judge(question(), found(ended, freshness=BEHIND)).outcome is Outcome.CANNOT_TELL
    assert judge(question(), found(card(), freshness=BEHIND)).outcome is Outcome.ELIGIBLE
    other = Identity(name="Trần Văn Thử", birth=None)
    assert judge(question(holder=other), found(card(), freshness=BEHIND)).outcome is Outcome.IDENTITY_MISMATCH
    moved = card(period(ended=("2025-05-31", "moved_out")))
    assert judge(question(), found(moved, freshness=BEHIND)).outcome is Outcome.CHECK_PAPERS


def test_a_fault_of_the_store_is_no_denial() -> None:
    assert said(judge(question(), StoreFault(register_position=7))) == (Outcome.CANNOT_TELL, "500")


def test_what_cannot_be_read_is_malformed_before_anything_else() -> None:
    unread = malformed(PresentedKind.INSURANCE_NUMBER, Fault(code=FaultCode.NUMBER_LENGTH, position=9))
    for finding in (StoreFault(register_position=7), nothing(), found(card())):
        assert said(judge(question(unread), finding)) == (Outcome.MALFORMED, "051")


def test_a_scan_spoilt_by_an_input_method_is_never_malformed() -> None:
    spoilt = malformed(PresentedKind.CARD_QR, Fault(code=FaultCode.SCANNER_INPUT_METHOD, position=3))
    assert said(judge(question(spoilt), nothing())) == (Outcome.CANNOT_TELL, "205")


def test_identity_comes_before_issuer_and_issuer_before_periods() -> None:
    theirs = card(period(issuer=Issuer.DEFENCE, valid_to="2024-01-01"))
    other = Identity(name="Trần Văn Thử", birth=None)
    assert judge(question(holder=other), found(theirs)).outcome is Outcome.IDENTITY_MISMATCH
    assert judge(question(), found(theirs)).outcome is Outcome.CHECK_PAPERS


def test_of_several_cards_of_a_citizen_the_one_in_force_answers() -> None:
    ended = card(period(valid_to="2024-12-31"), number="0000099999", revision=9)
    verdict = judge(question(citizen()), found(ended, card()))
    assert (verdict.outcome, verdict.several_in_force) == (Outcome.ELIGIBLE, False)
    assert verdict.card == card()


def test_more_than_one_live_card_is_said_and_the_newest_answers() -> None:
    newer = card(period("2025-01-01"), number="0000099999")
    for cards in ((card(), newer), (newer, card())):
        verdict = judge(question(citizen()), found(*cards))
        assert (verdict.card, verdict.several_in_force) == (newer, True)


def test_the_person_presented_decides_between_the_cards_of_a_citizen_id() -> None:
    stranger = card(period("2025-01-01"), number="0000099999", holder=replace(card().holder, name="Trần Văn Thử"))
    assert judge(question(citizen(HOLDER)), found(stranger, card())).card == card()
    assert judge(question(citizen(HOLDER)), found(stranger)).outcome is Outcome.IDENTITY_MISMATCH


def test_a_candidate_that_does_not_bear_what_was_presented_is_no_record() -> None:
    assert judge(question(citizen()), found(card(citizen_ids=()))).outcome is Outcome.NOT_FOUND
    assert judge(question(), found(card(number="0000099999"))).outcome is Outcome.NOT_FOUND
    assert judge(question(), found()).outcome is Outcome.NOT_FOUND
