"""Follows partitions of the embedded log through FastStream, from positions that are kept with the data.

A group-less Redis subscriber of FastStream advances whatever its handler does, skips a batch whose handler or
parser raises, never notices that entries were trimmed and never reads a stream that was recreated. So here the
parser and the decoder cannot raise, a failing handler is tried again until it succeeds, and the position of each
partition is our own: what the subscriber brings is compared with it, and the subscriber is pointed back where the
two differ.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from faststream import AckPolicy
from faststream.message import StreamMessage
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError

from lienthong.adapters.event_log import (
    Bounds,
    Entry,
    EventLog,
    Recreated,
    Trimmed,
    entries_per_read,
    entry_id,
    entry_of,
    stream_key,
)
from lienthong.runtime.backoff import Backoff
from lienthong.runtime.clock import Clock

# The server wakes a blocked read at once when an entry comes; this bounds only how late a seek takes effect.
POLL_MS = 500
# How often the ends of all partitions are read: for lag, for freshness, and to notice a recreated stream.
WATCH_INTERVAL_S = 1.0
# A handler that is given this long at a stop finishes its batch; a batch cut short is read again.
STOP_TIMEOUT_S = 5.0

Fault = Trimmed | Recreated

_log = structlog.stdlib.get_logger("lienthong.streams")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Entries of one partition in order and without a gap."""

    stream: str
    partition: int
    entries: tuple[Entry, ...]


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
        self._point: Callable[[str], None] = lambda _last_id: None
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

    def attach(self, point: Callable[[str], None]) -> None:
        """Take the function that tells the subscriber which entry to read after."""
        self._point = point

    def seek(self, position: int) -> None:
        """Go on from `position`, back or ahead; a batch that is being tried again is given up.

        Takes effect with the next read, at the latest after POLL_MS. May be called by the handler itself, whose
        batch then does not move the position. Ends a fault.
        """
        self._seeks += 1
        self._position = position
        self._fault = self._asked_from = self._caught_up_at = None
        self._told = False
        self._interrupted.set()
        self._point(entry_id(position))

    def observe(self, bounds: Bounds, at: datetime) -> Fault | None:
        """Take what the partition held `at` a moment; return the partition's fault when it is new."""
        self._observed = (at, bounds.end)
        position = self._position
        if position is None or self._told:
            return None
        if bounds.end < position:
            self._fault = Recreated(position=position, end=bounds.end)
        elif bounds.first > position:
            self._fault = Trimmed(position=position, first=bounds.first)
        self._settle()
        self._told = self._fault is not None
        return self._fault

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
            await self._handle(wanted)
        elif wanted and self._asked_from == position:
            self._fault = Trimmed(position=position, first=wanted[0].offset)
            return
        else:
            self._asked_from = position
        self._point(entry_id(self._position if self._position is not None else position))

    def stop(self) -> None:
        """Give up a batch that is being tried again; it is read again at the next start."""
        self._seeks += 1
        self._position = None
        self._interrupted.set()

    async def _handle(self, entries: tuple[Entry, ...]) -> None:
        """Give the batch to the handler until it succeeds or a seek makes it void."""
        batch = Batch(stream=self.stream, partition=self.partition, entries=entries)
        seeks = self._seeks
        self._interrupted.clear()

        async def attempt() -> None:
            if seeks == self._seeks:
                await self._handler(batch)

        await Backoff().run(attempt, on_fault=self._heard, wait=self._wait)
        self._failing = None
        if seeks == self._seeks:
            self._position = entries[-1].offset + 1
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


OnFault = Callable[[Follower, Fault], Awaitable[None]]


async def halt(_follower: Follower, _fault: Fault) -> None:
    """Leave the partition stopped: its progress shows the fault until someone seeks."""


class StreamReader:
    """Follows partitions of one log in one FastStream broker.

    `start` returns at once: reading begins when every partition's start position is known and the log answers,
    however long that takes. `on_fault` is told of a trimmed or recreated stream and may seek.
    """

    def __init__(self, socket: Path, log: EventLog, clock: Clock, on_fault: OnFault = halt) -> None:
        self._log = log
        self._clock = clock
        self._on_fault = on_fault
        self._starts: list[tuple[Follower, Start]] = []
        self._task: asyncio.Task[None] | None = None
        self.broker = _broker(socket)

    def subscribe(self, stream: str, partition: int, handler: Handler, start: Start) -> Follower:
        """Follow a partition: `start` gives the position to begin at, `handler` gets each batch once it is due.

        Both are tried again, with growing pauses, until they succeed: a handler that raises stops its partition
        and is seen in its progress; nothing is skipped. A batch may come again after a crash.
        """
        follower = Follower(stream, partition, handler, self._clock)
        subscriber = self.broker.subscriber(
            stream=StreamSub(
                stream_key(stream, partition),
                batch=True,
                # Nothing is read before the real position is known and pointed to.
                last_id="$",
                polling_interval=POLL_MS,
                max_records=entries_per_read(self._log.stream(stream)),
            ),
            parser=_parsed,
            decoder=_decoded,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
        )

        def point(last_id: str) -> None:
            subscriber.last_id = last_id

        follower.attach(point)
        subscriber(follower.take)
        self._starts.append((follower, start))
        return follower

    def progress(self) -> list[Progress]:
        """How far each partition has been handled."""
        return [follower.progress for follower, _ in self._starts]

    def start(self) -> None:
        """Begin to follow, in a task of the running loop."""
        self._task = asyncio.create_task(self._run(), name="follow-streams")
        self._task.add_done_callback(_tell_of_end)

    async def stop(self) -> None:
        """Stop reading; a batch under way is finished within STOP_TIMEOUT_S or read again at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        for follower, _ in self._starts:
            follower.stop()
        await self.broker.stop()

    async def _run(self) -> None:
        """Follow until cancelled.

        1. Ask every partition where to start, and wait until the log answers.
        2. Start reading.
        3. Watch the ends of the partitions.
        """
        await asyncio.gather(*(self._locate(follower, start) for follower, start in self._starts))
        await Backoff(faults=(RedisError, OSError)).run(self._observe)
        await Backoff(faults=(RedisError, OSError, TimeoutError)).run(self._open)
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            try:
                await self._observe()
            except (RedisError, OSError) as fault:
                _log.warning("log_unreachable", fault=type(fault).__name__)

    async def _locate(self, follower: Follower, start: Start) -> None:
        def heard(fault: BaseException, attempts: int) -> None:
            _log.warning(
                "start_position_unknown",
                stream=follower.stream,
                partition=follower.partition,
                attempts=attempts,
                exc_info=fault,
            )

        follower.seek(await Backoff().run(start, on_fault=heard))

    async def _open(self) -> None:
        try:
            await self.broker.start()
        except BaseException:
            await self.broker.stop()
            raise

    async def _observe(self) -> None:
        """Compare the ends of all partitions with the positions, and tell of each new fault."""
        for stream in sorted({follower.stream for follower, _ in self._starts}):
            at = self._clock.now()
            followers = [follower for follower, _ in self._starts if follower.stream == stream]
            bounds = await self._log.bounds(stream, [follower.partition for follower in followers])
            for follower in followers:
                fault = follower.observe(bounds[follower.partition], at)
                if fault is not None:
                    _log.error("stream_broken", stream=stream, partition=follower.partition, fault=repr(fault))
                    await self._on_fault(follower, fault)


def _tell_of_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()) is not None:
        _log.critical("streams_not_followed", exc_info=fault)


def _broker(socket: Path) -> RedisBroker:
    """Return a broker whose reads outlast a server restart.

    Reads may be repeated, so the client retries them for ever with short pauses: a fetch error that came out of
    the client would make FastStream sleep for 5 s. Without type casting the handler gets our batch as it is.
    """
    return RedisBroker(
        f"unix://{quote(str(socket))}",
        retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.25), -1),
        socket_timeout=POLL_MS / 1000 + 5.0,
        max_connections=256,
        apply_types=False,
        graceful_timeout=STOP_TIMEOUT_S,
        logger=logging.getLogger("lienthong.streams.broker"),
        log_level=logging.DEBUG,
    )


async def _parsed(raw: Any) -> StreamMessage[Any]:
    """Wrap a raw batch without looking into it; FastStream's own parser raises on entries that are not its own."""
    return StreamMessage(raw_message=raw, body=b"", message_id=raw["channel"], correlation_id=raw["channel"])


async def _decoded(message: StreamMessage[Any]) -> tuple[Entry, ...]:
    raw = message.raw_message
    return tuple(map(entry_of, raw["message_ids"], raw["data"]))
