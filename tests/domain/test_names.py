import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.domain.names import (
    IdentityLikeness,
    Likeness,
    clean_name,
    compare_births,
    compare_identities,
    compare_names,
)
from lienthong.domain.question import Identity
from tests.support.presented import births, names

TONES = ("\u0300", "\u0301", "\u0303", "\u0309", "\u0323")


@pytest.mark.parametrize("pair", ["oa", "oe", "uy"])
@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("onset", ["", "h", "th", "ng", "đ"])
def test_trap_13_old_and_new_places_of_the_tone_mark_are_one_name(onset: str, pair: str, tone: str) -> None:
    old = unicodedata.normalize("NFC", onset + pair[0] + tone + pair[1])
    new = unicodedata.normalize("NFC", onset + pair + tone)
    assert old != new
    assert compare_names(f"Lê {old.upper()}", f"Lê {new.title()}") is Likeness.MATCH


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Nguyễn Thị Hoà", "NGUYỄN THỊ HÒA"),
        ("Thuý", "Thúy"),
        ("Quý", "Qúy"),
        ("Nguyễn  Văn\u00a0 A ", "nguyễn văn a"),
        ("Đỗ", "Ðỗ"),
        ("H’Mai", "H'Mai"),
        ("Y‐Ban", "Y-Ban"),
        ("Trần\u200b Mẫu", "Trần Mẫu"),
    ],
)
def test_names_that_differ_only_in_writing_match(left: str, right: str) -> None:
    assert compare_names(left, right) is Likeness.MATCH


@given(names(), st.sampled_from(("NFC", "NFD", "NFKC", "NFKD")))
def test_trap_13_composition_and_case_never_make_a_mismatch(name: str, form: str) -> None:
    written = unicodedata.normalize(form, name)  # type: ignore[arg-type]  # hypothesis draws a plain str
    assert compare_names(written.lower(), name.upper()) is Likeness.MATCH


@given(names(), st.data())
def test_another_tone_is_another_name(name: str, data: st.DataObject) -> None:
    decomposed = unicodedata.normalize("NFD", name)
    toned = [place for place, character in enumerate(decomposed) if character in TONES]
    if not toned:
        return
    place = data.draw(st.sampled_from(toned))
    tone = data.draw(st.sampled_from([tone for tone in TONES if tone != decomposed[place]]))
    other = decomposed[:place] + tone + decomposed[place + 1 :]
    assert compare_names(other, name) is not Likeness.MATCH


@pytest.mark.parametrize(
    ("left", "right"),
    [("Nguyễn Văn An", "Ngô Vũ Ánh"), ("Đỗ An", "Đinh Á"), ("Lê Mai", "Lê Mài")],
)
def test_initials_match_when_every_word_begins_alike(left: str, right: str) -> None:
    assert compare_names(left, right) is Likeness.INITIALS_MATCH


@pytest.mark.parametrize(
    ("left", "right"),
    [("Đỗ An", "Dỗ An"), ("Nguyễn Văn An", "Nguyễn An"), ("Lê Ơn", "Lê Ôn"), ("", "Lê"), ("Trần An", "Lê An")],
)
def test_other_names_mismatch(left: str, right: str) -> None:
    assert compare_names(left, right) is Likeness.MISMATCH


@given(names(), names())
def test_comparing_does_not_depend_on_the_side(left: str, right: str) -> None:
    assert compare_names(left, right) is compare_names(right, left)


@given(st.text(), st.text())
def test_any_two_texts_compare(left: str, right: str) -> None:
    assert compare_names(left, right) in Likeness


@given(births(), st.sampled_from((4, 7, 10)))
def test_trap_13_births_agree_as_far_as_both_go(birth: str, precision: int) -> None:
    assert compare_births(birth[:precision], birth) is Likeness.MATCH
    assert compare_births(birth, birth[:precision]) is Likeness.MATCH


@pytest.mark.parametrize(
    ("left", "right"), [("1962", "1963-05-17"), ("1962-05", "1962-06-17"), ("1962-05-17", "1962-05-18")]
)
def test_births_that_differ_where_both_are_known_mismatch(left: str, right: str) -> None:
    assert compare_births(left, right) is Likeness.MISMATCH


RECORDED = Identity(name="Nguyễn Thị Mẫu", birth="1962-05-17")


def test_a_whole_identity_that_agrees_matches() -> None:
    assert compare_identities(Identity(name="NGUYỄN THỊ MẪU", birth="1962"), RECORDED).matches


@pytest.mark.parametrize("part", [None, Identity(name="Nguyễn Thị Mẫu", birth=None), Identity(name=None, birth="1962")])
def test_a_partial_identity_neither_matches_nor_contradicts(part: Identity | None) -> None:
    likeness = compare_identities(part, RECORDED)
    assert not likeness.matches
    assert not likeness.contradicts


def test_a_wrong_part_contradicts_and_says_which() -> None:
    likeness = compare_identities(Identity(name="Nguyễn Thị Mận", birth="1970"), RECORDED)
    assert likeness == IdentityLikeness(name=Likeness.INITIALS_MATCH, birth=Likeness.MISMATCH)
    assert likeness.contradicts
    assert not likeness.matches


def test_a_clean_name_is_composed_and_single_spaced() -> None:
    assert clean_name(" Ngô\0  Thi\u0323 ") == "Ngô Thị"
