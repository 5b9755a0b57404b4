"""What may go wrong between a process and a server, drawn from a seed at every call that is awaited.

A call travels, is carried out in steps, and its answer travels back. It may be refused, carried out in part, carried
out and not answered, carried out long after its caller has given up, and its caller may be killed at each of these
points. Steps of other calls may fall between its own.
"""

import asyncio
import contextvars
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple, Protocol

from redis.exceptions import ResponseError

from tests.simulation.loop import WORLD, Life, SimulatedLoop, living

#: A client gives up an answer after this long, in seconds.
TIMEOUT_S = 5.0
_QUICK_S, _SLOW_S, _VERY_SLOW_S = 0.002, 0.4, 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """How often what happens: each is a chance for one call."""

    refused: float
    unanswered: float
    cut: float
    slow: float
    very_slow: float
    killed: float

    @classmethod
    def drawn(cls, chance: Random) -> "Climate":
        """Return a climate: some runs are calm in most ways, some are rough in all."""

        def often(most: float) -> float:
            return chance.choice((0.0, most / 8, most / 2, most)) * chance.random()

        return cls(
            refused=often(0.08),
            unanswered=often(0.08),
            cut=often(0.06),
            slow=often(0.2),
            very_slow=often(0.01),
            killed=often(0.006),
        )


CALM = Climate(refused=0, unanswered=0, cut=0, slow=0, very_slow=0, killed=0)


class Server(Protocol):
    """What calls go to; `away` while it takes none, `silent` while it does not even refuse."""

    name: str
    away: bool
    silent: bool

    def fault(self) -> Exception:
        """Return what a client raises that has lost its connection."""
        ...

    def timeout(self) -> Exception:
        """Return what a client raises that has waited too long."""
        ...


Step = Callable[[], Any]


class _Fate(NamedTuple):
    there_s: float
    back_s: float
    steps: int | None
    answered: bool
    pause_s: float


class Weather:
    """The faults of one run, and the account of all that happened in it."""

    def __init__(self, loop: SimulatedLoop, chance: Random, climate: Climate) -> None:
        self.loop = loop
        self.chance = chance
        self.climate = climate
        self.kill: Callable[[Life], None] = lambda _life: None
        self.lines: list[str] | None = None
        self._digest = hashlib.blake2b(digest_size=16)
        self._outside = contextvars.Context()

    def note(self, text: str) -> None:
        """Write down what happened."""
        line = f"{self.loop.time():10.4f} {text}"
        self._digest.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    @property
    def account(self) -> str:
        """The digest of everything that was noted: two runs with one account are the same run."""
        return self._digest.hexdigest()

    def later(self, seconds: float, work: Callable[..., object], *args: Any) -> None:
        """Do something outside of every process."""
        self.loop.call_later(seconds, work, *args, context=self._outside)

    async def call(self, server: Server, what: str, steps: Sequence[Step]) -> list[Any]:
        """Carry out the steps on a server and return what they return; one that raises gives its exception.

        Raises the server's fault, or its time-out.
        """
        life, answer = living(), self.loop.create_future()
        if life is not WORLD and self._strikes(self.climate.killed / 2):
            self.die(life, f"before {what}")
            await answer
        fate = self._fate(len(steps))
        if fate is None:
            self.note(f"{life.name}: {what} refused by {server.name}")
            self.later(self._quick(), _fail, answer, server.fault)
        else:
            self.later(fate.there_s, self._arrive, _Call(life, server, what, steps, answer, fate, []))
            if fate.there_s + fate.back_s + fate.pause_s > TIMEOUT_S:
                self.later(TIMEOUT_S, _fail, answer, server.timeout)
        found: list[Any] = await answer
        return found

    def die(self, life: Life, where: str) -> None:
        """Kill the process whose life it is."""
        self.note(f"{life.name}: killed {where}")
        self.kill(life)

    def _strikes(self, probability: float) -> bool:
        return probability > 0 and self.chance.random() < probability

    def _quick(self) -> float:
        return self.chance.random() * _QUICK_S

    def _fate(self, steps: int) -> _Fate | None:
        """Return what becomes of a call, None where it is refused."""
        climate, chance = self.climate, self.chance
        if climate is CALM:
            return _Fate(self._quick(), 0.0, None, answered=True, pause_s=0.0)
        drawn = chance.random()
        if drawn < climate.refused:
            return None
        there, back, pause, cut, answered = self._quick(), self._quick(), 0.0, None, True
        if drawn < climate.refused + climate.unanswered:
            answered = False
        elif self._strikes(climate.cut):
            cut, answered = int(chance.random() * (steps + 1)), False
        if self._strikes(climate.slow):
            there += chance.random() * _SLOW_S
            back += chance.random() * _SLOW_S
            pause = chance.random() * _SLOW_S if steps > 1 else 0.0
        elif self._strikes(climate.very_slow):
            there += chance.random() * _VERY_SLOW_S
        return _Fate(there, back, cut, answered, pause)

    def _arrive(self, call: "_Call") -> None:
        """Carry out the steps, the last of them after a pause where there is one."""
        server, fate = call.server, call.fate
        if server.silent:
            self.later(TIMEOUT_S, _fail, call.answer, server.timeout)
            return
        if server.away:
            _fail(call.answer, server.fault)
            return
        steps = call.steps if fate.steps is None else call.steps[: fate.steps]
        done = len(call.found)
        until = len(steps)
        if fate.pause_s and not done and until > 1:
            until = 1 + int(self.chance.random() * (until - 1))
        for step in steps[done:until]:
            call.found.append(_outcome(step))
        self.note(f"{call.life.name}: {call.what} {done}..{until} of {len(call.steps)} at {server.name}")
        if until < len(steps):
            self.later(fate.pause_s, self._arrive, call)
            return
        if not call.life.over and call.life is not WORLD and self._strikes(self.climate.killed / 2):
            self.die(call.life, f"after {call.what}")
            return
        if not fate.answered or len(steps) < len(call.steps):
            self.note(f"{call.life.name}: {call.what} not answered")
            self.later(fate.back_s, _fail, call.answer, server.fault)
        elif fate.back_s:
            self.later(fate.back_s, _succeed, call.answer, call.found)
        else:
            _succeed(call.answer, call.found)


class _Call(NamedTuple):
    life: Life
    server: Server
    what: str
    steps: Sequence[Step]
    answer: "asyncio.Future[list[Any]]"
    fate: _Fate
    found: list[Any]


def _outcome(step: Step) -> Any:
    try:
        return step()
    except ResponseError as refusal:
        return refusal


def _fail(answer: "asyncio.Future[Any]", fault: Callable[[], Exception]) -> None:
    if not answer.done():
        answer.set_exception(fault())


def _succeed(answer: "asyncio.Future[Any]", found: Any) -> None:
    if not answer.done():
        answer.set_result(found)
