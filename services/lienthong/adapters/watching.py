"""Looks at what partitions hold, compares it with how far they were handled, and tells of what is missing."""

from collections.abc import Collection

import structlog

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.followers import Follower, OnFault
from lienthong.runtime.clock import Clock

# How often a reader looks: for lag, for freshness, and to notice a stream that was trimmed or recreated.
WATCH_INTERVAL_S = 1.0

_log = structlog.stdlib.get_logger("lienthong.streams")


class Watch:
    """The eye of one reader on its log; `on_fault` is told of each new fault and may seek."""

    def __init__(self, log: EventLog, clock: Clock, on_fault: OnFault) -> None:
        self._log = log
        self._clock = clock
        self._on_fault = on_fault

    async def look(self, followers: Collection[Follower]) -> None:
        """Compare the ends of the partitions with the positions. Raises redis.RedisError and OSError."""
        for stream in sorted({follower.stream for follower in followers}):
            at = self._clock.now()
            looked_at = [follower for follower in followers if follower.stream == stream]
            stood = [follower.progress.position for follower in looked_at]
            bounds = await self._log.bounds(stream, [follower.partition for follower in looked_at])
            for follower, position in zip(looked_at, stood, strict=True):
                fault = follower.observe(bounds[follower.partition], at, position)
                if fault is not None:
                    _log.error("stream_broken", stream=stream, partition=follower.partition, fault=repr(fault))
                    await self._on_fault(follower, fault)
                    follower.told(fault)
