"""Decisions leave the outbox at least once, with the same bytes, in order; sources are answered once."""

from dataclasses import replace

import orjson
import pytest
from redis.asyncio import Redis

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.outbox import (
    Message,
    OutboxCell,
    OutboxFull,
    PositionMoved,
    Relay,
    SourceMove,
    load_outbox_functions,
)
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong_schemas import streams
from tests.support.servers import (  # noqa: F401 -- fixtures
    log_client,
    log_server,
    projection_client,
    projection_server,
    servers_root,
    session_log_server,
    session_projection_server,
)

DECISIONS = "decisions.v1"


def message(number: int) -> Message:
    return Message(stream=DECISIONS, key="one", value=orjson.dumps({"number": number}))


@pytest.fixture
async def store(projection_client: Redis) -> Redis:  # noqa: F811 -- the fixture of that name
    await load_outbox_functions(projection_client)
    return projection_client


@pytest.fixture
def log(log_client: Redis) -> EventLog:  # noqa: F811 -- the fixture of that name
    return ValkeyLog(log_client, [replace(streams.DECISIONS, partitions=1)])


async def relayed(log: EventLog) -> list[dict[str, object]]:
    entries = await log.read(DECISIONS, 0, 0, 1_000)
    assert isinstance(entries, tuple)
    return [orjson.loads(entry.value) for entry in entries]


async def test_entries_reach_the_log_in_order_with_their_place(store: Redis, log: EventLog) -> None:
    cell = OutboxCell(store, "http-0")
    for number in range(3):
        await cell.append([message(number)])
    relay = Relay(store, log, "http-0")
    assert await relay.relay_once() == 3
    events = await relayed(log)
    assert [event["number"] for event in events] == [0, 1, 2]
    assert [event["outboxseq"] for event in events] == [1, 2, 3]
    assert len({event["outboxepoch"] for event in events}) == 1
    assert await relay.waiting() == 0


async def test_a_relay_that_dies_before_removing_repeats_the_same_bytes(store: Redis, log: EventLog) -> None:
    await OutboxCell(store, "http-0").append([message(7)])
    relay = Relay(store, log, "http-0")
    key = "{o.http-0}outbox"
    before = await store.dump(key) or b""
    await relay.relay_once()
    await store.delete(key)
    await store.restore(key, 0, before)
    await relay.relay_once()
    first, second = await relayed(log)
    assert first == second


async def test_the_sequence_goes_on_after_everything_was_relayed(store: Redis, log: EventLog) -> None:
    cell = OutboxCell(store, "http-0")
    relay = Relay(store, log, "http-0")
    for number in range(2):
        await cell.append([message(number)])
        await relay.relay_once()
    assert [event["outboxseq"] for event in await relayed(log)] == [1, 2]


async def test_a_cell_that_went_back_counts_in_a_new_epoch(store: Redis, log: EventLog) -> None:
    cell = OutboxCell(store, "http-0")
    relay = Relay(store, log, "http-0")
    await cell.append([message(0)])
    copy = {key: await store.dump(key) or b"" for key in ("{o.http-0}outbox", "{o.http-0}state")}
    await cell.append([message(1)])
    await relay.relay_once()
    for key, dump in copy.items():
        await store.restore(key, 0, dump, replace=True)
    await cell.append([message(2)])
    await relay.relay_once()
    events = await relayed(log)
    places = {(event["outboxepoch"], event["outboxseq"]): event["number"] for event in events}
    assert set(places.values()) == {0, 1, 2}


async def test_a_source_is_answered_once_however_often_it_is_delivered(store: Redis) -> None:
    cell = OutboxCell(store, "lookups-0")
    assert await cell.source_position() is None
    await cell.append_from(SourceMove(expected=0, next=2), [[message(0)], [message(1)]])
    with pytest.raises(PositionMoved) as refused:
        await cell.append_from(SourceMove(expected=0, next=2), [[message(0)], [message(1)]])
    assert refused.value.stored == 2
    assert await cell.source_position() == 2
    assert await store.xlen("{o.lookups-0}outbox") == 2


async def test_a_batch_without_an_answer_still_moves_the_source(store: Redis) -> None:
    cell = OutboxCell(store, "lookups-0")
    await cell.append_from(SourceMove(expected=0, next=5), [])
    assert await cell.source_position() == 5


async def test_a_full_cell_refuses_and_stores_nothing(store: Redis) -> None:
    cell = OutboxCell(store, "http-0", entries_max=1)
    await cell.append([message(0)])
    with pytest.raises(OutboxFull):
        await cell.append([message(1)])
    assert await store.xlen("{o.http-0}outbox") == 1
