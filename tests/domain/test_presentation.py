import tracemalloc
from datetime import date
from typing import assert_never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.domain.card import Sex
from lienthong.domain.faults import FAULT_SENTENCES, WARNING_SENTENCES, FaultCode, WarningCode
from lienthong.domain.presentation import parse_chip, parse_presented, parse_qr, parse_typed
from lienthong.domain.qr_text import PrintedCard, PrintedCitizen, card_qr_text, citizen_qr_text
from lienthong.domain.question import (
    CardFace,
    CitizenPresented,
    Identity,
    Malformed,
    NothingPresented,
    NumberPresented,
    Presentation,
    PresentedKind,
)
from lienthong.domain.scan import TEXT_LENGTH_MAX
from tests.support.presented import (
    cards_that_show_no_vni,
    citizen_ids,
    printed_cards,
    printed_citizens,
    printed_numbers,
)

CARD = PrintedCard(
    number="HC4010000012345",
    name="Nguyễn Thị Mẫu",
    birth="1962-05-17",
    facility_code="01C51",
    face=CardFace(
        sex=Sex.FEMALE,
        address="Ngõ 12, Phường Trúc Bạch",
        valid_from=date(2023, 3, 1),
        valid_to=date(2027, 2, 28),
        issued_on=date(2023, 2, 20),
        office="0100",
        area=None,
        five_years_on=date(2026, 1, 1),
        check_string="0123456789abcdef0123-4567",
    ),
)
CITIZEN = PrintedCitizen(
    citizen_id="000162000001",
    name="Nguyễn Thị Mẫu",
    birth="1962-05-17",
    sex=Sex.FEMALE,
    address="Ngõ 12, Trúc Bạch, Ba Đình, Hà Nội",
    issued_on="2021-08-01",
)
IDENTITY = Identity(name="Nguyễn Thị Mẫu", birth="1962-05-17")
PADDING = st.sampled_from(("", "\n", "\r\n", "\t", " ", "\0", "\ufeff"))


def card_of(text: str) -> NumberPresented:
    presented = parse_qr(text)
    assert isinstance(presented, NumberPresented)
    return presented


def citizen_of(text: str) -> CitizenPresented:
    presented = parse_qr(text)
    assert isinstance(presented, CitizenPresented)
    return presented


def malformed_of(presented: Presentation) -> Malformed:
    assert isinstance(presented, Malformed)
    return presented


def with_field(text: str, index: int, value: str) -> str:
    fields = text.split("|")
    fields[index] = value
    return "|".join(fields)


# Typed numbers


@given(printed_numbers(), PADDING, PADDING)
def test_a_typed_number_of_ten_or_fifteen_characters_presents_a_card(number: str, before: str, after: str) -> None:
    presented = parse_typed(before + number + after)
    assert isinstance(presented, NumberPresented)
    assert (presented.printed, presented.number, presented.identity) == (number, number[-10:], None)


@given(citizen_ids(), st.sampled_from((PresentedKind.INSURANCE_NUMBER, PresentedKind.CITIZEN_ID)))
def test_twelve_typed_digits_present_a_citizen_in_either_box(number: str, kind: PresentedKind) -> None:
    assert parse_presented(kind, number) == CitizenPresented(kind=PresentedKind.CITIZEN_ID, citizen_id=number)


def test_trap_7_a_ten_digit_number_presents_no_level() -> None:
    presented = parse_typed("0000012345")
    assert presented == NumberPresented(
        kind=PresentedKind.INSURANCE_NUMBER, number="0000012345", printed="0000012345", group=None, benefit_level=None
    )


@given(printed_numbers() | citizen_ids(), st.sampled_from(("", "\n", " ")))
def test_a_number_scanned_twice_into_the_box_is_one_number(number: str, between: str) -> None:
    assert parse_typed(number + between + number) == parse_typed(number)


@given(printed_numbers(), printed_numbers())
def test_two_numbers_in_the_box_are_never_a_number(one: str, other: str) -> None:
    if one != other:
        assert malformed_of(parse_typed(one + other)).code != "malformed"


def test_a_malformed_number_points_at_its_character_and_never_repeats_it() -> None:
    fault = malformed_of(parse_typed(" HC4O10000012345"))
    assert (fault.code, fault.position) == (FaultCode.NUMBER_CHARACTER, 4)
    assert not any("HC4" in sentence for sentence in (fault.vi, fault.en))


def test_a_number_typed_through_vni_asks_to_turn_it_off() -> None:
    fault = malformed_of(parse_typed("TÉ010000012345"))
    assert fault.code == FaultCode.SCANNER_INPUT_METHOD
    assert "Tắt Unikey rồi quét lại" in fault.vi
    assert "Unikey" in fault.en


# Card QR


@given(cards_that_show_no_vni(), PADDING)
def test_a_printed_card_reads_back_whole(card: PrintedCard, after: str) -> None:
    presented = card_of(card_qr_text(card) + after)
    assert presented.printed == card.number
    assert presented.number == card.number[-10:]
    assert presented.identity == Identity(name=card.name, birth=card.birth)
    assert presented.printed_place == card.facility_code
    assert presented.face == card.face
    assert presented.warnings == ()


@given(cards_that_show_no_vni())
def test_the_old_form_of_ten_fields_reads_too(card: PrintedCard) -> None:
    presented = card_of(card_qr_text(card, short=True))
    assert (presented.printed, presented.identity) == (card.number, Identity(name=card.name, birth=card.birth))
    assert presented.printed_place == card.facility_code


def test_trap_8_the_printed_level_is_carried_as_printed_and_not_judged() -> None:
    presented = card_of(with_field(card_qr_text(CARD), 0, "ZZ9000000012345"))
    assert (presented.group, presented.benefit_level, presented.warnings) == ("ZZ", 9, ())


def test_trap_14_a_dash_for_the_last_day_is_open() -> None:
    presented = card_of(with_field(card_qr_text(CARD), 7, "-"))
    assert presented.face is not None
    assert presented.face.valid_to is None
    assert presented.warnings == ()


def test_trap_14_hex_fields_are_decoded_in_either_case() -> None:
    text = card_qr_text(CARD)
    for variant in (text, with_field(text, 1, text.split("|")[1].upper())):
        assert card_of(variant).identity == IDENTITY
    face = card_of(text).face
    assert face is not None
    assert face.address == "Ngõ 12, Phường Trúc Bạch"


def test_trap_14_the_check_string_is_carried_and_never_verified() -> None:
    text = card_qr_text(CARD)
    changed = card_of(with_field(text, 13, "00000000000000000000-0000"))
    assert changed.face is not None
    assert changed.face.check_string == "00000000000000000000-0000"
    assert changed.identity == card_of(text).identity
    assert not any("verif" in word or "xác thực" in word for pair in WARNING_SENTENCES.values() for word in pair)


@pytest.mark.parametrize(("birth", "read"), [("17/05/1962", "1962-05-17"), ("05/1962", "1962-05"), ("1962", "1962")])
def test_trap_13_a_birth_date_may_be_a_day_a_month_or_a_year(birth: str, read: str) -> None:
    identity = card_of(with_field(card_qr_text(CARD), 2, birth)).identity
    assert identity == Identity(name="Nguyễn Thị Mẫu", birth=read)


def test_trap_6_the_facility_of_a_card_may_have_letters_and_keeps_its_zero() -> None:
    assert card_of(card_qr_text(CARD)).printed_place == "01C51"


def test_nuls_and_spaces_around_and_inside_fields_are_stripped() -> None:
    text = card_qr_text(CARD).replace("|", "\0 | \0")
    assert card_of("\0 " + text + "\0\0").identity == IDENTITY
    assert card_of(with_field(card_qr_text(CARD), 1, "4e\0" + "67")).identity == Identity(name="Ng", birth="1962-05-17")


def test_a_field_twelve_without_its_leading_space_reads_too() -> None:
    face = card_of(with_field(card_qr_text(CARD), 12, "01/01/2026")).face
    assert face is not None
    assert face.five_years_on == date(2026, 1, 1)


@pytest.mark.parametrize("count", [14, 15, 16, 17, 20])
def test_newer_and_unknown_extra_fields_are_accepted(count: int) -> None:
    fields = card_qr_text(CARD).removesuffix("|$").split("|")
    assert card_of("|".join([*fields, *["4", "-", "x", "y", "z", "-"][: count - 14]]) + "|$").identity == IDENTITY


def test_a_missing_terminator_does_not_matter() -> None:
    assert card_of(card_qr_text(CARD).removesuffix("|$")).identity == IDENTITY


def test_a_card_that_carries_a_citizen_id_presents_the_citizen() -> None:
    presented = citizen_of(with_field(card_qr_text(CARD), 0, "000162000001"))
    assert presented == CitizenPresented(
        kind=PresentedKind.CARD_QR, citizen_id="000162000001", identity=IDENTITY, warnings=()
    )


def test_a_day_that_cannot_be_read_leaves_the_face_out_and_warns() -> None:
    presented = card_of(with_field(card_qr_text(CARD), 7, "28.02.2027"))
    assert (presented.face, presented.warnings) == (None, (WarningCode.QR_DATES_UNREADABLE,))
    assert presented.identity == IDENTITY


def test_a_name_that_is_no_hex_is_not_trusted() -> None:
    presented = card_of(with_field(card_qr_text(CARD), 1, "Nguyen Thi Mau"))
    assert presented.identity == Identity(name=None, birth="1962-05-17")
    assert presented.warnings == (WarningCode.IDENTITY_UNREADABLE,)


def test_empty_name_and_birth_are_no_identity() -> None:
    assert card_of(with_field(with_field(card_qr_text(CARD), 1, "-"), 2, "-")).identity is None


# Citizen-ID QR and chip


@given(printed_citizens(), PADDING)
def test_a_printed_citizen_id_reads_back(citizen: PrintedCitizen, after: str) -> None:
    assert citizen_of(citizen_qr_text(citizen) + after) == CitizenPresented(
        kind=PresentedKind.CITIZEN_QR,
        citizen_id=citizen.citizen_id,
        identity=Identity(name=citizen.name, birth=citizen.birth),
    )


def test_trap_13_a_citizen_id_with_a_year_only_and_no_old_number_reads() -> None:
    text = "000162000001||Nguyễn Thị Mẫu|1962|Nữ|Trúc Bạch|01082021"
    assert citizen_of(text).identity == Identity(name="Nguyễn Thị Mẫu", birth="1962")


def test_more_than_seven_fields_are_accepted() -> None:
    assert citizen_of(citizen_qr_text(CITIZEN) + "||Mẫu Văn|Mẫu Thị|").identity == IDENTITY


def test_a_name_that_came_decomposed_is_composed() -> None:
    text = citizen_qr_text(CITIZEN).replace("Mẫu", "Ma\u0302\u0303u")
    assert citizen_of(text).identity == IDENTITY


@pytest.mark.parametrize("kind", [PresentedKind.CARD_QR, PresentedKind.CITIZEN_ID, PresentedKind.INSURANCE_NUMBER])
def test_a_qr_text_is_read_as_what_it_is_whichever_box_it_came_from(kind: PresentedKind) -> None:
    assert parse_presented(kind, citizen_qr_text(CITIZEN)) == parse_qr(citizen_qr_text(CITIZEN))
    assert parse_presented(PresentedKind.CITIZEN_QR, card_qr_text(CARD)) == parse_qr(card_qr_text(CARD))


def test_an_image_keeps_its_kind() -> None:
    for text in (card_qr_text(CARD), citizen_qr_text(CITIZEN), "https://example.org/"):
        assert not isinstance(presented := parse_presented(PresentedKind.CARD_IMAGE, text), NothingPresented)
        assert presented.kind is PresentedKind.CARD_IMAGE


@pytest.mark.parametrize("birth", ["17/05/1962", "1962-05-17", "17051962", " 1962-05-17 "])
def test_a_chip_gives_number_name_and_birth(birth: str) -> None:
    assert parse_chip("000162000001", "NGUYỄN THỊ MẪU", birth) == CitizenPresented(
        kind=PresentedKind.CITIZEN_CHIP,
        citizen_id="000162000001",
        identity=Identity(name="NGUYỄN THỊ MẪU", birth="1962-05-17"),
    )


def test_a_chip_without_name_and_birth_is_still_a_citizen() -> None:
    assert parse_chip("000162000001", None, None) == CitizenPresented(
        kind=PresentedKind.CITIZEN_CHIP, citizen_id="000162000001"
    )


@pytest.mark.parametrize(("name", "birth"), [("Nguy?n Th? M?u", "1962-05-17"), ("Nguyễn Thị Mẫu", "mai")])
def test_a_chip_name_or_birth_that_cannot_be_read_is_left_out_with_a_warning(name: str, birth: str) -> None:
    presented = parse_chip("000162000001", name, birth)
    assert isinstance(presented, CitizenPresented)
    assert presented.warnings == (WarningCode.IDENTITY_UNREADABLE,)
    assert presented.identity is not None
    assert None in (presented.identity.name, presented.identity.birth)


# What is no card


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [
        ("", FaultCode.EMPTY, None),
        ("\r\n\0", FaultCode.EMPTY, None),
        ("https://example.org/", FaultCode.QR_UNKNOWN, 0),
        ("0000012345", FaultCode.QR_UNKNOWN, 0),
        ("WIFI:S:x|y|z", FaultCode.QR_UNKNOWN, 2),
        ("000001234|4e67|1962", FaultCode.QR_INCOMPLETE, 9),
        ("0000012345|4e67|17/05", FaultCode.QR_INCOMPLETE, 21),
        ("000162000001||Mẫu|1962|Nữ", FaultCode.QR_INCOMPLETE, 25),
        ("000162000001||Mẫu|3102196|Nữ|-|01082021", FaultCode.QR_DAMAGED, 18),
        ("000162000001||Mẫu 1|31121962|Nữ|-|01082021", FaultCode.QR_DAMAGED, 18),
    ],
)
def test_a_text_that_is_no_whole_card_says_what_and_where(text: str, code: FaultCode, position: int | None) -> None:
    fault = malformed_of(parse_qr(text))
    assert (fault.code, fault.position) == (code, position)
    assert (fault.vi, fault.en) == FAULT_SENTENCES[code]


@given(st.text(), st.sampled_from(PresentedKind))
def test_any_text_gives_a_presentation(text: str, kind: PresentedKind) -> None:
    presented = parse_presented(kind, text)
    match presented:
        case Malformed():
            assert presented.position is None or 0 <= presented.position <= len(text)
            assert presented.code in set(FaultCode)
        case NumberPresented():
            assert presented.number in "".join(text.split())
        case CitizenPresented():
            assert len(presented.citizen_id) == 12
        case NothingPresented():
            pytest.fail("a text is never nothing")
        case _:
            assert_never(presented)


PIECES = st.sampled_from(
    ("0000012345", "HC4010000012345", "000162000001", "|", "$", "4e67", "é", "?", "\n", "17/05/1962", "1962", "-", "\0")
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=40).map("".join))
def test_any_pieces_of_cards_give_a_presentation(text: str) -> None:
    assert parse_qr(text) == parse_qr(text)
    assert parse_typed(text) == parse_typed(text)


@given(st.text(max_size=12), st.none() | st.text(), st.none() | st.text())
def test_any_chip_fields_give_a_presentation(number: str, name: str | None, birth: str | None) -> None:
    assert isinstance(parse_chip(number, name, birth), CitizenPresented | Malformed)


@pytest.mark.parametrize("piece", ["0", "|", "é", "\0", "0000012345|", "$\n", "\ud800"])
def test_an_enormous_text_is_refused_at_once_with_little_memory(piece: str) -> None:
    text = piece * (10_000_000 // len(piece))
    tracemalloc.start()
    for presented in (parse_qr(text), parse_typed(text), parse_chip(text, text, text)):
        fault = malformed_of(presented)
        assert (fault.code, fault.position) == (FaultCode.TOO_LONG, TEXT_LENGTH_MAX)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 100_000


@given(printed_cards(), st.data())
def test_no_sentence_repeats_what_was_read(card: PrintedCard, data: st.DataObject) -> None:
    text = card_qr_text(card)
    presented = parse_qr(text[: data.draw(st.integers(0, len(text)))])
    if isinstance(presented, Malformed):
        assert (presented.vi, presented.en) in FAULT_SENTENCES.values()


def test_every_fault_and_warning_has_a_sentence_in_both_languages() -> None:
    assert set(FAULT_SENTENCES) == set(FaultCode)
    assert set(WARNING_SENTENCES) == set(WarningCode)
    assert all(vi and en for vi, en in [*FAULT_SENTENCES.values(), *WARNING_SENTENCES.values()])
    assert not any("từ chối" in vi.lower() for vi, _ in [*FAULT_SENTENCES.values(), *WARNING_SENTENCES.values()])
