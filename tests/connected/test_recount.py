"""Volumes equal a recount of the decisions after repeats, crashes at any step, and a replay from the start."""

import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import event

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.followers import Batch, Follower
from lienthong.adapters.history import History
from lienthong.adapters.keys import keys_in
from lienthong.adapters.outbox import OutboxCell, Relay, load_outbox_functions
from lienthong.adapters.valkey_log import ValkeyLog, stream_key
from lienthong.adapters.wire import Refusal
from lienthong.monitor.handlers import DecisionConsumer
from lienthong.monitor.keepers import Counts
from lienthong_schemas.streams import DECISIONS, LOOKUPS
from tests.support.answering import CELL, FACILITY, answering, lookup_event
from tests.support.audit import read_stream
from tests.support.audit_lookups import audit_volumes
from tests.support.clocks import SetClock
from tests.support.mortality import Killed

ASKED = 40
#: Decisions that are read at once: few, so that there are many steps to end at.
BATCH = 3
Steps = Callable[[], None]


@pytest.fixture
async def log(log_client: Redis, projection_client: Redis, tmp_path: Path) -> EventLog:
    """The log of a service that decided on look-ups, and relayed a third of the decisions twice."""
    log = ValkeyLog(log_client)
    await load_outbox_functions(projection_client)
    await log.append_many(LOOKUPS.name, [(FACILITY, lookup_event(serial)) for serial in range(ASKED)])
    keys = keys_in(tmp_path)
    async with answering(
        log, OutboxCell(projection_client, CELL), Relay(projection_client, log, CELL), keys
    ) as running:
        await running.answer()
    keys.close()
    await relay_again(log, log_client)
    return log


async def relay_again(log: EventLog, redis: Redis) -> None:
    """Append decisions once more to their partitions, in order, as a relay does that died before it removed them."""
    for partition, values in enumerate(await read_stream(log, DECISIONS.name)):
        for value in values[: len(values) // 3]:
            await redis.xadd(stream_key(DECISIONS.name, partition), {"k": "again", "v": value}, id="0-*")


async def count_all(log: EventLog, history: History, *, anew: bool = False) -> None:
    """Count what the log holds from where the history stands, as the monitor does, or `anew` from its beginning."""

    async def aside(_batch: Batch, _at: int, refusal: Refusal, _attempts: int = 1) -> None:
        raise AssertionError(refusal)

    handle = DecisionConsumer(Counts(history), aside).handle
    for partition in range(DECISIONS.partitions):
        follower = Follower(DECISIONS.name, partition, handle, SetClock())
        follower.seek(0 if anew else history.position(DECISIONS.name, partition))
        while entries := await log.read(DECISIONS.name, partition, follower.progress.position or 0, BATCH):
            assert isinstance(entries, tuple)
            await follower.take(entries)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


@contextmanager
def opened(file: Path) -> Iterator[History]:
    history = History.open(file)
    try:
        yield history
    finally:
        history.close()


async def test_decisions_that_were_relayed_twice_are_counted_once(log: EventLog, file: Path) -> None:
    assert sum(map(len, await read_stream(log, DECISIONS.name))) > ASKED
    with opened(file) as history:
        await count_all(log, history)
        assert await audit_volumes(log, history) == []


async def test_a_replay_from_the_start_changes_nothing(log: EventLog, file: Path) -> None:
    with opened(file) as history:
        await count_all(log, history)
        await count_all(log, history, anew=True)
        assert await audit_volumes(log, history) == []


async def test_a_history_that_was_lost_is_counted_anew(log: EventLog, file: Path, tmp_path: Path) -> None:
    with opened(file) as history, opened(tmp_path / "another.sqlite") as another:
        await count_all(log, history)
        await count_all(log, another)
        assert await audit_volumes(log, another) == []


@contextmanager
def dying(history: History, name: str, at: int) -> Iterator[None]:
    """End the process at the `at`-th event of that name in the history's database."""
    left = iter(range(at))

    def strike(*_arguments: object) -> None:
        if next(left, None) is None:
            raise Killed

    event.listen(history.database.engine, name, strike)
    try:
        yield
    finally:
        event.remove(history.database.engine, name, strike)


@pytest.mark.parametrize("name", ["before_cursor_execute", "after_cursor_execute", "commit"])
async def test_a_monitor_that_ends_at_any_statement_counts_each_decision_once(
    log: EventLog, tmp_path: Path, name: str
) -> None:
    chance = random.Random(name)  # noqa: S311  # the same each time, guarding nothing
    for cycle in range(12):
        file = tmp_path / f"{cycle}.sqlite"
        for _ in range(4):
            with opened(file) as history, dying(history, name, chance.randrange(60)):
                try:
                    await count_all(log, history)
                except Killed as killed:
                    # What a process holds goes with it; a cursor in these frames would keep the file locked.
                    traceback.clear_frames(killed.__traceback__)
        with opened(file) as history:
            await count_all(log, history)
            assert await audit_volumes(log, history) == []
