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
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote
from weakref import WeakSet

import structlog
from faststream import AckPolicy
from faststream.message import StreamMessage
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError

from lienthong.adapters.event_log import Entry, EventLog, entries_per_read
from lienthong.adapters.followers import Follower, Handler, OnFault, Progress, Start, halt, located
from lienthong.adapters.valkey_log import entry_id, entry_of, stream_key
from lienthong.adapters.watching import WATCH_INTERVAL_S, Watch
from lienthong.runtime.backoff import Backoff
from lienthong.runtime.clock import Clock
from lienthong.runtime.tasks import end

# The server wakes a blocked read at once when an entry comes; this bounds only how late a seek takes effect.
POLL_MS = 500
# A handler that is given this long at a stop finishes its batch; a batch cut short is read again.
STOP_TIMEOUT_S = 5.0

_log = structlog.stdlib.get_logger("lienthong.streams")


class StreamReader:
    """Follows partitions of one log in one FastStream broker.

    `start` returns at once: reading begins when every partition's start position is known and the log answers,
    however long that takes; then `reading` is set. `on_fault` is told of a trimmed or recreated stream and may seek.
    """

    def __init__(self, socket: Path, log: EventLog, clock: Clock, on_fault: OnFault = halt) -> None:
        self._log = log
        self._clock = clock
        self._watch = Watch(log, clock, on_fault)
        self._starts: list[tuple[Follower, Start]] = []
        self._subscribers: list[Any] = []
        self._task: asyncio.Task[None] | None = None
        self.reading = asyncio.Event()
        self._connections: WeakSet[UnixDomainSocketConnection] = WeakSet()
        self.broker = _broker(socket, self._connections)

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

        def point(position: int) -> None:
            subscriber.last_id = entry_id(position)

        follower.attach(point)
        subscriber(follower.take)
        self._subscribers.append(subscriber)
        self._starts.append((follower, start))
        return follower

    def progress(self) -> list[Progress]:
        """How far each partition has been handled."""
        return [follower.progress for follower, _ in self._starts]

    def start(self) -> asyncio.Task[None]:
        """Begin to follow, in a task of the running loop, which is returned and ends by a fault alone."""
        self._task = asyncio.create_task(self._run(), name="follow-streams")
        self._task.add_done_callback(_tell_of_end)
        return self._task

    async def stop(self) -> None:
        """Stop reading; a batch under way is finished within STOP_TIMEOUT_S or read again at the next start.

        1. Let the handlers come to an end. 2. End the reads: one that outlived the broker would be made again by the
        client, over a connection that nobody closes. 3. Close the broker. 4. Close what the client has lost: a read
        that is cancelled while it takes a connection from the pool, or gives it back, leaves it in nobody's hands.
        """
        if self._task is not None:
            await end(self._task)
            self._task = None
        # 1
        for follower, _ in self._starts:
            follower.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await asyncio.gather(*(follower.idle() for follower, _ in self._starts))
        await self._close()

    async def _close(self) -> None:
        # 2
        await end(*(task for subscriber in self._subscribers for task in subscriber.tasks))
        # 3
        await self.broker.stop()
        # 4
        await asyncio.gather(*(connection.disconnect() for connection in list(self._connections)))

    async def _run(self) -> None:
        """Follow until cancelled.

        1. Ask every partition where to start, and wait until the log answers.
        2. Start reading.
        3. Watch the ends of the partitions.
        """
        await asyncio.gather(*(self._locate(follower, start) for follower, start in self._starts))
        await Backoff(faults=(RedisError, OSError)).run(self._look)
        await Backoff(faults=(RedisError, OSError, TimeoutError)).run(self._open)
        self.reading.set()
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            try:
                await self._look()
            except (RedisError, OSError) as fault:
                _log.warning("log_unreachable", fault=type(fault).__name__)

    async def _look(self) -> None:
        await self._watch.look([follower for follower, _ in self._starts])

    async def _locate(self, follower: Follower, start: Start) -> None:
        follower.begin(await located(follower, start))

    async def _open(self) -> None:
        try:
            await self.broker.start()
        except BaseException:
            await self._close()
            raise


def _tell_of_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()) is not None:
        _log.critical("streams_not_followed", exc_info=fault)


def _broker(socket: Path, connections: WeakSet[UnixDomainSocketConnection]) -> RedisBroker:
    """Return a broker whose reads outlast a server restart.

    Reads may be repeated, so the client retries them for ever with short pauses: a fetch error that came out of
    the client would make FastStream sleep for 5 s. Without type casting the handler gets our batch as it is. Every
    connection that it makes is put into `connections`.
    """

    class Connection(UnixDomainSocketConnection):
        """A connection that is known as long as it lives."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            connections.add(self)

    chatter = logging.getLogger("lienthong.streams.broker")
    # At INFO it tells of each task that ends at a stop.
    chatter.setLevel(logging.WARNING)
    return RedisBroker(
        f"unix://{quote(str(socket))}",
        connection_class=cast("Any", Connection),
        retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.25), -1),
        socket_timeout=POLL_MS / 1000 + 5.0,
        max_connections=256,
        apply_types=False,
        graceful_timeout=STOP_TIMEOUT_S,
        logger=chatter,
        log_level=logging.DEBUG,
    )


async def _parsed(raw: Any) -> StreamMessage[Any]:
    """Wrap a raw batch without looking into it; FastStream's own parser raises on entries that are not its own."""
    return StreamMessage(raw_message=raw, body=b"", message_id=raw["channel"], correlation_id=raw["channel"])


async def _decoded(message: StreamMessage[Any]) -> tuple[Entry, ...]:
    raw = message.raw_message
    return tuple(map(entry_of, raw["message_ids"], raw["data"]))
