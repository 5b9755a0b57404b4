"""Databases for the suites that a file and a server have to pass alike: `database` and `open_database`.

`database` is an empty one; `open_database()` opens the same one once more, as another process does.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lienthong.adapters.databases import Database, file_database, server_database

OpenDatabase = Callable[[], Database]
NAME = "the history"


@pytest.fixture(params=["file", "server"])
def open_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenDatabase]:
    url: str | None = request.getfixturevalue("fresh_database") if request.param == "server" else None
    with contextlib.ExitStack() as stack:

        def opened() -> Database:
            made = file_database(tmp_path / "history.sqlite", NAME) if url is None else server_database(url, NAME)
            stack.callback(made.close)
            return made

        yield opened


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    return open_database()
