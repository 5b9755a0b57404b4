"""Runs the benchmarks: `python -m tests.bench [--only NAME …] [--quick] [--json FILE]`."""

import argparse
import json
import platform
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from tests.bench.measures import Options, Report

#: In the order in which they are run; each module has `measure(options) -> Report`.
BENCHMARKS = {
    "fold": "the register at start",
    "resolve": "all old units on the command line",
    "projection": "cards into the projection",
    "kafka": "cards from Kafka into the projection",
    "lookups": "look-ups over HTTP",
    "rebuild": "a rebuild from Kafka, and bytes a card",
    "latency": "look-ups by event, through Kafka",
    "reorganisation": "a national reorganisation",
}


def main() -> None:
    """Measure what was asked for, print a table for each, and write all numbers into a file if one was named."""
    options, chosen, file = _arguments()
    console = Console(width=None if Console().is_terminal else 140)
    began = time.monotonic()
    numbers: dict[str, Any] = {"machine": _machine()}
    for name in chosen:
        console.print(f"[dim]{name}: {BENCHMARKS[name]} …[/]")
        measure: Callable[[Options], Report] = import_module(f"tests.bench.bench_{name}").measure
        report = measure(options)
        report.show(console)
        numbers[name] = report.numbers
    console.print(f"[dim]{time.monotonic() - began:.0f} s, load {psutil.getloadavg()[0]:.1f} at the end[/]")
    if file is not None:
        file.write_text(f"{json.dumps(numbers, indent=1)}\n", encoding="utf-8")


def _arguments() -> tuple[Options, list[str], Path | None]:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(BENCHMARKS), help="measure this alone; may be repeated")
    parser.add_argument("--quick", action="store_true", help="leave out what is large, and repeat less")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    given = parser.parse_args()
    return Options(quick=given.quick), given.only or list(BENCHMARKS), given.json


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": psutil.cpu_count(),
        "load": psutil.getloadavg(),
    }


if __name__ == "__main__":
    main()
