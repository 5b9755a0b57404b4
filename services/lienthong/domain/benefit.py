"""Benefit level and share of a group, by the tables in force on a day; what they lack is unknown, never invalid."""

from datetime import date
from typing import Final, NamedTuple

from lienthong.domain.guidance import Row, Tables

LEVELS: Final = "benefit_levels"
"""Rows of `group` and `level`: the digit of QĐ 1351/QĐ-BHXH that the law gives a group from a day on."""

SHARES: Final = "level_shares"
"""Rows of `level` and `percent`: the share of the cost that a level pays before any route."""

EXTENSION: Final = "treatment_extension"
"""One row of `days` and `document`: how long a card that ended during treatment is still paid."""

CODE_GRACE: Final = "facility_code_grace"
"""One row of `until` and `document`: the last day on which a facility may sign in under its old code."""

_LEVELS_ALLOWED = range(1, 10)  # one digit
_PERCENT_ALLOWED = range(101)
_EXTENSION_ALLOWED = range(366)  # days; a table that says more than a year is a slip of the pen


class Benefit(NamedTuple):
    """The digit of the level and the percentage it pays; None where unknown."""

    level: int | None
    share_percent: int | None


def benefit(tables: Tables, group: str | None, recorded_level: int | None, on: date) -> Benefit:
    """Find the level of a group on a day, and its share.

    The table comes first, for the law moves groups and records follow later; then the level of the record. The digit
    printed on a card is never asked, and a 10-digit number has none.
    """
    level = level_of_group(tables, group, on)
    if level is None:
        level = recorded_level
    share = _first(tables.rows(SHARES, on), "level", level, "percent") if level is not None else None
    return Benefit(level, share if share in _PERCENT_ALLOWED else None)


def level_of_group(tables: Tables, group: str | None, on: date) -> int | None:
    """Return the level the table of the day gives a group, None where it lacks the group."""
    if group is None:
        return None
    level = _first(tables.rows(LEVELS, on), "group", group, "level")
    return level if level in _LEVELS_ALLOWED else None


def lacks_group(tables: Tables, group: str, on: date) -> bool:
    """Tell whether a table is in force and lacks the group: such a group is unknown, never invalid."""
    rows = tables.rows(LEVELS, on)
    return bool(rows) and all(row.get("group") != group for row in rows)


def extension_days(tables: Tables, on: date) -> int | None:
    """Return for how many days after its end a card is paid during treatment, None where no table says so."""
    days = next((_number(row.get("days")) for row in tables.rows(EXTENSION, on)), None)
    return days if days in _EXTENSION_ALLOWED else None


def code_grace_until(tables: Tables, on: date) -> date | None:
    """Return the last day of old facility codes, None where no table says so."""
    until = next((row.get("until") for row in tables.rows(CODE_GRACE, on)), None)
    try:
        return date.fromisoformat(until) if isinstance(until, str) else None
    except ValueError:
        return None


def document_of(tables: Tables, name: str, on: date) -> str | None:
    """Return the number of the document that a one-row table names, None where it names none."""
    document = next((row.get("document") for row in tables.rows(name, on)), None)
    return document if isinstance(document, str) and document else None


def _first(rows: tuple[Row, ...], key: str, value: str | int, wanted: str) -> int | None:
    return next((_number(row.get(wanted)) for row in rows if row.get(key) == value), None)


def _number(cell: object) -> int | None:
    """Return a whole number; cells of published tables may hold anything, and `True` is no number."""
    return cell if isinstance(cell, int) and not isinstance(cell, bool) else None
