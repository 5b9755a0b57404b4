"""Ends background tasks for certain."""

import asyncio
from typing import Any

#: A cancelled task ends within a few turns of the loop; one that has not by now has lost its cancellation. Not sooner,
#: for a second one that comes while a client gives its connection back leaves that connection open for good.
_AGAIN_AFTER_S = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks until each has ended; their faults stay theirs.

    A single cancellation can be lost: a client that is reading under a time-out of its own answers with the time-out's
    fault where both come at once, and a loop that outlives faults then goes on for ever.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=_AGAIN_AFTER_S)
