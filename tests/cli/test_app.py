import os
import signal
import subprocess
import sys
from importlib import metadata

import pytest

from lienthong.cli.app import COMMANDS
from tests.support.command_line import call, program

#: Libraries that only some commands need; listing the commands must not wait for them.
HEAVY = ("httpx", "fastapi", "pydantic", "redis", "faststream", "sqlalchemy", "PIL", "msgspec", "orjson")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_command_says_of_itself(name: str) -> None:
    listed = COMMANDS[name]
    said = " ".join(listed.load().help.split())
    assert said.startswith(f"{listed.en} {listed.vi}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    called = call(name, "--help")
    assert called.status == 0
    assert COMMANDS[name].en[:30] in " ".join(called.out.split())


def test_the_list_of_commands_is_in_both_languages() -> None:
    called = call("--help")
    assert "Run the whole service" in called.out
    assert "Chạy toàn bộ dịch vụ" in called.out


def test_listing_the_commands_imports_none_of_them() -> None:
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom lienthong.cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603  # our own words
    assert done.stdout.strip() == "[]"


def test_the_version_is_the_installed_one() -> None:
    assert call("--version").out.strip() == f"lienthong {metadata.version('lienthong')}"


def test_a_slip_of_the_keyboard_is_answered_with_what_was_meant() -> None:
    called = call("publsh")
    assert called.status == 2
    assert "publish" in called.err


@pytest.mark.parametrize(
    ("typed", "position", "expected"),
    [
        ("lienthong dead", 1, "dead-letters"),
        ("lienthong publish --dry", 2, "--dry-run"),
        ("lienthong generate ", 2, "cards"),
    ],
)
async def test_a_shell_completes_commands_and_options(typed: str, position: int, expected: str) -> None:
    settings = {"_LIENTHONG_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(position)}
    called = await program(settings=settings)
    assert expected in called.out.split()


def test_an_interrupt_ends_a_command_quietly_as_shells_expect() -> None:
    command = [sys.executable, "-m", "lienthong", "resolve", "unit", "-", "--data", "vn-hanoi-facilities", "--json"]
    with subprocess.Popen(  # noqa: S603  # our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"facility 01C51\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == b""
