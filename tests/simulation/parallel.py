"""Runs many seeds on all processors of the machine, and stops at the first that fails."""

import multiprocessing
import os
from collections.abc import Iterable, Iterator

from tests.simulation.run import Outcome, simulate


def outcomes(seeds: Iterable[int], workers: int | None = None) -> Iterator[Outcome]:
    """Yield the outcome of each seed as it comes."""
    count = workers or len(os.sched_getaffinity(0))
    # Forked workers would share the random state and the Lua of their parent; these begin anew.
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        yield from pool.imap_unordered(simulate, seeds, chunksize=4)


def replay(seed: int) -> str:
    """Return the command that has a seed's run again, with all that happened in it."""
    return f"python -m tests.simulation --seed {seed} --trace"
