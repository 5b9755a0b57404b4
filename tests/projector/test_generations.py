"""A generation is built beside the one that answers, whatever ends meanwhile, and nobody is told anything wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lienthong.adapters.demo_cards import DEMO_CARDS
from lienthong.adapters.generations import FIRST, Generations, SwitchReader
from lienthong.adapters.projection import Projection
from lienthong.adapters.register_feed import RegisterFeed
from lienthong.cli import rebuild as command
from lienthong.cli.service import open_service
from lienthong.projector import keeper
from lienthong.projector.app import running
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import CARDS, REGISTER
from tests.support.place import Place
from tests.support.sealing_batches import batch, unit
from tests.support.service import Service, service  # noqa: F401 -- a fixture
from tests.support.waiting import until_so

NEXT = FIRST + 1
BUCKETS = 64
#: A number that no card has: proof of its absence is what a generation that lacks something would get wrong.
ABSENT = "0000099998"


@pytest.fixture(autouse=True)
def _swept_at_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_LOOKS_A_SWEEP", 1)


@asynccontextmanager
async def asking(running_service: Service, numbers: list[str]) -> AsyncIterator[set[tuple[str, str]]]:
    """Ask for every number again and again while the block lasts; gives what was heard: (number, outcome)."""
    heard: set[tuple[str, str]] = set()

    async def ask() -> None:
        while True:
            for number in numbers:
                response = await running_service.ask({"kind": "insurance_number", "number": number}, on="2025-08-01")
                heard.add((number, response.json()["outcome"]))

    task = asyncio.create_task(ask())
    try:
        yield heard
    finally:
        await end(task)


async def test_desks_are_told_the_same_before_during_and_after_a_rebuild(service: Service) -> None:  # noqa: F811 -- the fixture of that name
    await service.publish_set("vn-tables")
    await service.publish_cards(record for record in DEMO_CARDS.values() if "withdrawn" not in record)
    numbers = [*DEMO_CARDS, ABSENT]
    expected = set()
    for number in numbers:
        decision = await service.decide({"kind": "insurance_number", "number": number}, on="2025-08-01")
        expected.add((number, decision["outcome"]))
    before = await Projection(service.store, CARDS.partitions).states()
    async with asking(service, numbers) as heard:
        built = await command._rebuild(service.settings, BUCKETS)
        await until_so(lambda: _is_gone(service, FIRST))
    # A machine that is busy with other things may make a desk wait too long; that is told, and never as a denial.
    assert {said for said in heard if said[1] != "cannot_tell"} == expected
    assert built["generation"] == NEXT
    projection = Projection(service.store, CARDS.partitions, NEXT)
    after = await projection.states()
    assert [(state.facts, state.digest) for state in after] == [(state.facts, state.digest) for state in before]
    await projection.learn()
    assert projection.buckets == BUCKETS
    # What is published afterwards is projected into the generation that answers.
    await service.publish_set("vn-before-2025-07-01")


async def _is_gone(running_service: Service, generation: int) -> bool:
    return not await running_service.store.keys(f"{{{generation}.*")


async def test_a_second_rebuild_follows_the_first(service: Service) -> None:  # noqa: F811 -- as above
    await service.publish_cards(record for record in DEMO_CARDS.values() if "withdrawn" not in record)
    for generation in (NEXT, NEXT + 1):
        assert (await command._rebuild(service.settings, BUCKETS))["generation"] == generation
    assert await SwitchReader(service.log).refresh() == NEXT + 1
    await service.projected()


async def test_a_rebuild_goes_on_after_every_projector_has_ended(place: Place) -> None:
    await place.publish(0, 3_000)
    generations = Generations(place.store)
    projection = Projection(place.store, CARDS.partitions, NEXT)
    async with running(place.settings, SystemClock()):
        await generations.build(NEXT, BUCKETS)
        await until_so(lambda: _has_begun(projection))
    stood = [state.position for state in await projection.states()]
    async with running(place.settings, SystemClock()), open_service(place.settings) as opened:
        assert opened is not None
        built = await command._filled(opened, NEXT, BUCKETS)
    assert built.facts == 3_000
    assert all(
        (state.position or 0) >= (before or 0) for state, before in zip(await projection.states(), stood, strict=True)
    )


async def _has_begun(projection: Projection) -> bool:
    return any(state.position for state in await projection.states())


async def test_a_flush_in_the_middle_takes_nothing_from_a_rebuild(place: Place) -> None:
    await place.publish(0, 2_000)
    async with running(place.settings, SystemClock()), open_service(place.settings) as opened:
        assert opened is not None
        filling = asyncio.create_task(command._filled(opened, NEXT, BUCKETS))
        await until_so(lambda: _has_begun(Projection(place.store, CARDS.partitions, NEXT)))
        await place.store.flushall()
        built = await filling
    assert (built.read, built.facts) == (2_000, 2_000)


async def test_a_rebuild_that_is_given_up_is_removed(place: Place) -> None:
    await place.publish(0, 500)
    generations = Generations(place.store)
    async with running(place.settings, SystemClock()):
        await generations.build(NEXT, BUCKETS)
        await until_so(lambda: _has_begun(Projection(place.store, CARDS.partitions, NEXT)))
        await command._cancel(place.settings)
        await until_so(lambda: _nothing_of(place, NEXT))
    assert await SwitchReader(place.log).refresh() == FIRST


async def _nothing_of(at: Place, generation: int) -> bool:
    return not await at.store.keys(f"{{{generation}.*")


async def test_a_reader_moves_over_where_nobody_could_tell_the_old_generation(place: Place) -> None:
    batch_id, events = batch([unit("00001", "Phường Một")], None)
    await place.log.append_many(REGISTER.name, [("unit", event) for event in events])
    moved: list[int] = []
    feed = RegisterFeed(place.store, SystemClock(), moved.append)
    async with running(place.settings, SystemClock()):
        await until_so(lambda: _has_folded(feed, batch_id))
    # The switch comes while no projector runs, and the one that starts then writes the new generation alone.
    async with open_service(place.settings) as opened:
        assert opened is not None
        await command._switch(opened, NEXT)
    feed.start()
    try:
        async with running(place.settings, SystemClock()):
            await until_so(lambda: _reads(feed, moved))
    finally:
        await feed.stop()
    assert feed.register.last_batch == batch_id


async def _has_folded(feed: RegisterFeed, batch_id: str) -> bool:
    await feed.refresh()
    return feed.register.last_batch == batch_id


async def _reads(feed: RegisterFeed, moved: list[int]) -> bool:
    return moved == [NEXT] and feed.complete


async def test_a_switch_back_counts_for_nothing(place: Place) -> None:
    async with open_service(place.settings) as opened:
        assert opened is not None
        for generation in (3, 2):
            await command._switch(opened, generation)
    assert await SwitchReader(place.log).refresh() == 3
