"""Counts follow the decision stream exactly, however often it is read, by whomever, in a file and on a server."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import SQLAlchemyError

from lienthong.adapters.databases import Database
from lienthong.adapters.history import CountedLookup, CountedUnit, History, OutboxPlace, VolumeFilter
from lienthong.adapters.history_positions import PositionBehind, Stretch
from tests.support.databases import OpenDatabase

DECISIONS = "decisions.v1"
EVERYTHING = VolumeFilter()


def stretch(position: int, following: int, partition: int = 0) -> Stretch:
    return Stretch(stream=DECISIONS, partition=partition, position=position, next=following)


def lookup(
    offset: int, *, sequence: int | None = None, facility: str = "01004", outcome: str = "eligible", epoch: str = "a1"
) -> CountedLookup:
    return CountedLookup(
        offset=offset,
        minute="2025-08-01T09:15",
        day="2025-08-01",
        facility_code=facility,
        channel="http",
        outcome=outcome,
        units=(CountedUnit(level="commune", code="00004", valid_from="-"),),
        place=OutboxPlace(cell="http-0", epoch=epoch, sequence=offset + 1 if sequence is None else sequence),
    )


def facilities(history: History) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for row in history.by_facility(EVERYTHING):
        totals[row.code] += row.lookups
    return dict(totals)


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


def test_a_batch_that_is_delivered_twice_is_counted_once(history: History) -> None:
    batch = [lookup(0), lookup(1, outcome="not_found")]
    assert history.count(stretch(0, 2), batch) == 2
    assert history.count(stretch(0, 2), batch) == 0
    assert {(row.outcome, row.lookups) for row in history.by_facility(EVERYTHING)} == {
        ("eligible", 1),
        ("not_found", 1),
    }
    assert {(row.level, row.code, row.valid_from) for row in history.by_unit(EVERYTHING)} == {("commune", "00004", "-")}


def test_what_another_process_counted_of_a_batch_is_passed_over(history: History) -> None:
    batch = [lookup(at) for at in range(6)]
    assert history.count(stretch(0, 4), batch[:4]) == 4
    assert history.count(stretch(2, 6), batch[2:]) == 2
    assert history.count(stretch(1, 3), batch[1:3]) == 0
    assert (history.position(DECISIONS, 0), facilities(history)) == (6, {"01004": 6})


def test_look_ups_without_a_place_in_an_outbox_are_told_apart_by_their_offsets_alone(history: History) -> None:
    batch = [replace(lookup(at), place=None) for at in range(4)]
    assert history.count(stretch(0, 3), batch[:3]) == 3
    assert history.count(stretch(0, 4), batch) == 1


def test_a_gap_is_refused_and_says_where_to_go_on(history: History) -> None:
    history.count(stretch(0, 2), [lookup(0), lookup(1)])
    with pytest.raises(PositionBehind) as behind:
        history.count(stretch(3, 5), [lookup(3), lookup(4)])
    assert behind.value.stored == 2
    assert (history.position(DECISIONS, 0), facilities(history)) == (2, {"01004": 2})


def test_a_decision_that_was_relayed_twice_is_counted_once_and_a_new_epoch_counts_anew(history: History) -> None:
    assert history.count(stretch(0, 3), [lookup(0, sequence=1), lookup(1, sequence=2), lookup(2, sequence=1)]) == 2
    assert history.count(stretch(3, 5), [lookup(3, sequence=2), lookup(4, sequence=1, epoch="b2")]) == 1


def test_a_fault_in_the_middle_changes_neither_counts_nor_position(history: History) -> None:
    history.count(stretch(0, 1), [lookup(0)])
    broken = CountedLookup(
        offset=1,
        minute="2025-08-01T09:15",
        day="2025-08-01",
        facility_code="01004",
        channel="http",
        outcome="eligible",
        units=(CountedUnit(level="commune", code=None, valid_from="-"),),  # type: ignore[arg-type] # SQL refuses it
        place=OutboxPlace(cell="http-0", epoch="a1", sequence=2),
    )
    with pytest.raises(SQLAlchemyError):
        history.count(stretch(1, 2), [broken])
    assert history.position(DECISIONS, 0) == 1
    assert facilities(history) == {"01004": 1}
    assert history.count(stretch(1, 2), [lookup(1)]) == 1


def test_what_was_counted_is_there_after_reopening(open_database: OpenDatabase) -> None:
    first = History(open_database())
    first.count(stretch(0, 7, partition=3), [lookup(0)])
    first.close()
    again = History(open_database())
    assert again.positions(DECISIONS) == {3: 7}
    assert again.by_minute(EVERYTHING) == [("2025-08-01T09:15", 1)]


def test_days_filter_both_ends_included_by_minute_too(history: History) -> None:
    history.count(stretch(0, 1), [lookup(0)])
    same_day = VolumeFilter(from_day="2025-08-01", to_day="2025-08-01")
    day_after = VolumeFilter(from_day="2025-08-02")
    for read in (history.by_minute, history.by_facility, history.by_unit):
        assert [row.lookups for row in read(same_day)] == [1]
        assert read(day_after) == []


def test_marks_go_once_they_are_superseded_and_their_decisions_let_go(history: History) -> None:
    def seen(offset: int, epoch: str, day: str, cell: str = "http-0") -> CountedLookup:
        place = OutboxPlace(cell=cell, epoch=epoch, sequence=5)
        return replace(lookup(offset), day=day, place=place)

    given_ = [seen(0, "a", "2025-01-01"), seen(1, "b", "2025-06-01"), seen(2, "c", "2025-07-01")]
    history.count(stretch(0, 4), [*given_, seen(3, "a", "2025-01-01", cell="http-1")])
    assert history.forget_marks("2025-01-01") == 0
    assert history.forget_marks("2025-02-01") == 1
    # The newest epoch of a cell stays however old it is; what was forgotten would count again.
    assert history.forget_marks("2026-01-01") == 1
    again = [seen(4, "c", "2025-07-01"), seen(5, "a", "2025-01-01", cell="http-1"), seen(6, "b", "2025-06-01")]
    assert history.count(stretch(4, 7), again) == 1


def together(*runs: Callable[[], object]) -> list[BaseException]:
    """Run at once, each in a thread of its own, and return the faults."""
    begin = threading.Barrier(len(runs))
    faults: list[BaseException] = []

    def run(each: Callable[[], object]) -> None:
        try:
            begin.wait()
            each()
        except BaseException as fault:  # noqa: BLE001  # it is shown by who asks
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(each,)) for each in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


def test_monitors_that_count_the_same_partitions_at_once_count_each_decision_once(open_database: OpenDatabase) -> None:
    stream = [lookup(at, facility=f"0100{at % 3}") for at in range(60)]
    histories = [History(open_database()) for _ in range(3)]

    def run(history: History) -> None:
        for partition in (0, 1):
            for begin in range(0, 60, 4):
                history.count(stretch(begin, begin + 4, partition), stream[begin : begin + 4])

    assert together(*(partial(run, each) for each in histories)) == []
    assert facilities(histories[0]) == dict.fromkeys(("01000", "01001", "01002"), 40)


def test_partitions_that_bring_the_same_minutes_in_another_order_do_not_lock_each_other_out(
    open_database: OpenDatabase,
) -> None:
    minutes = [f"2025-08-01T{number // 60:02d}:{number % 60:02d}" for number in range(300)]

    def run(history: History, partition: int, order: Sequence[str]) -> None:
        for turn in range(5):
            first = turn * len(minutes)
            batch = [replace(lookup(first + at), minute=minute) for at, minute in enumerate(order)]
            history.count(stretch(first, first + len(minutes), partition), batch)

    one, other = History(open_database()), History(open_database())
    assert together(partial(run, one, 0, minutes), partial(run, other, 1, minutes[::-1])) == []
    assert one.by_minute(EVERYTHING) == [(minute, 10) for minute in minutes]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])  # partitions keep them apart
@given(
    cuts=st.lists(st.integers(0, 30), max_size=6),
    rewinds=st.lists(st.integers(0, 30), max_size=3),
    repeats=st.lists(st.integers(0, 29), max_size=5),
)
def test_any_cutting_repeating_and_rereading_of_the_stream_gives_the_recount(
    history: History, cuts: list[int], rewinds: list[int], repeats: list[int]
) -> None:
    partition = max(history.positions(DECISIONS), default=-1) + 1
    before = Counter(facilities(history))
    sequences = [*range(30), *repeats]
    stream = [lookup(at, sequence=each + 1, facility=f"0100{each % 3}") for at, each in enumerate(sequences)]
    for start in [*rewinds, 0]:
        stops = sorted({start, len(stream), *(cut for cut in cuts if cut > start)})
        for begin, end in pairwise(stops):
            try:
                history.count(stretch(begin, end, partition), stream[begin:end])
            except PositionBehind as behind:
                assert behind.stored < begin  # noqa: PT017  # some of the batches lie behind a gap, and that is said
    assert history.position(DECISIONS, partition) == len(stream)
    assert Counter(facilities(history)) - before == Counter(each.facility_code for each in stream[:30])
