"""Counts follow the decision stream exactly, however often it is read."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import SQLAlchemyError

from lienthong.adapters.history import CountedLookup, CountedUnit, History, OutboxPlace, VolumeFilter

DECISIONS = "decisions.v1"


def lookup(sequence: int, *, facility: str = "01004", outcome: str = "eligible", epoch: str = "a1") -> CountedLookup:
    return CountedLookup(
        minute="2025-08-01T09:15",
        day="2025-08-01",
        facility_code=facility,
        channel="http",
        outcome=outcome,
        units=(CountedUnit(level="commune", code="00004", valid_from="-"),),
        place=OutboxPlace(cell="http-0", epoch=epoch, sequence=sequence),
    )


EVERYTHING = VolumeFilter()


def facilities(history: History) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for row in history.by_facility(EVERYTHING):
        totals[row.code] += row.lookups
    return dict(totals)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = History.open(tmp_path / "history.sqlite")
    yield opened
    opened.close()


def test_a_batch_that_is_delivered_twice_is_counted_once(history: History) -> None:
    batch = [lookup(1), lookup(2, outcome="not_found")]
    assert history.count(DECISIONS, 0, 2, batch) == 2
    assert history.count(DECISIONS, 0, 2, batch) == 0
    assert {(row.outcome, row.lookups) for row in history.by_facility(EVERYTHING)} == {
        ("eligible", 1),
        ("not_found", 1),
    }
    assert {(row.level, row.code, row.valid_from) for row in history.by_unit(EVERYTHING)} == {("commune", "00004", "-")}


def test_a_new_epoch_counts_its_sequence_from_the_start(history: History) -> None:
    history.count(DECISIONS, 0, 1, [lookup(1)])
    assert history.count(DECISIONS, 0, 2, [lookup(1, epoch="b2")]) == 1


def test_a_fault_in_the_middle_changes_neither_counts_nor_position(history: History) -> None:
    history.count(DECISIONS, 0, 1, [lookup(1)])
    broken = CountedLookup(
        minute="2025-08-01T09:15",
        day="2025-08-01",
        facility_code="01004",
        channel="http",
        outcome="eligible",
        units=(CountedUnit(level="commune", code=None, valid_from="-"),),  # type: ignore[arg-type] # SQL refuses it
        place=OutboxPlace(cell="http-0", epoch="a1", sequence=2),
    )
    with pytest.raises(SQLAlchemyError):
        history.count(DECISIONS, 0, 2, [broken])
    assert history.position(DECISIONS, 0) == 1
    assert facilities(history) == {"01004": 1}


def test_what_was_counted_is_there_after_reopening(tmp_path: Path) -> None:
    first = History.open(tmp_path / "history.sqlite")
    first.count(DECISIONS, 3, 7, [lookup(1)])
    first.close()
    again = History.open(tmp_path / "history.sqlite")
    assert again.position(DECISIONS, 3) == 7
    assert again.by_minute(EVERYTHING) == [("2025-08-01T09:15", 1)]
    again.close()


def test_days_filter_both_ends_included_by_minute_too(history: History) -> None:
    history.count(DECISIONS, 0, 1, [lookup(1)])
    same_day = VolumeFilter(from_day="2025-08-01", to_day="2025-08-01")
    day_after = VolumeFilter(from_day="2025-08-02")
    for read in (history.by_minute, history.by_facility, history.by_unit):
        assert [row.lookups for row in read(same_day)] == [1]
        assert read(day_after) == []


@given(cuts=st.lists(st.integers(0, 30), max_size=6), rewinds=st.lists(st.integers(0, 30), max_size=3))
def test_any_cutting_and_rereading_of_the_stream_gives_the_recount(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], rewinds: list[int]
) -> None:
    stream = [lookup(number + 1, facility=f"0100{number % 3}") for number in range(30)]
    history = History.open(tmp_path_factory.mktemp("history") / "h.sqlite")
    for start in [*rewinds, 0]:
        bounds = sorted({start, 30, *(cut for cut in cuts if cut > start)})
        for begin, end in pairwise(bounds):
            # A mark says that everything before it was counted, so reading starts at or before what was read.
            if begin <= history.position(DECISIONS, 0):
                history.count(DECISIONS, 0, max(end, history.position(DECISIONS, 0)), stream[begin:end])
    assert facilities(history) == Counter(each.facility_code for each in stream)
    history.close()
