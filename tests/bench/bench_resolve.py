"""All units that the national reorganisation ended, resolved by one call of the command line."""

import collections
import subprocess
import sys
import time

import orjson

from lienthong.adapters.registers import facts_of, shipped
from tests.bench.cards import REORGANISATION
from tests.bench.installation import ROOT
from tests.bench.measures import Options, Report, Spread

ROUNDS = 5
ON = "2025-08-01"
RECORDED_ON = "2025-06-30"


def measure(options: Options) -> Report:
    """Resolve all of them, start of the program included."""
    references = _references()
    seconds, states = [], collections.Counter[str]()
    for _ in range(options.rounds(ROUNDS)):
        began = time.perf_counter()
        answers = _resolve(references)
        seconds.append(time.perf_counter() - began)
        states = collections.Counter(orjson.loads(line)["state"] for line in answers)
    spread = Spread.of(seconds)
    said = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    return Report(
        title=f"{len(references):,} old units on the command line, from its start to its end",
        columns=("", "seconds", "µs a unit"),
        rows=(("lienthong resolve unit -", spread.text(".2f"), f"{spread.median / len(references) * 1e6:.0f}"),),
        numbers={"units": len(references), "seconds": spread.json(), "states": dict(states)},
        notes=(f"{said}.", f"{len(seconds)} rounds; median (least–most)."),
    )


def _references() -> list[str]:
    """Return every unit that is a commune's predecessor: the communes, and the five island districts."""
    ended = {
        (link["predecessor"]["level"], link["predecessor"]["code"])
        for fact in facts_of(shipped()[REORGANISATION])
        for link in fact.data.get("links", ())
        if link["successor"]["level"] == "commune"
    }
    return [f"{level} {code} {RECORDED_ON}" for level, code in sorted(ended)]


def _resolve(references: list[str]) -> list[bytes]:
    done = subprocess.run(  # noqa: S603  # our own interpreter and module
        [sys.executable, "-m", "lienthong", "resolve", "unit", "-", "--on", ON, "--json"],
        input="\n".join(references).encode(),
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(references), done.stderr[-500:]
    return lines
