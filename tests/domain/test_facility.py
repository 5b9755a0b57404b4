"""Facilities: successors by documents alone, communes of the day, and contracts."""

from datetime import date

import pytest

from lienthong.domain.decision import PaymentHere
from lienthong.domain.facility import facility_reference
from lienthong.domain.facts import Fact
from lienthong.domain.register import Register
from lienthong.domain.succession import State
from tests.support.facts import (
    annulled,
    commune,
    contract,
    facility,
    facility_reorganised,
    published,
    register_of,
    reorganised,
    unit,
)

DAY = "2025-07-01"
BEFORE, AFTER = date(2025, 6, 30), date(2025, 8, 1)
PRINTED = date(2023, 3, 1)
PROVINCE = ("province", "01")
A, B, C = (commune(code) for code in ("00001", "00002", "00003"))

TERRITORY = [
    unit(PROVINCE),
    unit(A, parent=PROVINCE),
    unit(B, parent=PROVINCE),
    unit(C, parent=PROVINCE),
    unit(B, DAY, parent=PROVINCE),
    unit(C, DAY, parent=PROVINCE),
    reorganised(DAY, [(A, B, "part"), (A, C, "part"), (B, B, "whole"), (C, C, "whole")], [A, B, C]),
]
STATION = facility("01C51", commune=("commune", "00001", "2025-06-30"))


def lacks(register: Register, code: str, on: date) -> bool:
    return register.facilities.lacks_successor(facility_reference(code, PRINTED), on)


def test_a_station_of_a_divided_commune_is_current_and_lacks_a_successor() -> None:
    register = register_of(*TERRITORY, STATION)
    resolution = register.facilities.resolve(facility_reference("01C51", PRINTED), AFTER)
    assert resolution.state is State.CURRENT
    assert lacks(register, "01C51", AFTER)
    assert not lacks(register, "01C51", BEFORE)
    assert register.facilities.without_successor(AFTER) == ("01C51",)


def test_a_station_is_shown_in_the_commune_of_the_day_and_in_none_where_there_are_several() -> None:
    register = register_of(*TERRITORY, STATION)
    resolution = register.facilities.resolve(facility_reference("01C51", PRINTED), AFTER)
    assert [(place.parent_code, place.province_code) for place in resolution.printed] == [("00001", "01")]
    assert [(place.parent_code, place.province_code) for place in resolution.candidates] == [(None, "01")]


def test_a_station_whose_commune_only_changed_its_name_lacks_nothing() -> None:
    facts = [
        unit(A),
        unit(A, DAY, name="Phường A"),
        reorganised(DAY, [(A, A, "whole")], [A]),
        facility("01C51", commune=("commune", "00001", "2025-06-30")),
    ]
    assert not lacks(register_of(*facts), "01C51", AFTER)


def test_a_hospital_does_not_hang_on_its_commune() -> None:
    hospital = facility("01004", kind="hospital", commune=("commune", "00001", "2025-06-30"))
    assert not lacks(register_of(*TERRITORY, hospital), "01004", AFTER)


def test_a_station_without_a_settled_commune_is_not_suspected() -> None:
    assert not lacks(register_of(*TERRITORY, facility("01C52")), "01C52", AFTER)


def test_a_document_that_names_the_successor_settles_it() -> None:
    merger = facility_reorganised(DAY, [("01C51", "01X01", "whole")], ["01C51"])
    register = register_of(
        *TERRITORY, STATION, facility("01X01", DAY, commune=("commune", "00002", "2025-07-01")), merger
    )
    resolution = register.facilities.resolve(facility_reference("01C51", PRINTED), AFTER)
    assert resolution.state is State.SUCCEEDED
    assert [(place.code, place.parent_code) for place in resolution.candidates] == [("01X01", "00002")]
    assert not lacks(register, "01C51", AFTER)


def test_a_facility_that_ended_without_a_successor_lacks_one() -> None:
    register = register_of(facility("01004", kind="hospital"), facility_reorganised(DAY, [], ["01004"]))
    assert lacks(register, "01004", AFTER)


def test_a_former_station_that_goes_on_as_a_service_point_leaves_its_cards_to_the_successor() -> None:
    register = register_of(
        facility("01C51"),
        facility("01X01", DAY),
        facility_reorganised(DAY, [("01C51", "01X01", "whole")], continues_as_point_of="01X01"),
        contract("HD1", "01X01", DAY),
    )
    resolution = register.facilities.resolve(facility_reference("01C51", PRINTED), AFTER)
    assert resolution.state is State.SUCCEEDED
    assert [place.code for place in resolution.candidates] == ["01X01"]
    assert register.facilities.record("01C51", AFTER) is not None
    assert register.facilities.payment_here("01C51", AFTER) is PaymentHere.CONTRACT_ON_RECORD


def test_two_stations_that_became_each_others_point_end_nowhere_but_the_answer_comes() -> None:
    register = register_of(
        facility("01C51"),
        facility("01C52"),
        facility_reorganised(DAY, [("01C51", "01C52", "whole")], continues_as_point_of="01C52", id="one"),
        facility_reorganised(DAY, [("01C52", "01C51", "whole")], continues_as_point_of="01C51", id="other"),
    )
    assert register.facilities.payment_here("01C51", AFTER) is PaymentHere.UNKNOWN


MERGED = [
    facility("01C51"),
    facility("01X01", DAY),
    facility_reorganised(DAY, [("01C51", "01X01", "whole")], ["01C51"]),
]


@pytest.mark.parametrize(
    ("facts", "code", "on", "expected"),
    [
        ([], "01C51", AFTER, PaymentHere.UNKNOWN),
        ([contract("1", "01C51", "2024-01-01")], "01C51", AFTER, PaymentHere.CONTRACT_ON_RECORD),
        ([contract("1", "01C51", "2024-01-01", "2024-12-31")], "01C51", AFTER, PaymentHere.NONE_ON_RECORD),
        ([contract("1", "01C51", "2026-01-01")], "01C51", AFTER, PaymentHere.UNKNOWN),
        ([facility("01C51")], "01C51", AFTER, PaymentHere.UNKNOWN),
        ([*MERGED, contract("1", "01C51", "2024-01-01")], "01X01", AFTER, PaymentHere.CONTINUING),
        ([*MERGED, contract("1", "01C51", "2024-01-01", "2025-06-30")], "01X01", AFTER, PaymentHere.CONTINUING),
        ([*MERGED, contract("1", "01C51", "2024-01-01", "2024-12-31")], "01X01", AFTER, PaymentHere.UNKNOWN),
        ([*MERGED, contract("2", "01X01", DAY)], "01X01", AFTER, PaymentHere.CONTRACT_ON_RECORD),
        ([*MERGED, contract("1", "01C51", "2024-01-01")], "01C51", BEFORE, PaymentHere.CONTRACT_ON_RECORD),
        ([*MERGED, contract("1", "01C51", "2024-01-01")], "01C51", AFTER, PaymentHere.CONTINUING),
        ([*MERGED, contract("2", "01X01", DAY)], "01C51", AFTER, PaymentHere.CONTRACT_ON_RECORD),
        ([*MERGED, contract("2", "01X01", DAY, "2025-07-15")], "01X01", AFTER, PaymentHere.NONE_ON_RECORD),
    ],
)
def test_payment_here_needs_a_fact_for_each_answer(
    facts: list[Fact], code: str, on: date, expected: PaymentHere
) -> None:
    assert register_of(*facts).facilities.payment_here(code, on) is expected


def test_a_successor_under_the_same_code_is_continuing_until_its_own_contract_is_on_record() -> None:
    register = register_of(
        facility("01C51"),
        facility("01C51", DAY, name="Trạm mới"),
        facility_reorganised(DAY, [("01C51", "01C51", "whole")], ["01C51"]),
        contract("1", "01C51", "2024-01-01"),
    )
    assert register.facilities.payment_here("01C51", AFTER) is PaymentHere.CONTINUING
    appendix = contract("1/PL", "01C51", DAY, kind="appendix", inherits="1")
    assert published(register, appendix).facilities.payment_here("01C51", AFTER) is PaymentHere.CONTRACT_ON_RECORD


def test_an_annulled_contract_is_on_record_no_more() -> None:
    signed = contract("1", "01C51", "2024-01-01")
    register = register_of(facility("01C51"), signed)
    assert register.facilities.payment_here("01C51", AFTER) is PaymentHere.CONTRACT_ON_RECORD
    register = published(register, annulled(signed))
    assert register.facilities.payment_here("01C51", AFTER) is PaymentHere.UNKNOWN
    assert register.contracts.everything() == ()


def test_trap_6_codes_of_facilities_keep_letters_and_leading_zeros() -> None:
    register = register_of(facility("01C54"), facility("1C54"))
    assert register.facilities.record("01C54", AFTER) != register.facilities.record("1C54", AFTER)


def test_trap_4_a_facility_s_province_comes_from_its_commune_never_from_its_code() -> None:
    province = ("province", "24")
    register = register_of(
        unit(province), unit(A, parent=province), facility("98C51", commune=("commune", "00001", None))
    )
    (place,) = register.facilities.resolve(facility_reference("98C51", PRINTED), AFTER).candidates
    assert place.province_code == "24"
