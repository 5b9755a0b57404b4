from itertools import product

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lienthong.domain.faults import FaultCode, WarningCode
from lienthong.domain.presentation import parse_presented, parse_qr, parse_typed
from lienthong.domain.qr_text import PrintedCard, PrintedCitizen, card_qr_text, citizen_qr_text
from lienthong.domain.question import (
    CardFace,
    CitizenPresented,
    Identity,
    Malformed,
    NumberPresented,
    Presentation,
    PresentedKind,
)
from lienthong.domain.scan import is_plausible_name, undoubled
from tests.support.input_methods import InputMethod, Method
from tests.support.presented import input_methods, names, printed_cards, printed_citizens, printed_numbers

TELEX = InputMethod(method=Method.TELEX, reach=1, digits_end_words=True)
VNI = InputMethod(method=Method.VNI, reach=6, digits_end_words=False)
CARD = PrintedCard(
    number="TE1010000012345", name="Nguyễn Ẫn", birth="1962-05-17", facility_code="01C51", face=CardFace()
)


def refuses_or_warns(presented: Presentation, number: str, identity: Identity) -> None:
    """Whatever an input method did, no other number, no other person and no bare refusal comes of it."""
    if isinstance(presented, Malformed):
        assert presented.code == FaultCode.SCANNER_INPUT_METHOD
        assert "Tắt Unikey rồi quét lại" in presented.vi
        return
    assert isinstance(presented, NumberPresented | CitizenPresented)
    read = presented.number if isinstance(presented, NumberPresented) else presented.citizen_id
    assert read == number
    if presented.identity != identity:
        assert presented.identity is None
        assert WarningCode.SCANNER_INPUT_METHOD in presented.warnings


def test_the_models_type_as_the_input_methods_do() -> None:
    far_reaching = InputMethod(method=Method.TELEX, reach=6, digits_end_words=True)
    assert far_reaching.type("Vieetj ddaats") == "Việt đất"
    assert VNI.type("Vie65t d9a61t") == "Việt đất"
    assert VNI.type("a11") == "a1"
    assert TELEX.type("e1baab") == "e1bâb"


@settings(max_examples=400)
@given(printed_cards(), input_methods())
@example(CARD, TELEX)
@example(CARD, VNI)
def test_a_card_scanned_through_an_input_method_is_never_another_card(card: PrintedCard, method: InputMethod) -> None:
    mangled = method.type(card_qr_text(card))
    refuses_or_warns(parse_qr(mangled), card.number[-10:], Identity(name=card.name, birth=card.birth))


@settings(max_examples=200)
@given(printed_citizens(), input_methods())
def test_a_citizen_id_scanned_through_an_input_method_is_never_another_citizen(
    citizen: PrintedCitizen, method: InputMethod
) -> None:
    mangled = method.type(citizen_qr_text(citizen))
    refuses_or_warns(parse_qr(mangled), citizen.citizen_id, Identity(name=citizen.name, birth=citizen.birth))


@given(printed_cards(), st.sampled_from(("?", "\ufffd")))
def test_a_card_whose_accents_came_as_question_marks_is_never_another_card(card: PrintedCard, mark: str) -> None:
    for letter in "abde":
        mangled = card_qr_text(card).replace(letter, mark)
        refuses_or_warns(parse_qr(mangled), card.number[-10:], Identity(name=card.name, birth=card.birth))


@given(printed_citizens(), st.sampled_from(("?", "\ufffd")))
def test_a_citizen_whose_accents_came_as_question_marks_has_no_name(citizen: PrintedCitizen, mark: str) -> None:
    mangled = "".join(character if character.isascii() else mark for character in citizen_qr_text(citizen))
    refuses_or_warns(parse_qr(mangled), citizen.citizen_id, Identity(name=citizen.name, birth=citizen.birth))


@given(printed_citizens(), st.sampled_from(("latin-1", "cp1252")))
def test_a_citizen_whose_text_was_read_in_another_code_page_has_no_name(
    citizen: PrintedCitizen, code_page: str
) -> None:
    mangled = citizen_qr_text(citizen).encode("utf-8").decode(code_page, errors="replace")
    refuses_or_warns(parse_qr(mangled), citizen.citizen_id, Identity(name=citizen.name, birth=citizen.birth))


@given(printed_numbers(), input_methods())
def test_a_number_scanned_through_an_input_method_is_never_another_number(number: str, method: InputMethod) -> None:
    presented = parse_typed(method.type(number))
    if isinstance(presented, NumberPresented):
        assert presented.printed == number
    else:
        assert isinstance(presented, Malformed)


def test_a_mangled_name_leaves_the_number_and_a_warning() -> None:
    mangled = TELEX.type(card_qr_text(CARD))
    assert mangled != card_qr_text(CARD)
    assert parse_qr(mangled) == NumberPresented(
        kind=PresentedKind.CARD_QR,
        number="0000012345",
        printed="TE1010000012345",
        group="TE",
        benefit_level=1,
        warnings=(WarningCode.SCANNER_INPUT_METHOD,),
    )


def test_a_mangled_number_asks_to_turn_the_input_method_off() -> None:
    mangled = VNI.type(card_qr_text(CARD))
    presented = parse_qr(mangled)
    assert isinstance(presented, Malformed)
    assert (presented.code, presented.vi) == (FaultCode.SCANNER_INPUT_METHOD, "Tắt Unikey rồi quét lại.")
    assert presented.position == 1


@pytest.mark.parametrize(
    ("name", "address", "trusted"),
    [
        ("Lê Ở", None, True),
        ("LêỞ", "Xuân", False),
        ("LanAnh", "Xuân An", False),
        ("AN", None, False),
        ("AN", "Xuân An, Hà An", True),
        ("H'Mai", None, True),
    ],
)
def test_a_name_that_vni_may_have_shortened_is_left_out(name: str, address: str | None, trusted: bool) -> None:  # noqa: FBT001  # a case's expectation
    card = PrintedCard(
        number="0000012345", name=name, birth="1962", facility_code="01051", face=CardFace(address=address)
    )
    presented = parse_qr(card_qr_text(card))
    assert isinstance(presented, NumberPresented)
    assert presented.identity == (Identity(name=name, birth="1962") if trusted else None)
    assert presented.warnings == (() if trusted else (WarningCode.SCANNER_INPUT_METHOD,))


SUFFIXES = ("", "\n", "\r\n", "\t", " \0")


@given(printed_cards(), st.sampled_from(SUFFIXES))
def test_a_card_scanned_twice_is_one_card(card: PrintedCard, suffix: str) -> None:
    text = card_qr_text(card)
    assert parse_qr(2 * (text + suffix)) == parse_qr(text)
    assert parse_qr(3 * (text + suffix)) == parse_qr(text)


@given(printed_citizens(), st.sampled_from(("", "\n", "\r\n")))
def test_a_citizen_id_scanned_twice_is_one(citizen: PrintedCitizen, suffix: str) -> None:
    text = citizen_qr_text(citizen)
    assert parse_qr(2 * (text + suffix)) == parse_qr(text)


@given(printed_cards(), printed_cards(), st.sampled_from(SUFFIXES))
def test_two_cards_in_one_scan_are_refused(one: PrintedCard, other: PrintedCard, suffix: str) -> None:
    assume(one != other)
    presented = parse_qr(card_qr_text(one) + suffix + card_qr_text(other))
    assert isinstance(presented, Malformed)
    assert presented.code == FaultCode.SCANNED_TWICE


@settings(max_examples=200)
@given(printed_cards(), printed_cards(), st.data())
def test_a_cut_scan_before_a_whole_one_never_presents_the_first(
    first: PrintedCard, second: PrintedCard, data: st.DataObject
) -> None:
    assume(first.number != second.number)
    text = card_qr_text(first)
    cut = data.draw(st.integers(len(first.number), len(text) - 1))
    presented = parse_qr(text[:cut] + card_qr_text(second))
    assert isinstance(presented, Malformed)


@settings(max_examples=200)
@given(printed_citizens(), printed_citizens(), st.data())
def test_a_cut_citizen_scan_before_a_whole_one_never_presents_the_first(
    first: PrintedCitizen, second: PrintedCitizen, data: st.DataObject
) -> None:
    text = citizen_qr_text(first)
    cut = data.draw(st.integers(1, len(text)))
    whole = citizen_qr_text(second)
    presented = parse_qr(text[:cut] + whole)
    assert isinstance(presented, Malformed) or text[:cut] == whole


@given(printed_cards(), st.data())
def test_a_cut_card_is_another_number_never_and_another_person_never(card: PrintedCard, data: st.DataObject) -> None:
    text = card_qr_text(card)
    presented = parse_presented(PresentedKind.CARD_QR, text[: data.draw(st.integers(0, len(text)))])
    if isinstance(presented, NumberPresented):
        assert presented.printed == card.number
        assert presented.identity in (None, Identity(name=card.name, birth=card.birth))


@given(names())
def test_a_name_is_plausible(name: str) -> None:
    assert is_plausible_name(name)


@pytest.mark.parametrize("name", ["H'Mai Niê", "Y-Ban Ê Đê", "Nguyễn Thị Mẫu", "K’Brể", "ÊBAN", "Ksor"])
def test_names_of_all_peoples_of_the_country_are_plausible(name: str) -> None:
    assert is_plausible_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", "Nguy?n", "VÄƒn", "HoÃ\u00a0", "Nguyá»…n", "A1", "\ufffd", "A\0", "???", "'"]
)
def test_garbled_names_are_not(name: str) -> None:
    assert not is_plausible_name(name)


def test_only_exact_halves_are_undoubled() -> None:
    for text, padding in product(("abab", "abcabc"), ("", "\n")):
        assert undoubled(padding + text) == padding + text[: len(text) // 2]
    assert undoubled("abac") == "abac"
    assert undoubled("aba") == "aba"
