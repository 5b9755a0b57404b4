"""Card facts of every shape the contract allows, with numbers of the reserved prefix."""

from datetime import date
from typing import Any

from hypothesis import strategies as st

from lienthong.adapters.card_layout import RECORDED, WITHDRAWN, CardFact

_SYLLABLES = ("Nguyễn", "Trần", "Thị", "Văn", "Mẫu", "Thử", "Ngọc", "Đặng", "Hoà", "Quỳnh", "Ước", "Kiểm")
_REASONS = ("moved_out", "moved_within", "rejoined", "stopped", "reissued", "reduced")
_CODE_LETTERS = "ABCXYZabcxyz0123456789._-"

insurance_numbers = st.integers(0, 99_999).map(lambda serial: f"00000{serial:05d}")
citizen_ids = st.integers(0, 999_999_999).map(lambda serial: f"000{serial:09d}")
_usual_days = st.dates(date(1990, 1, 1), date(2035, 12, 31)).map(date.isoformat)
days = st.one_of(_usual_days, _usual_days, st.dates().map(date.isoformat))
_printable = st.characters(
    exclude_categories=("Cs", "Cc"),
    exclude_characters="\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
)
_vietnamese = st.lists(st.sampled_from(_SYLLABLES), min_size=1, max_size=5).map(" ".join)
names = st.one_of(_vietnamese, _vietnamese, st.text(_printable, min_size=1, max_size=128))
codes = st.one_of(
    st.from_regex(r"[0-9]{5}", fullmatch=True),
    st.from_regex(r"[0-9]{2}[0-9A-Z]{3}", fullmatch=True),
    st.text(st.sampled_from(_CODE_LETTERS), min_size=1, max_size=16),
)
births = st.one_of(days, days.map(lambda day: day[:7]), days.map(lambda day: day[:4]))


def _fields(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields)


def _ordered(period: dict[str, Any]) -> dict[str, Any]:
    if period["valid_to"] is not None and period["valid_to"] < period["valid_from"]:
        period["valid_from"], period["valid_to"] = period["valid_to"], period["valid_from"]
    return period


def _printed(number: str) -> st.SearchStrategy[str]:
    prefixes = st.from_regex(r"[A-Z]{2}[0-9]{3}", fullmatch=True)
    return st.one_of(
        st.just(number), prefixes.map(lambda prefix: prefix + number), insurance_numbers, st.just("HC401" + number)
    )


def periods(number: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return coverage periods of the card with this number."""
    return _fields(
        valid_from=days,
        valid_to=st.none() | days,
        number=_printed(number),
        group=st.none() | st.just("HC") | st.from_regex(r"[A-Z]{2}", fullmatch=True),
        benefit_level=st.none() | st.integers(1, 9),
        area=st.none() | st.sampled_from(("K1", "K2", "K3", "K9")),
        issuer=st.sampled_from(("vss", "defence", "public_security")),
        registered_place=st.none() | _fields(code=codes, recorded_on=st.none() | days),
        five_years_on=st.none() | days,
        ended=st.none() | _fields(on=days, reason=st.sampled_from(_REASONS)),
    ).map(_ordered)


@st.composite
def card_facts(draw: st.DrawFn, numbers: st.SearchStrategy[str] = insurance_numbers) -> CardFact:
    """Draw a valid `card.recorded` or `card.withdrawn`."""
    number = draw(numbers)
    coverage = draw(st.lists(periods(number), max_size=5))
    recorded = st.none() | days
    if coverage:
        recorded |= st.just(coverage[0]["valid_from"])
    data: dict[str, Any] = {
        "id": number,
        "revision": draw(st.one_of(st.integers(1, 4), st.integers(1, 2**32 - 1))),
        "holder": draw(_fields(name=names, birth=births, sex=st.sampled_from((None, "male", "female")))),
        "citizen_ids": draw(st.lists(citizen_ids, unique=True, max_size=8)),
        "address": draw(
            st.none()
            | _fields(level=st.just("commune") | codes, code=codes, recorded_on=recorded, detail=st.none() | names)
        ),
        "periods": coverage,
    }
    if draw(st.booleans()):
        reasons = st.sampled_from(_REASONS) | st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
        data["withdrawn"] = draw(_fields(on=days, reason=reasons))
        return CardFact(WITHDRAWN, data)
    return CardFact(RECORDED, data)


def usual_card(number: str, revision: int = 1, **changes: Any) -> CardFact:
    """Return a card as most are: one period of 15 characters, one citizen ID, no detail of the address."""
    data: dict[str, Any] = {
        "id": number,
        "revision": revision,
        "holder": {"name": "Nguyễn Thị Mẫu", "birth": "1962-05-17", "sex": "female"},
        "citizen_ids": [f"00000{number[3:]}"],
        "address": {"level": "commune", "code": "00004", "recorded_on": "2023-03-01", "detail": None},
        "periods": [
            {
                "valid_from": "2023-03-01",
                "valid_to": "2027-02-28",
                "number": "HC401" + number,
                "group": "HC",
                "benefit_level": 4,
                "area": None,
                "issuer": "vss",
                "registered_place": {"code": "01C51", "recorded_on": "2023-03-01"},
                "five_years_on": "2026-01-01",
                "ended": None,
            }
        ],
    }
    return CardFact(RECORDED, data | changes)
