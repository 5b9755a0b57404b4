"""Slots move between servers under a projector, a desk and an outbox, and nothing is lost, doubled or denied."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle

import pytest
from redis import exceptions

from lienthong.adapters.projection_reads import NumberRead, ProjectionReads, RecordRead
from lienthong.runtime import cluster_sending
from lienthong.runtime.backoff import Backoff
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.cluster import ClusterRedis
from lienthong.runtime.cluster_slots import slot_of
from lienthong.runtime.tasks import end
from tests.support.audit_projection import audit_cards
from tests.support.card_facts import usual_card
from tests.support.distributed.store_cluster import StoreCluster
from tests.support.projecting import Projecting
from tests.support.waiting import until

CELLS = 4
BUCKETS = 8
#: Counts how often it was called, and with which ids: each call has one of its own.
COUNTING = """#!lua name=counting_1
redis.register_function('counting_1_count', function(keys, args)
  redis.call('SADD', keys[1] .. 'ids', args[1])
  return redis.call('INCR', keys[1])
end)
"""


def slot_of_cell(cell: int) -> int:
    return slot_of(("GET", f"{{1.{cell}}}state"))


def other(cluster: StoreCluster, slot: int) -> int:
    """Return a primary that does not have the slot."""
    return next(node for node in cluster.primaries if node != cluster.primary_of(slot))


@asynccontextmanager
async def moving(cluster: StoreCluster, slots: list[int]) -> AsyncIterator[list[int]]:
    """Move the slots to and fro while the block lasts, none of them by half; what is given grows with each move."""
    moves: list[int] = []
    enough = asyncio.Event()

    async def move() -> None:
        for slot in cycle(slots):
            if enough.is_set():
                return
            to = await asyncio.to_thread(other, cluster, slot)
            await asyncio.to_thread(cluster.begin_move, slot, to)
            await asyncio.to_thread(cluster.move_keys, slot, to)
            await cluster.finish_move(slot, to)
            moves.append(slot)

    task = asyncio.create_task(move())
    try:
        yield moves
    finally:
        enough.set()
        await task


async def test_cells_that_move_while_they_are_written_and_read_are_whole(
    store_cluster: StoreCluster, cluster_client: ClusterRedis
) -> None:
    projecting = await Projecting.of(cluster_client, CELLS, BUCKETS)
    reads = ProjectionReads(cluster_client, SystemClock(), CELLS)
    known = [f"00000{serial:05d}" for serial in range(100)]
    projecting.publish(usual_card(number) for number in known)
    await projecting.project(20)
    denied: list[str] = []

    async def read() -> None:
        while True:
            try:
                answers = await reads.round_trip([NumberRead(number) for number in known])
            except exceptions.TryAgainError:
                continue
            pairs = zip(known, answers, strict=True)
            denied.extend(number for number, answer in pairs if isinstance(answer, RecordRead) and not answer.packed)

    async with moving(store_cluster, [slot_of_cell(cell) for cell in range(CELLS)]) as moves:
        reading = asyncio.create_task(read())
        revision = 1
        while len(moves) < 2 * CELLS:
            revision += 1
            projecting.publish(usual_card(f"00000{serial:05d}", revision) for serial in range(20 * revision))
            await projecting.project(20)
        await end(reading)
    await projecting.project(20)
    assert denied == []
    assert reading.cancelled()
    assert await audit_cards(projecting.partitions, projecting.projection) == []


async def test_a_call_is_carried_out_once_however_often_its_slot_moves(
    store_cluster: StoreCluster, cluster_client: ClusterRedis
) -> None:
    await cluster_client.function_load(COUNTING)
    keys = [f"{{{at}}}count" for at in range(5)]
    made = dict.fromkeys(keys, 0)

    async def count(key: str) -> None:
        while len(moves) < len(keys):
            made[key] += 1
            # Both keys of the Function are named, so that a slot that is half moved refuses it before it begins.
            await cluster_client.fcall("counting_1_count", 2, key, f"{key}ids", str(made[key]))

    async with moving(store_cluster, [slot_of(("GET", key)) for key in keys]) as moves:
        await asyncio.gather(*(count(key) for key in keys for _ in range(4)))
    for key in keys:
        counted = await cluster_client.execute_command("GET", key)
        assert int(counted) == made[key] == await cluster_client.execute_command("SCARD", f"{key}ids")


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Backoff(first_s=0.001, most_s=0.01, attempts=5, faults=cluster_sending.PAUSES.faults)
    monkeypatch.setattr(cluster_sending, "PAUSES", pauses)


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("moved_first", ["state", "buckets"])
async def test_of_a_half_moved_cell_nothing_is_denied_and_nothing_is_half_written(
    store_cluster: StoreCluster,
    cluster_client: ClusterRedis,
    moved_first: str,
) -> None:
    projecting = await Projecting.of(cluster_client, 1, BUCKETS)
    projection = projecting.projection
    numbers = [f"00000{serial:05d}" for serial in range(60)]
    projecting.publish(usual_card(number) for number in numbers)
    await projecting.project(60)
    reads = ProjectionReads(cluster_client, SystemClock(), 1)
    absent = [NumberRead(f"00000{serial:05d}") for serial in range(90_000, 90_020)]
    await reads.round_trip(absent)
    slot = slot_of_cell(0)
    to = other(store_cluster, slot)
    store_cluster.begin_move(slot, to)
    half = [projection.keys.bucket(0, bucket) for bucket in range(BUCKETS // 2)]
    store_cluster.move_keys(slot, to, [projection.keys.state(0)] if moved_first == "state" else half)
    projecting.publish(usual_card(number, 2) for number in numbers)
    writing = asyncio.create_task(projecting.project(60))
    for read in [*absent, *(NumberRead(number) for number in numbers)]:
        try:
            (answer,) = await reads.round_trip([read])
        except exceptions.TryAgainError:
            continue
        assert isinstance(answer, RecordRead)
        assert bool(answer.packed) == (read.number in numbers)
    (state,) = await projection.states()
    assert (state.position, state.facts) == (60, 60)
    assert not writing.done()
    store_cluster.move_keys(slot, to)
    await store_cluster.finish_move(slot, to)
    await writing
    assert await audit_cards(projecting.partitions, projection) == []


@pytest.mark.usefixtures("short_pauses")
async def test_a_cell_is_not_made_in_a_slot_that_is_on_its_way(
    store_cluster: StoreCluster, cluster_client: ClusterRedis
) -> None:
    projecting = await Projecting.of(cluster_client, 1, BUCKETS)
    slot = slot_of_cell(0)
    await projecting.projection.drop(0)
    to = other(store_cluster, slot)
    store_cluster.begin_move(slot, to)
    with pytest.raises(exceptions.TryAgainError):
        await projecting.projection.create(0)
    await store_cluster.finish_move(slot, to)
    assert await projecting.projection.create(0)


async def test_a_key_that_has_moved_before_its_slot_is_asked_for_where_it_is(
    store_cluster: StoreCluster, cluster_client: ClusterRedis
) -> None:
    gone, here = "{a}gone", "{a}here"
    for key in (gone, here):
        await cluster_client.hset(key, "field", "1")
    slot = slot_of(("GET", gone))
    to = other(store_cluster, slot)
    store_cluster.begin_move(slot, to)
    store_cluster.move_keys(slot, to, [gone])
    await cluster_client.hset(gone, "field", "2")
    assert await cluster_client.hget(gone, "field") == b"2"
    assert await cluster_client.hgetall(here) == {b"field": b"1"}
    async with cluster_client.pipeline(transaction=True) as pipeline:
        pipeline.hmget(gone, ["field"])
        pipeline.hget(gone, "field")
        assert await pipeline.execute() == [[b"2"], b"2"]
    store_cluster.move_keys(slot, to)
    await store_cluster.finish_move(slot, to)
    assert await cluster_client.hget(gone, "field") == b"2"


async def test_a_client_that_knows_an_old_map_finds_what_has_moved(
    store_cluster: StoreCluster, cluster_client: ClusterRedis
) -> None:
    keys = [f"{{{at}}}key" for at in range(8)]
    for key in keys:
        await cluster_client.hset(key, "field", key)
    for key in keys[:4]:
        slot = slot_of(("GET", key))
        await store_cluster.move_slot(slot, other(store_cluster, slot))
    (replica,) = store_cluster.replicas_of(store_cluster.primaries[0])
    await store_cluster.fail_over(replica)
    async with cluster_client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hget(key, "field")
        assert await pipeline.execute() == [key.encode() for key in keys]

    def is_up_to_date() -> bool:
        owned = [cluster_client.nodes.owner(slot_of(("GET", key))) for key in keys]
        return [address.port for address in owned if address] == [
            store_cluster.nodes[store_cluster.primary_of(slot_of(("GET", key)))].port for key in keys
        ]

    await until(is_up_to_date)


async def test_a_cell_that_moves_to_a_server_without_the_functions_goes_on(
    store_cluster: StoreCluster, cluster_client: ClusterRedis
) -> None:
    projecting = await Projecting.of(cluster_client, CELLS, BUCKETS)
    reads = ProjectionReads(cluster_client, SystemClock(), CELLS)
    projecting.publish(usual_card(f"00000{serial:05d}") for serial in range(40))
    slot = slot_of_cell(0)
    fresh = other(store_cluster, slot)
    store_cluster.nodes[fresh].ask("FUNCTION", "FLUSH")
    await store_cluster.move_slot(slot, fresh)
    # A reader finds it first: it may load them as well as a writer.
    await reads.round_trip([NumberRead(f"00000{serial:05d}") for serial in range(40)])
    await projecting.project()
    assert await audit_cards(projecting.partitions, projecting.projection) == []
    (replica,) = store_cluster.replicas_of(fresh)
    await until(lambda: "lienthong_projection_1" in str(store_cluster.nodes[replica].ask("FUNCTION", "LIST")))
