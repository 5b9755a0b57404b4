import asyncio
import os
import pty
import sys
from pathlib import Path

import pytest

from lienthong.runtime.children import REFUSED_STATUS
from lienthong.runtime.datadir import data_directory
from tests.support.canned_service import canned_service
from tests.support.command_line import call, program

PROCESSES = ("projector", "lookup", "monitor")


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_refuses_a_directory_that_is_not_there(name: str, tmp_path: Path) -> None:
    called = call(name, "--data-dir", str(tmp_path / "none"))
    assert called.status == REFUSED_STATUS
    assert "There is no data directory" in called.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", PROCESSES)
async def test_a_process_refuses_settings_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    settings = {"LIENTHONG_DATA_DIR": str(tmp_path), "LIENTHONG_HOST": "0.0.0.0"}  # noqa: S104  # it is refused
    called = await program(name, settings=settings)
    assert called.status == REFUSED_STATUS
    assert "--insecure-listen" in called.err


async def test_a_process_whose_servers_are_away_ends_so_that_it_is_started_again(tmp_path: Path) -> None:
    data_directory(tmp_path).prepare()
    called = await program("projector", settings={"LIENTHONG_DATA_DIR": str(tmp_path)})
    assert called.status == 1
    assert called.err.splitlines()[-1].endswith("(ConnectionError).")


BROKEN = """
import sys
from lienthong.monitor import app
from lienthong.cli.app import main
async def run(_settings):
    raise RuntimeError("0000012345 Nguyễn Thị Mẫu")
app.run = run
sys.argv = ["lienthong", "monitor"]
main()
"""


async def test_a_process_that_ends_with_an_unforeseen_fault_writes_nothing_that_it_says(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BROKEN),
        env={**os.environ, "LIENTHONG_DATA_DIR": str(tmp_path)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, written = await process.communicate()
    assert process.returncode == 1
    assert b"RuntimeError" in written
    assert b"0000012345" not in written
    assert "Mẫu".encode() not in written


async def test_a_layout_of_another_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("99", encoding="utf-8")
    called = await program("projector", settings={"LIENTHONG_DATA_DIR": str(tmp_path)})
    assert called.status == REFUSED_STATUS
    assert "layout '99'" in called.err


async def test_a_number_is_asked_for_at_a_terminal_and_never_taken_from_the_command_line() -> None:
    ours, theirs = pty.openpty()
    with canned_service() as service:
        command = ("check", "--facility", "01004", "--clerk", "NV01", "--url", service.url, "--json")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lienthong", *command),
            stdin=theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        os.write(ours, b"0000012345\n\n1962\n")
        service.answers({"outcome": "eligible"})
        _, prompts = await process.communicate()
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert "Số thẻ" in prompts.decode()
    assert b'"number":"0000012345"' in service.received
    assert b'"holder":{"name":null,"birth":"1962"}' in service.received
