"""Look-up processes share the cells of the outbox, take over what a dead one had, and give back what is another's."""

import pytest
from redis.asyncio import Redis

from lienthong.adapters.outbox import load_outbox_functions
from lienthong.adapters.outbox_leases import Leases
from tests.support.waiting import until_so

CELLS = [f"http-{number}" for number in range(5)]
EVENTS = ["lookups.v1-0", "lookups.v1-1"]
LONG_S, SHORT_S = 60.0, 0.05


@pytest.fixture
async def store(projection_client: Redis) -> Redis:
    await load_outbox_functions(projection_client)
    return projection_client


async def test_a_process_alone_relays_everything(store: Redis) -> None:
    assert await Leases(store, "one", LONG_S).renew(CELLS) == set(CELLS)


async def test_a_process_that_joins_gets_its_share_and_no_cell_has_two_or_none(store: Redis) -> None:
    owners = [Leases(store, name, LONG_S) for name in ("one", "two", "three")]
    for _ in range(3):
        held = [await owner.renew(CELLS) for owner in owners]
    assert sorted(cell for cells in held for cell in cells) == sorted(CELLS)
    assert sorted(map(len, held)) == [1, 2, 2]


async def test_a_process_that_says_nothing_is_replaced(store: Redis) -> None:
    await Leases(store, "dead", SHORT_S).renew(CELLS)
    living = Leases(store, "living", LONG_S)

    async def taken() -> bool:
        return await living.renew(CELLS) == set(CELLS)

    await until_so(taken)


async def test_a_process_that_stops_gives_its_cells_back_at_once(store: Redis) -> None:
    one, two = Leases(store, "one", LONG_S), Leases(store, "two", LONG_S)
    await one.renew(CELLS)
    assert await two.renew(CELLS) == set()
    await one.release()
    assert await two.renew(CELLS) == set(CELLS)


async def test_who_fills_a_cell_alone_has_it_whoever_held_it(store: Redis) -> None:
    one, two = Leases(store, "one", LONG_S), Leases(store, "two", LONG_S)
    await one.renew([*CELLS, *EVENTS], EVENTS)
    assert set(EVENTS) <= await two.renew([*CELLS, *EVENTS], EVENTS)
    assert not set(EVENTS) & await one.renew([*CELLS, *EVENTS])


async def test_a_process_that_starts_again_under_its_name_has_its_cells_at_once(store: Redis) -> None:
    await Leases(store, "one", LONG_S).renew(CELLS)
    assert await Leases(store, "one", LONG_S).renew(CELLS) == set(CELLS)


async def test_a_store_that_was_flushed_knows_no_leases_and_gives_them_anew(store: Redis) -> None:
    one = Leases(store, "one", LONG_S)
    await one.renew(CELLS)
    await store.flushall()
    await store.function_flush()
    assert await one.renew(CELLS) == set(CELLS)


async def test_a_release_leaves_the_others_what_is_theirs(store: Redis) -> None:
    one, two = Leases(store, "one", LONG_S), Leases(store, "two", LONG_S)
    for _ in range(2):
        await one.renew(CELLS)
        held = await two.renew(CELLS)
    await one.release()
    assert held <= await two.renew(CELLS)
