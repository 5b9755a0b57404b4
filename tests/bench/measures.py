"""What benchmarks report: values with their spread, in tables for people and in JSON for programs."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long to measure: `quick` leaves out what is large and repeats less."""

    quick: bool = False

    def rounds(self, usual: int) -> int:
        """Return how often to repeat; at least three times, for a median of fewer is none."""
        return max(3, usual // 2) if self.quick else usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of repeated measurements with the least and the greatest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of one or more values."""
        return cls(median=statistics.median(values), low=min(values), high=max(values))

    def text(self, form: str = ",.0f") -> str:
        """Return it as `median (low–high)`."""
        return f"{self.median:{form}} ({self.low:{form}}–{self.high:{form}})"

    def json(self) -> dict[str, float]:
        """Return it for programs."""
        return {"median": self.median, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One table: rows of texts under columns, notes below it, and the same numbers for programs."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Mapping[str, Any]
    notes: Sequence[str] = field(default_factory=tuple)

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table()
        for at, column in enumerate(self.columns):
            table.add_column(column, justify="left" if at == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        console.print(f"\n[bold]{self.title}[/]", table)
        for note in self.notes:
            console.print(f"[dim]{note}[/]")


def ratios(values: Sequence[float], beside: Sequence[float]) -> Spread:
    """Return the ratios of two measurements that were made in the same rounds, round by round."""
    return Spread.of([value / other for value, other in zip(values, beside, strict=True)])
