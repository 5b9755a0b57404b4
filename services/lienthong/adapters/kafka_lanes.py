"""One partition of a shared log while it is ours: what the consumer brings is handled by a task of its own, in order.

The consumer moves on whatever becomes of what it brought, and where one of its reads fails, what it had already taken
of other partitions is lost with it. So a lane knows how far it was brought entries: what does not begin there is asked
for once more, and is a gap of the log only if it then comes the same.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

from lienthong.adapters.event_log import Entry
from lienthong.adapters.followers import Follower, Start, located
from lienthong.runtime.tasks import end

#: Batches that may wait while one is handled: enough that the next is there when it is done.
BATCHES_WAITING: Final = 2
#: A lane that stands while its log has more asks for it again after so many looks: a read may have been lost.
LOOKS_BEFORE_ASKING: Final = 5
#: And after so many, asking has not helped: the consumer itself has stopped. It is longer than a group takes to notice.
LOOKS_BEFORE_GIVING_UP: Final = 40

_log = structlog.stdlib.get_logger("lienthong.streams")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a lane is to be followed.

    `bytes_max` bounds what waits in memory. `look` is awaited once its position is known, to see whether the log has
    it; `opened` is called when it is read from there.
    """

    bytes_max: int
    look: Callable[["Lane"], Awaitable[None]]
    opened: Callable[[], None]


class Lane:
    """One partition, with a follower that rests while the partition is another process's.

    `batch_entries` is what the handler gets at once.
    """

    def __init__(self, follower: Follower, start: Start, batch_entries: int) -> None:
        self.follower = follower
        self.place = TopicPartition(follower.stream, follower.partition)
        self.open = False
        self._start = start
        self._batch_entries = batch_entries
        self._bytes_max = 0
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: deque[Entry] = deque()
        self._waiting_bytes = 0
        self._came = asyncio.Event()
        self._handling = False
        # How far entries were brought, and from where they were asked for once more because they did not begin there.
        self._read_to = 0
        self._asked_from: int | None = None
        # The position that was looked at last while nothing came, and how often.
        self._stood: tuple[int, int] = (0, 0)
        follower.attach(self._point)
        follower.stop()

    def begin(self, consumer: AIOKafkaConsumer, terms: Terms) -> None:
        """Find out where to begin and follow from there; nothing is fetched, and no committed offset asked for, before.

        Raises IllegalStateError where the partition is not this consumer's.
        """
        consumer.pause(self.place)
        consumer.seek(self.place, 0)
        self._consumer = consumer
        self._bytes_max = terms.bytes_max
        self._task = asyncio.create_task(self._run(terms), name=f"follow-{self.place.topic}-{self.place.partition}")

    async def rest(self, timeout_s: float) -> None:
        """Let go of the partition; a batch under way is finished within the time or read again by who has it next."""
        task, self._task, self._consumer = self._task, None, None
        handling = self._handling
        self.follower.stop()
        self._forget()
        self.open = False
        if task is not None:
            if handling:
                await asyncio.wait([task], timeout=timeout_s)
            await end(task)

    async def bring(self, entries: Sequence[Entry]) -> None:
        """Take what the consumer has just brought of this partition: at least one entry."""
        consumer = self._consumer
        if consumer is None:
            return
        if entries[0].offset != self._read_to and self._asked_from != self._read_to:
            self._asked_from = self._read_to
            self._seek(self._read_to)
            return
        self._waiting.extend(entry for entry in entries if entry.offset >= self._read_to)
        self._waiting_bytes += sum(len(entry.value) for entry in entries)
        self._read_to = await self._reached(entries[-1].offset + 1)
        self._came.set()
        if len(self._waiting) >= BATCHES_WAITING * self._batch_entries or self._waiting_bytes >= self._bytes_max:
            consumer.pause(self.place)

    async def _reached(self, after: int) -> int:
        """Return where the consumer stands, which goes past the marks of transactions that follow what it brought."""
        with suppress(IllegalStateError):
            if self._consumer is not None:
                return max(after, int(await self._consumer.position(self.place)))
        return after

    def hold(self) -> None:
        """Stop fetching, for a fault: what is asked for is not there, and to ask again would keep others waiting."""
        self._forget()
        if self._consumer is not None:
            with suppress(IllegalStateError):
                self._consumer.pause(self.place)

    async def look(self) -> bool:
        """Say whether the consumer has stopped: its log has more, was asked for it again, and nothing came.

        To be called at every look of the watch, after it.

        Raises the fault by which the lane's task ended, which is none that was foreseen.
        """
        if self._task is not None and self._task.done():
            self._task.result()
        progress = self.follower.progress
        waits = self.open and not self._waiting and not self._handling and progress.fault is None and progress.lag
        looks = self._stood[1] + 1 if waits and self._stood[0] == self._read_to else 0
        self._stood = (self._read_to, looks)
        if looks == LOOKS_BEFORE_ASKING:
            _log.warning("partition_asked_for_again", stream=self.place.topic, partition=self.place.partition)
            self._seek(self._read_to)
        return looks > LOOKS_BEFORE_GIVING_UP and not await self._stands_at_end()

    async def _stands_at_end(self) -> bool:
        """Say whether the consumer has read all there is: marks of transactions at the end are no entries."""
        end_seen = self.follower.progress.end
        if self._consumer is None or end_seen is None:
            return True
        with suppress(IllegalStateError):
            return bool(await self._consumer.position(self.place) >= end_seen)
        return True

    async def _run(self, terms: Terms) -> None:
        """Follow until the lane rests.

        1. Find out where to begin, and see whether the log has it. 2. Let the consumer fetch. 3. Handle what comes.
        """
        # 1
        self.follower.begin(await located(self.follower, self._start))
        await terms.look(self)
        # 2
        self.open = True
        self._resume()
        terms.opened()
        # 3
        while self._consumer is not None:
            await self._came.wait()
            entries, end_known = self._taken()
            self._handling = bool(entries)
            await self.follower.proceed(entries, end_known)
            self._handling = False

    def _taken(self) -> tuple[tuple[Entry, ...], int]:
        """Take the next batch from what waits, with where it ends, and let the consumer fetch where there is room."""
        waiting = self._waiting
        entries = tuple(waiting.popleft() for _ in range(min(self._batch_entries, len(waiting))))
        self._waiting_bytes -= sum(len(entry.value) for entry in entries)
        end_known = waiting[0].offset if waiting else self._read_to
        if not waiting:
            self._came.clear()
            self._waiting_bytes = 0
        if len(waiting) <= self._batch_entries and self._waiting_bytes < self._bytes_max:
            self._resume()
        return entries, end_known

    def _point(self, position: int) -> None:
        """Read on from where the follower says, whatever was brought from elsewhere."""
        self._forget()
        self._read_to, self._asked_from = position, None
        self._seek(position)
        if self.open:
            self._resume()

    def _forget(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0
        self._came.clear()

    def _seek(self, position: int) -> None:
        # A partition that was taken meanwhile is located anew when it comes back.
        if self._consumer is not None:
            with suppress(IllegalStateError):
                self._consumer.seek(self.place, position)

    def _resume(self) -> None:
        if self._consumer is not None and self.follower.progress.fault is None:
            with suppress(IllegalStateError):
                self._consumer.resume(self.place)
