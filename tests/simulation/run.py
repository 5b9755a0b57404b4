"""Runs one seed from its beginning to its verdict, and ends everything that it left."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from unittest import mock

import structlog

from lienthong.adapters.spool import Spool
from lienthong.adapters.spool_files import Spooled
from tests.simulation.ground import chance_from
from tests.simulation.judge import Judge
from tests.simulation.loop import SimulatedLoop, Stuck
from tests.simulation.processes import doubled
from tests.simulation.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a seed: `account` is the same for the same run, `violations` are empty where it is sound."""

    seed: int
    account: str
    violations: tuple[str, ...]
    seconds: float
    steps: int
    lines: tuple[str, ...] = ()


def simulate(seed: int, *, trace: bool = False) -> Outcome:
    """Run a seed."""
    chance = Random(seed)  # noqa: S311  # a seed, so that a run can be had again
    loop = SimulatedLoop(chance, in_turn=chance.choice((0.0, 0.5, 1.0)))  # type: ignore[abstract]  # nothing opens a socket
    _be_quiet()
    asyncio.events._set_running_loop(loop)
    world = World(loop, chance)
    world.store.changed = world.went_back
    if trace:
        world.weather.lines = []
    with chance_from(chance, world.grounds.clock), doubled(world.grounds), noted(world):
        try:
            loop.run_until(loop.create_task(_lived(world)))
        except Stuck as fault:
            world.violated(str(fault))
        seconds, steps, account = loop.time(), loop.steps, world.weather.account
        _end(loop, world)
    return Outcome(
        seed=seed,
        account=account,
        violations=tuple(world.violations),
        seconds=seconds,
        steps=steps,
        lines=tuple(world.weather.lines or ()),
    )


@contextmanager
def noted(world: World) -> Iterator[None]:
    """Note which decisions the spool was given and which it said that it keeps, while the block lasts."""
    keep = Spool.keep

    async def kept(spool: Spool, record: Spooled, within_s: float) -> bool:
        world.offered.add(record.decision_id)
        is_kept = await keep(spool, record, within_s)
        if is_kept:
            world.spooled.add(record.decision_id)
        return is_kept

    with mock.patch.object(Spool, "keep", kept):
        yield


async def _lived(world: World) -> None:
    await world.live()
    world.calm()
    judge = Judge(world)
    if await judge.settled():
        await judge.audit()


def _end(loop: SimulatedLoop, world: World) -> None:
    """Cancel whatever was left, that of killed processes too, with servers that refuse everything."""
    for process in world.processes:
        process.end()
    for server in world.servers:
        server.away = True
    loop.end(life for process in world.processes for life in process.lives)


def _be_quiet() -> None:
    """Write no log: formatting the lines would take most of a run."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    logging.getLogger().setLevel(logging.CRITICAL)
