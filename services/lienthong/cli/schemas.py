"""`lienthong schemas`: the contract of every message, for programs in any language."""

from pathlib import Path
from typing import Annotated

import typer

from lienthong.cli.console import fail, plain, print_json, say
from lienthong.cli.options import AsJson
from lienthong_schemas.asyncapi import export_asyncapi
from lienthong_schemas.export import export

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    help="""Write out the contract of every message.

    Xuất lược đồ của mọi thông điệp.
    """,
)


@app.callback()
def _group() -> None:
    """Keep `export` a command of its own."""


@app.command("export")
def export_schemas(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="where the files are written")],
    as_json: AsJson = False,
) -> None:
    """Write the JSON Schema (2020-12) of every type and version into a directory, and asyncapi.json beside them.

    Xuất JSON Schema của từng loại thông điệp và tài liệu AsyncAPI.
    """
    try:
        written = [*export(directory), export_asyncapi(directory)]
    except OSError as fault:
        fail(f"{directory} cannot be written: {fault.strerror or fault}.", "Choose another directory.")
    if as_json:
        print_json([str(path) for path in written])
    else:
        say(f"{len(written)} files written to {plain(directory)} · đã ghi {len(written)} tệp")
