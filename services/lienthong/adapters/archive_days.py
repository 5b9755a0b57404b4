"""Makes and drops the days of the archive: on a server each is a partition, which goes without a trace and at once."""

from collections.abc import Iterable
from datetime import date, timedelta

from sqlalchemy import Connection, delete, text

from lienthong.adapters.databases import Database
from lienthong.adapters.history_tables import decisions

#: How long the removal of a day may wait for who reads the archive, so that nobody waits behind it for long.
_DROP_WAIT = "2s"
#: Names the making of days among the advisory locks of a server.
_LOCK = 0x6461797A
_PREFIX = f"{decisions.name}_"

_PARTITIONS = text("""
    SELECT child.relname FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = to_regclass(:parent)
""")


class ArchiveDays:
    """The days that the archive of one database has room for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Days known to be there; another process may drop one, so who is refused a row forgets them.
        self._made: frozenset[date] = frozenset()

    def make(self, days: Iterable[date]) -> None:
        """Make room for days; returns soon where there is room already. Raises DatabaseAway."""
        missing = set(days) - self._made
        if not missing or not self._database.is_server:
            return
        with self._database.writing() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            there = _days(connection)
            for day in sorted(missing - there):
                _make(connection, day)
        self._made = frozenset(there | missing)

    def forget(self) -> None:
        """Look again next time: a day that was there may have been dropped."""
        self._made = frozenset()

    def drop(self, before: date) -> int:
        """Remove what was decided before a day, and return how many days or, of a file, decisions went.

        Raises DatabaseAway.
        """
        if not self._database.is_server:
            with self._database.writing() as connection:
                return connection.execute(delete(decisions).where(decisions.c.day < before)).rowcount
        with self._database.reading() as connection:
            ended = sorted(day for day in _days(connection) if day < before)
        for day in ended:
            with self._database.writing() as connection:
                connection.execute(text(f"SET LOCAL lock_timeout = '{_DROP_WAIT}'"))
                connection.execute(text(f"DROP TABLE IF EXISTS {_name(day)}"))
        self.forget()
        return len(ended)


def _days(connection: Connection) -> set[date]:
    rows = connection.execute(_PARTITIONS, {"parent": decisions.name}).scalars()
    return {date.fromisoformat(name.removeprefix(_PREFIX).replace("_", "-")) for name in rows}


def _make(connection: Connection, day: date) -> None:
    """Make a day's table first and join it then: so those who read and write other days need not wait."""
    connection.execute(text(f"CREATE TABLE {_name(day)} (LIKE {decisions.name} INCLUDING DEFAULTS)"))
    connection.execute(
        text(
            f"ALTER TABLE {decisions.name} ATTACH PARTITION {_name(day)}"
            f" FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
        )
    )


def _name(day: date) -> str:
    return f"{_PREFIX}{day.isoformat().replace('-', '_')}"
