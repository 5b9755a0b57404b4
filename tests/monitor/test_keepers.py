"""Counts and archive are what the stream says, whatever happens to the readers and to the database meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from lienthong.adapters.archive import Archive, DaySpan
from lienthong.adapters.database_faults import DatabaseAway
from lienthong.adapters.databases import Database, server_database
from lienthong.adapters.event_log import Trimmed
from lienthong.adapters.history import History, VolumeFilter
from lienthong.adapters.wire import RefusalCode
from lienthong.monitor.handlers import Keeper
from lienthong.monitor.keepers import Archived, Counts
from tests.support.clocks import SetClock
from tests.support.databases import NAME
from tests.support.decided import NINE, Decided, decided
from tests.support.decision_readers import Reading, cut
from tests.support.distributed.postgres import PostgresServer, new_database
from tests.support.waiting import until

EVER = DaySpan(first=date(2020, 1, 1), last=date(2030, 1, 1))
#: Entries that are read at once: few, so that there are many steps to be interrupted at.
BATCH = 4
Make = Callable[[Database], Keeper]
Kept = tuple[Counter[str], set[str]]


def counts(database: Database) -> Keeper:
    return Counts(History(database))


def archived(database: Database) -> Keeper:
    History(database)
    return Archived(Archive(database, SetClock(NINE.astimezone(UTC))))


each_keeper = pytest.mark.parametrize("make", [counts, archived])


def stream_of(numbers: Sequence[int]) -> list[Decided]:
    return [Decided(number=each, at=decided(each, days=each % 3).at, facility=f"0100{each % 3}") for each in numbers]


def values(stream: Sequence[Decided]) -> list[bytes]:
    return [each.value() for each in stream]


def kept(database: Database) -> Kept:
    """Return the counts by facility, and the ids that the archive holds."""
    volumes: Counter[str] = Counter()
    for row in History(database).by_facility(VolumeFilter()):
        volumes[row.code] += row.lookups
    archive = Archive(database, SetClock(NINE.astimezone(UTC)))
    return volumes, {each.decision_id for each in archive.by_address("commune", "00004", EVER)}


def expected(make: Make, stream: Sequence[Decided]) -> Kept:
    """Return what a keeper keeps of the distinct decisions of a stream."""
    distinct = {each.decision_id: each.facility for each in stream}
    return (Counter(distinct.values()), set()) if make is counts else (Counter(), set(distinct))


@each_keeper
async def test_what_cannot_be_read_is_set_aside_and_the_rest_is_kept(make: Make, database: Database) -> None:
    stream = stream_of(range(5))
    good = values(stream)
    reading = Reading(make(database), [good[0], b"\xff", *good[1:4], b"{}", good[4]])
    await reading.read(BATCH)
    assert reading.set_aside == [(1, RefusalCode.NOT_JSON), (5, RefusalCode.NOT_AN_EVENT)]
    assert kept(database) == expected(make, stream)


@each_keeper
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])  # partitions keep them apart
@given(
    relayed=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), min_size=1, max_size=5),
    turns=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), max_size=10),
)
async def test_several_processes_that_read_one_partition_keep_what_one_would(
    make: Make, database: Database, relayed: list[tuple[int, int]], turns: list[tuple[int, int]]
) -> None:
    partition = len(make(database).positions())
    # A relay goes on in order, after a crash from some entries before the last that it relayed.
    numbers: list[int] = []
    for back, forth in relayed:
        begin = max(0, max(numbers, default=-1) + 1 - back)
        numbers += range(begin, begin + forth)
    stream = stream_of([100 * partition + each for each in numbers])
    before = kept(database)
    processes = [Reading(make(database), values(stream), partition) for _ in range(3)]
    for process, size in turns:
        await processes[process].step(size)
    await processes[0].read(BATCH)
    after, wanted = kept(database), expected(make, stream)
    assert (after[0] - before[0], after[1] - before[1]) == wanted


@each_keeper
@pytest.mark.parametrize("name", ["before_cursor_execute", "after_cursor_execute", "commit"])
async def test_a_connection_that_is_cut_at_any_step_loses_and_doubles_nothing(
    make: Make, name: str, database: Database
) -> None:
    everything: list[Decided] = []
    for at in count():
        stream = stream_of([100 * at + each for each in (0, 1, 2, 3, 2, 3, 4, 5)])
        reading = Reading(make(database), values(stream), partition=at)
        await reading.begin()
        with cut(database, name, at) as happened:
            await reading.read(BATCH)
            everything += stream
            if not happened():
                break
        assert kept(database) == expected(make, everything), at


@each_keeper
async def test_a_database_that_was_restored_from_an_older_copy_is_filled_again(make: Make, database: Database) -> None:
    stream = stream_of(range(8))
    reading = Reading(make(database), values(stream))
    await reading.read(BATCH)
    await reading.consumer.watch()
    assert reading.follower.progress.position == 8
    with database.writing() as connection:
        for table in ("positions", "archive_positions", "outbox_marks", "lookups_by_facility", "decisions"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608  # tables of ours
    await reading.consumer.watch()
    assert reading.follower.progress.position == 0
    await reading.read(BATCH)
    assert kept(database)[1 if make is archived else 0] == expected(make, stream)[1 if make is archived else 0]


@each_keeper
async def test_a_restored_database_is_noticed_by_the_next_batch_too(make: Make, database: Database) -> None:
    stream = stream_of(range(8))
    reading = Reading(make(database), values(stream))
    await reading.step(4)
    with database.writing() as connection:
        connection.execute(text("UPDATE positions SET position = 1"))
        connection.execute(text("UPDATE archive_positions SET position = 1"))
    await reading.step(4)
    assert reading.follower.progress.position == 1
    await reading.read(BATCH)
    assert kept(database) == expected(make, stream)


@each_keeper
async def test_decisions_that_were_let_go_before_they_were_kept_are_passed_over(make: Make, database: Database) -> None:
    reading = Reading(make(database), [])
    reading.follower.seek(0)
    with cut(database, "before_cursor_execute", 0):
        await reading.consumer.pass_over(reading.follower, Trimmed(position=0, first=5))
    assert reading.follower.progress.position == 0
    await reading.consumer.pass_over(reading.follower, Trimmed(position=0, first=5))
    assert reading.follower.progress.position == 5
    assert await reading.consumer.start(0) == 5


@each_keeper
async def test_a_server_that_is_killed_and_started_again_has_each_decision_once(
    make: Make, postgres_server: PostgresServer
) -> None:
    stream = stream_of(range(40))
    with new_database(postgres_server.url) as url:
        database = server_database(url, NAME)
        reading = Reading(make(database), values(stream))
        await reading.step(BATCH)
        postgres_server.kill()
        with pytest.raises(DatabaseAway, match=NAME):
            database.ping()
        going_on = asyncio.create_task(reading.read(BATCH))
        await until(lambda: reading.follower.progress.failing)
        assert reading.follower.progress.failing == "DatabaseAway"
        await postgres_server.restart()
        await going_on
        assert kept(database) == expected(make, stream)
        database.close()
