"""Options that several commands share, and the settings made of them."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lienthong.cli.console import fail

if TYPE_CHECKING:
    from lienthong.runtime.settings import Settings

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="where everything is kept; LIENTHONG_DATA_DIR, or the user's own")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]

LOOKUP_URL = "http://127.0.0.1:8080"
MONITOR_URL = "http://127.0.0.1:8081"


def settings_of(**given: Any) -> "Settings":
    """Return the settings from the environment and the options; ends the command where one cannot be used."""
    from lienthong.runtime.settings import BadSettings, load  # noqa: PLC0415  # half of the commands have none

    try:
        return load(**given)
    except BadSettings as fault:
        fail(" ".join(fault.problems))


def day_of(text: str | None, option: str) -> date | None:
    """Return the day that an option names, None where it was not given; ends the command where it is none."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option} is a day as YYYY-MM-DD, not {text!r}.")
