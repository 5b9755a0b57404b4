"""One snapshot of the register as answers read it, with what was worked out for one desk remembered for the next.

Nothing of a snapshot changes, so what was once worked out of it stays true; another snapshot has a view of its own.
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Final, TypeVar, cast

from lienthong.domain.benefit import CODE_GRACE, EXTENSION, LEVELS, SHARES, Benefit, benefit
from lienthong.domain.facility import Facilities
from lienthong.domain.guidance import Guidance, Tables
from lienthong.domain.lineage import Succession
from lienthong.domain.notices import Notices
from lienthong.domain.register import Register
from lienthong.domain.words import NOTICES, Words

TEXTS: Final = "notice_texts"
"""Rows of `code`, `vi` and `en` that replace the program's words from a day on."""

CARD_VALIDITY: Final = "card_validity"
"""The subject of guidance on whether issued cards stay in use."""

TABLES_USED: Final = (LEVELS, SHARES, EXTENSION, CODE_GRACE, TEXTS)

_DAYS_MAX: Final = 64  # service days looked at together: today, and the days of corrections and demonstrations
_REMEMBERED_MAX: Final = 8_192  # answers of a day, about 3 kB each; a district's desks ask about a few hundred places

Value = TypeVar("Value")


class RegisterDay:
    """What one snapshot says on one service day: the words, the document on issued cards, and the tables in force.

    `guidance` is the number of that document, None where none is in force; `illustrative` tells that one of those
    rules was invented for a demonstration.
    """

    __slots__ = (
        "_benefits",
        "_remembered",
        "facilities",
        "guidance",
        "illustrative",
        "notices",
        "on",
        "table_versions",
        "tables",
        "territory",
        "view",
    )

    def __init__(self, view: "RegisterView", on: date) -> None:
        versions = [each for each in (view.tables.version(name, on) for name in TABLES_USED) if each is not None]
        documents = view.guidance.in_force(CARD_VALIDITY, on)
        self.view = view
        self.on = on
        self.tables = view.tables
        self.territory = view.territory
        self.facilities = view.facilities
        self.guidance = documents[0].number if documents else None
        self.notices = Notices(_texts(view.tables, on))
        self.illustrative = any(each.illustrative for each in versions) or any(each.illustrative for each in documents)
        self.table_versions: Mapping[str, date] = {each.name: each.valid_from for each in versions}
        self._benefits: dict[tuple[str | None, int | None], Benefit] = {}
        self._remembered: dict[Hashable, object] = {}

    def benefit(self, group: str | None, recorded_level: int | None) -> Benefit:
        """Return the level and share of a group on this day."""
        found = self._benefits.get((group, recorded_level))
        if found is None:
            found = benefit(self.tables, group, recorded_level, self.on)
            self._benefits[group, recorded_level] = found
        return found

    def remember(self, key: Hashable, work_out: Callable[[], Value]) -> Value:
        """Return what was worked out for the key before, else work it out; a key must tell all that it depends on."""
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            found = self._remembered[key] = work_out()
        return cast("Value", found)


class RegisterView:
    """The four registers of one snapshot, by service day."""

    __slots__ = ("_days", "_turning_days", "facilities", "guidance", "tables", "territory")

    def __init__(self, territory: Succession, facilities: Facilities, guidance: Guidance, tables: Tables) -> None:
        self.territory = territory
        self.facilities = facilities
        self.guidance = guidance
        self.tables = tables
        self._days: dict[date, RegisterDay] = {}
        self._turning_days = sorted({*_turning_days(territory), *_turning_days(facilities.succession)})

    def day(self, on: date) -> RegisterDay:
        """Return what the snapshot says on a day."""
        found = self._days.get(on)
        if found is None:
            if len(self._days) >= _DAYS_MAX:
                del self._days[next(iter(self._days))]
            found = self._days[on] = RegisterDay(self, on)
        return found

    def as_recorded(self, recorded_on: date | None) -> date | None:
        """Return the first day that no place on record tells from the one given: both resolve to the same.

        Cards are recorded on thousands of days, and places turn on a few: the answer for one card serves all others
        of the same unit that were recorded between the same two turns.
        """
        if recorded_on is None:
            return None
        turns = bisect_right(self._turning_days, recorded_on)
        return self._turning_days[turns - 1] if turns else date.min


def view_of(register: Register) -> RegisterView:
    """Return the view of a snapshot: the same one each time, for its parts are known by what they are."""
    return _view(register.territory, register.facilities, register.guidance, register.tables)


def table_versions(register: Register, on: date) -> Mapping[str, date]:
    """Return the day from which each table that answers use is in force, without those that are not."""
    return view_of(register).day(on).table_versions


# Two snapshots: the one in force, and the one a batch would make of it while the gate compares answers.
_view = lru_cache(maxsize=2)(RegisterView)


def _turning_days(succession: Succession) -> Iterable[date]:
    """Give every day on which a version begins or closes, or a link leaves one."""
    timeline = succession.timeline
    for span in timeline.all_spans():
        yield span.starts
        if span.closes is not None:
            yield span.closes
        yield from (turn.day for turn in timeline.departures(span.version.key))


def _texts(tables: Tables, on: date) -> Mapping[str, Words]:
    """Return the program's words, with those that a table in force on the day replaces."""
    published = {}
    for row in tables.rows(TEXTS, on):
        code, vi, en = row.get("code"), row.get("vi"), row.get("en")
        if isinstance(code, str) and code in NOTICES and isinstance(vi, str) and isinstance(en, str) and vi and en:
            published[code] = NOTICES[code]._replace(vi=vi, en=en)
    return NOTICES | published if published else NOTICES
