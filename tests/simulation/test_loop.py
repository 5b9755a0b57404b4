"""The loop of the simulation: time jumps, the order comes from the seed, and what was killed never runs again."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from tests.simulation.loop import Life, SimulatedLoop, Stuck


def loop_of(seed: int) -> SimulatedLoop:
    chance = Random(seed)  # noqa: S311  # an order that can be had again
    return SimulatedLoop(chance, in_turn=0.0)  # type: ignore[abstract]  # nothing opens a socket


def ran(loop: SimulatedLoop, work: Coroutine[Any, Any, Any]) -> Any:
    asyncio.events._set_running_loop(loop)
    try:
        return loop.run_until(loop.create_task(work))
    finally:
        asyncio.events._set_running_loop(None)


def order(seed: int) -> list[int]:
    seen: list[int] = []

    async def note(number: int) -> None:
        await asyncio.sleep(0)
        seen.append(number)

    async def all_of_them() -> None:
        await asyncio.gather(*(note(number) for number in range(8)))

    ran(loop_of(seed), all_of_them())
    return seen


def test_an_hour_takes_no_time() -> None:
    loop = loop_of(0)
    ran(loop, asyncio.sleep(3600))
    assert loop.time() == 3600


def test_the_order_comes_from_the_seed() -> None:
    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(10)}) > 5


def test_a_killed_process_does_nothing_any_more() -> None:
    loop, life, done = loop_of(0), Life("process"), []

    async def work() -> None:
        try:
            await asyncio.sleep(1)
            done.append("worked")
            await asyncio.sleep(10)
        finally:
            done.append("tidied up")

    async def world() -> None:
        loop.begin(life, work())
        await asyncio.sleep(5)
        life.over = True
        await asyncio.sleep(10)
        assert done == ["worked"]

    ran(loop, world())
    loop.end([life])


def test_what_can_never_end_is_said() -> None:
    async def waiting() -> None:
        await asyncio.Event().wait()

    loop = loop_of(0)
    with pytest.raises(Stuck):
        ran(loop, waiting())
    loop.end([])


def test_a_thread_works_at_once() -> None:
    assert ran(loop_of(0), asyncio.to_thread(lambda: 7)) == 7
