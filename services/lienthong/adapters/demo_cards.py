"""The cards of the demonstration: fixed, invented, and with the codes that the reorganisation makes interesting."""

from collections.abc import Mapping
from typing import Any, Final

from lienthong.adapters.generated_periods import CardKind

FIRST_DEMO_NUMBER: Final = "0000012345"

TRUC_BACH: Final = "0000012345"
"""Printed in 2023: Phường Trúc Bạch (00004), registered at Cát Linh's station (01C51), whose commune was divided."""
DAI_MO: Final = "0000012346"
"""Printed with Phường Đại Mỗ (00634), the one commune that was divided among five."""
ARMY: Final = "0000012347"
POLICE: Final = "0000012348"
ENDED_IN_TREATMENT: Final = "0000012349"
"""In force to 31 July 2025: eligible on 4 August for a treatment begun on 28 July."""
NOT_STARTED: Final = "0000012350"
"""Valid from 1 September 2025."""
ENDED: Final = "0000012351"
WITHDRAWN: Final = "0000012352"
REISSUED: Final = "0000012353"
"""The earlier card ended early (portal code 003)."""
RENEWED: Final = "0000012354"
"""The next card is on record, from 1 January 2026 (portal code 004)."""
YEAR_ONLY: Final = "0000012355"
"""Of the birth date only the year is known."""
TWO_CARDS: Final = ("0000012356", "0000012357")
"""Two live cards of one citizen ID."""
CHILD: Final = "0000012358"
UNKNOWN_CODES: Final = "0000012359"
"""A commune of an earlier wave and a facility that no register has."""

NEVER_ISSUED_CITIZEN_ID: Final = "000999999999"
"""No generated card has it: an honest `not_found`."""

Data = dict[str, Any]


def _card(number: str, /, **changes: Any) -> Data:
    record: Data = {
        "id": number,
        "revision": 1,
        "holder": {"name": "Nguyễn Thị Mẫu", "birth": "1962-05-17", "sex": "female"},
        "citizen_ids": [f"0000{number[-8:]}"],
        "address": {"level": "commune", "code": "00004", "recorded_on": "2023-03-01", "detail": "Ngõ 12"},
        "periods": [_period(number)],
    }
    return record | changes


def _period(number: str, /, **changes: Any) -> Data:
    period: Data = {
        "valid_from": "2023-03-01",
        "valid_to": "2027-02-28",
        "number": f"HC401{number}",
        "group": "HC",
        "benefit_level": 4,
        "area": None,
        "issuer": "vss",
        "registered_place": {"code": "01C51", "recorded_on": "2023-03-01"},
        "five_years_on": "2026-01-01",
        "ended": None,
    }
    return period | changes


def _forces(number: str, issuer: str, group: str) -> list[Data]:
    return [_period(number, number=f"{group}597{number}", group=group, benefit_level=5, issuer=issuer)]


def _holder(name: str, birth: str, sex: str | None) -> Data:
    return {"name": name, "birth": birth, "sex": sex}


def _reissued() -> list[Data]:
    earlier = _period(REISSUED, ended={"on": "2025-03-31", "reason": "reissued"})
    return [earlier, _period(REISSUED, number=REISSUED, valid_from="2025-04-01", valid_to="2028-03-31")]


def _renewed() -> list[Data]:
    earlier = _period(RENEWED, valid_to="2025-12-31")
    return [earlier, _period(RENEWED, number=RENEWED, valid_from="2026-01-01", valid_to="2026-12-31")]


def _child() -> list[Data]:
    first = {"valid_from": "2022-02-10", "valid_to": "2028-09-30", "five_years_on": None}
    return [_period(CHILD, **first, number=f"TE101{CHILD}", group="TE", benefit_level=1)]


def _address(code: str) -> Data:
    return {"level": "commune", "code": code, "recorded_on": "2022-06-15", "detail": None}


def _registered_at(code: str, number: str) -> list[Data]:
    return [_period(number, registered_place={"code": code, "recorded_on": "2023-03-01"})]


_TWIN: Final = {"holder": _holder("Trần Văn Thử", "1979-02", "male"), "citizen_ids": ["000000012356"]}

_CARDS: Final = (
    _card(TRUC_BACH, citizen_ids=["000001234567"]),
    _card(
        DAI_MO,
        holder=_holder("Lê Quốc Giếng", "1988-11-30", "male"),
        address=_address("00634"),
        periods=_registered_at("01G15", DAI_MO),
    ),
    _card(
        ARMY, holder=_holder("Phạm Đức Khế", "1990-01-09", "male"), periods=_forces(ARMY, "defence", "QN")
    ),
    _card(
        POLICE, holder=_holder("Đỗ Thúy Sếu", "1993-07-21", "female"), periods=_forces(POLICE, "public_security", "CA")
    ),
    _card(
        ENDED_IN_TREATMENT,
        holder=_holder("Bùi Hoà Thuyền", "1955-10-02", "female"),
        periods=[_period(ENDED_IN_TREATMENT, valid_to="2025-07-31")],
    ),
    _card(
        NOT_STARTED,
        holder=_holder("Võ Hữu Rạ", "2001-04-18", "male"),
        periods=[_period(NOT_STARTED, valid_from="2025-09-01", valid_to="2026-08-31", number=NOT_STARTED)],
    ),
    _card(
        ENDED,
        holder=_holder("Hồ Ngọc Ốc", "1971-12-05", "female"),
        periods=[_period(ENDED, valid_to="2024-12-31")],
    ),
    _card(
        WITHDRAWN,
        holder=_holder("Ngô Văn Lõi", "1966-08-08", "male"),
        withdrawn={"on": "2025-05-31", "reason": "withdrawn"},
    ),
    _card(REISSUED, holder=_holder("Dương Thị Quỹ", "1984-03-03", "female"), periods=_reissued()),
    _card(RENEWED, holder=_holder("Lý Xuân Trám", "1997-09-14", "male"), periods=_renewed()),
    _card(YEAR_ONLY, holder=_holder("Điểu K’Mẫu", "1948", "female")),
    _card(TWO_CARDS[0], **_TWIN),
    _card(TWO_CARDS[1], **_TWIN),
    _card(
        CHILD,
        holder=_holder("Huỳnh Mỹ Én", "2022-02-10", "female"),
        periods=_child(),
    ),
    _card(
        UNKNOWN_CODES,
        holder=_holder("Sùng Khắc Vỡ", "1975-06-01", None),
        address=_address("99001"),
        periods=_registered_at("99Z01", UNKNOWN_CODES),
    ),
)  # fmt: skip

DEMO_CARDS: Final[Mapping[str, Mapping[str, Any]]] = {record["id"]: record for record in _CARDS}

_STANDING: Final = {
    ENDED_IN_TREATMENT: CardKind.ENDING,
    NOT_STARTED: CardKind.NOT_STARTED,
    ENDED: CardKind.ENDED,
    WITHDRAWN: CardKind.WITHDRAWN,
    REISSUED: CardKind.REISSUED,
    RENEWED: CardKind.RENEWED,
    CHILD: CardKind.CHILD,
}
DEMO_KINDS: Final[Mapping[str, CardKind]] = {number: _STANDING.get(number, CardKind.PLAIN) for number in DEMO_CARDS}
