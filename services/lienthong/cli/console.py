"""How commands speak: results on standard output, progress and faults on standard error, in one sentence each."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

#: Exit statuses: the answer is yes, the answer is another one, the question could not be asked.
YES, OTHER, FAULT = 0, 1, 2

out = Console()
err = Console(stderr=True, highlight=False)


def fail(sentence: str, next_step: str = "") -> NoReturn:
    """End the command with status 2, saying what is wrong and what to do."""
    err.print(f"[bold red]lienthong:[/] {sentence}", soft_wrap=True)
    if next_step:
        err.print(f"  → {next_step}", soft_wrap=True)
    raise typer.Exit(FAULT)


def print_json(value: Any) -> None:
    """Write one JSON value on a line of its own."""
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


class Bar:
    """The progress of one long piece of work; `advance` takes how much more is done."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, steps: int) -> None:
        """Move on by so many steps."""
        self._progress.advance(self._task, steps)


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Bar]:
    """Show a bar on standard error while the work lasts, if that is a terminal; None is a total not known."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield Bar(progress, progress.add_task(title, total=total))
