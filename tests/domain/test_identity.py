import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.domain.card import Sex
from lienthong.domain.faults import Fault, FaultCode, WarningCode
from lienthong.domain.identity import (
    CardNumber,
    NumberTables,
    citizen_id_warnings,
    mask,
    parse_card_number,
    parse_citizen_id,
    parse_code,
    parse_facility_on_card,
    print_facility_on_card,
    structure_warnings,
)
from tests.support.presented import citizen_ids, facility_codes, insurance_numbers, printed_numbers

TABLES = NumberTables(levels={"HC": {4}, "CN": {2, 3}}, provinces={"01", "79"})


def number_of(text: str) -> CardNumber:
    number = parse_card_number(text)
    assert isinstance(number, CardNumber)
    return number


def fault_of(text: str) -> Fault:
    fault = parse_card_number(text)
    assert isinstance(fault, Fault)
    return fault


def test_fifteen_characters_name_group_level_province_and_insurance_number() -> None:
    assert number_of("HC4010000012345") == CardNumber(
        number="0000012345", printed="HC4010000012345", group="HC", benefit_level=4, province_code="01"
    )


def test_trap_7_ten_digits_are_a_card_number_without_group_level_or_province() -> None:
    number = number_of("0000012345")
    assert (number.number, number.group, number.benefit_level, number.province_code) == ("0000012345", None, None, None)


def test_trap_6_leading_zeros_of_numbers_and_codes_are_kept() -> None:
    assert number_of("0000000001").number == "0000000001"
    assert parse_citizen_id("000000000001") == "000000000001"
    assert parse_code("00004") == "00004"
    assert parse_code("01004") == "01004"


def test_trap_6_a_facility_code_has_letters_too() -> None:
    assert parse_code("01C54") == "01C54"
    assert parse_facility_on_card("01 - C54") == "01C54"


@pytest.mark.parametrize(
    "text", ["HC 4 01 0000012345", "hc4-01-0000012345", "\tHC4.01.0000012345\r\n", "\0HC4010000012345"]
)
def test_separators_case_and_padding_do_not_matter(text: str) -> None:
    assert number_of(text).printed == "HC4010000012345"


@given(printed_numbers())
def test_every_printed_number_reads_back_as_itself(printed: str) -> None:
    number = number_of(printed)
    assert number.printed == printed
    assert number.number == printed[-10:]


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [
        ("", FaultCode.EMPTY, None),
        (" - ", FaultCode.EMPTY, None),
        ("00000 1234", FaultCode.NUMBER_LENGTH, 10),
        ("00000123456", FaultCode.NUMBER_LENGTH, 11),
        ("0000012345678", FaultCode.NUMBER_LENGTH, 12),
        ("HC401000001234", FaultCode.NUMBER_LENGTH, 14),
        ("HC40100000123456", FaultCode.NUMBER_LENGTH, 15),
        ("000001234O", FaultCode.NUMBER_CHARACTER, 9),
        (" HC4O10000012345", FaultCode.NUMBER_CHARACTER, 4),
        ("H14010000012345", FaultCode.NUMBER_CHARACTER, 1),
        ("000001234\uff15", FaultCode.SCANNER_INPUT_METHOD, 9),
        ("TÉ010000012345", FaultCode.SCANNER_INPUT_METHOD, 1),
        ("00000?2345", FaultCode.SCANNER_INPUT_METHOD, 5),
    ],
)
def test_a_fault_points_at_the_offending_character(text: str, code: FaultCode, position: int | None) -> None:
    assert fault_of(text) == Fault(code=code, position=position)


def test_trap_13_nothing_but_twelve_digits_is_demanded_of_a_citizen_id() -> None:
    assert parse_citizen_id("000 999 000 001") == "000999000001"


def test_a_citizen_id_of_nine_digits_is_too_short() -> None:
    assert parse_citizen_id("000000001") == Fault(code=FaultCode.NUMBER_LENGTH, position=9)


@given(st.text())
def test_any_text_gives_a_number_or_a_fault_inside_it(text: str) -> None:
    for read in (parse_card_number, parse_citizen_id, parse_code):
        result = read(text)
        if isinstance(result, Fault) and result.position is not None:
            assert 0 <= result.position <= len(text)


@given(facility_codes())
def test_a_facility_code_survives_the_face_of_a_card(code: str) -> None:
    assert parse_facility_on_card(print_facility_on_card(code)) == code


@pytest.mark.parametrize("text", ["", "-", "01", "1004", "01 - C5", "01 - ABCD", "Bệnh viện"])
def test_what_is_no_facility_on_a_card_is_none(text: str) -> None:
    assert parse_facility_on_card(text) is None


@pytest.mark.parametrize("text", ["", "x" * 17, "00 04", "mã", "01/004"])
def test_a_code_of_another_shape_is_refused_with_its_place(text: str) -> None:
    fault = parse_code(text)
    assert isinstance(fault, Fault)
    assert fault.code is FaultCode.CODE_SHAPE


def test_masks_show_group_level_and_the_last_four() -> None:
    assert mask("HC4010000012345") == "HC4*******2345"
    assert mask("0000012345") == "*******2345"
    assert mask("000001234567") == "*******4567"


@given(st.text(max_size=20))
def test_a_mask_never_shows_more_than_seven_characters(text: str) -> None:
    assert len(mask(text).replace("*", "")) <= 7


@given(insurance_numbers() | citizen_ids())
def test_a_mask_has_one_length_whatever_it_hides(number: str) -> None:
    assert len(mask(number)) == 11


def test_trap_8_a_stale_level_and_unknown_characters_only_warn() -> None:
    assert structure_warnings(number_of("CN3010000012345"), TABLES) == ()
    assert structure_warnings(number_of("HC2010000012345"), TABLES) == (WarningCode.NUMBER_LEVEL_UNEXPECTED,)
    assert structure_warnings(number_of("ZZ9000000012345"), TABLES) == (
        WarningCode.NUMBER_GROUP_UNKNOWN,
        WarningCode.NUMBER_PROVINCE_UNKNOWN,
    )


def test_tables_that_are_not_known_warn_of_nothing() -> None:
    assert structure_warnings(number_of("ZZ9000000012345"), NumberTables(levels={}, provinces=())) == ()


def test_a_ten_digit_number_has_no_structure_to_warn_of() -> None:
    assert structure_warnings(number_of("0000012345"), TABLES) == ()


def test_trap_13_the_structure_of_a_citizen_id_only_warns() -> None:
    assert citizen_id_warnings("000162000001", "1962-05-17", Sex.FEMALE) == ()
    assert citizen_id_warnings("000162000001", "1962", None) == ()
    assert citizen_id_warnings("000205000001", "2005-01-01", Sex.MALE) == ()
    assert citizen_id_warnings("000162000001", "1972", Sex.MALE) == (
        WarningCode.CITIZEN_ID_BIRTH_DIFFERS,
        WarningCode.CITIZEN_ID_SEX_DIFFERS,
    )
