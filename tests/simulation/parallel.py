"""Runs many seeds on all processors of the machine."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.pool import Pool
from unittest import mock

from tests.simulation.run import Outcome, simulate

#: The order of a set of texts comes from this, so a run can be had again only with the same one.
HASHES = {"PYTHONHASHSEED": "0"}


@contextmanager
def workers() -> Iterator[Pool]:
    """Give workers that begin anew: forked ones would share the random state and the Lua of their parent."""
    with mock.patch.dict(os.environ, HASHES), get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        yield pool


def outcomes(seeds: Iterable[int]) -> Iterator[Outcome]:
    """Yield the outcome of each seed as it comes."""
    with workers() as pool:
        yield from pool.imap_unordered(simulate, seeds, chunksize=4)


def replay(seed: int) -> str:
    """Return the command that has a seed's run again, with all that happened in it."""
    return f"python -m tests.simulation --seed {seed} --trace"
