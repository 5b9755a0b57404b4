"""What was answered, counted in SQL: counts and the position of the stream they come from change in one transaction."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, Table, delete, exists, func, select, tuple_

from lienthong.adapters.databases import Database, file_database, server_database
from lienthong.adapters.history_positions import Stretch, hold, move, stored_positions
from lienthong.adapters.history_tables import (
    lookups_by_facility,
    lookups_by_minute,
    lookups_by_unit,
    outbox_marks,
    positions,
)
from lienthong.adapters.migrating import Lineage, bring_up_to_date
from lienthong.runtime.datadir import DataDirectory
from lienthong.runtime.settings import Settings

NAME = "the history"
LINEAGE = Lineage(folder="history", newest="0002", first_table="positions")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxPlace:
    """Where in an outbox a decision came from: a consumer keeps one mark per cell and epoch."""

    cell: str
    epoch: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedUnit:
    """A unit version printed on a card; `valid_from` is `YYYY-MM-DD`, or `-` where unknown."""

    level: str
    code: str
    valid_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedLookup:
    """What is counted of one decision: `minute` is `YYYY-MM-DDTHH:MM` and `day` `YYYY-MM-DD`, both in Vietnam.

    `offset` is its place in its partition.
    """

    offset: int
    minute: str
    day: str
    facility_code: str
    channel: str
    outcome: str
    units: tuple[CountedUnit, ...]
    place: OutboxPlace | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFilter:
    """Which look-ups to total: days inclusive (`YYYY-MM-DD`), None where not filtered."""

    from_day: str | None = None
    to_day: str | None = None
    channel: str | None = None
    outcome: str | None = None


class MinuteVolume(NamedTuple):
    """How many look-ups there were in a minute of Vietnam, `YYYY-MM-DDTHH:MM`."""

    minute: str
    lookups: int


class FacilityVolume(NamedTuple):
    """How many look-ups a facility's code made on a day, by channel and outcome."""

    code: str
    day: str
    channel: str
    outcome: str
    lookups: int


class UnitVolume(NamedTuple):
    """How many look-ups a day brought of cards with a unit printed on them, by channel and outcome."""

    level: str
    code: str
    valid_from: str
    day: str
    channel: str
    outcome: str
    lookups: int


def open_history(settings: Settings, directory: DataDirectory) -> "History":
    """Open the history where the settings say: on their server, or in a file of the data directory.

    Raises DatabaseAway, and DatabaseRefused for an address that is none.
    """
    if settings.history_url is None:
        return History.open(directory.history / "history.sqlite")
    return _opened(server_database(settings.history_url.get_secret_value(), NAME))


def _opened(database: Database) -> "History":
    try:
        return History(database)
    except BaseException:
        database.close()
        raise


class History:
    """The counts of an installation. Whatever is asked of it raises DatabaseAway where its database is away."""

    def __init__(self, database: Database) -> None:
        """Take an open database and bring its tables up to date."""
        bring_up_to_date(database, LINEAGE)
        self.database = database

    @staticmethod
    def open(path: Path) -> "History":
        """Open or create the database file."""
        return _opened(file_database(path, NAME))

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def positions(self, stream: str) -> dict[int, int]:
        """Return the next offset to count of each partition of which something was counted."""
        return stored_positions(self.database, positions, stream)

    def position(self, stream: str, partition: int) -> int:
        """Return the next offset to count of a partition, 0 where nothing was counted."""
        return self.positions(stream).get(partition, 0)

    def count(self, stretch: Stretch, lookups: Sequence[CountedLookup]) -> int:
        """Count what is new and move the position, in one transaction; returns how many were new.

        Passed over are look-ups before the stored position, which another process has counted, and those whose outbox
        place is at or below its cell's mark, which were relayed twice. Raises PositionBehind.
        """
        with self.database.writing() as connection:
            since = hold(self.database, connection, positions, stretch)
            if since is None:
                return 0
            fresh = self._unmarked(connection, stretch.partition, [each for each in lookups if each.offset >= since])
            self._add(connection, lookups_by_minute, [(each.minute, each.channel, each.outcome) for each in fresh])
            self._add(connection, lookups_by_facility, [(e.day, e.facility_code, e.channel, e.outcome) for e in fresh])
            self._add(connection, lookups_by_unit, _unit_keys(fresh))
            move(connection, positions, stretch)
        return len(fresh)

    def forget_marks(self, before: str) -> int:
        """Remove marks that were last seen before a day (`YYYY-MM-DD`) and superseded since; returns how many.

        What they stand for is no longer in the log, whose retention is over by that day, so it cannot come again.
        """
        later = outbox_marks.alias("later")
        superseded = exists().where(
            later.c.partition == outbox_marks.c.partition,
            later.c.cell == outbox_marks.c.cell,
            later.c.seen_on > outbox_marks.c.seen_on,
        )
        with self.database.writing() as connection:
            return connection.execute(delete(outbox_marks).where(outbox_marks.c.seen_on < before, superseded)).rowcount

    def by_minute(self, chosen: VolumeFilter) -> list[MinuteVolume]:
        """Return the look-ups of each minute that had any."""
        minute = lookups_by_minute.c.minute
        query = _filtered(select(minute, func.sum(lookups_by_minute.c.lookups)), lookups_by_minute, chosen)
        rows = self._rows(query.group_by(minute).order_by(minute))
        # A sum of large integers comes as a decimal number from a server.
        return [MinuteVolume(each.minute, int(each.lookups)) for each in map(MinuteVolume._make, rows)]

    def by_facility(self, chosen: VolumeFilter) -> list[FacilityVolume]:
        """Return the look-ups by facility code and day: codes are used again, so the day belongs to them."""
        columns = [lookups_by_facility.c[name] for name in FacilityVolume._fields]
        rows = self._rows(_filtered(select(*columns), lookups_by_facility, chosen))
        return [FacilityVolume._make(row) for row in rows]

    def by_unit(self, chosen: VolumeFilter) -> list[UnitVolume]:
        """Return the look-ups by printed unit and day."""
        columns = [lookups_by_unit.c[name] for name in UnitVolume._fields]
        return [UnitVolume._make(row) for row in self._rows(_filtered(select(*columns), lookups_by_unit, chosen))]

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with self.database.reading() as connection:
            return connection.execute(query).all()

    def _unmarked(
        self, connection: Connection, partition: int, lookups: Sequence[CountedLookup]
    ) -> list[CountedLookup]:
        marks = _marks(connection, partition, lookups)
        fresh, moved = [], set()
        for each in lookups:
            if each.place is not None:
                cell = (each.place.cell, each.place.epoch)
                sequence, seen_on = marks.get(cell, (0, ""))
                if each.place.sequence <= sequence:
                    continue
                marks[cell] = (each.place.sequence, max(seen_on, each.day))
                moved.add(cell)
            fresh.append(each)
        if moved:
            keys = ["partition", "cell", "epoch"]
            statement = self.database.insert(outbox_marks)
            values = {name: statement.excluded[name] for name in ("sequence", "seen_on")}
            rows = [
                {"partition": partition, "cell": cell[0], "epoch": cell[1]}
                | dict(zip(("sequence", "seen_on"), marks[cell], strict=True))
                for cell in sorted(moved)
            ]
            connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)
        return fresh

    def _add(self, connection: Connection, table: Table, counted: Iterable[tuple[str, ...]]) -> None:
        # Partitions share these rows: who locks them in one order never waits in a circle.
        counts = sorted(Counter(counted).items())
        if not counts:
            return
        keys = [column.name for column in table.primary_key]
        statement = self.database.insert(table)
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={"lookups": table.c.lookups + statement.excluded.lookups}
        )
        connection.execute(
            statement, [{**dict(zip(keys, key, strict=True)), "lookups": number} for key, number in counts]
        )


def _marks(
    connection: Connection, partition: int, lookups: Sequence[CountedLookup]
) -> dict[tuple[str, str], tuple[int, str]]:
    """Return the mark of each cell and epoch that the look-ups came from, with the day it was last seen."""
    cells = {(each.place.cell, each.place.epoch) for each in lookups if each.place is not None}
    if not cells:
        return {}
    query = select(outbox_marks).where(
        outbox_marks.c.partition == partition,
        tuple_(outbox_marks.c.cell, outbox_marks.c.epoch).in_(sorted(cells)),
    )
    return {(row.cell, row.epoch): (row.sequence, row.seen_on) for row in connection.execute(query)}


def _unit_keys(lookups: Iterable[CountedLookup]) -> Iterable[tuple[str, ...]]:
    for each in lookups:
        for unit in each.units:
            yield each.day, unit.level, unit.code, unit.valid_from, each.channel, each.outcome


def _filtered(query: Select[Any], table: Table, chosen: VolumeFilter) -> Select[Any]:
    when = table.c.minute if table is lookups_by_minute else table.c.day
    if chosen.from_day is not None:
        query = query.where(when >= chosen.from_day)
    if chosen.to_day is not None:
        # A minute of the last day sorts after the day itself and before the day with any later character.
        query = query.where(when <= (chosen.to_day + "T99" if table is lookups_by_minute else chosen.to_day))
    if chosen.channel is not None:
        query = query.where(table.c.channel == chosen.channel)
    if chosen.outcome is not None:
        query = query.where(table.c.outcome == chosen.outcome)
    return query
