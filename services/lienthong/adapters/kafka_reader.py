"""Follows the partitions of a distributed log that a consumer group gives this process, through FastStream.

Positions are kept with the data: what the group has committed is never read, and is written for displays of lag alone.
A partition that comes is located anew, and nothing of it is handled before; one that goes rests. FastStream's batch of
several partitions is divided at once, so that a slow or failing partition keeps no other waiting and the group sees a
member that polls. Its parser raises on a header that is not UTF-8 and its acknowledgements skip or repeat hot, so ours
never raise and acknowledge nothing.
"""

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faststream import AckPolicy
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.message import StreamMessage
from redis.exceptions import RedisError

from lienthong.adapters.event_log import READ_BYTES_MAX, EventLog, entries_per_read
from lienthong.adapters.followers import Follower, Handler, OnFault, Progress, Start, halt
from lienthong.adapters.kafka_client import KafkaConnection
from lienthong.adapters.kafka_lanes import Lane, Terms
from lienthong.adapters.kafka_log import entry_of
from lienthong.adapters.watching import WATCH_INTERVAL_S, Watch
from lienthong.runtime.backoff import Backoff
from lienthong.runtime.clock import Clock
from lienthong.runtime.tasks import end

# A process that says nothing for this long has lost its partitions; garbage, a slow disk or a large batch takes less.
SESSION_TIMEOUT_MS: Final = 30_000
# How late a member hears that the group divides its partitions anew, which all others wait for.
HEARTBEAT_INTERVAL_MS: Final = 1_000
# How long members wait for each other when one comes or goes. Longer than a batch under way is waited for.
REBALANCE_TIMEOUT_MS: Final = 10_000
# The consumer is polled all the time, whatever handlers do: one that was not for so long is lost.
MAX_POLL_INTERVAL_MS: Final = 300_000
# FastStream waits this long for records and then sleeps as long: an entry is at most this much later.
BATCH_TIMEOUT_MS: Final = 20
# A broker answers a request for records at the latest then. A partition that has room again is asked for with the next.
FETCH_WAIT_MS: Final = 100
# What one broker brings at once, as its topics keep it: compressed, cards are twelve times as much.
FETCH_BYTES_MAX: Final = 1024 * 1024
# What may be brought of all partitions, and of one: enough for a batch. An entry that is larger comes alone.
FETCHED_BYTES_MAX: Final = 4 * 1024 * 1024
PARTITION_FETCH_BYTES_MIN: Final = 32 * 1024
PARTITION_FETCH_BYTES_MAX: Final = 256 * 1024
# Records are unpacked in one go, which keeps everything else waiting: of so many some 20 ms.
MAX_RECORDS: Final = 4_000
# A handler that is given this long finishes its batch; a batch cut short is read again.
REST_TIMEOUT_S: Final = 5.0
STOP_TIMEOUT_S: Final = 5.0
# A consumer that could not leave its group by then is left to itself; the group notices.
CLOSE_TIMEOUT_S: Final = 15.0
# Displays of lag need no more; each commit waits for a disk of the brokers.
LOOKS_PER_COMMIT: Final = 5
COMMIT_TIMEOUT_S: Final = 1.0
# A consumer that has a fault to tell tells it at once; while its group divides partitions it does not answer.
ASK_TIMEOUT_S: Final = 0.1
# Faults that the consumer tells in so many looks, one after the other, do not pass by themselves.
COMPLAINTS_MAX: Final = 5
# No partition of ours: to ask for its records brings none.
_NOWHERE: Final = TopicPartition("", 0)

_PASSING: Final = (RedisError, OSError, KafkaError)
_place = attrgetter("topic", "partition")
_log = structlog.stdlib.get_logger("lienthong.streams")


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Which consumer group of which brokers; a member with an `instance` gets its own back when it starts again."""

    connection: KafkaConnection
    group: str
    instance: str | None = None


class KafkaReader:
    """Follows partitions in one consumer, as one member of a group.

    `start` returns at once: reading begins when the brokers answer and the group has given this process its
    partitions, however long that takes; once each of them is located, `reading` is set.
    """

    def __init__(self, membership: Membership, log: EventLog, clock: Clock, on_fault: OnFault = halt) -> None:
        self._membership = membership
        self._log = log
        self._clock = clock
        self._watch = Watch(log, clock, on_fault)
        self._lanes: dict[tuple[str, int], Lane] = {}
        # What the group has given this process, None before it first did; what of it nobody here can handle; and what
        # it can give to nobody, because the brokers have no such topic.
        self._given: list[Lane] | None = None
        self._unknown: list[Progress] = []
        self._missing: list[Lane] = []
        self._committed: dict[TopicPartition, int] = {}
        self._complaints = 0
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._subscriber: BatchSubscriber | None = None
        self.reading = asyncio.Event()
        self.broker = membership.connection.broker(STOP_TIMEOUT_S)

    def subscribe(self, stream: str, partition: int, handler: Handler, start: Start) -> Follower:
        """Follow a partition while the group gives it to this process: see Reader."""
        follower = Follower(stream, partition, handler, self._clock)
        self._lanes[stream, partition] = Lane(follower, start, entries_per_read(self._log.stream(stream)))
        return follower

    def progress(self) -> list[Progress]:
        """Return how far each partition has been handled that is this process's, or was until the group divides anew.

        Before the first division these are all that it could be given: none of them progresses yet. So are those of a
        topic that does not exist.
        """
        lanes = self._lanes.values() if self._given is None else [*self._given, *self._missing]
        return [*(lane.follower.progress for lane in lanes), *self._unknown]

    def start(self) -> asyncio.Task[None]:
        """Begin to follow, in a task of the running loop, which is returned and ends by a fault alone."""
        self._subscriber = self._subscribed()
        self._task = asyncio.create_task(self._run(), name="follow-kafka")
        self._task.add_done_callback(_tell_of_end)
        return self._task

    async def stop(self) -> None:
        """Leave the group; a batch under way is finished within REST_TIMEOUT_S or read again by who has it next."""
        if self._task is not None:
            await end(self._task)
            self._task = None
        await self._commit()
        await self._rest()
        await self._close()

    async def _run(self) -> None:
        """Follow until cancelled.

        1. Wait until the log answers and has the topics. 2. Join the group. 3. Watch, commit, and begin anew where the
        consumer has stopped.
        """
        # 1
        await Backoff().run(self._ask, on_fault=_heard)
        # 2
        await Backoff(faults=_PASSING).run(self._open, on_fault=_heard)
        # 3
        for looks in itertools.count(1):
            await asyncio.sleep(WATCH_INTERVAL_S)
            try:
                await self._look()
            except _PASSING as fault:
                _log.warning("log_unreachable", fault=type(fault).__name__)
            if await self._has_stopped():
                _log.error("consumer_stopped", group=self._membership.group)
                await self._rest()
                await self._close()
                await Backoff(faults=_PASSING).run(self._open, on_fault=_heard)
            if looks % LOOKS_PER_COMMIT == 0:
                await self._commit()

    async def _ask(self) -> None:
        for stream in self._streams():
            await self._log.bounds(stream)

    async def _open(self) -> None:
        self._complaints = 0
        try:
            await self.broker.start()
        except Exception:
            await self._close()
            raise

    async def _close(self) -> None:
        """Leave the group; a call that is cancelled leaves it to the next one to wait for the end."""
        if self._closing is None or self._closing.done():
            self._closing = asyncio.create_task(self.broker.stop(), name="leave-kafka")
        await asyncio.wait([self._closing], timeout=CLOSE_TIMEOUT_S)
        if self._closing.done() and (fault := self._closing.exception()) is not None:
            _log.warning("group_not_left", group=self._membership.group, fault=type(fault).__name__)

    async def _rest(self) -> None:
        await asyncio.gather(*(lane.rest(REST_TIMEOUT_S) for lane in self._given or ()))

    async def _look(self, *lanes: Lane) -> None:
        """Compare the ends with the positions; a partition at fault is not fetched until someone seeks."""
        looked_at = lanes or [lane for lane in self._given or () if lane.open]
        await self._watch.look([lane.follower for lane in looked_at])
        for lane in looked_at:
            if lane.follower.progress.fault is not None:
                lane.hold()

    async def _look_until_seen(self, lane: Lane) -> None:
        await Backoff(faults=_PASSING).run(lambda: self._look(lane), on_fault=_heard)

    async def _has_stopped(self) -> bool:
        """Say whether a new consumer is needed: nothing comes though there is more, or the group is not kept.

        FastStream hears of the consumer's faults and tries again, for ever. The consumer tells them to whoever asks it
        for records, be it for none.
        """
        stands = [await lane.look() for lane in self._given or ()]
        consumer = self._consumer
        if consumer is None:
            return any(stands)
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                await consumer.getmany(_NOWHERE, timeout_ms=0)
        except TimeoutError:
            # The group divides its partitions anew, and answers then.
            pass
        except (KafkaError, ConsumerStoppedError) as fault:
            _log.warning("consumer_complains", group=self._membership.group, fault=type(fault).__name__)
            self._complaints += 1
        else:
            self._complaints = 0
        return any(stands) or self._complaints >= COMPLAINTS_MAX

    async def _commit(self) -> None:
        """Tell the group how far this process is, for displays of lag; whether it hears it matters to nobody else."""
        positions = {lane.place: lane.follower.progress.position for lane in self._given or () if lane.open}
        moved = {
            place: position
            for place, position in positions.items()
            if position is not None and self._committed.get(place) != position
        }
        if self._consumer is None or not moved:
            return
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._consumer.commit(moved)
        except (KafkaError, TimeoutError) as fault:
            _log.debug("positions_not_committed", fault=type(fault).__name__)
        else:
            self._committed.update(moved)

    async def _revoked(self, _places: Iterable[TopicPartition]) -> None:
        """Let go of everything: members of a group give all back before they are given anew."""
        await self._rest()

    async def _assigned(self, places: Iterable[TopicPartition]) -> None:
        """Begin with what the group gives; a partition that nobody here knows is told of, and not passed over."""
        consumer = self._consumer
        assert consumer is not None, "a consumer is given partitions"  # noqa: S101  # an invariant
        given = {place: self._lanes.get((place.topic, place.partition)) for place in places}
        self._unknown = [_unknown(place) for place, lane in given.items() if lane is None]
        for progress in self._unknown:
            _log.error("partition_unknown", stream=progress.stream, partition=progress.partition)
            place = TopicPartition(progress.stream, progress.partition)
            consumer.pause(place)
            consumer.seek(place, 0)
        self._missing = [lane for lane in self._lanes.values() if not consumer.partitions_for_topic(lane.place.topic)]
        if self._missing:
            _log.error("topics_missing", streams=sorted({lane.place.topic for lane in self._missing}))
        self._given = [lane for lane in given.values() if lane is not None]
        self._committed.clear()
        bytes_max = READ_BYTES_MAX // max(1, len(self._given))
        for lane in self._given:
            lane.begin(consumer, Terms(bytes_max=bytes_max, look=self._look_until_seen, opened=self._settle))
        self._settle()

    def _settle(self) -> None:
        if self._given is not None and all(lane.open for lane in self._given):
            self.reading.set()

    async def _deal(self, records: tuple[ConsumerRecord, ...]) -> None:
        """Divide what a read brought among its partitions."""
        for place, brought in itertools.groupby(records, key=_place):
            lane = self._lanes.get(place)
            if lane is not None:
                await lane.bring([entry_of(record) for record in brought])

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return None if self._subscriber is None else self._subscriber.consumer

    def _streams(self) -> list[str]:
        return sorted({stream for stream, _ in self._lanes})

    def _subscribed(self) -> BatchSubscriber:
        share = FETCHED_BYTES_MAX // len(self._lanes)
        subscriber = self.broker.subscriber(
            *self._streams(),
            group_id=self._membership.group,
            group_instance_id=self._membership.instance,
            listener=_Listener(self),
            parser=_parsed,
            decoder=_decoded,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            batch=True,
            batch_timeout_ms=BATCH_TIMEOUT_MS,
            max_records=MAX_RECORDS,
            # Positions are ours: the group's are never asked for, and none is ever guessed.
            auto_offset_reset="none",
            isolation_level="read_committed",
            check_crcs=True,
            fetch_min_bytes=1,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=FETCH_BYTES_MAX,
            max_partition_fetch_bytes=min(max(share, PARTITION_FETCH_BYTES_MIN), PARTITION_FETCH_BYTES_MAX),
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        )
        subscriber(self._deal)
        return subscriber


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Tells the reader what the group gives and takes."""

    def __init__(self, reader: KafkaReader) -> None:
        self._reader = reader

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._reader._revoked(revoked)  # noqa: SLF001  # a part of the reader, for whom aiokafka wants a class

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        await self._reader._assigned(assigned)  # noqa: SLF001  # as above


def _unknown(place: TopicPartition) -> Progress:
    return Progress(
        stream=place.topic,
        partition=place.partition,
        position=None,
        end=None,
        caught_up_at=None,
        moved_at=None,
        fault=None,
        failing="PartitionUnknown",
    )


def _heard(fault: BaseException, attempts: int) -> None:
    _log.warning("log_not_followed_yet", attempts=attempts, fault=type(fault).__name__, reason=str(fault))


def _tell_of_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()) is not None:
        _log.critical("log_not_followed", exc_info=fault)


async def _parsed(raw: Any) -> StreamMessage[Any]:
    """Wrap a raw batch without looking into it; FastStream's own parser raises on a header that is not UTF-8."""
    return StreamMessage(raw_message=raw, body=b"", message_id="", correlation_id="")


async def _decoded(message: StreamMessage[Any]) -> Any:
    return message.raw_message
