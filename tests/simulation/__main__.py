"""Simulates seeds from the command line: one with its trace, or many until one fails."""

import argparse
import os
import sys
import time

from tests.simulation.parallel import HASHES, outcomes, replay
from tests.simulation.run import Outcome, simulate

_TOLD_EVERY_S = 5.0


def main() -> int:
    """Run what the arguments say; return 1 where a seed fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one seed")
    parser.add_argument("--trace", action="store_true", help="print all that happens in it")
    parser.add_argument("--seeds", type=int, default=1_000, help="run this many seeds")
    parser.add_argument("--first", type=int, default=0, help="begin with this one")
    given = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in HASHES.items()):
        command = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(command[0], command, {**os.environ, **HASHES})  # noqa: S606  # this program once more
    if given.seed is not None:
        return _say(simulate(given.seed, trace=given.trace))
    return _campaign(range(given.first, given.first + given.seeds))


def _say(outcome: Outcome) -> int:
    for line in outcome.lines:
        print(line)  # noqa: T201  # a command speaks to its caller
    verdict = "; ".join(outcome.violations) or "sound"
    print(f"seed {outcome.seed}: {outcome.seconds:.1f} s, {outcome.steps} steps, account {outcome.account}: {verdict}")  # noqa: T201  # as above
    return 1 if outcome.violations else 0


def _campaign(seeds: range) -> int:
    began = told = time.monotonic()
    for done, outcome in enumerate(outcomes(seeds), start=1):
        if outcome.violations:
            print(f"\nseed {outcome.seed} fails: {outcome.violations[0]}\n{replay(outcome.seed)}")  # noqa: T201  # as above
            return 1
        if time.monotonic() - told > _TOLD_EVERY_S:
            told = time.monotonic()
            left = (len(seeds) - done) * (told - began) / done
            print(f"\r{done:,} of {len(seeds):,} seeds sound, {left:,.0f} s left ", end="", file=sys.stderr)  # noqa: T201  # as above
    print(f"\r{len(seeds):,} seeds sound in {time.monotonic() - began:,.0f} s")  # noqa: T201  # as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
