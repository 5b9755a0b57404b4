"""A key that is destroyed leaves the file for good."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lienthong.adapters.key_records import KeysAway
from lienthong.adapters.keys import KeyStore, MasterKeyExposed, keys_in
from lienthong.adapters.sealing import KeyDestroyed, Sealer
from tests.support.clocks import SetClock

NINE = datetime(2025, 8, 1, 2, 30, tzinfo=UTC)  # 09:30 in Vietnam
IMAGES, LETTERS, DECISIONS = "card-images.v1", "dead-letters.v1", "decisions.v1"
Open = Callable[[], KeyStore]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Open]:
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(keys_in(tmp_path)))


@pytest.fixture
def keys(store: Open) -> KeyStore:
    return store()


def everything_in(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(directory.iterdir()) if file.name != "master.key")


def test_a_file_of_keys_that_cannot_be_used_is_away_like_any_store(tmp_path: Path, keys: KeyStore) -> None:
    sealer = Sealer(keys, SetClock(NINE))
    with contextlib.closing(sqlite3.connect(tmp_path / "keys.sqlite")) as database:
        database.execute("DROP TABLE period_keys")
    with pytest.raises(KeysAway):
        sealer.seal(DECISIONS, b"decision")
    with pytest.raises(KeysAway):
        sealer.destroy_expired()


def test_a_file_that_holds_something_else_is_away_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "keys.sqlite").write_bytes(b"no database" * 500)
    with pytest.raises(KeysAway, match="not a database"):
        keys_in(tmp_path)


def test_a_destroyed_key_is_in_no_file_any_more(tmp_path: Path, keys: KeyStore) -> None:
    clock = SetClock(NINE)
    sealer = Sealer(keys, clock)
    wrapped = []
    for hour in range(40):
        sealer.seal(IMAGES, b"image", NINE + timedelta(hours=hour))
        with sqlite3.connect(tmp_path / "keys.sqlite") as database:
            wrapped.append(database.execute("SELECT wrapped FROM period_keys ORDER BY begins_at DESC").fetchone()[0])
        database.close()
    assert all(part in everything_in(tmp_path) for part in wrapped)
    clock.advance(timedelta(hours=21))
    assert len(sealer.destroy_expired()) == 20
    left = everything_in(tmp_path)
    assert [part in left for part in wrapped] == [False] * 20 + [True] * 20
    keys.close()
    assert [part in everything_in(tmp_path) for part in wrapped] == [False] * 20 + [True] * 20


def test_a_wrapped_key_never_stands_in_the_file_in_the_clear(tmp_path: Path, keys: KeyStore) -> None:
    key = keys.current(LETTERS, NINE)
    assert key.key not in everything_in(tmp_path)


def test_only_the_owner_can_read_the_files(tmp_path: Path, keys: KeyStore) -> None:
    keys.current(LETTERS, NINE)
    keys.destroy_expired(NINE + timedelta(days=9999))
    assert {file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == {0}
    assert {file.name for file in tmp_path.iterdir()} == {"keys.sqlite", "keys.sqlite-journal", "master.key"}


def test_the_same_period_has_another_name_and_key_after_its_store_was_lost(store: Open, tmp_path: Path) -> None:
    sealed = Sealer(store(), SetClock(NINE)).seal(LETTERS, b"letter")
    for file in tmp_path.iterdir():
        file.unlink()
    again = Sealer(store(), SetClock(NINE))
    assert again.seal(LETTERS, b"letter").key_id != sealed.key_id
    assert again.open(sealed.key_id, sealed.data) == KeyDestroyed(key_id=sealed.key_id)


def test_a_master_key_of_ones_own_is_made_where_none_is_given(store: Open, tmp_path: Path) -> None:
    key = store().current(LETTERS, NINE)
    assert store().find(key.key_id) == key
    assert len((tmp_path / "master.key").read_bytes()) == 32


def test_a_master_key_that_others_can_read_is_refused(store: Open, tmp_path: Path, keys: KeyStore) -> None:
    keys.close()
    (tmp_path / "master.key").chmod(0o640)
    with pytest.raises(MasterKeyExposed, match="chmod 600"):
        store()
