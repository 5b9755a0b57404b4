"""Strategies for invented people and cards, all under the prefixes that are never issued."""

import re
import string
import unicodedata
from datetime import date

from hypothesis import strategies as st

from lienthong.adapters.demo_cards import DEMO_CARDS, TRUC_BACH
from lienthong.adapters.generated_places import shipped_places
from lienthong.adapters.generated_presentations import card_qr
from lienthong.adapters.generator import CardPlan, cards
from lienthong.domain.card import Sex
from lienthong.domain.qr_text import PrintedCard, PrintedCitizen, card_qr_text
from lienthong.domain.question import CardFace
from tests.support.input_methods import InputMethod, Method

_ONSETS = ("", "b", "ch", "đ", "g", "gi", "h", "kh", "l", "m", "ng", "nh", "ph", "qu", "s", "t", "th", "tr", "v", "x")
_NUCLEI = ("a", "ă", "â", "e", "ê", "i", "o", "ô", "ơ", "u", "ư", "y", "oa", "oe", "uy", "iê", "uô", "ươ", "ai", "âu")
_CODAS = ("", "c", "m", "n", "ng", "nh", "p", "t")
_TONES = ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")


@st.composite
def syllables(draw: st.DrawFn) -> str:
    """A Vietnamese syllable, some of which nobody is called."""
    onset, nucleus, coda, tone = (draw(st.sampled_from(part)) for part in (_ONSETS, _NUCLEI, _CODAS, _TONES))
    return unicodedata.normalize("NFC", onset + nucleus[:1] + tone + nucleus[1:] + coda)


@st.composite
def names(draw: st.DrawFn) -> str:
    """A name in small letters with capitals, or in capitals, as the registers have both."""
    words = draw(st.lists(syllables(), min_size=1, max_size=5))
    capitals = draw(st.booleans())
    return " ".join(word.upper() if capitals else word.title() for word in words)


def insurance_numbers() -> st.SearchStrategy[str]:
    return st.text(string.digits, min_size=5, max_size=5).map("00000{}".format)


def citizen_ids() -> st.SearchStrategy[str]:
    return st.text(string.digits, min_size=9, max_size=9).map("000{}".format)


def groups() -> st.SearchStrategy[str]:
    """Any two letters: a group that no table has is unknown, never invalid."""
    return st.text(string.ascii_uppercase, min_size=2, max_size=2)


@st.composite
def printed_numbers(draw: st.DrawFn) -> str:
    """A card number as printed, in the form of 10 or of 15 characters."""
    number = draw(insurance_numbers())
    if draw(st.booleans()):
        return number
    province = draw(st.text(string.digits, min_size=2, max_size=2))
    return f"{draw(groups())}{draw(st.integers(1, 5))}{province}{number}"


@st.composite
def births(draw: st.DrawFn) -> str:
    """A birth date of a day, a month or only a year."""
    day = draw(st.dates(date(1900, 1, 1), date(2025, 12, 31))).isoformat()
    return day[: draw(st.sampled_from((4, 7, 10)))]


def facility_codes() -> st.SearchStrategy[str]:
    return st.from_regex(r"[0-9]{2}[0-9A-Z]{3}", fullmatch=True)


@st.composite
def faces(draw: st.DrawFn) -> CardFace:
    days = st.none() | st.dates(date(2009, 1, 1), date(2040, 12, 31))
    text = st.none() | names()
    newer = draw(st.booleans())
    return CardFace(
        sex=draw(st.sampled_from((Sex.MALE, Sex.FEMALE, None))),
        address=draw(text),
        valid_from=draw(days),
        valid_to=draw(days),
        issued_on=draw(days),
        office=draw(st.sampled_from((None, "0100", "01"))),
        parent=draw(text),
        area=draw(st.sampled_from((None, "K1", "K2", "K3"))),
        five_years_on=draw(days),
        check_string=draw(st.none() | st.from_regex(r"[0-9a-f]{20}-[0-9]{4}", fullmatch=True)),
        benefit_code=draw(st.sampled_from((None, "4", "HC4"))) if newer else None,
        issuing_place=draw(text) if newer else None,
    )


@st.composite
def printed_cards(draw: st.DrawFn) -> PrintedCard:
    return PrintedCard(
        number=draw(printed_numbers()),
        name=draw(names()),
        birth=draw(births()),
        facility_code=draw(facility_codes()),
        face=draw(faces()),
    )


@st.composite
def printed_citizens(draw: st.DrawFn) -> PrintedCitizen:
    birth = draw(births().filter(lambda birth: len(birth) != len("YYYY-MM")))
    return PrintedCitizen(
        citizen_id=draw(citizen_ids()),
        name=draw(names()),
        birth=birth,
        sex=draw(st.sampled_from(Sex)),
        address=draw(names()),
        issued_on=draw(st.dates(date(2016, 1, 1), date(2025, 12, 31))).isoformat(),
        old_id=draw(st.sampled_from(("", "000000001"))),
    )


def input_methods() -> st.SearchStrategy[InputMethod]:
    return st.builds(
        InputMethod,
        method=st.sampled_from(Method),
        reach=st.sampled_from((1, 2, 6, 1_000)),
        digits_end_words=st.booleans(),
    )


def cards_that_show_no_vni() -> st.SearchStrategy[PrintedCard]:
    """Cards whose text has digits right behind vowels, as all but the shortest have: VNI would have taken them."""
    return printed_cards().filter(lambda card: len(re.findall("[ae][1-6]", card_qr_text(card, short=True))) > 1)


def truc_bach_qr() -> str:
    """Return the card QR of the demonstration's first card."""
    generated = cards(CardPlan(seed=1, places=shipped_places()), len(DEMO_CARDS))
    return card_qr(next(card for card in generated if card.data["id"] == TRUC_BACH))
