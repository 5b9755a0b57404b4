"""A backlog of the outbox is counted and dated, and told of before the outbox is full."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from redis.asyncio import Redis

from lienthong.adapters.outbox import Message, OutboxCell, load_outbox_functions
from lienthong.adapters.outbox_backlog import ALARM_AGE, Backlog, backlog

NOW = datetime(2025, 8, 1, 8, tzinfo=UTC)
CELLS = ["http-0", "http-1", "lookups.v1-0"]


@pytest.fixture
async def store(projection_client: Redis) -> Redis:
    await load_outbox_functions(projection_client)
    return projection_client


async def fill(store: Redis, cell: str, *moments: datetime) -> None:
    writer = OutboxCell(store, cell)
    for moment in moments:
        value = orjson.dumps({"time": moment.isoformat()})
        await writer.append([Message(stream="decisions.v1", key="k", value=value)])


async def test_nothing_waits_in_an_outbox_that_is_new(store: Redis) -> None:
    assert await backlog(store, CELLS) == Backlog()


async def test_what_waits_is_counted_over_all_cells_with_the_moment_of_the_oldest(store: Redis) -> None:
    await fill(store, "http-1", NOW, NOW + timedelta(seconds=5))
    await fill(store, "lookups.v1-0", NOW - timedelta(seconds=7))
    found = await backlog(store, CELLS)
    assert (found.entries, found.fullest, found.oldest_at) == (3, 2, NOW - timedelta(seconds=7))
    assert found.waiting == {"http-1", "lookups.v1-0"}


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Backlog(), False),
        (Backlog(entries=40, fullest=40, oldest_at=NOW), False),
        (Backlog(entries=50, fullest=50, oldest_at=NOW), True),
        (Backlog(entries=1, fullest=1, oldest_at=NOW - ALARM_AGE), False),
        (Backlog(entries=1, fullest=1, oldest_at=NOW - ALARM_AGE - timedelta(seconds=1)), True),
    ],
)
def test_it_is_told_of_at_half_the_cap_or_at_an_age(found: Backlog, *, told: bool) -> None:
    assert (found.alarm(NOW, entries_max=100) is not None) is told


def test_the_alarm_says_how_much_waits_and_for_how_long() -> None:
    found = Backlog(entries=1234, fullest=75, oldest_at=NOW - timedelta(seconds=90))
    alarm = found.alarm(NOW, entries_max=100)
    assert alarm is not None
    assert "1234 decisions" in alarm
    assert "90 s" in alarm
    assert "75%" in alarm
