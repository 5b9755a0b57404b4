"""Holds the README to what there is: its commands, options, targets and links."""

import re
import shlex
from pathlib import Path

import pytest

from lienthong.cli.app import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
CALLS = [line.partition("  #")[0].strip() for line in SHELL.splitlines() if line.startswith("lienthong ")]
LINKS = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]


def test_the_first_screen_has_a_sentence_a_picture_and_two_commands() -> None:
    first_screen = README[: README.index("## ")]
    assert "![" in first_screen
    assert [line.split("#")[0].strip() for line in first_screen.splitlines() if line.startswith("make ")] == [
        "make run",
        "make test",
    ]


@pytest.mark.parametrize("call", CALLS)
def test_a_command_of_the_readme_and_its_options_exist(call: str) -> None:
    _, name, *arguments = shlex.split(call)
    command = COMMANDS[name].load()
    if arguments[0] in getattr(command, "commands", {}):
        command = command.commands[arguments[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"\bmake ([a-z]+)", SHELL + "".join(re.findall(r"`.*?`", README)))))
)
def test_a_target_of_the_readme_is_in_the_makefile(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_a_link_of_the_readme_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_picture_fetches_nothing() -> None:
    picture = (ROOT / "deploy/pictures/divided-commune.svg").read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"' )]+", picture) == ["http://www.w3.org/2000/svg"]
