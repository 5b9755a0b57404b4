"""Many seeds of the simulation hold, each is the same run whenever it is run, and planted faults do not pass."""

import os
import subprocess
import sys

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.parallel import outcomes, replay, workers
from tests.simulation.run import Outcome, simulate

SEEDS = int(os.environ.get("LIENTHONG_SIMULATION_SEEDS", "1000"))
#: Each planted fault is found within as many seeds.
SEEDS_A_MUTANT = 300


@pytest.mark.timeout(1800)
def test_every_seed_holds() -> None:
    failed = [(replay(each.seed), each.violations) for each in outcomes(range(SEEDS)) if each.violations]
    assert failed == []


def told(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout  # noqa: S603  # our own command


def test_a_seed_is_the_same_run_in_every_process() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "7", "--trace"]
    first, second = (told(command) for _ in range(2))
    assert first == second
    assert "sound" in first


def test_a_seed_is_the_same_run_twice() -> None:
    assert simulate(8) == simulate(8)


def test_another_seed_is_another_run() -> None:
    assert len({simulate(seed).account for seed in range(3)}) == 3


def found(mutant: str) -> tuple[Outcome, Outcome] | None:
    """Return the first outcome in which a mutant shows, and that of the same seed without it; None where none shows."""
    with MUTANTS[mutant]():
        shown = next((outcome for seed in range(SEEDS_A_MUTANT) if (outcome := simulate(seed)).violations), None)
    return None if shown is None else (shown, simulate(shown.seed))


@pytest.fixture(scope="module")
def verdicts() -> dict[str, tuple[Outcome, Outcome] | None]:
    with workers() as pool:
        return dict(zip(MUTANTS, pool.map(found, MUTANTS, chunksize=1), strict=True))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_fault_is_found(verdicts: dict[str, tuple[Outcome, Outcome] | None], mutant: str) -> None:
    shown = verdicts[mutant]
    assert shown is not None, f"{mutant}: nothing shows in {SEEDS_A_MUTANT} seeds"
    assert shown[1].violations == ()
