"""What was answered, counted in SQL: counts and the position of the stream they come from change in one transaction."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import insert

#: How long a writer waits for another's transaction, in seconds: a batch takes milliseconds.
_LOCK_WAIT_S = 10

_metadata = MetaData()

_positions = Table(
    "positions",
    _metadata,
    Column("stream", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
)
_marks = Table(
    "outbox_marks",
    _metadata,
    Column("partition", Integer, primary_key=True),
    Column("cell", String, primary_key=True),
    Column("epoch", String, primary_key=True),
    Column("sequence", Integer, nullable=False),
)
_by_minute = Table(
    "lookups_by_minute",
    _metadata,
    Column("minute", String, primary_key=True),
    Column("channel", String, primary_key=True),
    Column("outcome", String, primary_key=True),
    Column("lookups", Integer, nullable=False),
)
_by_facility = Table(
    "lookups_by_facility",
    _metadata,
    Column("day", String, primary_key=True),
    Column("code", String, primary_key=True),
    Column("channel", String, primary_key=True),
    Column("outcome", String, primary_key=True),
    Column("lookups", Integer, nullable=False),
)
_by_unit = Table(
    "lookups_by_unit",
    _metadata,
    Column("day", String, primary_key=True),
    Column("level", String, primary_key=True),
    Column("code", String, primary_key=True),
    Column("valid_from", String, primary_key=True),
    Column("channel", String, primary_key=True),
    Column("outcome", String, primary_key=True),
    Column("lookups", Integer, nullable=False),
)


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
    """What is counted of one decision: `minute` is `YYYY-MM-DDTHH:MM` and `day` `YYYY-MM-DD`, both in Vietnam."""

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


class History:
    """The counts of one data directory (SQLite, write-ahead log, synchronous: what is committed is on disk)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, path: Path) -> "History":
        """Open or create the database file."""
        engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _LOCK_WAIT_S})
        event.listen(engine, "connect", _set_pragmas)
        _metadata.create_all(engine)
        return cls(engine)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def position(self, stream: str, partition: int) -> int:
        """Return the next offset to count of a partition, 0 where nothing was counted."""
        query = select(_positions.c.position).where(_positions.c.stream == stream, _positions.c.partition == partition)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar() or 0

    def count(self, stream: str, partition: int, position: int, lookups: Sequence[CountedLookup]) -> int:
        """Count what is new and move the position, in one transaction; returns how many were new.

        A decision whose outbox place is at or below its cell's mark was counted before and is passed over.
        """
        with self._engine.begin() as connection:
            fresh = _unmarked(connection, partition, lookups)
            _add(connection, _by_minute, [(each.minute, each.channel, each.outcome) for each in fresh])
            _add(connection, _by_facility, [(e.day, e.facility_code, e.channel, e.outcome) for e in fresh])
            _add(connection, _by_unit, _unit_keys(fresh))
            moved = insert(_positions).values(stream=stream, partition=partition, position=position)
            connection.execute(
                moved.on_conflict_do_update(index_elements=["stream", "partition"], set_={"position": position})
            )
        return len(fresh)

    def by_minute(self, chosen: VolumeFilter) -> list[MinuteVolume]:
        """Return the look-ups of each minute that had any."""
        minute = _by_minute.c.minute
        query = _filtered(select(minute, func.sum(_by_minute.c.lookups)), _by_minute, chosen)
        return [MinuteVolume._make(row) for row in self._rows(query.group_by(minute).order_by(minute))]

    def by_facility(self, chosen: VolumeFilter) -> list[FacilityVolume]:
        """Return the look-ups by facility code and day: codes are used again, so the day belongs to them."""
        columns = [_by_facility.c[name] for name in FacilityVolume._fields]
        return [FacilityVolume._make(row) for row in self._rows(_filtered(select(*columns), _by_facility, chosen))]

    def by_unit(self, chosen: VolumeFilter) -> list[UnitVolume]:
        """Return the look-ups by printed unit and day."""
        columns = [_by_unit.c[name] for name in UnitVolume._fields]
        return [UnitVolume._make(row) for row in self._rows(_filtered(select(*columns), _by_unit, chosen))]

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()


def _set_pragmas(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined] # the DBAPI connection is untyped
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _unmarked(connection: Connection, partition: int, lookups: Sequence[CountedLookup]) -> list[CountedLookup]:
    marks: dict[tuple[str, str], int] = {
        (row.cell, row.epoch): row.sequence
        for row in connection.execute(select(_marks).where(_marks.c.partition == partition))
    }
    fresh, moved = [], set()
    for each in lookups:
        if each.place is not None:
            cell = (each.place.cell, each.place.epoch)
            if each.place.sequence <= marks.get(cell, 0):
                continue
            marks[cell] = each.place.sequence
            moved.add(cell)
        fresh.append(each)
    for name, epoch in moved:
        sequence = marks[name, epoch]
        statement = insert(_marks).values(partition=partition, cell=name, epoch=epoch, sequence=sequence)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["partition", "cell", "epoch"], set_={"sequence": sequence})
        )
    return fresh


def _unit_keys(lookups: Iterable[CountedLookup]) -> Iterable[tuple[str, ...]]:
    for each in lookups:
        for unit in each.units:
            yield each.day, unit.level, unit.code, unit.valid_from, each.channel, each.outcome


def _add(connection: Connection, table: Table, counted: Iterable[tuple[str, ...]]) -> None:
    counts = Counter(counted)
    if not counts:
        return
    keys = [column.name for column in table.primary_key]
    statement = insert(table)
    statement = statement.on_conflict_do_update(
        index_elements=keys, set_={"lookups": table.c.lookups + statement.excluded.lookups}
    )
    connection.execute(
        statement, [{**dict(zip(keys, key, strict=True)), "lookups": number} for key, number in counts.items()]
    )


def _filtered(query: Select[Any], table: Table, chosen: VolumeFilter) -> Select[Any]:
    when = table.c.minute if table is _by_minute else table.c.day
    if chosen.from_day is not None:
        query = query.where(when >= chosen.from_day)
    if chosen.to_day is not None:
        # A minute of the last day sorts after the day itself and before the day with any later character.
        query = query.where(when <= (chosen.to_day + "T99" if table is _by_minute else chosen.to_day))
    if chosen.channel is not None:
        query = query.where(table.c.channel == chosen.channel)
    if chosen.outcome is not None:
        query = query.where(table.c.outcome == chosen.outcome)
    return query
