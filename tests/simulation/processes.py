"""The processes of the service, each put together by its own `running`, killed and started again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar
from unittest import mock

from redis.exceptions import RedisError

from lienthong.adapters import outbox_layout, spool
from lienthong.lookup import answering as answering_module
from lienthong.lookup import app as lookup
from lienthong.lookup.answering import HttpDesk
from lienthong.monitor import app as monitor
from lienthong.projector import app as projector
from lienthong.runtime.settings import Settings, load
from tests.simulation.ground import BUCKETS, Grounds, LastingKeys, no_images
from tests.simulation.loop import Life
from tests.simulation.weather import Weather

T = TypeVar("T")
Main = Callable[["Process"], Awaitable[None]]

#: Outbox cells for decisions over HTTP: few, because each is looked at once a second.
HTTP_CELLS = 2
#: A supervisor starts a process again after this long at most, in seconds.
_AGAIN_S = 1.0
#: What ends a process that begins while a server is away; it is started again until it succeeds.
_PASSING = (RedisError, OSError)


class Process:
    """One process and its lives, the present one last."""

    def __init__(self, name: str, main: Main, weather: Weather, fell: Callable[[str], None]) -> None:
        self.name = name
        self.life = Life(name)
        self.lives: list[Life] = []
        self.desk: HttpDesk | None = None
        self._main = main
        self._weather = weather
        self._fell = fell
        self._ended = False

    def start(self) -> None:
        """Begin a life."""
        if self._ended:
            return
        self.life = Life(f"{self.name}.{len(self.lives)}")
        self.lives.append(self.life)
        self.desk = None
        self._weather.note(f"{self.life.name}: started")
        self._weather.loop.begin(self.life, self._run(self.life))

    def killed(self) -> None:
        """Be started again some time later."""
        self.desk = None
        self._weather.later(self._weather.chance.random() * _AGAIN_S, self.start)

    def end(self) -> None:
        """Be started no more."""
        self._ended = True

    async def _run(self, life: Life) -> None:
        try:
            await self._main(self)
        except _PASSING as fault:
            self._weather.note(f"{life.name}: ended by {type(fault).__name__}")
        except Exception as fault:  # noqa: BLE001  # whatever it is, the run has failed
            self._fell(f"{life.name} fell: {fault!r}")
        self.desk = None
        # A process that has ended leaves nothing running.
        self._weather.later(0.0, self._weather.kill, life)


@contextmanager
def doubled(grounds: Grounds) -> Iterator[None]:
    """Put the doubles in place of what opens connections and files, while the block lasts."""
    with ExitStack() as stack:
        for module in (projector, lookup, monitor):
            stack.enter_context(mock.patch.object(module, "grounded", grounds.grounded))
            stack.enter_context(mock.patch.object(module, "open_keys", LastingKeys))
        ticking = SimpleNamespace(perf_counter=grounds.weather.loop.time, monotonic=grounds.weather.loop.time)
        for replaced, name, made in (
            (monitor, "open_history", lambda *_: grounds.history),
            (lookup, "_image_reader", no_images),
            (outbox_layout, "HTTP_CELLS", HTTP_CELLS),
            (answering_module, "time", ticking),
            (spool, "time", ticking),
            (spool, "created", grounds.disk.created),
            (spool, "adopted", grounds.disk.adopted),
            (spool, "_note_lost", lambda *_: None),
        ):
            stack.enter_context(mock.patch.object(replaced, name, made))
        yield


@cache
def settings(instance: str | None = None) -> Settings:
    """Return settings that nothing is read from, of a named instance or of any."""
    return load(data_dir=Path("nowhere"), instance=instance, card_buckets=BUCKETS)


def projecting(grounds: Grounds) -> Main:
    """Return the main of a projector."""

    async def main(_: Process) -> None:
        async with projector.running(settings(), grounds.clock) as running:
            await running.keeping

    return main


def answering(grounds: Grounds) -> Main:
    """Return the main of a look-up process."""

    async def main(process: Process) -> None:
        instance = process.name if grounds.named else None
        async with lookup.running(settings(instance), grounds.clock) as parts:
            process.desk = parts.desk
            done, _ = await asyncio.wait(parts.work, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()

    return main


def counting(grounds: Grounds) -> Main:
    """Return the main of a monitor."""

    async def main(_: Process) -> None:
        async with monitor.running(settings(), grounds.clock) as running:
            done, _others = await asyncio.wait(running.work, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()

    return main


async def asked_of(
    process: Process, weather: Weather, work: Callable[[HttpDesk], Awaitable[T]], wait_s: float
) -> T | None:
    """Return what a living look-up process answers, None where it is killed before, or there is none."""
    desk, life = process.desk, process.life
    if desk is None:
        return None
    answer: asyncio.Future[T] = weather.loop.create_future()

    async def ask() -> None:
        try:
            found = await work(desk)
        except Exception as fault:  # noqa: BLE001  # the asker hears of it
            answer.set_exception(fault)
        else:
            answer.set_result(found)

    weather.loop.begin(life, ask())
    try:
        return await asyncio.wait_for(answer, wait_s)
    except TimeoutError:
        if life.over:
            return None
        raise
