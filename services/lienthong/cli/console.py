"""How commands speak: results on standard output, progress and faults on standard error, in one sentence each."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

#: Exit statuses: the answer is yes, the answer is another one, the question could not be asked.
YES, OTHER, FAULT = 0, 1, 2
#: Where no terminal says how wide it is, a line of a table is never broken: other programs read it.
_PIPE_WIDTH = 240

out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, highlight=False)


def fail(sentence: str, next_step: str = "") -> NoReturn:
    """End the command with status 2, saying what is wrong and what to do."""
    err.print(f"[bold red]lienthong:[/] {escape(sentence)}", soft_wrap=True)
    if next_step:
        err.print(f"  → {escape(next_step)}", soft_wrap=True)
    raise typer.Exit(FAULT)


def say_faults_once() -> None:
    """Keep the log client's account of each attempt from where people read: a sentence says what came of it."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())


def plain(text: object) -> str:
    """Return the text so that nothing in it is taken for markup."""
    return escape(str(text))


def say(text: str) -> None:
    """Write a line for people on standard output; the text may carry markup."""
    out.print(text, soft_wrap=True)


def warn(sentence: str) -> None:
    """Write a line on standard error that does not end the command."""
    err.print(f"[yellow]lienthong:[/] {escape(sentence)}", soft_wrap=True)


def print_json(value: Any) -> None:
    """Write one JSON value on a line of its own."""
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


def table_of(*columns: str) -> Table:
    """Return a table without lines; a column that begins with `#` holds numbers."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for column in columns:
        numbers = column.startswith("#")
        table.add_column(column.removeprefix("#"), justify="right" if numbers else "left", overflow="fold")
    return table


class Bar:
    """The progress of one long piece of work; `advance` takes how much more is done."""

    def __init__(self, progress: Any, task: Any) -> None:
        self._progress = progress
        self._task = task

    def advance(self, steps: int) -> None:
        """Move on by so many steps."""
        self._progress.advance(self._task, steps)


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Bar]:
    """Show a bar on standard error while the work lasts, if that is a terminal; None is a total not known."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415  # most commands show no bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield Bar(progress, progress.add_task(title, total=total))
