"""Follows one partition: hands each batch to its handler, knows the position, and notices what is missing."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from lienthong.adapters.event_log import Bounds, Entry, Recreated, Trimmed
from lienthong.runtime.backoff import Backoff
from lienthong.runtime.clock import Clock

#: A partition that neither moved nor was at its end for this long is not progressing.
PROGRESS_WITHIN = timedelta(seconds=10)

Fault = Trimmed | Recreated

_log = structlog.stdlib.get_logger("lienthong.streams")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Entries of one partition in order, read from `position`: whatever lies between two of them never was an entry.

    Nor was what lies before `end`, where it is known that the last entry is followed by such.
    """

    stream: str
    partition: int
    position: int
    entries: tuple[Entry, ...]
    end: int | None = None

    @property
    def next(self) -> int:
        """The position after the batch."""
        return self.entries[-1].offset + 1 if self.end is None else self.end


Handler = Callable[[Batch], Awaitable[None]]
Start = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one partition has been handled.

    `position` is None until it is known where to start, `end` until the log has answered once. At `caught_up_at`
    everything that the log then held had been handled; at `moved_at` the position last moved or was at the end.
    `fault` stops the partition until someone seeks; `failing` names the handler's present fault.
    """

    stream: str
    partition: int
    position: int | None
    end: int | None
    caught_up_at: datetime | None
    moved_at: datetime | None
    fault: Fault | None
    failing: str | None

    @property
    def lag(self) -> int | None:
        """How many entries wait, None while that is not known."""
        return None if self.position is None or self.end is None else max(0, self.end - self.position)

    def progressing(self, now: datetime, within: timedelta) -> bool:
        """Say whether the partition was at its end, or moved, at most `within` ago."""
        return self.fault is None and self.moved_at is not None and now - self.moved_at <= within


class Follower:
    """One partition being followed. Made by StreamReader.subscribe."""

    def __init__(self, stream: str, partition: int, handler: Handler, clock: Clock) -> None:
        self.stream = stream
        self.partition = partition
        self._handler = handler
        self._clock = clock
        self._point: Callable[[int], None] = lambda _position: None
        self._resting = False
        self._position: int | None = None
        self._seeks = 0
        self._asked_from: int | None = None
        self._observed: tuple[datetime, int] | None = None
        self._caught_up_at: datetime | None = None
        self._moved_at: datetime | None = None
        self._fault: Fault | None = None
        self._told = False
        self._failing: str | None = None
        self._interrupted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def progress(self) -> Progress:
        """How far the partition has been handled."""
        return Progress(
            stream=self.stream,
            partition=self.partition,
            position=self._position,
            end=None if self._observed is None else self._observed[1],
            caught_up_at=self._caught_up_at,
            moved_at=self._moved_at,
            fault=self._fault,
            failing=self._failing,
        )

    @property
    def following(self) -> bool:
        """Whether the partition is followed here: its position is known, and it was not given to another process."""
        return self._position is not None

    def attach(self, point: Callable[[int], None]) -> None:
        """Take the function that tells the subscriber from which position to read."""
        self._point = point

    def begin(self, position: int) -> None:
        """Go on from `position`, after a rest too."""
        self._resting = False
        self.seek(position)

    def seek(self, position: int) -> None:
        """Go on from `position`, back or ahead; a batch that is being tried again is given up.

        Takes effect with the next read, when a read that waits has ended. May be called by the handler itself, whose
        batch then does not move the position. Ends a fault. Does nothing during a rest: its end says where to begin.
        """
        if self._resting:
            return
        self._seeks += 1
        self._position = position
        self._fault = self._asked_from = self._caught_up_at = None
        self._told = False
        self._interrupted.set()
        self._point(position)

    def observe(self, bounds: Bounds, at: datetime, stood: int | None = None) -> Fault | None:
        """Take what the partition held `at` a moment; return the partition's fault until `told` says it is known.

        `stood` is the position at that moment: one that was passed only while the answer came may be beyond its end.
        """
        self._observed = (at, bounds.end)
        position = self._position
        if position is None or self._told:
            return None
        if bounds.end < (position if stood is None else min(stood, position)):
            self._fault = Recreated(position=position, end=bounds.end)
        elif bounds.first > position:
            self._fault = Trimmed(position=position, first=bounds.first)
        self._settle()
        return self._fault

    def told(self, fault: Fault) -> None:
        """Note that the owner knows of this fault; one that a seek has brought about since is told as well."""
        self._told = self._fault == fault

    async def take(self, entries: tuple[Entry, ...]) -> None:
        """Handle what the subscriber brought, or point it to where it should read.

        A batch from elsewhere was read before a seek. A gap is asked for once more by itself, because only then
        is it the stream that lacks the entries and not a read that was under way; `observe` tells of it.
        """
        position = self._position
        if position is None or self._fault is not None or not entries:
            return
        wanted = tuple(entry for entry in entries if entry.offset >= position)
        if wanted and wanted[0].offset == position:
            await self._handle(self._batch(position, wanted))
        elif wanted and self._asked_from == position:
            self._fault = Trimmed(position=position, first=wanted[0].offset)
            return
        else:
            self._asked_from = position
        self._point(self._position if self._position is not None else position)

    async def proceed(self, entries: tuple[Entry, ...], end: int) -> None:
        """Handle what is known to be next: the subscriber has seen to it that nothing lacks from there to `end`."""
        position = self._position
        wanted = tuple(entry for entry in entries if position is not None and entry.offset >= position)
        if position is not None and self._fault is None and wanted:
            await self._handle(self._batch(position, wanted, end))

    def stop(self) -> None:
        """Rest until it begins again, and give up a batch that is being tried again; it is read again then."""
        self._resting = True
        self._seeks += 1
        self._position = None
        self._interrupted.set()

    async def idle(self) -> None:
        """Return when no batch is being handled."""
        await self._idle.wait()

    def _batch(self, position: int, entries: tuple[Entry, ...], end: int | None = None) -> Batch:
        return Batch(stream=self.stream, partition=self.partition, position=position, entries=entries, end=end)

    async def _handle(self, batch: Batch) -> None:
        """Give the batch to the handler until it succeeds or a seek makes it void."""
        seeks = self._seeks
        self._interrupted.clear()

        async def attempt() -> None:
            if seeks == self._seeks:
                await self._handler(batch)

        self._idle.clear()
        try:
            await Backoff().run(attempt, on_fault=self._heard, wait=self._wait)
        finally:
            self._idle.set()
        self._failing = None
        if seeks == self._seeks:
            self._position = batch.next
            self._asked_from = None
            self._moved_at = self._clock.now()
            self._settle()

    def _heard(self, fault: BaseException, attempts: int) -> None:
        self._failing = type(fault).__name__
        _log.warning(
            "batch_failed",
            stream=self.stream,
            partition=self.partition,
            position=self._position,
            attempts=attempts,
            exc_info=fault,
        )

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._interrupted.wait(), seconds)

    def _settle(self) -> None:
        """Note that everything observed has been handled, if it has."""
        if self._observed is None or self._position is None or self._fault is not None:
            return
        at, end = self._observed
        if self._position >= end:
            self._caught_up_at = at
            self._moved_at = max(at, self._moved_at or at)


async def located(follower: Follower, start: Start) -> int:
    """Return the position to begin at, asked for again with growing pauses until it is known."""

    def heard(fault: BaseException, attempts: int) -> None:
        _log.warning(
            "start_position_unknown",
            stream=follower.stream,
            partition=follower.partition,
            attempts=attempts,
            exc_info=fault,
        )

    return await Backoff().run(start, on_fault=heard)


OnFault = Callable[[Follower, Fault], Awaitable[None]]


async def halt(_follower: Follower, _fault: Fault) -> None:
    """Leave the partition stopped: its progress shows the fault until someone seeks."""


class Reader(Protocol):
    """Follows partitions of one log: all that were subscribed to, or those that its group gives it."""

    #: Set once reading has begun.
    reading: asyncio.Event

    def subscribe(self, stream: str, partition: int, handler: Handler, start: Start) -> Follower:
        """Follow a partition: `start` gives the position to begin at, `handler` gets each batch once it is due.

        Both are tried again, with growing pauses, until they succeed: a handler that raises stops its partition
        and is seen in its progress; nothing is skipped. A batch may come again after a crash.
        """
        ...

    def progress(self) -> list[Progress]:
        """Return how far each partition that is followed here has been handled."""
        ...

    def start(self) -> asyncio.Task[None]:
        """Begin to follow, in a task of the running loop, which is returned and ends by a fault alone."""
        ...

    async def stop(self) -> None:
        """Stop reading; a batch under way is finished soon or read again at the next start."""
        ...
