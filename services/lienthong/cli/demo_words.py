"""How the demonstration writes: Vietnamese with English under it, never wider than a page, readable without colour."""

from datetime import date
from typing import Final

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

#: English stands under Vietnamese, and steps back where a terminal can show that.
DIM: Final = "dim"
WIDTH_MAX: Final = 100
_INDENT: Final = 2
_MONTHS: Final = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905  # twelve quoted words read worse
)


def day_vi(text: str) -> str:
    """Write a day (YYYY-MM-DD), a month or a year as Vietnamese papers do: 01/07/2025."""
    return "/".join(reversed(text.split("-")))


def day_en(text: str) -> str:
    """Write a day (YYYY-MM-DD) as English papers do: 1 July 2025."""
    day = date.fromisoformat(text)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def count_vi(number: int) -> str:
    """Write a number with its thousands apart: 10.035."""
    return f"{number:,}".replace(",", ".")


def count_en(number: int) -> str:
    """Write a number with its thousands apart: 10,035."""
    return f"{number:,}"


def seconds_vi(seconds: float) -> str:
    """Write a duration: 0,42 giây."""
    return f"{_digits(seconds)} giây".replace(".", ",")


def seconds_en(seconds: float) -> str:
    """Write a duration: 0.42 s."""
    return f"{_digits(seconds)} s"


def _digits(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 1 else f"{seconds:.1f}"


def pair(vi: str, en: str, style: str = "") -> Text:
    """Put English under Vietnamese."""
    text = Text(vi, style)
    return text.append(f"\n{en}", f"{style} {DIM}".strip()) if en else text


class Page:
    """What the demonstration prints on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.width = min(console.width, WIDTH_MAX)

    def heading(self, number: int, vi: str, en: str) -> None:
        """Begin a step."""
        self._console.print()
        self._console.print(Rule(style=DIM), width=self.width)
        self._console.print(Text.assemble((f"{number}  ", "bold cyan"), (vi, "bold")), width=self.width)
        self._console.print(Text(f"   {en}", DIM), width=self.width)
        self._console.print()

    def say(self, vi: str, en: str, mark: str = " ") -> None:
        """Write a sentence in both languages, with a mark before it."""
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=_INDENT)
        grid.add_column()
        grid.add_row(f" {mark}", pair(vi, en))
        self.show(grid)

    def rows(self, *rows: tuple[Text, ...], widths: tuple[int | None, ...], apart: bool = False) -> None:
        """Write rows of cells; a width of None takes what is left, `apart` leaves a line between rows."""
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(width=1)
        for width in widths:
            grid.add_column(width=width, ratio=1 if width is None else None)
        for at, row in enumerate(rows):
            if apart and at:
                grid.add_row()
            grid.add_row("", *row)
        self.show(grid)

    def show(self, shown: object) -> None:
        """Write something that knows its own form, without the blanks that fill its lines up."""
        with self._console.capture() as written:
            self._console.print(shown, width=self.width)
        for line in written.get().splitlines():
            self._console.out(line.rstrip(), highlight=False)

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line as it stands, for copying: it is never broken."""
        self._console.print(Text(text, style), soft_wrap=True)


#: Rich's picture of a terminal without the web fonts that it would fetch: a page with it tells nobody who reads it.
SILENT_SVG: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, Menlo, Consolas, "Noto Sans Mono", "Liberation Mono", monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
        font-variant-east-asian: full-width;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""
