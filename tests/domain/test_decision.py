"""What an answer shows of a record: the holder on a match alone, nothing on a mismatch, the period that answers."""

import pytest

from lienthong.adapters.registers import facts_of, named
from lienthong.domain.answer import Freshness, ShownHolder, ShownPeriod
from lienthong.domain.card import Issuer
from lienthong.domain.question import Identity
from lienthong.domain.register import Register
from lienthong.domain.register_view import table_versions
from tests.support.desk import (
    BEHIND,
    BIRTH,
    DECISION_ID,
    FRESH,
    HOLDER,
    NAME,
    NOW,
    NUMBER,
    answer,
    card,
    citizen,
    day,
    found,
    nothing,
    period,
    question,
    scanned,
    typed,
)
from tests.support.facts import register_of

SHOWN = ShownHolder(name=NAME, birth=BIRTH, sex="female")


def rules() -> Register:
    known = named("vn-tables")
    assert known is not None
    return register_of(*facts_of(known))


@pytest.mark.parametrize(
    "identity",
    [
        HOLDER,
        Identity(name="NGUYỄN THỊ MẪU", birth="1962"),
        Identity(name="Nguyễn Thi\u0323 Mẫu", birth="1962-05"),
    ],
)
def test_the_holder_is_shown_where_name_and_birth_agree(identity: Identity) -> None:
    for asked in (question(scanned(identity)), question(holder=identity), question(citizen(identity))):
        decision = answer(asked, found(card()))
        assert decision.card is not None
        assert decision.card.holder == SHOWN


@pytest.mark.parametrize("identity", [None, Identity(name=NAME, birth=None), Identity(name=None, birth=BIRTH)])
def test_the_holder_is_not_shown_where_either_is_missing(identity: Identity | None) -> None:
    decision = answer(question(holder=identity), found(card()))
    assert decision.outcome == "eligible"
    assert decision.card is not None
    assert (decision.card.number, decision.card.holder) == ("HC4*******2345", None)


def test_what_the_desk_typed_completes_what_the_presentation_carries_and_may_contradict_it() -> None:
    name_alone = scanned(Identity(name=NAME, birth=None))
    completed = answer(question(name_alone, holder=Identity(name=None, birth=BIRTH)), found(card()))
    assert completed.card is not None
    assert completed.card.holder == SHOWN
    contradicted = answer(question(scanned(), holder=Identity(name=None, birth="1999")), found(card()))
    assert (contradicted.outcome, contradicted.card) == ("identity_mismatch", None)


def test_a_mismatch_returns_nothing_of_the_record() -> None:
    full = card(period(place=("01C51", "2023-03-01")), address=("commune", "00004", "2023-03-01"))
    decision = answer(question(holder=Identity(name="Trần Văn Thử", birth=None)), found(full))
    assert (decision.card, decision.address, decision.registered_place) == (None, None, None)
    assert (decision.payable_until, decision.proof) == (None, ())


def test_a_denial_that_is_withheld_shows_nothing_that_it_was_drawn_from() -> None:
    ended = card(period(valid_to="2024-01-01"), address=("commune", "00004", "2023-03-01"))
    decision = answer(question(holder=HOLDER), found(ended, freshness=BEHIND))
    assert (decision.outcome, decision.card, decision.address) == ("cannot_tell", None, None)


def test_a_card_of_the_armed_forces_shows_no_dates() -> None:
    theirs = card(period(issuer=Issuer.DEFENCE, place=("01C51", "2023-03-01")))
    decision = answer(question(scanned()), found(theirs))
    assert decision.card is not None
    assert (decision.card.period, decision.card.next_period, decision.registered_place) == (None, None, None)
    assert decision.card.holder == SHOWN


def test_the_period_is_shown_with_the_level_and_share_of_the_service_day() -> None:
    worker = card(period(group="CN", benefit_level=3), period("2027-03-01", None, group="CN", benefit_level=3))
    year_end = answer(question(on="2025-12-31"), found(worker), rules())
    assert year_end.card is not None
    assert year_end.card.period == ShownPeriod(
        valid_from=day("2023-03-01"), valid_to=day("2027-02-28"), group="CN", benefit_level=3, share_percent=95
    )
    assert year_end.card.next_period is not None
    assert (year_end.card.next_period.benefit_level, year_end.card.next_period.share_percent) == (2, 100)
    new_year = answer(question(on="2026-01-01"), found(worker), rules())
    assert new_year.card is not None
    assert new_year.card.period is not None
    assert (new_year.card.period.benefit_level, new_year.card.period.share_percent) == (2, 100)


def test_an_ended_period_is_shown_with_the_level_of_its_last_day() -> None:
    ended = card(period(valid_to="2025-12-31", group="CN", benefit_level=3))
    decision = answer(question(on="2026-02-01"), found(ended), rules())
    assert decision.card is not None
    assert decision.card.period is not None
    assert decision.card.period.benefit_level == 3


def test_a_number_of_ten_digits_carries_no_level_and_is_masked_as_it_is() -> None:
    new_form = card(period(number=NUMBER, group=None, benefit_level=None))
    decision = answer(question(typed(NUMBER)), found(new_form), rules())
    assert decision.card is not None
    assert decision.card.number == "*******2345"
    assert decision.card.period is not None
    assert (decision.card.period.benefit_level, decision.card.period.share_percent) == (None, None)


def test_before_the_first_period_the_place_of_the_one_to_come_is_shown() -> None:
    later = card(period("2025-09-01", place=("01C51", "2025-08-01")))
    decision = answer(question(), found(later))
    assert decision.registered_place is not None


def test_the_stamp_the_day_and_the_freshness_are_passed_through() -> None:
    stale = Freshness(register_position=3, cards_caught_up_at=None, complete=False)
    decision = answer(question(on="2025-07-31"), nothing(stale))
    assert (decision.decision_id, decision.decided_at) == (DECISION_ID, NOW)
    assert (decision.on, decision.freshness) == (day("2025-07-31"), stale)
    assert answer(question(), found(card())).freshness == FRESH


def test_the_versions_of_the_tables_used_are_named_by_their_day() -> None:
    versions = table_versions(rules(), day("2025-08-01"))
    assert versions["benefit_levels"] == day("2024-01-01")
    assert versions["treatment_extension"] == day("2018-12-01")
    assert table_versions(rules(), day("2026-01-01"))["benefit_levels"] == day("2026-01-01")
    assert table_versions(rules(), day("2000-01-01")) == {}
