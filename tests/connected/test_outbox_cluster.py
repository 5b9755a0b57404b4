"""The outbox on a cluster: slots that move and servers that give way cost no decision, and no place is used twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import count
from pathlib import Path

import orjson
import pytest
import uuid_utils
from redis.asyncio import Redis
from redis.exceptions import RedisError

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.outbox import Message, OutboxCell, PositionMoved, SourceMove, load_outbox_functions
from lienthong.adapters.outbox_backlog import backlog
from lienthong.adapters.outbox_layout import stream_key
from lienthong.adapters.outbox_leases import Leases
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.lookup.relaying import Relays
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.cluster_slots import slot_of
from lienthong.runtime.connection import connect_store
from lienthong.runtime.settings import load
from lienthong.runtime.tasks import end
from lienthong_schemas import streams
from lienthong_schemas.streams import DECISIONS, LOOKUPS
from tests.support.audit import read_stream
from tests.support.distributed.store_cluster import StoreCluster
from tests.support.waiting import until, until_so

HTTP = [f"http-{number}" for number in range(6)]
EVENTS = [f"{LOOKUPS.name}-{number}" for number in range(2)]
CELLS = [*HTTP, *EVENTS]
#: A slot's move or a failover holds an append up for as long as it takes here.
UNHURRIED_S = 30.0

pytestmark = pytest.mark.timeout(180)


@dataclass
class Written:
    """What was stored in the outbox, and what nobody knows of."""

    acknowledged: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    halted: asyncio.Event = field(default_factory=asyncio.Event)


def message(number: int, cell: str) -> Message:
    value = orjson.dumps({"number": number, "time": "2025-08-01T08:00:00+07:00"})
    return Message(stream=DECISIONS.name, key=cell, value=value)


async def answer_desks(store: Redis, cell: str, numbers: Iterator[int], written: Written) -> None:
    """Store decisions as a process does that answers over HTTP."""
    writer = OutboxCell(store, cell, append_timeout_s=UNHURRIED_S)
    while not written.halted.is_set():
        number = next(numbers)
        try:
            await writer.append([message(number, cell)])
        except (RedisError, OSError):
            written.unknown.append(number)
        else:
            written.acknowledged.append(number)


async def answer_events(store: Redis, cell: str, numbers: Iterator[int], written: Written) -> None:
    """Store answers with the position of their source, from where the cell says that it stands."""
    writer = OutboxCell(store, cell)
    while not written.halted.is_set():
        batch = [next(numbers) for _ in range(3)]
        try:
            position = await writer.source_position() or 0
            source = SourceMove(
                expected=position, next=position + 3, ids=tuple(uuid_utils.uuid7().bytes for _ in batch)
            )
            await writer.append_from(source, [[message(number, cell)] for number in batch])
        except (RedisError, OSError, PositionMoved):
            written.unknown += batch
        else:
            written.acknowledged += batch


@asynccontextmanager
async def relaying(store: Redis, log: EventLog, owner: str) -> AsyncIterator[Relays]:
    relays = Relays(store, log, Leases(store, owner), CELLS, SystemClock())
    task = asyncio.create_task(relays.run(list))
    try:
        yield relays
    finally:
        await end(task)
        await relays.stop()


def elsewhere(cluster: StoreCluster, slot: int) -> int:
    """Return a primary that does not serve a slot."""
    return next(node for node in cluster.primaries if node != cluster.primary_of(slot))


@pytest.fixture
async def stores(store_cluster: StoreCluster, tmp_path: Path) -> AsyncIterator[list[Redis]]:
    """Two clients, each of a process of its own."""
    settings = load(data_dir=tmp_path, projection_url=store_cluster.url)
    source = files("lienthong.adapters").joinpath("outbox.lua").read_text(encoding="utf-8")
    clients = [connect_store(settings, tmp_path, [source]) for _ in range(2)]
    await load_outbox_functions(clients[0])
    yield clients
    for client in clients:
        await client.aclose()


@pytest.fixture
def log(log_client: Redis) -> EventLog:
    return ValkeyLog(log_client, [replace(streams.DECISIONS, partitions=2)])


@asynccontextmanager
async def under_load(stores: Sequence[Redis], log: EventLog) -> AsyncIterator[Written]:
    """Answer in two processes, relay in both, and at the end wait until everything is relayed."""
    written, numbers = Written(), count()
    async with relaying(stores[0], log, "one"), relaying(stores[1], log, "two"):
        work = [
            *(asyncio.create_task(answer_desks(store, cell, numbers, written)) for store in stores for cell in HTTP),
            *(asyncio.create_task(answer_events(stores[0], cell, numbers, written)) for cell in EVENTS),
        ]
        try:
            yield written
        finally:
            written.halted.set()
            await asyncio.wait(work)

        async def relayed() -> bool:
            with suppress(RedisError, OSError):
                return not (await backlog(stores[0], CELLS)).entries
            return False

        await until_so(relayed, UNHURRIED_S)


async def arrived(log: EventLog) -> dict[tuple[str, str, int], set[int]]:
    """Return the numbers of the decisions that arrived, by their places."""
    places: dict[tuple[str, str, int], set[int]] = {}
    for values in await read_stream(log, DECISIONS.name):
        for event in map(orjson.loads, values):
            place = event["outboxcell"], event["outboxepoch"], event["outboxseq"]
            places.setdefault(place, set()).add(event["number"])
    assert all(len(numbers) == 1 for numbers in places.values()), "a place was used for two decisions"
    return places


async def more(written: Written) -> None:
    """Return when a hundred more decisions are stored."""
    wanted = len(written.acknowledged) + 100
    await until(lambda: len(written.acknowledged) > wanted)


async def test_slots_that_move_and_servers_that_give_way_cost_nothing(
    store_cluster: StoreCluster, stores: list[Redis], log: EventLog
) -> None:
    async with under_load(stores, log) as written:
        await more(written)
        for cell in (HTTP[0], EVENTS[0]):
            slot = slot_of(["XLEN", stream_key(cell)])
            to = elsewhere(store_cluster, slot)
            store_cluster.begin_move(slot, to)
            await more(written)
            await asyncio.to_thread(store_cluster.move_keys, slot, to)
            await more(written)
            await store_cluster.finish_move(slot, to)
            await more(written)
        await store_cluster.fail_over(store_cluster.replicas_of(store_cluster.primaries[0])[0])
        await more(written)
    numbers = [number for numbers in (await arrived(log)).values() for number in numbers]
    assert set(written.acknowledged) <= set(numbers)
    assert len(numbers) == len(set(numbers)), "a decision has two places"


async def test_a_server_that_dies_is_replaced_and_no_place_is_used_twice(
    store_cluster: StoreCluster, stores: list[Redis], log: EventLog
) -> None:
    async with under_load(stores, log) as written:
        await more(written)
        slot = slot_of(["XLEN", stream_key("http-1")])
        store_cluster.kill(store_cluster.primary_of(slot))
        await store_cluster.settled()
        await more(written)
    # What the dead server had acknowledged in its last moment may be gone with it; nothing else is.
    assert len(await arrived(log)) > 100
