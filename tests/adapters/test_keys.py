"""Keys of periods, and what is sealed with them: the same in a file and on a server."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lienthong.adapters import sealing
from lienthong.adapters.key_records import KeyRecords, KeysAway
from lienthong.adapters.keys import PSEUDONYM, PURPOSES, KeyStore, PeriodKey, Purpose, WrongMasterKey, keys_in
from lienthong.adapters.keys_postgres import PostgresKeyRecords
from lienthong.adapters.keys_sqlite import SqliteKeyRecords
from lienthong.adapters.sealing import KeyDestroyed, SealBroken, Sealer, keep_prepared
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import STREAMS
from tests.support.clocks import SetClock
from tests.support.waiting import until

MASTER = bytes(range(32))
NINE = datetime(2025, 8, 1, 2, 30, tzinfo=UTC)  # 09:30 in Vietnam
Open = Callable[..., KeyStore]

IMAGES, LETTERS, DECISIONS = "card-images.v1", "dead-letters.v1", "decisions.v1"


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NINE)


@pytest.fixture(params=["file", "server"])
def kept_in(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The directory or the address of the server where keys are kept."""
    if request.param == "file":
        return str(tmp_path)
    url: str = request.getfixturevalue("fresh_database")
    return url


def records_in(place: str) -> KeyRecords:
    return PostgresKeyRecords(place) if "://" in place else SqliteKeyRecords(Path(place))


@pytest.fixture
def store(kept_in: str) -> Iterator[Open]:
    """Open the keys as often as it is called, as processes do."""
    with contextlib.ExitStack() as stack:

        def opened(master: bytes = MASTER, purposes: Sequence[Purpose] = PURPOSES) -> KeyStore:
            records = records_in(kept_in)
            stack.callback(records.close)
            return KeyStore(records, master, purposes)

        yield opened


@pytest.fixture
def keys(store: Open) -> KeyStore:
    return store()


@pytest.fixture
def sealer(keys: KeyStore, clock: SetClock) -> Sealer:
    return Sealer(keys, clock)


def test_every_sealed_stream_has_a_purpose_that_keeps_its_keys_as_long_as_its_events() -> None:
    purposes = {purpose.name: (purpose.period, purpose.kept_for) for purpose in PURPOSES}
    for stream in STREAMS:
        if stream.sealed_by is not None:
            assert purposes[stream.name] == (stream.sealed_by, stream.kept_for)


@settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # one store for all examples is meant
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


def test_a_key_destroyed_by_another_process_is_not_used_from_memory(store: Open, clock: SetClock) -> None:
    one, other = Sealer(store(), clock), Sealer(store(), clock)
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


def test_processes_that_begin_a_period_at_once_get_one_key(kept_in: str) -> None:
    program = (
        "import sys, pathlib, datetime\n"
        "from lienthong.adapters.keys import KeyStore\n"
        "from lienthong.adapters.keys_postgres import PostgresKeyRecords\n"
        "from lienthong.adapters.keys_sqlite import SqliteKeyRecords\n"
        "place = sys.stdin.readline().strip()\n"
        "records = PostgresKeyRecords(place) if '://' in place else SqliteKeyRecords(pathlib.Path(place))\n"
        f"keys = KeyStore(records, bytes({list(MASTER)}))\n"
        f"at = datetime.datetime.fromisoformat({NINE.isoformat()!r})\n"
        "print([keys.current('decisions.v1', at + datetime.timedelta(days=n)).key.hex() for n in range(20)])\n"
        "records.close()\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True)  # noqa: S603  # see above
        for _ in range(3)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(f"{kept_in}\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=60)[0] for process in started}
    assert len(answers) == 1
    assert [process.returncode for process in started] == [0, 0, 0]


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


def test_the_store_opens_with_its_master_key_alone(store: Open) -> None:
    key = store().current(LETTERS, NINE)
    assert store().find(key.key_id) == key
    with pytest.raises(WrongMasterKey, match="another master key"):
        store(os.urandom(32))


def test_sealing_waits_for_no_store_once_the_keys_are_prepared(store: Open, clock: SetClock) -> None:
    asked: list[str] = []

    class Watched(KeyStore):
        def current(self, purpose: str, at: datetime) -> PeriodKey:
            asked.append(purpose)
            return super().current(purpose, at)

    keys = store()
    keys.__class__ = Watched
    sealer = Sealer(keys, clock)
    sealer.prepare([DECISIONS, PSEUDONYM.name])
    assert sorted(asked) == [DECISIONS, DECISIONS, PSEUDONYM.name]
    asked.clear()
    names = set()
    # Around midnight what was decided on one day is sealed on the next, and other days come between.
    for hours in (0, 14.4, 14.6, 14.4, 24, 0, 14.6):
        names.add(sealer.seal(DECISIONS, b"decision", NINE + timedelta(hours=hours)).key_id)
        sealer.pseudonym("0000012345", NINE + timedelta(hours=hours))
    assert (asked, len(names)) == ([], 2)
    clock.advance(timedelta(days=1))
    sealer.prepare([DECISIONS, PSEUDONYM.name])
    sealer.prepare([DECISIONS, PSEUDONYM.name])
    assert asked == [DECISIONS]


async def test_keys_are_prepared_once_a_store_that_was_away_is_back(
    keys: KeyStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "PREPARE_INTERVAL_S", 0.001)
    faults = [KeysAway("the key store", "it is away")] * 3
    sealer = Sealer(keys, clock)
    prepare = sealer.prepare

    def prepared(purposes: Sequence[str]) -> None:
        if faults:
            raise faults.pop()
        prepare(purposes)

    monkeypatch.setattr(sealer, "prepare", prepared)
    preparing = asyncio.create_task(keep_prepared(sealer, [DECISIONS]))
    await until(lambda: len(sealer._by_purpose.get(DECISIONS, ())) == 2)
    await end(preparing)


def test_a_pseudonym_is_stable_for_a_year_and_differs_between_cards_years_and_installations(
    tmp_path: Path, sealer: Sealer, clock: SetClock
) -> None:
    (tmp_path / "other").mkdir()
    with contextlib.closing(keys_in(tmp_path / "other")) as elsewhere:
        other = Sealer(elsewhere, clock).pseudonym("0000012345")
    one = sealer.pseudonym("0000012345")
    assert sealer.pseudonym("0000012345", NINE + timedelta(days=100)) == one
    assert len({one, sealer.pseudonym("0000012346"), other}) == 3
    assert sealer.pseudonym("0000012345", NINE + timedelta(days=200)) != one
    assert (len(one), one.isalnum(), one.islower()) == (24, True, True)


def test_a_purpose_of_ones_own_is_kept_as_it_says(store: Open, clock: SetClock) -> None:
    keys = store(purposes=[Purpose(name="p", period="year", kept_for=timedelta(days=1))])
    key = keys.current("p", NINE)
    assert key.begins_at == datetime(2024, 12, 31, 17, tzinfo=UTC)
    assert key.destroy_at == datetime(2026, 1, 1, 17, tzinfo=UTC)
    assert Sealer(keys, clock).seal("p", b"").key_id == key.key_id
