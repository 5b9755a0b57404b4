"""Lets requests that arrive while a round trip is under way share the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")

#: Requests in one round trip: beyond it the first would wait for the last to be written.
BATCH_MAX = 128


class Patience:
    """Fails what is waited for too long: one timer for all who wait, where one for each costs as much as an answer."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, future: "asyncio.Future[Any]") -> None:
        """Give the future a TimeoutError if it is not done in time."""
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + self._timeout_s, future))
        if self._timer is None:
            self._timer = loop.call_later(self._timeout_s, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fail those whose time has come and wait for the next; all wait equally long, so the first is always due."""
        self._timer = None
        now = loop.time()
        while self._waiting:
            until, future = self._waiting[0]
            if not future.done():
                if until > now:
                    self._timer = loop.call_at(until, self._look, loop)
                    return
                future.set_exception(TimeoutError())
            self._waiting.popleft()


class Coalescer(Generic[Request, Answer]):
    """Gathers requests for `send`, which answers them in their order or raises for all of them.

    One round trip is under way at a time, given up after `timeout_s`: a lone request leaves at once, and the busier it
    gets the more of them travel together. A requester that stops waiting takes nothing from the others.
    """

    def __init__(self, send: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]], timeout_s: float) -> None:
        self._send = send
        self._timeout_s = timeout_s
        self._waiting: list[tuple[Request, asyncio.Future[Answer]]] = []
        self._round: asyncio.Task[None] | None = None
        self._patience = Patience(timeout_s)

    async def ask(self, request: Request) -> Answer:
        """Return the answer to one request. Raises what `send` raises, TimeoutError where it takes too long."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        self._patience.watch(future)
        if self._round is None:
            self._round = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                if wanted := [(request, future) for request, future in batch if not future.done()]:
                    await self._trip(wanted)
        finally:
            self._round = None

    async def _trip(self, batch: list[tuple[Request, asyncio.Future[Answer]]]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                answers = await self._send([request for request, _ in batch])
        except Exception as fault:  # noqa: BLE001  # whatever it is, those who asked hear of it
            for _, future in batch:
                if not future.done():
                    future.set_exception(fault)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
