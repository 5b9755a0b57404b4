"""The archive of decisions in SQL: each is stored once, with the position of the stream that it came from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, select, tuple_
from sqlalchemy.exc import IntegrityError

from lienthong.adapters.archive_days import ArchiveDays
from lienthong.adapters.archive_record import ArchivedDecision
from lienthong.adapters.databases import Database
from lienthong.adapters.history_positions import Stretch, hold, move, stored_positions
from lienthong.adapters.history_tables import archive_positions, decisions
from lienthong.runtime.clock import Clock, vietnam_today
from lienthong_schemas.streams import DECISIONS

#: Days that are made ahead, so that nobody makes one while a decision waits.
DAYS_AHEAD = 7
#: How many decisions are read at once.
_PAGE = 500
#: An event's decision has the time of its question in its id, and is decided at most so many days after it was asked.
_DECIDED_WITHIN = timedelta(days=8)
_MILLISECONDS_SHIFT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySpan:
    """Days from `first` to `last`, both included."""

    first: date
    last: date


class Archive:
    """The decisions of an installation, for as long as their stream keeps them.

    Decisions are told apart by id and day: the same event always has both. Whatever is asked raises DatabaseAway where
    the database is away.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        """Take the database of the history, whose tables are up to date."""
        self._database = database
        self._clock = clock
        self._days = ArchiveDays(database)

    def positions(self, stream: str) -> dict[int, int]:
        """Return the next offset to store of each partition of which something was stored."""
        return stored_positions(self._database, archive_positions, stream)

    def store(self, stretch: Stretch, given: Sequence[tuple[int, ArchivedDecision]]) -> int:
        """Store decisions, each with its offset, and move the position, in one transaction; returns how many were new.

        Passed over are those before the stored position, those that are stored already, and those older than what is
        kept. Raises PositionBehind.
        """
        oldest = self._oldest()
        kept = [(offset, decision) for offset, decision in given if decision.day >= oldest]
        # Who stores a decision that another partition brings as well waits for it: in one order, so never in a circle.
        kept.sort(key=lambda each: (each[1].day, each[1].decision_id, each[0]))
        self._days.make({decision.day for _, decision in kept})
        try:
            with self._database.writing() as connection:
                since = hold(self._database, connection, archive_positions, stretch)
                if since is None:
                    return 0
                rows = [decision.row() for offset, decision in kept if offset >= since]
                statement = self._database.insert(decisions).on_conflict_do_nothing()
                kept_count = connection.execution_options(preserve_rowcount=True)
                new = kept_count.execute(statement, rows).rowcount if rows else 0
                move(connection, archive_positions, stretch)
        except IntegrityError:
            self._days.forget()
            raise
        return new

    def keep_days(self) -> int:
        """Make the days to come, then remove those whose retention is over; returns how many went."""
        today = vietnam_today(self._clock.now())
        self._days.make(today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1))
        return self._days.drop(self._oldest())

    def by_id(self, decision_id: str) -> ArchivedDecision | None:
        """Return the decision of that id, None where it is not kept or never was; the days its id tells of come first.

        Raises ValueError for what is no UUID.
        """
        same = decisions.c.decision_id == decision_id
        likely = _days_of(decision_id)
        queries = [select(decisions).where(same).order_by(decisions.c.day).limit(1)]
        if likely is not None:
            queries.insert(0, queries[0].where(_within(likely)))
        for query in queries:
            found = self._read(query)
            if found:
                return found[0]
        return None

    def by_address(self, level: str, code: str, days: DaySpan) -> Iterator[ArchivedDecision]:
        """Give the decisions of some days on cards with a unit printed on them, by day and id, read as they are asked.

        A code is used again: whose version it was, `address_version` says.
        """
        return self._pages(and_(decisions.c.address_level == level, decisions.c.address_code == code, _within(days)))

    def by_place(self, code: str, days: DaySpan) -> Iterator[ArchivedDecision]:
        """Give the decisions of some days on cards with a facility printed as registered place, as `by_address`."""
        return self._pages(and_(decisions.c.place_code == code, _within(days)))

    def counts(self, days: DaySpan) -> dict[date, int]:
        """Return how many decisions are kept of each day that has any."""
        query = select(decisions.c.day, func.count()).where(_within(days)).group_by(decisions.c.day)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(decisions.c.day))
            return {row[0]: row[1] for row in rows}

    def _oldest(self) -> date:
        assert DECISIONS.kept_for is not None, "decisions are kept for a time"  # noqa: S101 -- an invariant
        return vietnam_today(self._clock.now() - DECISIONS.kept_for)

    def _pages(self, wanted: ColumnElement[bool]) -> Iterator[ArchivedDecision]:
        key = (decisions.c.day, decisions.c.decision_id)
        query = select(decisions).where(wanted).order_by(*key).limit(_PAGE)
        page = self._read(query)
        while page:
            yield from page
            last = page[-1]
            page = self._read(query.where(tuple_(*key) > tuple_(last.day, last.decision_id)))

    def _read(self, query: Select[Any]) -> list[ArchivedDecision]:
        with self._database.reading() as connection:
            return [ArchivedDecision.from_row(row._asdict()) for row in connection.execute(query)]


def _within(days: DaySpan) -> ColumnElement[bool]:
    return decisions.c.day.between(days.first, days.last)


def _days_of(decision_id: str) -> DaySpan | None:
    """Return the days on which a decision of that id was probably made, None where its time is none of the calendar."""
    milliseconds = UUID(decision_id).int >> _MILLISECONDS_SHIFT
    try:
        asked_at = datetime.fromtimestamp(milliseconds / 1000, UTC)
        return DaySpan(first=vietnam_today(asked_at), last=vietnam_today(asked_at + _DECIDED_WITHIN))
    except (OverflowError, ValueError, OSError):
        return None
