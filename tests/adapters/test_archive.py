"""Every decision is kept once, to the byte, for as long as its stream keeps it, in a file and on a server."""

import base64
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from lienthong.adapters.archive import DAYS_AHEAD, Archive, DaySpan
from lienthong.adapters.archive_record import ArchivedDecision
from lienthong.adapters.databases import Database
from lienthong.adapters.history import LINEAGE
from lienthong.adapters.history_positions import PositionBehind, Stretch
from lienthong.adapters.migrating import bring_up_to_date
from lienthong.adapters.wire import Event, decode
from lienthong_schemas.streams import DECISIONS
from tests.support.clocks import SetClock
from tests.support.databases import OpenDatabase
from tests.support.decided import NINE, Decided, decided
from tests.support.messages import EXAMPLES, event_of

EVER = DaySpan(first=date(2020, 1, 1), last=date(2030, 1, 1))


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NINE.astimezone(UTC))


@pytest.fixture
def archive(database: Database, clock: SetClock) -> Archive:
    bring_up_to_date(database, LINEAGE)
    return Archive(database, clock)


def store(archive: Archive, first: int, given_: Sequence[Decided], partition: int = 0) -> int:
    """Store decisions as the batch that begins at `first`."""
    stretch = Stretch(stream=DECISIONS.name, partition=partition, position=first, next=first + len(given_))
    return archive.store(stretch, [(first + at, each.archived()) for at, each in enumerate(given_)])


def everything(archive: Archive) -> list[ArchivedDecision]:
    return sorted(archive.by_address("commune", "00004", EVER), key=lambda each: (each.day, each.decision_id))


def test_a_decision_comes_back_to_the_last_byte(archive: Archive) -> None:
    one = decided(1)
    assert store(archive, 0, [one]) == 1
    found = archive.by_id(one.decision_id)
    assert found == one.archived()
    assert found is not None
    assert found.event == one.value()
    assert found.decided_at == one.at
    assert (found.day, found.service_on, found.sealed) == (date(2025, 8, 1), date(2025, 8, 1), b"sealed 1")
    assert archive.by_id(decided(2).decision_id) is None


@pytest.mark.parametrize("sealed", ["AAECAw==", "QR==", "AAECA", "ZmFjaWxpdHlfY29kZQ==", "01004AAA"])
def test_whatever_stands_for_the_sealed_bytes_the_event_comes_back_as_it_was(archive: Archive, sealed: str) -> None:
    data = EXAMPLES["eligibility.decided"] | {"sealed": {"key_id": "k", "bytes": sealed}, "facility_code": "01004AAA"}
    value = event_of("eligibility.decided", data, subject="p", time=NINE.isoformat()).replace(b'"p"', b' "p" ')
    event = decode(value, DECISIONS)
    assert isinstance(event, Event)
    given_ = ArchivedDecision.of(event, value)
    archive.store(Stretch(stream=DECISIONS.name, partition=0, position=0, next=1), [(0, given_)])
    assert archive.by_id(given_.decision_id) == given_


def test_the_sealed_bytes_are_kept_once_and_nothing_else_of_the_card(archive: Archive, database: Database) -> None:
    store(archive, 0, [decided(1)])
    with database.reading() as connection:
        row = connection.execute(text("SELECT * FROM decisions")).mappings().one()
    assert base64.b64encode(b"sealed 1") not in bytes(row["event"])
    assert bytes(row["sealed"]) == b"sealed 1"


def test_a_batch_that_is_delivered_twice_is_stored_once(archive: Archive) -> None:
    batch = [decided(1), decided(2, days=1)]
    assert store(archive, 0, batch) == 2
    assert store(archive, 0, batch) == 0
    assert archive.positions(DECISIONS.name) == {0: 2}


def test_a_decision_that_was_relayed_twice_is_stored_once_and_the_first_stays(archive: Archive) -> None:
    first = decided(1)
    assert store(archive, 0, [first, decided(2)]) == 2
    again = Decided(number=1, at=first.at, outcome="not_found")
    assert store(archive, 2, [again, decided(3)]) == 1
    assert store(archive, 0, [again], partition=1) == 0
    assert archive.by_id(first.decision_id) == first.archived()


def test_what_another_process_stored_of_a_batch_is_passed_over_and_a_gap_refused(archive: Archive) -> None:
    stream = [decided(number) for number in range(8)]
    assert store(archive, 0, stream[:4]) == 4
    assert store(archive, 2, stream[2:6]) == 2
    with pytest.raises(PositionBehind) as behind:
        store(archive, 7, stream[7:])
    assert behind.value.stored == 6
    assert len(everything(archive)) == 6


def test_decisions_are_found_by_what_was_printed_and_when(archive: Archive) -> None:
    one, other = decided(1), Decided(number=2, at=NINE, commune="00016", place=None)
    late, bare = decided(3, days=30), Decided(number=4, at=NINE, commune=None)
    store(archive, 0, [late, one, other, bare])
    august = DaySpan(first=date(2025, 8, 1), last=date(2025, 8, 30))
    assert [each.decision_id for each in archive.by_address("commune", "00004", august)] == [one.decision_id]
    assert [each.decision_id for each in archive.by_address("commune", "00016", EVER)] == [other.decision_id]
    assert list(archive.by_address("province", "00004", EVER)) == []
    by_place = [each.decision_id for each in archive.by_place("01C51", EVER)]
    assert by_place == [bare.decision_id, one.decision_id, late.decision_id]
    assert archive.counts(EVER) == {date(2025, 8, 1): 3, date(2025, 8, 31): 1}


def test_more_decisions_than_a_page_come_in_order_and_once(archive: Archive) -> None:
    stream = [decided(number, days=number % 3) for number in range(1_203)]
    store(archive, 0, stream)
    found = [each.decision_id for each in archive.by_address("commune", "00004", EVER)]
    assert found == [each.decision_id for each in sorted(stream, key=lambda each: (each.at.date(), each.decision_id))]


def test_a_decision_is_found_by_its_id_whatever_its_time(archive: Archive) -> None:
    far = Decided(number=1, at=datetime(9998, 12, 31, 23, tzinfo=UTC))
    later = decided(2, days=9)
    asked_long_ago = ArchivedDecision(
        **{name: getattr(later.archived(), name) for name in ArchivedDecision.__slots__}
        | {"decision_id": decided(3).decision_id}
    )
    archive.store(
        Stretch(stream=DECISIONS.name, partition=0, position=0, next=2), [(0, far.archived()), (1, asked_long_ago)]
    )
    assert archive.by_id(far.decision_id) == far.archived()
    assert archive.by_id(asked_long_ago.decision_id) == asked_long_ago
    assert archive.by_id("ffffffff-ffff-7fff-bfff-ffffffffffff") is None


def test_a_day_is_kept_until_its_key_is_destroyed_and_then_goes(archive: Archive, clock: SetClock) -> None:
    stream = [decided(0), decided(1, days=1)]
    store(archive, 0, stream)
    clock.advance(timedelta(days=400, hours=14))
    assert archive.keep_days() == 0
    clock.advance(timedelta(hours=1))
    assert archive.keep_days() == 1
    assert everything(archive) == [stream[1].archived()]
    # What comes again from a partition that is read anew is too old to be kept.
    assert store(archive, 0, stream, partition=1) == 0
    assert archive.positions(DECISIONS.name) == {0: 2, 1: 2}
    assert everything(archive) == [stream[1].archived()]


def test_a_server_has_room_for_the_days_to_come_before_they_begin(
    archive: Archive, database: Database, clock: SetClock
) -> None:
    archive.keep_days()
    with database.reading() as connection:
        tables = {name for name in inspect(connection).get_table_names() if name.startswith("decisions_")}
    days = {clock.now().date() + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)}
    assert tables == ({f"decisions_{day:%Y_%m_%d}" for day in days} if database.is_server else set())


def test_a_day_that_another_process_dropped_is_made_again(
    archive: Archive, database: Database, open_database: OpenDatabase, clock: SetClock
) -> None:
    store(archive, 0, [decided(0)])
    # A clock that is ahead by more than a year is what it takes.
    assert Archive(open_database(), SetClock(clock.now() + timedelta(days=500))).keep_days() == 1
    # The batch is tried again, as after any fault.
    with pytest.raises(IntegrityError) if database.is_server else nullcontext():
        store(archive, 1, [decided(1)])
    store(archive, 1, [decided(1)])
    assert everything(archive) == [decided(1).archived()]


def test_processes_that_archive_the_same_days_at_once_keep_each_decision_once(
    open_database: OpenDatabase, clock: SetClock
) -> None:
    databases = [open_database() for _ in range(3)]
    stream = [decided(number, days=number % 5) for number in range(60)]
    faults: list[BaseException] = []

    def run(database: Database) -> None:
        try:
            bring_up_to_date(database, LINEAGE)
            archive = Archive(database, clock)
            for begin in range(0, 60, 6):
                store(archive, begin, stream[begin : begin + 6])
        except BaseException as fault:  # noqa: BLE001  # it is shown by the assertion
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(each,)) for each in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(everything(Archive(databases[0], clock))) == 60


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])  # partitions keep them apart
@given(
    cuts=st.lists(st.integers(0, 20), max_size=5),
    rewinds=st.lists(st.integers(0, 20), max_size=3),
    repeats=st.lists(st.integers(0, 19), max_size=4),
)
def test_any_cutting_repeating_and_rereading_archives_the_same_as_once_in_order(
    archive: Archive, cuts: list[int], rewinds: list[int], repeats: list[int]
) -> None:
    partition = max(archive.positions(DECISIONS.name), default=-1) + 1
    before = {each.decision_id for each in everything(archive)}
    numbers = [*range(20), *repeats]
    stream = [decided(1_000 * partition + number, days=number % 4) for number in numbers]
    for start in [*rewinds, 0]:
        stops = sorted({start, len(stream), *(cut for cut in cuts if cut > start)})
        for begin, end in pairwise(stops):
            try:
                store(archive, begin, stream[begin:end], partition)
            except PositionBehind as behind:
                assert behind.stored < begin  # noqa: PT017  # some of the batches lie behind a gap, and that is said
    assert archive.positions(DECISIONS.name)[partition] == len(stream)
    new = [each for each in everything(archive) if each.decision_id not in before]
    assert new == sorted((each.archived() for each in stream[:20]), key=lambda each: (each.day, each.decision_id))
