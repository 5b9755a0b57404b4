"""Decisions leave the outbox at least once, with the same bytes, in order; sources are answered once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import orjson
import pytest
import uuid_utils
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionLost

from lienthong.adapters.event_log import Appended, EventLog
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
KEY = "{o.http-0}outbox"


def message(number: int) -> Message:
    return Message(stream=DECISIONS, key="one", value=orjson.dumps({"number": number}))


@pytest.fixture
async def store(store_client: Redis) -> Redis:
    await load_outbox_functions(store_client)
    return store_client


@pytest.fixture
def log(log_client: Redis) -> EventLog:  # noqa: F811 -- the fixture of that name
    return ValkeyLog(log_client, [replace(streams.DECISIONS, partitions=1)])


async def relayed(log: EventLog) -> list[dict[str, object]]:
    entries = await log.read(DECISIONS, 0, 0, 1_000)
    assert isinstance(entries, tuple)
    return [orjson.loads(entry.value) for entry in entries]


async def by_place(log: EventLog) -> dict[tuple[object, object], object]:
    return {(event["outboxepoch"], event["outboxseq"]): event["number"] for event in await relayed(log)}


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
    before = await store.dump(KEY) or b""
    await relay.relay_once()
    await store.delete(KEY)
    await store.restore(KEY, 0, before)
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
    copy = await store.dump(KEY) or b""
    await cell.append([message(1)])
    await relay.relay_once()
    await store.restore(KEY, 0, copy, replace=True)
    await cell.append([message(2)])
    await relay.relay_once()
    assert set((await by_place(log)).values()) == {0, 1, 2}


ACTIONS = st.lists(
    st.sampled_from(("first appends", "second appends", "unheard", "relay", "copy", "restore", "flush")), max_size=30
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
@example(actions=["first appends", "copy", "second appends", "relay", "restore", "first appends"])
@example(actions=["second appends", "copy", "unheard", "relay", "restore", "second appends"])
async def test_no_place_is_used_twice_by_two_processes_whatever_becomes_of_the_store(
    store: Redis,
    log_client: Redis,  # noqa: F811 -- the fixture of that name
    log: EventLog,
    actions: list[str],
) -> None:
    """Of two processes that append to one cell in turn, one does not hear of some of what it stored."""
    await log_client.flushall()
    await store.flushall()
    first, second = OutboxCell(store, "http-0"), OutboxCell(Unheard(store), "http-0")  # type: ignore[arg-type]  # it only calls
    relay, copy, numbers = Relay(store, log, "http-0"), b"", count()
    for action in [*actions, "relay"]:
        if action == "first appends":
            await first.append([message(next(numbers))])
        elif action == "second appends":
            await second.append([message(next(numbers))])
        elif action == "unheard":
            Unheard.next = True
            with pytest.raises(ConnectionLost):
                await second.append([message(next(numbers))])
        elif action == "relay":
            while await relay.relay_once():
                pass
        elif action == "copy":
            copy = await store.dump(KEY) or b""
        elif action == "restore" and copy:
            await store.restore(KEY, 0, copy, replace=True)
        else:
            await store.delete(KEY)
    places: dict[tuple[object, object], set[object]] = {}
    for event in await relayed(log):
        places.setdefault((event["outboxepoch"], event["outboxseq"]), set()).add(event["number"])
    assert all(len(numbers) == 1 for numbers in places.values()), places


class Unheard:
    """A client that does as it is told and, once after `next` was set, does not hear of it."""

    next = False

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def fcall(self, *arguments: Any) -> Any:
        answer = await self._redis.fcall(*arguments)
        if Unheard.next:
            Unheard.next = False
            raise ConnectionLost
        return answer


async def test_two_relays_at_once_repeat_and_never_lose_or_disorder(store: Redis, log: EventLog) -> None:
    cells = [OutboxCell(store, "http-0") for _ in range(2)]
    relays = [Relay(store, log, "http-0") for _ in range(2)]
    numbers = count()

    async def write(cell: OutboxCell) -> None:
        for _ in range(100):
            await cell.append([message(next(numbers))])

    async def work(relay: Relay, writing: Sequence[asyncio.Task[None]]) -> None:
        while not all(task.done() for task in writing) or await relay.waiting():
            await relay.relay_once()

    writing = [asyncio.create_task(write(cell)) for cell in cells]
    await asyncio.gather(*writing, *(work(relay, writing) for relay in relays))
    events = await relayed(log)
    sequences = list(dict.fromkeys(event["outboxseq"] for event in events))
    assert sequences == list(range(1, 201)), "each first comes after all that were before it"
    assert len({event["number"] for event in events}) == 200


async def test_a_relay_that_outlived_its_cell_removes_nothing_of_the_one_in_its_place(
    store: Redis, log: EventLog
) -> None:
    for number in range(3):
        await OutboxCell(store, "http-0").append([message(number)])

    class FlushedMeanwhile(ValkeyLog):
        async def append_many(self, stream: str, items: Sequence[tuple[str, bytes]]) -> list[Appended]:
            await store.flushall()
            await OutboxCell(store, "http-0").append([message(9)])
            return await super().append_many(stream, items)

    meanwhile = FlushedMeanwhile(log._client, [replace(streams.DECISIONS, partitions=1)])  # type: ignore[attr-defined]
    await Relay(store, meanwhile, "http-0").relay_once()
    await Relay(store, log, "http-0").relay_once()
    assert [event["number"] for event in await relayed(log)] == [0, 1, 2, 9]


async def test_what_is_given_to_a_cell_again_under_its_id_is_there_once(store: Redis) -> None:
    ids = [uuid_utils.uuid7().bytes for _ in range(3)]
    for each in ([0, 1], [0, 1, 2]):
        await OutboxCell(store, "http-0").append_once(
            [[message(number)] for number in each], [ids[number] for number in each]
        )
    assert await store.xlen(KEY) == 3


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
    assert await store.xlen(KEY) == 1
