"""The rules that answers need, as facts with a day, a grade and a source: `python -m lienthong.registers.rules`.

Grades: 2 two public sources, 1 one, r a third party's reading of a law, m from memory. Where only the month of a
document is known its day of effect is the last of that month, so that nothing is cited before it existed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lienthong.registers.events import Data, Fact, event_file

NAME = "vn-tables"
FILE = Path(__file__).parent / f"{NAME}.jsonl"

# Groups by the digit of QĐ 1351/QĐ-BHXH, as the tables of 2024 have them.
_GROUPS_2024 = {
    1: "CC TE",
    2: "CK CB KC HN DT DK XD BT TS AK CT",
    3: "HT TC PV TG DS HK CN",
    4: "DN HX CH NN TK HC XK TB NO XB TN CS XN MS HD TQ TA TY HG LS HS SV GB GD ND TH TV TD TU BA LH",
    5: "QN CA CY",
}
_MOVED_2026 = {"CN": 2, "LH": 2}
_PERCENT = {1: 100, 2: 100, 3: 95, 4: 80, 5: 100}


def facts() -> Iterator[Fact]:
    """Give the tables, then the guidance, in the order of their days."""
    levels = {group: level for level, groups in _GROUPS_2024.items() for group in groups.split()}
    yield _table(
        "benefit_levels", "2024-01-01", _levels(levels), ("1", "QĐ 1351/QĐ-BHXH; groups as one public list of 2024")
    )
    yield _table(
        "benefit_levels", "2026-01-01", _levels(levels | _MOVED_2026), ("r", "readings of the law in force from 2026")
    )
    shares = [{"level": level, "percent": percent} for level, percent in _PERCENT.items()]
    yield _table("level_shares", "2016-01-01", shares, ("2", "QĐ 1351/QĐ-BHXH"))
    extension = [{"days": 15, "document": None}]
    yield _table("treatment_extension", "2018-12-01", extension, ("r", "readings of the decrees on health insurance"))
    grace = [{"until": "2025-12-31", "document": None}]
    yield _table("facility_code_grace", "2025-07-01", grace, ("r", "readings of the rules for reorganised facilities"))
    yield from _guidance_facts()


def _guidance_facts() -> Iterator[Fact]:
    yield _guidance(
        "2009/BYT-KH-TC",
        ("Bộ Y tế", "borrowed_machines", "2018-04-12"),
        (
            "Thanh toán dịch vụ thực hiện trên máy mượn, máy đặt của nhà cung cấp.",
            "Services on borrowed or placed machines are paid.",
        ),
        ended=("2022-05-08", "2348/BYT-KH-TC"),
    )
    yield _guidance(
        "25/CT-BYT",
        ("Bộ Y tế", "inpatient_admission", "2020-12-21"),
        ("Chấn chỉnh việc chỉ định vào nội trú và kê giường.", "Inpatient admission and beds are to be reviewed."),
    )
    yield _guidance(
        "2348/BYT-KH-TC",
        ("Bộ Y tế", "borrowed_machines", "2022-05-09"),
        ("Bãi bỏ công văn 2009/BYT-KH-TC.", "Annuls 2009/BYT-KH-TC."),
    )
    yield _guidance(
        "1261/BHXH-CSYT",
        ("Bảo hiểm xã hội Việt Nam", "borrowed_machines_payment", "2022-05-12"),
        ("Dừng thanh toán dịch vụ trên máy mượn, máy đặt.", "Payment for services on borrowed machines stops."),
        ended=("2022-11-04", "144/NQ-CP"),
    )
    yield _guidance(
        "144/NQ-CP",
        ("Chính phủ", "borrowed_machines_payment", "2022-11-05"),
        (
            "Tiếp tục thanh toán dịch vụ trên máy mượn, máy đặt trong giới hạn quy định.",
            "Payment for services on borrowed machines resumes within limits.",
        ),
    )
    yield _guidance(
        "154/BHXH-CSYT",
        ("Bảo hiểm xã hội Việt Nam", "cost_review", "2025-04-30"),
        (
            "Tăng cường giám định, cảnh báo cơ sở có chi phí gia tăng bất thường.",
            "Review is strengthened; facilities with an unusual increase of costs are told.",
        ),
    )
    yield _guidance(
        "1334/BHXH-CSYT",
        ("Bảo hiểm xã hội Việt Nam", "card_validity", "2025-06-30"),
        (
            "Thẻ đã cấp tiếp tục được sử dụng khi chưa điều chỉnh địa chỉ hoặc nơi đăng ký khám chữa bệnh ban đầu.",
            "Cards already issued stay in use while their address or registered place has not been adjusted.",
        ),
    )


def _levels(levels: dict[str, int]) -> list[Data]:
    return [{"group": group, "level": level} for group, level in levels.items()]


def _table(name: str, valid_from: str, rows: list[dict[str, Any]], known: tuple[str, str]) -> Fact:
    grade, source = known
    return "table.recorded", {
        "id": f"{name}/{valid_from}",
        "revision": 1,
        "name": name,
        "valid_from": valid_from,
        "rows": rows,
        "grade": grade,
        "source": source,
    }


def _guidance(
    number: str, about: tuple[str, str, str], rule: tuple[str, str], ended: tuple[str, str] | None = None
) -> Fact:
    issuer, subject, effective_from = about
    return "guidance.recorded", {
        "id": number,
        "revision": 1,
        "issuer": issuer,
        "subject": subject,
        "effective_from": effective_from,
        "ended": None if ended is None else {"on": ended[0], "by": ended[1]},
        "rule": {"vi": rule[0], "en": rule[1]},
        "grade": "1",
        "source": "public text or summary of the document",
    }


if __name__ == "__main__":
    FILE.write_bytes(event_file(facts()))
