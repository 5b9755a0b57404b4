"""An event loop without threads, input or output: the order of what is ready comes from a seed, and time jumps.

Whatever a process of the simulation does runs in its own context, so that the loop knows whose each callback is: what a
killed process left behind never runs again, its `finally` blocks included.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
_Given = TypeVarTuple("_Given")

#: Callbacks in one run: far above what a run takes, so that one that never settles ends.
STEPS_MAX = 150_000
#: A thread's work begins up to this much later than it was handed over, in seconds.
_THREAD_LATENCY_S = 0.02
_PRUNE_AT = 64
#: How often what is left at the end of a run is cancelled: a loop that outlives faults may swallow one.
_CANCELLED_MAX, _CANCELLED_FOR_S = 50, 0.3


class Stuck(Exception):
    """Nothing is ready and nothing is due, or far more happened than a run can need: `steps` is how much happened."""

    def __init__(self, steps: int) -> None:
        super().__init__(f"nothing comes to an end after {steps} steps")


class Life:
    """One life of a process: once it is over, nothing of it runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.over = False
        # What is suspended for ever is kept, because a coroutine that is let go of runs its `finally` blocks.
        self.tasks: list[asyncio.Task[Any]] = []
        self.dropped: list[asyncio.Handle] = []
        self._prune_at = _PRUNE_AT

    def took(self, task: "asyncio.Task[Any]") -> None:
        """Remember a task of this life."""
        if len(self.tasks) >= self._prune_at:
            self.tasks = [each for each in self.tasks if not each.done()]
            self._prune_at = max(_PRUNE_AT, 2 * len(self.tasks))
        self.tasks.append(task)


WORLD = Life("world")
_life: ContextVar[Life] = ContextVar("life", default=WORLD)


def living() -> Life:
    """Return the life that runs at this moment."""
    return _life.get()


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs what is ready in an order drawn from `chance`; where nothing is, time jumps to the next timer.

    `in_turn` is the share of callbacks that run in the order in which they became ready.
    """

    def __init__(self, chance: Random, in_turn: float = 0.5) -> None:
        self.steps = 0
        self.faults: list[str] = []
        self._chance = chance
        self._in_turn = in_turn
        self._now = 0.0
        self._serial = 0
        self._ready: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._broken: BaseException | None = None

    def time(self) -> float:
        """Return the seconds since the run began."""
        return self._now

    def call_soon(
        self, callback: Callable[[Unpack[_Given]], object], *args: *_Given, context: Context | None = None
    ) -> asyncio.Handle:
        """Make a callback ready."""
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[_Given]], object],
        *args: *_Given,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Make a callback ready in `delay` seconds."""
        return self.call_at(self._now + max(0.0, delay), callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Given]], object],
        *args: *_Given,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Make a callback ready at a moment."""
        handle = _TimerHandle(when, callback, args, self, context)
        self._serial += 1
        heapq.heappush(self._timers, (when, self._serial, handle))
        return handle

    def in_life(self, life: Life, callback: Callable[..., object], *args: Any) -> None:
        """Make a callback ready that belongs to a life."""
        context = copy_context()
        context.run(_life.set, life)
        self.call_soon(callback, *args, context=context)

    def begin(self, life: Life, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Begin a task of a life, and with it all that it begins."""
        context = copy_context()
        context.run(_life.set, life)
        return context.run(self.create_task, work)

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> "asyncio.Task[T]":
        """Begin a task of the life that runs at this moment."""
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, name=name, context=context)
        (context.get(_life, WORLD) if context is not None else _life.get()).took(task)
        return task

    def run_in_executor(
        self, _executor: object, func: Callable[[Unpack[_Given]], T], *args: *_Given
    ) -> "asyncio.Future[T]":
        """Do a thread's work, some time later and at once."""
        future: asyncio.Future[T] = self.create_future()
        self.call_later(self._chance.random() * _THREAD_LATENCY_S, _settle, future, func, args)
        return future

    def run_until(self, task: "asyncio.Task[T]") -> T:
        """Run until the task is done, and return what it returned. Raises Stuck, and what the task raised."""
        asyncio.events._set_running_loop(self)
        try:
            while not task.done():
                self._step()
                if self._broken is not None:
                    raise self._broken
        finally:
            asyncio.events._set_running_loop(None)
        return task.result()

    def end(self, lives: Iterable[Life]) -> None:
        """Cancel every task until each is done, those of lives that are over too, and forget what is due."""
        for life in lives:
            life.over = False
            self._ready += life.dropped
        self.steps = 0
        asyncio.events._set_running_loop(self)
        try:
            for _ in range(_CANCELLED_MAX):
                if not (left := [task for task in asyncio.all_tasks(self) if not task.done()]):
                    break
                for task in left:
                    task.cancel()
                until = self._now + _CANCELLED_FOR_S
                while self._ready or (self._timers and self._timers[0][0] <= until):
                    self._step()
            self._ready.clear()
            self._timers.clear()
        finally:
            asyncio.events._set_running_loop(None)

    def _step(self) -> None:
        ready, timers = self._ready, self._timers
        if not ready:
            if not timers:
                raise Stuck(self.steps)
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            ready.append(heapq.heappop(timers)[2])
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Stuck(self.steps)
        if len(ready) > 1 and self._chance.random() >= self._in_turn:
            handle = ready.pop(int(self._chance.random() * len(ready)))
        else:
            handle = ready.pop(0)
        if handle.cancelled():
            return
        life: Life = handle.life  # type: ignore[attr-defined]  # each is one of ours
        if life.over:
            life.dropped.append(handle)
        else:
            handle._run()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody handled: a fault in a callback is the simulation's own, and ends it."""
        fault = context.get("exception")
        self.faults.append(f"{context.get('message')}: {fault!r}")
        if "handle" in context:
            self._broken = fault

    def get_debug(self) -> bool:
        """Say no: asyncio's own checks look at threads."""
        return False

    def is_running(self) -> bool:
        """Say yes, to whoever runs in it."""
        return True

    def is_closed(self) -> bool:
        """Say no: there is nothing to close."""
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it where it is: it is passed over when it is due."""


class _Handle(asyncio.Handle):
    __slots__ = ("life",)

    def __init__(self, callback: Any, args: Any, loop: SimulatedLoop, context: Context | None) -> None:
        super().__init__(callback, args, loop, context)
        self.life = _life.get() if context is None else context.get(_life, WORLD)


class _TimerHandle(asyncio.TimerHandle):
    __slots__ = ("life",)

    def __init__(self, when: float, callback: Any, args: Any, loop: SimulatedLoop, context: Context | None) -> None:
        super().__init__(when, callback, args, loop, context)
        self.life = _life.get() if context is None else context.get(_life, WORLD)


def _settle(future: "asyncio.Future[Any]", func: Callable[..., Any], args: Any) -> None:
    if future.cancelled():
        return
    try:
        result = func(*args)
    except Exception as fault:  # noqa: BLE001  # whatever it is, who waits for the thread hears of it
        future.set_exception(fault)
    else:
        future.set_result(result)
