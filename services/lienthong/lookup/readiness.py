"""Says whether desks can be answered, and if not, why: in words for an operator."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from redis.exceptions import RedisError

from lienthong.adapters.followers import PROGRESS_WITHIN, Progress
from lienthong.runtime.clock import Clock

#: A store that takes longer to answer a ping is away for a desk.
PING_DEADLINE_S = 0.5


class Readiness:
    """Looks at the store, the register and the consumers, each time it is asked."""

    def __init__(
        self,
        ping: Callable[[], Awaitable[object]],
        register_complete: Callable[[], bool],
        progress: Callable[[], Sequence[Progress]],
        clock: Clock,
        warnings: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._ping = ping
        self._register_complete = register_complete
        self._progress = progress
        self._clock = clock
        self._warnings = warnings

    def warnings(self) -> list[str]:
        """Return what an operator should know of although desks are answered."""
        return list(self._warnings())

    async def reasons(self) -> list[str]:
        """Return why the service is not ready, empty where it is."""
        reasons = []
        try:
            async with asyncio.timeout(PING_DEADLINE_S):
                await self._ping()
        except (RedisError, OSError, TimeoutError) as fault:
            reasons.append(f"the store does not answer ({type(fault).__name__})")
        if not self._register_complete():
            reasons.append("the register lacks a batch, or has not heard from the store for some seconds")
        now = self._clock.now()
        reasons.extend(
            f"{each.stream}/{each.partition} does not progress (position {each.position}, lag {each.lag})"
            for each in self._progress()
            if not each.progressing(now, PROGRESS_WITHIN)
        )
        return reasons
