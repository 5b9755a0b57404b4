"""Runs the work of one process: on the faster event loop, with a garbage collector that does not look at the register.

The register of a look-up process is half a million objects that live until the next decree. A collection that goes
through them all stops every desk for tenths of a second, and finds nothing.
"""

import gc
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import uvloop

Result = TypeVar("Result")

#: Containers made and not freed before the youngest are looked at. An answer makes a few hundred and frees them itself.
_YOUNG_MAX: Final = 50_000
#: Collections of the young before the middle-aged are looked at, and of those before all are.
_MIDDLE_AFTER, _ALL_AFTER = 20, 50


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run the coroutine to its end, as asyncio.run does, and return what it returns."""
    return uvloop.run(main)


def settle() -> None:
    """Call it when a process has made what it keeps: collections leave that alone, and come less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_MAX, _MIDDLE_AFTER, _ALL_AFTER)
