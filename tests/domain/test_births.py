import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.domain.births import parse_birth, parse_day, print_birth, print_day
from tests.support.presented import births


@pytest.mark.parametrize(
    ("text", "birth"),
    [
        ("17/05/1962", "1962-05-17"),
        ("05/1962", "1962-05"),
        ("1962", "1962"),
        ("17051962", "1962-05-17"),
        ("1962-05-17", "1962-05-17"),
        ("1962-05", "1962-05"),
        ("00/00/1962", "1962"),
        ("00/05/1962", "1962-05"),
        ("00001962", "1962"),
        ("29/02/2024", "2024-02-29"),
    ],
)
def test_every_written_form_reads_at_its_own_precision(text: str, birth: str) -> None:
    assert parse_birth(text) == birth


@pytest.mark.parametrize(
    "text",
    ["", "-", "31/02/1962", "29/02/2023", "13/1962", "17/00/1962", "0000", "62", "1/5/1962", "17.05.1962", "１９６２"],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_birth(text) is None


@given(births())
def test_a_printed_birth_reads_back(birth: str) -> None:
    assert parse_birth(print_birth(birth)) == birth


@given(st.dates())
def test_a_printed_day_reads_back(day: object) -> None:
    assert parse_day(print_day(day)) == day  # type: ignore[arg-type]  # st.dates() draws dates


def test_an_open_day_is_printed_as_a_dash_and_a_year_is_no_day() -> None:
    assert print_day(None) == "-"
    assert parse_day("1962") is None


@given(st.text())
def test_any_text_is_a_birth_or_none(text: str) -> None:
    birth = parse_birth(text)
    assert birth is None or len(birth) in (4, 7, 10)
