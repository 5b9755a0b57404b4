"""The projector as a process runs it: over real streams, watching what it has stored."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from redis.exceptions import RedisError

from lienthong.adapters.dead_letters import letters
from lienthong.adapters.register_feed import RegisterFeed
from lienthong.adapters.valkey_log import stream_key
from lienthong.projector.app import Projector, running
from lienthong.runtime.clock import SystemClock
from lienthong_schemas.streams import CARDS, REGISTER
from tests.support.place import Place
from tests.support.sealing_batches import batch, unit
from tests.support.waiting import until_so

COUNT = 3_000


@pytest.fixture
async def projector(place: Place) -> AsyncIterator[Projector]:
    async with running(place.settings, SystemClock()) as made:
        yield made


def now() -> datetime:
    return datetime.now(UTC)


async def test_what_is_published_is_projected_and_said_to_be_complete(place: Place, projector: Projector) -> None:
    since = now()
    await place.publish(0, COUNT)
    await place.projected(COUNT, since)
    assert not projector.keeping.done()


@pytest.mark.usefixtures("projector")
async def test_a_flush_at_any_time_ends_in_the_same_digest(place: Place) -> None:
    await place.publish(0, COUNT)
    await place.store.flushall()
    first = await place.projected(COUNT, now())
    await place.store.flushall()
    second = await place.projected(COUNT, now())
    assert [state.digest for state in second] == [state.digest for state in first]
    assert [state.position for state in second] == [state.position for state in first]


@pytest.mark.usefixtures("projector")
async def test_poison_among_cards_becomes_dead_letters_with_where_it_stood(place: Place) -> None:
    since = now()
    await place.publish(0, 50)
    poisoned = await place.log.append(CARDS.name, "0000000001", b"\xff\x00")
    await place.publish(50, 100)
    await place.projected(100, since)
    (letter,) = await letters(place.log)
    origin = letter.letter.origin
    assert (origin.stream, origin.partition, origin.position) == (CARDS.name, poisoned.partition, poisoned.offset)


@pytest.mark.usefixtures("projector")
async def test_a_sealed_batch_is_in_force_within_a_second(place: Place) -> None:
    feed = RegisterFeed(place.store, SystemClock())
    feed.start()
    try:
        await until_so(lambda: _settled(feed))
        batch_id, events = batch([unit("00001", "Phường Một")], None)
        await place.log.append_many(REGISTER.name, [("unit", event) for event in events])
        async with asyncio.timeout(5):
            while feed.register.last_batch != batch_id:
                await feed.changed()
    finally:
        await feed.stop()


async def _settled(feed: RegisterFeed) -> bool:
    return feed.complete


async def test_a_log_that_was_recreated_stops_its_cells_and_proves_nothing(place: Place, projector: Projector) -> None:
    await place.publish(0, 200)
    await place.projected(200, now())
    for partition in range(CARDS.partitions):
        await place.log_client.delete(stream_key(CARDS.name, partition))
    await until_so(lambda: _all_stopped(projector))
    before = await place.projection.states()
    await projector.parts.watch()
    assert await place.projection.states() == before


async def _all_stopped(projector: Projector) -> bool:
    return all(cell.follower.progress.fault is not None for cell in projector.parts.cells)


async def test_a_projector_starts_on_what_another_has_stored(place: Place) -> None:
    async with running(place.settings, SystemClock()):
        await place.publish(0, 500)
        await place.projected(500, now())
    await place.publish(500, 700)
    async with running(place.settings, SystemClock()) as second:
        states = await place.projected(700, now())
        positions = [cell.follower.progress.position for cell in second.parts.cells]
    assert positions == [state.position for state in states]


async def test_a_projector_does_not_start_without_its_store(place: Place) -> None:
    await place.store.shutdown(nosave=True)
    with pytest.raises(RedisError):
        async with running(place.settings, SystemClock()):
            pass
