"""Waits on conditions with a deadline, so that no test sleeps for a guessed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

# Far beyond what any condition here takes on two busy cores; a test that waits this long has failed.
DEADLINE_S = 20.0
POLL_INTERVAL_S = 0.005


async def until(condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Return once `condition()` is true. Raises TimeoutError at the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            msg = f"the condition did not come true within {deadline_s} s"
            raise TimeoutError(msg)
        await asyncio.sleep(POLL_INTERVAL_S)


async def until_so(condition: Callable[[], Awaitable[object]], deadline_s: float = DEADLINE_S) -> None:
    """Return once `await condition()` is true. Raises TimeoutError at the deadline."""
    async with asyncio.timeout(deadline_s):
        while not await condition():  # noqa: ASYNC110 -- what is waited for is outside of this process
            await asyncio.sleep(POLL_INTERVAL_S)
