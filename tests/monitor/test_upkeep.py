"""The history is kept in order beside the counting: days made, what is over removed, faults outlived."""

import asyncio
from datetime import UTC, date, timedelta

import pytest

from lienthong.adapters.archive import Archive, DaySpan
from lienthong.adapters.history import History
from lienthong.monitor import upkeep
from lienthong.monitor.keepers import Archived, Counts
from lienthong.monitor.upkeep import keep_in_order
from lienthong.runtime.tasks import end
from tests.support.clocks import SetClock
from tests.support.databases import OpenDatabase
from tests.support.decided import NINE, Decided
from tests.support.decision_readers import Reading, cut
from tests.support.waiting import until

EVER = DaySpan(first=date(2020, 1, 1), last=date(2030, 1, 1))


async def test_what_is_over_goes_and_a_database_that_was_away_is_asked_again(
    open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "WATCH_INTERVAL_S", 0.001)
    clock = SetClock(NINE.astimezone(UTC))
    history = History(open_database())
    archive = Archive(history.database, clock)
    observed = Archive(open_database(), clock)
    first, later = Decided(number=0), Decided(number=1, at=NINE + timedelta(days=300), epoch="b2")
    readings = [Reading(keeper, [first.value(), later.value()]) for keeper in (Counts(history), Archived(archive))]
    for reading in readings:
        await reading.read(2)
    clock.advance(timedelta(days=401))
    with cut(history.database, "before_cursor_execute", 1) as happened:
        keeping = asyncio.create_task(keep_in_order(history, archive, [each.consumer for each in readings], clock))
        await until(lambda: observed.counts(EVER) == {later.at.date(): 1})
        assert happened()
    await until(lambda: history.forget_marks("9999-01-01") == 0)
    assert not keeping.done()
    await end(keeping)
    assert [reading.follower.progress.position for reading in readings] == [2, 2]
