"""Calls the command line: as a program of its own, or in this process where nothing else is running."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from typer.testing import CliRunner

from lienthong.cli.app import app


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """How a call of the command line ended, and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the last line of standard output, read as JSON."""
        return orjson.loads(self.out.splitlines()[-1])

    def json_lines(self) -> list[Any]:
        """Return every line of standard output, read as JSON."""
        return [orjson.loads(line) for line in self.out.splitlines()]


def call(*arguments: str, given: str = "", settings: Mapping[str, str] | None = None) -> Called:
    """Call a command in this process, with these settings and no others; a fault that is not told of is raised."""
    environment = _environment(settings or {})
    result = CliRunner().invoke(app, list(arguments), input=given, env=environment, catch_exceptions=False)
    return Called(status=result.exit_code, out=result.stdout, err=result.stderr)


async def program(*arguments: str, given: bytes = b"", settings: Mapping[str, str] | None = None) -> Called:
    """Run the program to its end, with these settings and no others."""
    environment = {**os.environ, **_environment(settings or {})}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lienthong", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in environment.items() if value is not None},
    )
    out, err = await process.communicate(given)
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return Called(status=process.returncode, out=out.decode(), err=err.decode())


def _environment(settings: Mapping[str, str]) -> dict[str, str | None]:
    """Return the settings, and nothing for every other setting that this machine may have."""
    others: dict[str, str | None] = {name: None for name in os.environ if name.startswith("LIENTHONG_")}
    return {**others, **settings}
