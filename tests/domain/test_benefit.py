"""Levels and shares by the table in force; what a table lacks, or says wrongly, is unknown."""

import pytest

from lienthong.adapters.registers import facts_of, named
from lienthong.domain.benefit import Benefit, benefit, code_grace_until, extension_days, lacks_group
from lienthong.domain.guidance import Tables
from tests.support.desk import day
from tests.support.facts import register_of, table


def shipped() -> Tables:
    known = named("vn-tables")
    assert known is not None
    return register_of(*facts_of(known)).tables


@pytest.mark.parametrize(
    ("group", "expected"), [("TE", (1, 100)), ("HN", (2, 100)), ("HT", (3, 95)), ("HC", (4, 80)), ("QN", (5, 100))]
)
def test_each_level_pays_its_share(group: str, expected: tuple[int, int]) -> None:
    assert benefit(shipped(), group, None, day("2025-08-01")) == Benefit(*expected)


@pytest.mark.parametrize(("group", "before", "after"), [("CN", 3, 2), ("LH", 4, 2)])
def test_the_law_moves_groups_from_its_first_day(group: str, before: int, after: int) -> None:
    tables = shipped()
    assert benefit(tables, group, before, day("2025-12-31")).level == before
    assert benefit(tables, group, before, day("2026-01-01")).level == after


def test_a_group_that_the_table_lacks_has_the_level_of_its_record_or_none() -> None:
    tables = shipped()
    assert benefit(tables, "ZZ", None, day("2025-08-01")) == Benefit(None, None)
    assert benefit(tables, "ZZ", 3, day("2025-08-01")) == Benefit(3, 95)
    assert benefit(tables, None, None, day("2025-08-01")) == Benefit(None, None)
    assert lacks_group(tables, "ZZ", day("2025-08-01"))
    assert not lacks_group(tables, "HC", day("2025-08-01"))


def test_before_the_first_table_only_the_record_speaks() -> None:
    assert benefit(shipped(), "HC", 4, day("2010-01-01")) == Benefit(4, None)
    assert benefit(Tables(), "HC", 4, day("2025-08-01")) == Benefit(4, None)
    assert not lacks_group(Tables(), "HC", day("2025-08-01"))


@pytest.mark.parametrize("cell", ["4", True, None, ["4"], -1, 2**50, "2025-13-01"])
def test_a_cell_that_is_no_level_share_or_term_is_unknown(cell: object) -> None:
    tables = register_of(
        table("benefit_levels", "2024-01-01", [{"group": "HC", "level": cell}]),
        table("level_shares", "2016-01-01", [{"level": 4, "percent": cell}]),
        table("treatment_extension", "2018-12-01", [{"days": cell}]),
        table("facility_code_grace", "2018-12-01", [{"until": cell}]),
    ).tables
    on = day("2025-08-01")
    assert benefit(tables, "HC", 4, on) == Benefit(4, None)
    assert benefit(tables, "HC", None, on) == Benefit(None, None)
    assert extension_days(tables, on) is None
    assert code_grace_until(tables, on) is None
