"""The history's double: the real tables and statements in memory, in transactions that may fail on either side."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import ClassVar

from sqlalchemy import Connection, delete

from lienthong.adapters.database_faults import DatabaseAway
from lienthong.adapters.databases import Database, file_database
from lienthong.adapters.history import NAME, History
from lienthong.adapters.history_tables import metadata
from tests.simulation.loop import WORLD, living
from tests.simulation.weather import Weather


class UnsteadyDatabase(Database):
    """A database that may be away before a transaction or after it, when it has been committed."""

    weather: ClassVar[Weather | None] = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection to write with."""
        weather, life = self.weather, living()
        drawn = 1.0 if weather is None or life is WORLD else weather.chance.random()
        refused, unanswered, killed = (
            (0.0, 0.0, 0.0)
            if weather is None
            else (weather.climate.refused, weather.climate.unanswered, weather.climate.killed)
        )
        if drawn < refused:
            raise DatabaseAway(self.name, "refused")
        with super().writing() as connection:
            yield connection
        if weather is None:
            return
        if drawn < refused + unanswered:
            raise DatabaseAway(self.name, "not answered")
        if drawn < refused + unanswered + killed:
            weather.die(life, "after it committed")


class LastingHistory(History):
    """A history that outlives the processes that write it."""

    def close(self) -> None:
        """Close nothing."""


@cache
def _history() -> LastingHistory:
    opened = file_database(Path(":memory:"), NAME)
    return LastingHistory(UnsteadyDatabase(name=opened.name, engine=opened.engine))


def emptied(weather: Weather) -> LastingHistory:
    """Return the history of this process, emptied: making its tables takes as long as several runs."""
    history = _history()
    UnsteadyDatabase.weather = None
    with history.database.writing() as connection:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
    UnsteadyDatabase.weather = weather
    return history
