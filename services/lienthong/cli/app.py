"""Puts the commands together."""

import typer

from lienthong.cli import resolve

app = typer.Typer(
    name="lienthong",
    help="Is this health-insurance card good, here, today, and why? Thẻ BHYT này có dùng được không, và vì sao?",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(resolve.app, name="resolve")


def main() -> None:
    """Run the command line."""
    app()
