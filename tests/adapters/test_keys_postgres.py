"""Keys on a server: for machines that share a master key, and gone from the server's table once they are destroyed."""

import base64
import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from lienthong.adapters.key_records import KeysAway, KeyStoreRefused
from lienthong.adapters.keys import KeyStore, MasterKeyMissing, open_keys
from lienthong.adapters.keys_postgres import PostgresKeyRecords
from lienthong.runtime.datadir import data_directory
from lienthong.runtime.settings import Settings, load
from tests.support.distributed.postgres import PostgresServer, new_database

NINE = datetime(2025, 8, 1, 2, 30, tzinfo=UTC)  # 09:30 in Vietnam
IMAGES, LETTERS = "card-images.v1", "dead-letters.v1"
MASTER = bytes(range(32))


@pytest.fixture
def keys(fresh_database: str) -> Iterator[KeyStore]:
    with contextlib.closing(KeyStore(PostgresKeyRecords(fresh_database), MASTER)) as opened:
        yield opened


def settings(tmp_path: Path, url: str, master: bytes | None) -> Settings:
    text = None if master is None else base64.b64encode(master).decode()
    return load(data_dir=tmp_path, keys_url=url, master_key=text)


def test_the_settings_choose_the_server(tmp_path: Path, fresh_database: str) -> None:
    with contextlib.closing(open_keys(settings(tmp_path, fresh_database, MASTER), data_directory(tmp_path))) as one:
        key = one.current(LETTERS, NINE)
    with contextlib.closing(open_keys(settings(tmp_path, fresh_database, MASTER), data_directory(tmp_path))) as other:
        assert other.find(key.key_id) == key
    assert list(tmp_path.iterdir()) == []


def test_without_a_master_key_that_all_machines_have_none_is_made_up(tmp_path: Path, fresh_database: str) -> None:
    with pytest.raises(MasterKeyMissing, match="LIENTHONG_MASTER_KEY must give each"):
        open_keys(settings(tmp_path, fresh_database, None), data_directory(tmp_path))


def test_an_address_that_is_none_is_refused_without_repeating_it(tmp_path: Path) -> None:
    bad = settings(tmp_path, "postgresql://u:s3cr3t@host/name?colour=red", MASTER)
    with pytest.raises(KeyStoreRefused, match="does not understand") as refused:
        open_keys(bad, data_directory(tmp_path))
    assert "s3cr3t" not in str(refused.value)


def test_a_server_that_is_away_is_away_from_the_start(tmp_path: Path) -> None:
    with pytest.raises(KeysAway, match="the key store"):
        open_keys(settings(tmp_path, "postgresql://u:s3cr3t@127.0.0.1:1/n", MASTER), data_directory(tmp_path))


async def test_a_server_that_goes_away_and_comes_back_is_used_again(postgres_server: PostgresServer) -> None:
    with (
        new_database(postgres_server.url) as url,
        contextlib.closing(KeyStore(PostgresKeyRecords(url), MASTER)) as keys,
    ):
        key = keys.current(LETTERS, NINE)
        postgres_server.kill()
        with pytest.raises(KeysAway, match="the key store"):
            keys.find(key.key_id)
        await postgres_server.restart()
        assert keys.find(key.key_id) == key


def test_a_table_that_is_gone_is_away_like_any_store(keys: KeyStore, fresh_database: str) -> None:
    with psycopg.connect(fresh_database) as connection:
        connection.execute("DROP TABLE lienthong_keys.period_keys")
    with pytest.raises(KeysAway, match="period_keys"):
        keys.current(LETTERS, NINE)
    with pytest.raises(KeysAway):
        keys.destroy_expired(NINE)


def test_a_destroyed_key_is_not_in_the_tables_file_any_more(postgres_server: PostgresServer) -> None:
    with (
        new_database(postgres_server.url) as url,
        contextlib.closing(KeyStore(PostgresKeyRecords(url), MASTER)) as keys,
    ):
        for hour in range(40):
            keys.current(IMAGES, NINE + timedelta(hours=hour))
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT wrapped FROM lienthong_keys.period_keys ORDER BY begins_at").fetchall()
            wrapped = [row[0] for row in rows]
        assert [part in table_file(url) for part in wrapped] == [True] * 40
        assert len(keys.destroy_expired(NINE + timedelta(hours=21))) == 20
        assert [part in table_file(url) for part in wrapped] == [False] * 20 + [True] * 20
        assert keys.destroy_expired(NINE + timedelta(hours=21)) == []


def table_file(url: str) -> bytes:
    """Return the bytes of the table's file, as the server writes them to the disk."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath('lienthong_keys.period_keys'))"
        ).fetchone()
    assert row is not None
    return bytes(row[0])


def test_a_table_that_could_not_be_written_anew_is_written_the_next_time(keys: KeyStore, fresh_database: str) -> None:
    key = keys.current(IMAGES, NINE)
    late = NINE + timedelta(hours=9)
    with psycopg.connect(fresh_database) as reader:
        # Who reads the table keeps it from being written anew for longer than the destruction waits.
        reader.execute("SELECT 1 FROM lienthong_keys.period_keys")
        with pytest.raises(KeysAway, match="lock timeout"):
            keys.destroy_expired(late)
        assert keys.find(key.key_id) is None
        reader.rollback()
        before = _file_of(reader)
        assert keys.destroy_expired(late) == []
        written_anew = _file_of(reader)
        assert written_anew != before
        assert keys.destroy_expired(late) == []
        assert _file_of(reader) == written_anew


def _file_of(connection: psycopg.Connection) -> object:
    with connection.transaction():
        return connection.execute("SELECT pg_relation_filenode('lienthong_keys.period_keys')").fetchone()


def test_the_keys_need_a_schema_and_no_right_to_make_one(postgres_server: PostgresServer) -> None:
    user = f"keeper{os.getpid()}"
    with new_database(postgres_server.url) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE USER {user} PASSWORD 'not-a-secret'")
            connection.execute(f"CREATE SCHEMA lienthong_keys AUTHORIZATION {user}")
        host = url.rpartition("@")[2]
        records = PostgresKeyRecords(f"postgresql://{user}:not-a-secret@{host}")
        with contextlib.closing(KeyStore(records, MASTER)) as keys:
            keys.current(IMAGES, NINE)
            assert len(keys.destroy_expired(NINE + timedelta(hours=9))) == 1
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {user} CASCADE; DROP USER {user}")
