import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lienthong.adapters.key_records import KeysAway
from lienthong.adapters.keys import PURPOSES, KeyStore, MasterKeyExposed, Purpose, WrongMasterKey, keys_in
from lienthong.adapters.sealing import KeyDestroyed, SealBroken, Sealer
from lienthong_schemas.streams import STREAMS
from tests.support.clocks import SetClock

NINE = datetime(2025, 8, 1, 2, 30, tzinfo=UTC)  # 09:30 in Vietnam
Open = Callable[..., KeyStore]

IMAGES, LETTERS, DECISIONS = "card-images.v1", "dead-letters.v1", "decisions.v1"


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NINE)


@pytest.fixture
def store() -> Iterator[Open]:
    """Open a store that is closed when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda *given, **named: stack.enter_context(contextlib.closing(keys_in(*given, **named)))


@pytest.fixture
def keys(store: Open, tmp_path: Path) -> KeyStore:
    return store(tmp_path)


@pytest.fixture
def sealer(keys: KeyStore, clock: SetClock) -> Sealer:
    return Sealer(keys, clock)


def everything_in(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(directory.iterdir()) if file.name != "master.key")


def test_every_sealed_stream_has_a_purpose_that_keeps_its_keys_as_long_as_its_events() -> None:
    purposes = {purpose.name: (purpose.period, purpose.kept_for) for purpose in PURPOSES}
    for stream in STREAMS:
        if stream.sealed_by is not None:
            assert purposes[stream.name] == (stream.sealed_by, stream.kept_for)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # one store for all examples is meant
@given(st.binary(max_size=500), st.sampled_from([purpose.name for purpose in PURPOSES]))
def test_what_is_sealed_opens_to_the_same_bytes_and_shows_nothing_of_them(
    sealer: Sealer, plaintext: bytes, purpose: str
) -> None:
    sealed = sealer.seal(purpose, plaintext)
    assert sealer.open(sealed.key_id, sealed.data) == plaintext
    assert sealed.data != sealer.seal(purpose, plaintext).data
    if len(plaintext) > 8:
        assert plaintext not in sealed.data


def test_an_image_has_the_key_of_its_hour_and_a_decision_that_of_its_day(sealer: Sealer) -> None:
    def key(purpose: str, hours: float) -> str:
        return sealer.seal(purpose, b"", NINE + timedelta(hours=hours)).key_id

    assert key(IMAGES, 0).startswith("card-images.v1/2025-08-01T09/")
    assert key(IMAGES, 0.49) == key(IMAGES, 0) != key(IMAGES, 0.5)
    assert key(DECISIONS, 0).startswith("decisions.v1/2025-08-01/")
    assert key(DECISIONS, -9.5) == key(DECISIONS, 14.4) != key(DECISIONS, 14.5)


def test_a_key_dies_when_the_retention_of_its_period_ends_and_not_before(sealer: Sealer, clock: SetClock) -> None:
    sealed = sealer.seal(IMAGES, b"image")
    clock.advance(timedelta(minutes=89))
    assert sealer.destroy_expired() == []
    assert sealer.open(sealed.key_id, sealed.data) == b"image"
    clock.advance(timedelta(minutes=1))
    assert sealer.open(sealed.key_id, sealed.data) == KeyDestroyed(key_id=sealed.key_id)
    assert sealer.destroy_expired() == [sealed.key_id]
    assert sealer.destroy_expired() == []


def test_a_key_destroyed_by_another_process_is_not_used_from_memory(
    store: Open, tmp_path: Path, clock: SetClock
) -> None:
    one, other = Sealer(store(tmp_path), clock), Sealer(store(tmp_path), clock)
    sealed = one.seal(IMAGES, b"image")
    assert other.open(sealed.key_id, sealed.data) == b"image"
    clock.advance(timedelta(hours=2))
    one.destroy_expired()
    assert other.open(sealed.key_id, sealed.data) == KeyDestroyed(key_id=sealed.key_id)


def test_a_key_leaves_the_memory_of_a_process_that_destroys_none_when_it_uses_another(
    sealer: Sealer, clock: SetClock
) -> None:
    sealed = sealer.seal(IMAGES, b"image")
    assert sealer.open(sealed.key_id, sealed.data) == b"image"
    clock.advance(timedelta(hours=3))
    sealer.seal(DECISIONS, b"decision")
    assert sealed.key_id not in {
        key.key_id for key, _ in (*sealer._by_id.values(), *chain(*sealer._by_purpose.values()))
    }


def test_a_file_of_keys_that_cannot_be_used_is_away_like_any_store(tmp_path: Path, sealer: Sealer) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "keys.sqlite")) as database:
        database.execute("DROP TABLE period_keys")
    with pytest.raises(KeysAway):
        sealer.seal(DECISIONS, b"decision")
    with pytest.raises(KeysAway):
        sealer.destroy_expired()


def test_a_destroyed_key_is_in_no_file_any_more(
    tmp_path: Path, keys: KeyStore, sealer: Sealer, clock: SetClock
) -> None:
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


def test_processes_that_begin_a_period_at_once_get_one_key(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, datetime\n"
        "from lienthong.adapters.keys import keys_in\n"
        "sys.stdin.readline()\n"
        f"keys = keys_in(pathlib.Path({str(tmp_path)!r}))\n"
        f"at = datetime.datetime.fromisoformat({NINE.isoformat()!r})\n"
        "print([keys.current('decisions.v1', at + datetime.timedelta(days=n)).key.hex() for n in range(20)])\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True)  # noqa: S603  # see above
        for _ in range(3)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=60)[0] for process in started}
    assert len(answers) == 1
    assert [process.returncode for process in started] == [0, 0, 0]


def test_the_same_period_has_another_name_and_key_after_its_store_was_lost(
    store: Open, tmp_path: Path, clock: SetClock
) -> None:
    sealed = Sealer(store(tmp_path), clock).seal(LETTERS, b"letter")
    for file in tmp_path.iterdir():
        file.unlink()
    again = Sealer(store(tmp_path), clock)
    assert again.seal(LETTERS, b"letter").key_id != sealed.key_id
    assert again.open(sealed.key_id, sealed.data) == KeyDestroyed(key_id=sealed.key_id)


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d[:5], lambda _: b"", lambda d: d[:-1] + b"\0"])
def test_damaged_bytes_are_said_to_be_damaged(sealer: Sealer, change: Callable[[bytes], bytes]) -> None:
    sealed = sealer.seal(LETTERS, b"letter\x00")
    damaged = change(sealed.data)
    with pytest.raises(SealBroken, match="is damaged"):
        sealer.open(sealed.key_id, damaged if damaged != sealed.data else damaged[::-1])


def test_what_was_sealed_for_one_thing_does_not_open_as_another(sealer: Sealer) -> None:
    letter, decision = sealer.seal(LETTERS, b"letter"), sealer.seal(DECISIONS, b"decision")
    with pytest.raises(SealBroken):
        sealer.open(letter.key_id, decision.data)


def test_an_unknown_purpose_is_a_fault_of_the_caller(sealer: Sealer) -> None:
    with pytest.raises(KeyError):
        sealer.seal("something", b"")


def test_the_store_opens_with_its_master_key_alone(store: Open, tmp_path: Path) -> None:
    master = os.urandom(32)
    key = store(tmp_path, master).current(LETTERS, NINE)
    assert store(tmp_path, master).find(key.key_id) == key
    with pytest.raises(WrongMasterKey, match="another master key"):
        store(tmp_path, os.urandom(32))
    assert not (tmp_path / "master.key").exists()


def test_a_master_key_that_others_can_read_is_refused(store: Open, tmp_path: Path, keys: KeyStore) -> None:
    keys.close()
    (tmp_path / "master.key").chmod(0o640)
    with pytest.raises(MasterKeyExposed, match="chmod 600"):
        store(tmp_path)


def test_a_pseudonym_is_stable_for_a_year_and_differs_between_cards_years_and_installations(
    store: Open, tmp_path: Path, sealer: Sealer, clock: SetClock
) -> None:
    (tmp_path / "other").mkdir()
    other = Sealer(store(tmp_path / "other"), clock)
    one = sealer.pseudonym("0000012345")
    assert sealer.pseudonym("0000012345", NINE + timedelta(days=100)) == one
    assert len({one, sealer.pseudonym("0000012346"), other.pseudonym("0000012345")}) == 3
    assert sealer.pseudonym("0000012345", NINE + timedelta(days=200)) != one
    assert (len(one), one.isalnum(), one.islower()) == (24, True, True)


def test_a_purpose_of_ones_own_is_kept_as_it_says(store: Open, tmp_path: Path, clock: SetClock) -> None:
    keys = store(tmp_path, purposes=[Purpose(name="p", period="year", kept_for=timedelta(days=1))])
    key = keys.current("p", NINE)
    assert key.begins_at == datetime(2024, 12, 31, 17, tzinfo=UTC)
    assert key.destroy_at == datetime(2026, 1, 1, 17, tzinfo=UTC)
    assert Sealer(keys, clock).seal("p", b"").key_id == key.key_id
