"""A database of either kind says in one way that it is away, keeps nothing half done, and leaves nothing open."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from lienthong.adapters.database_faults import DatabaseAway, DatabaseRefused
from lienthong.adapters.databases import Database, file_database, server_database
from tests.support.databases import OpenDatabase


def test_what_fails_in_the_middle_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.writing() as connection:
            connection.execute(text("CREATE TABLE t (a INTEGER NOT NULL)"))
            connection.execute(text("INSERT INTO t VALUES (NULL)"))

    with pytest.raises(SQLAlchemyError):
        fail()
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
    with database.reading() as connection:
        assert connection.execute(text("SELECT * FROM t")).all() == []


def test_a_connection_that_was_in_use_is_closed_when_it_is_given_back(open_database: OpenDatabase) -> None:
    database = open_database()
    with database.reading() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        database.close()
        connection.execute(text("SELECT 1"))
    with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError)):
        raw.cursor().execute("SELECT 1")
    # Who asks once more is served, and leaves nothing either.
    database.ping()
    database.close()


def test_a_file_that_cannot_be_opened_is_away_and_says_why(tmp_path: Path) -> None:
    database = file_database(tmp_path / "nowhere" / "history.sqlite", "the history")
    with pytest.raises(DatabaseAway, match="the history is away: OperationalError, unable to open database file"):
        database.ping()


def test_a_server_that_is_not_there_is_away_and_says_so_without_its_password() -> None:
    with (
        closing(server_database("postgresql://u:s3cr3t@127.0.0.1:1/n", "the history")) as database,
        pytest.raises(DatabaseAway, match="the history is away: OperationalError, connection") as away,
    ):
        database.ping()
    assert "s3cr3t" not in str(away.value)


def test_a_wrong_password_is_told_from_a_server_that_is_away(fresh_database: str) -> None:
    user, _, place = fresh_database.rpartition("@")
    wrong = f"{user.rpartition(':')[0]}:s3cr3t@{place}"
    with (
        closing(server_database(wrong, "the history")) as database,
        pytest.raises(DatabaseAway, match="password authentication failed") as away,
    ):
        database.ping()
    assert "s3cr3t" not in str(away.value)


def test_of_several_hosts_the_one_that_takes_writes_is_used(fresh_database: str) -> None:
    user, _, place = fresh_database.rpartition("@")
    with closing(server_database(f"{user}@127.0.0.1:1,{place}", "the history")) as database:
        database.ping()
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        name = place.rpartition("/")[2]
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with (
        closing(server_database(fresh_database, "the history")) as database,
        pytest.raises(DatabaseAway, match="session is read-only"),
    ):
        database.ping()


def test_an_address_that_is_none_is_refused_without_repeating_it() -> None:
    with pytest.raises(DatabaseRefused, match="does not understand") as refused:
        server_database("postgresql://u:s3cr3t@h/n?colour=red", "the history")
    assert "s3cr3t" not in str(refused.value)
