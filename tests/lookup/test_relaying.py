"""The outbox is relayed whoever fills it, by whoever lives, and a backlog is told of once in a while."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from redis.asyncio import Redis

from lienthong.adapters.event_log import Appended, EventLog, LogAway
from lienthong.adapters.outbox import Message, OutboxCell, load_outbox_functions
from lienthong.adapters.outbox_leases import Leases
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.lookup import relaying
from lienthong.lookup.relaying import ALARM_INTERVAL, Relays
from lienthong_schemas import streams
from lienthong_schemas.streams import DECISIONS
from tests.support.clocks import SetClock
from tests.support.waiting import until, until_so

CELLS = ["http-0", "http-1", "lookups.v1-0"]
SHORT_S = 0.2


class Breakable(ValkeyLog):
    """A log that can be away, or refuse for a reason that no other attempt mends."""

    fault: Exception | None = None

    async def append_many(self, stream: str, items: Sequence[tuple[str, bytes]]) -> list[Appended]:
        if self.fault is not None:
            raise self.fault
        return await super().append_many(stream, items)


@pytest.fixture
async def store(projection_client: Redis) -> Redis:
    await load_outbox_functions(projection_client)
    return projection_client


@pytest.fixture
def log(log_client: Redis) -> Breakable:
    return Breakable(log_client, [replace(streams.DECISIONS, partitions=1)])


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "WATCH_INTERVAL_S", 0.01)


@asynccontextmanager
async def running(relays: Relays, rights: Sequence[str] = ()) -> AsyncIterator[asyncio.Task[None]]:
    task: asyncio.Task[None] = asyncio.create_task(relays.run(lambda: rights))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await relays.stop()


async def fill(store: Redis, cell: str, number: int, clock: SetClock) -> None:
    value = orjson.dumps({"number": number, "time": clock.now().isoformat()})
    await OutboxCell(store, cell).append([Message(stream=DECISIONS.name, key="one", value=value)])


async def arrived(log: EventLog) -> set[int]:
    entries = await log.read(DECISIONS.name, 0, 0, 1_000)
    assert isinstance(entries, tuple)
    return {orjson.loads(entry.value)["number"] for entry in entries}


async def all_arrive(log: EventLog, *numbers: int) -> None:
    async def are_there() -> bool:
        return await arrived(log) >= set(numbers)

    await until_so(are_there)


async def test_what_any_process_stored_in_any_cell_is_relayed(store: Redis, log: Breakable) -> None:
    clock = SetClock()
    async with running(Relays(store, log, Leases(store, "one"), CELLS, clock)):
        for number, cell in enumerate(CELLS):
            await fill(store, cell, number, clock)
        await all_arrive(log, 0, 1, 2)


async def test_the_cells_of_a_process_that_died_are_relayed_by_another(store: Redis, log: Breakable) -> None:
    clock = SetClock()
    await Leases(store, "dead", SHORT_S).renew(CELLS)
    for number, cell in enumerate(CELLS):
        await fill(store, cell, number, clock)
    async with running(Relays(store, log, Leases(store, "living"), CELLS, clock)):
        await all_arrive(log, 0, 1, 2)


async def test_a_cell_that_another_has_taken_is_left_to_it_and_comes_back(store: Redis, log: Breakable) -> None:
    clock, other = SetClock(), Leases(store, "other", 60.0)
    relays = Relays(store, log, Leases(store, "one"), CELLS, clock)
    async with running(relays):
        await fill(store, CELLS[0], 0, clock)
        await all_arrive(log, 0)
        await other.renew(CELLS, CELLS)
        await until(lambda: all(task.done() for task in relays._tasks.values()))
        await other.release()
        await fill(store, CELLS[0], 1, clock)
        await all_arrive(log, 0, 1)


async def test_a_log_that_is_away_is_waited_for(store: Redis, log: Breakable) -> None:
    clock = SetClock()
    log.fault = LogAway(ConnectionError())
    relays = Relays(store, log, Leases(store, "one"), CELLS, clock)
    async with running(relays):
        await fill(store, CELLS[0], 0, clock)
        await until(lambda: relays.backlog.entries == 1)
        log.fault = None
        await all_arrive(log, 0)
        await until(lambda: relays.backlog.entries == 0)


async def test_a_relay_that_fails_for_no_known_reason_ends_the_process(store: Redis, log: Breakable) -> None:
    clock = SetClock()
    log.fault = RuntimeError("unforeseen")
    async with running(Relays(store, log, Leases(store, "one"), CELLS, clock)) as task:
        await fill(store, CELLS[0], 0, clock)
        await until(task.done)
        with pytest.raises(RuntimeError):
            task.result()


async def test_a_backlog_is_told_of_once_in_a_while_and_its_end_too(
    store: Redis, log: Breakable, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SetClock()
    log.fault = LogAway(ConnectionError())
    relays = Relays(store, log, Leases(store, "one"), CELLS, clock)

    def told(event: str) -> list[logging.LogRecord]:
        return [record for record in caplog.records if event in record.getMessage()]

    async with running(relays):
        await fill(store, CELLS[0], 0, clock)
        await until(lambda: relays.backlog.entries == 1)
        assert relays.warnings() == []
        clock.advance(timedelta(minutes=2))
        await until(lambda: len(told("outbox_backlog")) == 1)
        assert told("outbox_backlog")[0].levelno == logging.ERROR
        assert "1 decisions wait" in relays.warnings()[0]
        clock.advance(ALARM_INTERVAL)
        await until(lambda: len(told("outbox_backlog")) == 2)
        log.fault = None
        await until(lambda: told("outbox_drained"))
        assert relays.warnings() == []
        assert len(told("outbox_backlog")) == 2
