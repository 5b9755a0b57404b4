"""A history of any age is brought up to date without loss, once, by whoever opens it first."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from lienthong.adapters import history, keys_postgres
from lienthong.adapters.database_faults import DatabaseAway
from lienthong.adapters.databases import Database
from lienthong.adapters.history import History, VolumeFilter
from lienthong.adapters.history_positions import Stretch
from lienthong.adapters.history_tables import metadata
from lienthong.adapters.migrating import Lineage
from tests.support.databases import OpenDatabase
from tests.support.histories_of_old import FIRST_RELEASE

DECISIONS = "decisions.v1"


@pytest.mark.parametrize("lineage", [history.LINEAGE, keys_postgres.LINEAGE], ids=lambda lineage: lineage.folder)
def test_the_newest_revision_that_is_asked_for_is_the_newest_there_is(lineage: Lineage) -> None:
    config = Config()
    with resources.as_file(resources.files("lienthong.adapters") / "migrations") as folder:
        config.set_main_option("script_location", str(folder))
        config.set_main_option("version_locations", str(folder / lineage.folder))
        config.set_main_option("path_separator", "newline")
        assert ScriptDirectory.from_config(config).get_heads() == [lineage.newest]


def test_the_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    History(database)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_file_of_the_first_release_is_taken_over_with_everything_in_it(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    with closing(sqlite3.connect(file)) as old:
        old.executescript(FIRST_RELEASE)
    with closing(History.open(file)) as taken:
        everything = VolumeFilter()
        assert taken.positions(DECISIONS) == {0: 7, 3: 2}
        assert taken.by_minute(everything) == [("2025-08-01T09:15", 5), ("2025-08-02T10:00", 4)]
        assert [(row.code, row.day, row.lookups) for row in taken.by_facility(everything)] == [
            ("01004", "2025-08-01", 5),
            ("01004", "2025-08-02", 4),
        ]
        assert [row[:4] for row in taken.by_unit(everything)] == [("commune", "00004", "-", "2025-08-01")]
        with taken.database.reading() as connection:
            marks = connection.execute(text("SELECT * FROM outbox_marks ORDER BY epoch")).all()
        # Nobody knows when an old mark was last seen, so it counts from the last day that there is.
        assert marks == [(0, "http-0", "a1", 5, "2025-08-02"), (0, "http-0", "b2", 2, "2025-08-02")]
        assert taken.count(Stretch(stream=DECISIONS, partition=0, position=7, next=8), []) == 0
    with closing(History.open(file)) as again:
        assert again.positions(DECISIONS) == {0: 8, 3: 2}


def test_processes_that_open_a_new_history_at_once_make_it_once(open_database: OpenDatabase) -> None:
    databases = [open_database() for _ in range(4)]
    begin = threading.Barrier(len(databases))
    faults: list[BaseException] = []

    def run(database: Database) -> None:
        try:
            begin.wait()
            History(database).count(Stretch(stream=DECISIONS, partition=0, position=0, next=1), [])
        except BaseException as fault:  # noqa: BLE001  # it is shown by the assertion
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(each,)) for each in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_migration_that_fails_changes_nothing(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE decisions (of_somebody_else INTEGER)"))
    with pytest.raises((SQLAlchemyError, DatabaseAway), match="decisions"):
        History(database)
    with database.reading() as connection:
        assert inspect(connection).get_table_names() == ["decisions"]
    with database.writing() as connection:
        connection.execute(text("DROP TABLE decisions"))
    assert History(database).positions(DECISIONS) == {}


def test_a_history_that_a_later_release_has_changed_is_used_as_it_is(open_database: OpenDatabase) -> None:
    first = History(open_database())
    with first.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    again = History(open_database())
    again.count(Stretch(stream=DECISIONS, partition=0, position=0, next=1), [])
    with again.database.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"


def test_who_opens_a_history_that_is_up_to_date_does_not_wait_for_the_migrations(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    History.open(file).close()
    program = (
        "import pathlib, sys\n"
        "from lienthong.adapters.history import History\n"
        f"History.open(pathlib.Path({str(file)!r})).close()\n"
        "print('alembic' in sys.modules, 'psycopg' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603  # see above
    assert told.stdout.split() == ["False", "False"]
