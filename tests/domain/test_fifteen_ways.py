"""The ways to get a card check wrong (domain knowledge, section 9) that a decision can meet, each by its name."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from lienthong.adapters.registers import facts_of, named
from lienthong.domain.answer import Decision, StoreFault
from lienthong.domain.card import Card, Issuer
from lienthong.domain.presentation import parse_presented
from lienthong.domain.question import Identity, PresentedKind, Question
from lienthong.domain.register import Register
from lienthong.domain.succession import State
from lienthong.runtime.clock import vietnam_today
from tests.support.desk import (
    BIRTH,
    NAME,
    NOW,
    NUMBER,
    PRINTED,
    answer,
    card,
    citizen,
    codes,
    found,
    period,
    question,
    scanned,
    typed,
)
from tests.support.facts import facility, facility_reorganised

Ask = Callable[[Question, Card], Decision]


@pytest.fixture(scope="module")
def nation() -> Register:
    """Return the real register: units before and after 1 July 2025, Hà Nội's facilities, the shipped rules."""
    register = Register.empty()
    for name in ("vn-tables", "vn-before-2025-07-01", "vn-2025-07-01", "vn-hanoi-facilities"):
        known = named(name)
        assert known is not None
        register = register.with_facts(facts_of(known))
    return register


def test_1_a_card_is_not_flagged_because_its_commune_district_or_province_is_gone(nation: Register) -> None:
    for level, code in (("commune", "00004"), ("district", "001"), ("province", "27")):
        decision = answer(question(), found(card(address=(level, code, "2023-03-01"))), nation)
        assert decision.outcome == "eligible"
        assert decision.address is not None
        assert decision.address.state is not State.CURRENT


def test_2_a_divided_commune_is_not_turned_into_a_single_new_one(nation: Register) -> None:
    decision = answer(question(), found(card(address=("commune", "00634", "2023-03-01"))), nation)
    assert decision.address is not None
    assert (decision.address.state, len(decision.address.today)) == (State.DIVIDED, 5)
    assert codes(decision) == ["address_divided"]


def test_3_units_are_not_joined_by_code_or_name(nation: Register) -> None:
    decision = answer(question(), found(card(address=("commune", "00004", "2023-03-01"))), nation)
    assert decision.address is not None
    assert decision.address.printed is not None
    assert decision.address.printed.name == "Phường Trúc Bạch"
    assert [place.name for place in decision.address.today] == ["Phường Ba Đình"]
    after = answer(question(), found(card(address=("commune", "00004", "2025-07-01"))), nation)
    assert after.address is not None
    assert (after.address.state, codes(after)) == (State.CURRENT, [])


def test_4_no_province_is_read_from_the_digits_of_a_card_or_a_facility(nation: Register) -> None:
    # 24 was Bắc Giang when this card was printed, and is Bắc Ninh today; its holder lives in Hà Nội.
    elsewhere = card(period(number=f"HC424{NUMBER}"), address=("commune", "00004", "2023-03-01"))
    decision = answer(question(typed(f"HC424{NUMBER}"), facility_code="24001"), found(elsewhere), nation)
    assert decision.outcome == "eligible"
    assert decision.address is not None
    assert [place.province_code for place in decision.address.today] == ["01"]


def test_5_no_route_follows_from_comparing_provinces(nation: Register) -> None:
    here = card(period(place=("01C51", "2023-03-01")))
    asked = [question(facility_code=code) for code in ("01004", "79001")]
    assert {answer(each, found(here), nation).routes for each in asked} == {()}


def test_6_facility_codes_are_text_and_an_old_one_resolves_for_ever(nation: Register) -> None:
    old, new = facility("01C5X", valid_from="2020-01-01"), facility("01C60", "2025-07-01")
    merged = facility_reorganised("2025-07-01", [("01C5X", "01C60", "whole")], ["01C5X"])
    register = nation.with_facts([old, new, merged])
    decision = answer(
        question(on="2035-01-01"), found(card(period(valid_to=None, place=("01C5X", "2023-03-01")))), register
    )
    assert decision.registered_place is not None
    assert [place.code for place in decision.registered_place.today] == ["01C60"]


def test_7_ten_digits_are_enough_and_carry_no_level(nation: Register) -> None:
    presented = parse_presented(PresentedKind.INSURANCE_NUMBER, NUMBER)
    unknown = card(period(number=NUMBER, group=None, benefit_level=None))
    decision = answer(question(presented), found(unknown), nation)
    assert decision.outcome == "eligible"
    assert decision.card is not None
    assert decision.card.period is not None
    assert decision.card.period.benefit_level is None


def test_8_the_printed_third_digit_is_not_trusted(nation: Register) -> None:
    worker = card(period(group="CN", benefit_level=3, number=f"CN301{NUMBER}"))
    decision = answer(question(typed(f"CN301{NUMBER}"), on="2026-01-01"), found(worker), nation)
    assert (decision.outcome, codes(decision)) == ("eligible", ["number_level_unexpected"])
    assert decision.card is not None
    assert decision.card.period is not None
    assert (decision.card.period.benefit_level, decision.card.period.share_percent) == (2, 100)


def test_9_a_new_card_is_no_error_and_a_wrong_name_no_denial(nation: Register) -> None:
    both = card(period(valid_to="2025-12-31"), period("2026-01-01"))
    assert answer(question(), found(both), nation).outcome == "eligible"
    replaced = card(period(valid_to="2025-06-30", number=f"CN301{NUMBER}"), period("2025-07-01"))
    assert answer(question(typed(f"CN301{NUMBER}")), found(replaced), nation).outcome == "eligible"
    theirs = answer(question(), found(card(period(issuer=Issuer.DEFENCE))), nation)
    assert theirs.outcome == "check_papers"
    other = answer(question(holder=Identity(name="Trần Văn Thử", birth=None)), found(card()), nation)
    assert other.outcome == "identity_mismatch"


def test_11_care_is_not_refused_when_the_service_is_down(nation: Register) -> None:
    decision = answer(question(), StoreFault(register_position=0), nation)
    assert decision.outcome == "cannot_tell"
    words = " ".join(notice.vi for notice in decision.notices)
    assert "VẪN TIẾP NHẬN" in words
    assert "không có nghĩa là hết BHYT" in words


def test_12_the_share_at_reception_is_the_levels_and_names_no_amount(nation: Register) -> None:
    decision = answer(question(scanned()), found(card()), nation)
    assert decision.card is not None
    assert decision.card.period is not None
    assert (decision.card.period.share_percent, decision.routes) == (80, ())


@pytest.mark.parametrize(
    ("name", "birth"),
    [
        (NAME, "1962"),
        ("NGUYỄN THỊ MẪU", BIRTH),
        ("Nguye\u0302\u0303n Thi\u0323 Ma\u0302\u0303u", "1962-05"),
    ],
)
def test_13_names_are_compared_in_one_form_and_a_year_agrees_with_its_days(name: str, birth: str) -> None:
    identity = Identity(name=name, birth=birth)
    decision = answer(question(citizen(identity)), found(card()))
    assert decision.outcome == "eligible"
    assert decision.card is not None
    assert decision.card.holder is not None


def test_13_a_citizen_id_is_not_judged_by_its_prefix() -> None:
    # The century digit says male and 19xx of a woman born in 1962: a warning at most.
    presented = parse_presented(PresentedKind.CITIZEN_ID, "000001234567")
    assert answer(question(presented), found(card())).outcome == "eligible"


def test_14_an_open_end_is_not_expired_and_hex_fields_are_read() -> None:
    name = NAME.encode().hex()
    text = f"{PRINTED}|{name}|17/05/1962|2|-|01 - C51|01/03/2023|-|01/03/2023|01|-|4| 01/01/2026|15e3f2a1b|$"
    presented = parse_presented(PresentedKind.CARD_QR, text)
    decision = answer(question(presented, on="2035-01-01"), found(card(period(valid_to=None))))
    assert decision.outcome == "eligible"
    assert decision.card is not None
    assert decision.card.holder is not None
    assert not any("verified" in notice.en for notice in decision.notices)


def test_15_no_number_stands_in_anything_that_may_be_logged(nation: Register) -> None:
    decision = answer(question(typed(PRINTED)), found(card(address=("commune", "00004", "2023-03-01"))), nation)
    assert NUMBER not in repr(decision)
    assert decision.card is not None
    assert (decision.card.number, decision.card.holder) == ("HC4*******2345", None)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2025, 6, 30, 16, 59, 59, tzinfo=UTC), "2025-06-30"),
        (datetime(2025, 6, 30, 17, 0, tzinfo=UTC), "2025-07-01"),
        (datetime(2025, 6, 30, 23, 59, 59, tzinfo=UTC), "2025-07-01"),
        (datetime(2025, 7, 1, 0, 0, tzinfo=UTC), "2025-07-01"),
    ],
)
def test_from_midnight_to_seven_the_day_is_vietnams_and_not_yesterday_in_utc(
    nation: Register, moment: datetime, day: str
) -> None:
    on = vietnam_today(moment)
    assert on.isoformat() == day
    last_day = card(period(valid_to="2025-06-30"), address=("commune", "00004", "2023-03-01"))
    decision = answer(question(on=day), found(last_day), nation)
    july = day == "2025-07-01"
    assert decision.outcome == ("not_in_force" if july else "eligible")
    assert decision.address is not None
    assert (decision.address.state is State.SUCCEEDED) == july
    assert decision.decided_at == NOW


def test_a_card_that_is_not_good_is_never_called_still_valid(nation: Register) -> None:
    moved = ("commune", "00004", "2023-03-01")
    for kept in (period(valid_to="2025-06-30"), period(valid_from="2025-09-01"), period(issuer=Issuer.DEFENCE)):
        decision = answer(question(on="2025-08-01"), found(card(kept, address=moved)), nation)
        assert decision.outcome != "eligible"
        assert not any("Thẻ vẫn có giá trị" in notice.vi for notice in decision.notices)
