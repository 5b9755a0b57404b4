"""Birth dates as cards, papers and chips write them, of a day, a month or only a year."""

import re
from datetime import date
from functools import lru_cache

_WRITTEN = (
    re.compile(r"(?:(?:(?P<day>[0-9]{2})/)?(?P<month>[0-9]{2})/)?(?P<year>[0-9]{4})"),
    re.compile(r"(?:(?P<day>[0-9]{2})(?P<month>[0-9]{2}))?(?P<year>[0-9]{4})"),
    re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?"),
)
_CENTURIES = ("18", "19", "20", "21")  # four digits alone are a year only if somebody alive can have it
_LENGTH_MAX = len("dd/MM/yyyy")
_DAYS_REMEMBERED = 65_536  # more than there are days of birth of anybody alive
_UNKNOWN = ("00", None)  # some registers fill the parts that they lack with zeros


def parse_birth(text: str) -> str | None:
    """Read `dd/MM/yyyy`, `MM/yyyy`, `yyyy`, `ddMMyyyy` or ISO 8601 into `YYYY[-MM[-DD]]`; None if it is no date."""
    return _parsed(text) if len(text) <= _LENGTH_MAX else None


@lru_cache(_DAYS_REMEMBERED)
def _parsed(text: str) -> str | None:
    for shape in _WRITTEN:
        parts = shape.fullmatch(text)
        if parts is not None:
            return _checked(parts["year"], parts["month"], parts["day"])
    return None


def parse_day(text: str) -> date | None:
    """Read a whole day, written in any of the ways of a birth date; None if it is none."""
    birth = parse_birth(text)
    return date.fromisoformat(birth) if birth is not None and len(birth) == len("YYYY-MM-DD") else None


def print_birth(birth: str) -> str:
    """Write a birth date as a card does: `dd/MM/yyyy`, `MM/yyyy` or `yyyy`."""
    return "/".join(reversed(birth.split("-")))


def print_day(day: date | None) -> str:
    """Write a day as a card does; `-` is open or unknown."""
    return "-" if day is None else print_birth(day.isoformat())


def _checked(year: str, month: str | None, day: str | None) -> str | None:
    if month in _UNKNOWN:
        return year if day in _UNKNOWN and year[:2] in _CENTURIES else None
    return _if_date(f"{year}-{month}" if day in _UNKNOWN else f"{year}-{month}-{day}")


def _if_date(birth: str) -> str | None:
    first_day = birth + "-01-01"[len(birth) - len("YYYY") :]
    try:
        date.fromisoformat(first_day)
    except ValueError:
        return None
    return birth
