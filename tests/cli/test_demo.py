import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lienthong.cli.demo_words import WIDTH_MAX
from tests.support.command_line import call

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: On two busy cores it takes half of this.
DEADLINE_S = 120.0
STAYS = "The service stays up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A demonstration that has been played and stays up."""

    text: str
    data_dir: Path
    picture: Path

    @property
    def lookup_url(self) -> str:
        (url,) = re.findall(r"(http://\S+)/docs", self.text)
        return str(url)

    @property
    def blocks(self) -> list[str]:
        """What stands between blank lines, each on one line."""
        return [" ".join(block.split()) for block in re.split(r"\n\s*\n", self.text)]

    def block(self, mark: str) -> str:
        (found,) = [block for block in self.blocks if mark in block]
        return found


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """Play with few cards, without a terminal, and end it with SIGTERM, as an init system does."""
    root = Path(tempfile.mkdtemp(prefix="lienthong-"))
    output, picture, data_dir = root / "output", root / "picture.svg", root / "demo"
    options = ("--stay", "--cards", "2000", "--data-dir", str(data_dir), "--picture", str(picture))
    with output.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603  # this interpreter, with options of this module
            [sys.executable, "-m", "lienthong", "demo", *options],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("LIENTHONG_")},
        )
    try:
        yield Played(text=_until_it_stays(process, output), data_dir=data_dir, picture=picture)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(root)


def _until_it_stays(process: "subprocess.Popen[bytes]", output: Path) -> str:
    deadline = time.monotonic() + DEADLINE_S
    while STAYS not in (text := output.read_text(encoding="utf-8")):
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.05)
    return text


def test_no_line_is_wider_than_a_page(played: Played) -> None:
    assert [line for line in played.text.splitlines() if len(line) > WIDTH_MAX] == []


def test_it_says_first_what_it_is_for_and_that_the_people_are_invented(played: Played) -> None:
    opening = played.text[: played.text.index("1  ")]
    assert "Is this health-insurance card good, here, today, and why?" in opening
    assert "ILLUSTRATIVE – no legal force" in opening


def test_before_the_decree_the_card_is_good_on_both_days_where_it_was_printed(played: Played) -> None:
    for day in (
        "30 June 2025 ELIGIBLE as printed",
        "2 July 2025 ELIGIBLE nào as printed; no reorganisation is on record",
    ):
        assert any(day in block for block in played.blocks), day


def test_the_dry_run_counts_the_nation_and_changes_no_outcome(played: Played) -> None:
    trial = " ".join(played.text.split())
    assert "provinces 63 → 34" in trial
    assert "10,035 → 3,321" in trial
    assert "none chosen 471" in trial
    assert "cards asked about 2.000 2,000" in trial
    assert "OUTCOMES THAT CHANGE 0" in trial


def test_the_decree_is_in_force_without_a_byte_of_a_card_written(played: Played) -> None:
    published = " ".join(played.text.split())
    assert re.search(r"facts published: in force in answers after \d+\.\d+ s", published)
    assert "Card bytes written: 0 (all 2,000 records compared" in published


def test_after_the_decree_the_same_card_is_good_in_its_new_commune_with_the_proof(played: Played) -> None:
    panel = played.text[played.text.index("╭") : played.text.index("╰")]
    for said in ("ELIGIBLE", "Phường Trúc Bạch (00004)", "Phường Ba Đình (00004)", "1656/NQ-UBTVQH15, 01/07/2025"):
        assert said in panel


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("home in Phường Đại Mỗ", "ELIGIBLE"),
        ("home in Phường Đại Mỗ", "Xuân Phương, Phường Tây Mỗ, Phường Đại Mỗ (code"),
        ("Linh's station", "No successor of Trạm y tế Phường Cát Linh"),
        ("a soldier's card", "CHECK PAPERS"),
        ("with another name", "IDENTITY DOES NOT MATCH"),
        ("In hospital since 28 July", "at latest 15 August 2025"),
        ("before its first day", "NOT STARTED"),
        ("not in the data", "NOT FOUND"),
        ("A newborn", "CHECK PAPERS"),
        ("answered in", "CANNOT TELL – ADMIT"),
        ("after it came back", "ELIGIBLE"),
    ],
)
def test_everybody_at_the_desk_gets_the_right_answer(played: Played, who: str, said: str) -> None:
    block = played.block(who)
    # Two columns stand side by side, so that a sentence is broken by what stands beside it.
    assert [word for word in said.split() if word not in block] == []


def test_the_station_s_commune_is_said_to_be_no_more(played: Played) -> None:
    assert "(00178)" in played.block("Linh's station")


def test_the_addresses_it_prints_answer(played: Played) -> None:
    addresses = re.findall(r"http://\S+/docs|http://\S+outcome", played.text)
    assert len(addresses) == 2
    assert [httpx.get(address, trust_env=False).status_code for address in addresses] == [200, 200]


def test_the_commands_it_offers_work_as_they_stand(played: Played) -> None:
    offered = played.text[played.text.index("Three commands") : played.text.index(" ✓ Trình diễn xong")]
    commands = [command.strip() for command in offered.split("\n\n")[1:] if command.strip()]
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, check=False)  # noqa: S603, S607  # what a reader would do
        assert done.returncode == 0, done.stderr.decode()


def test_a_second_demonstration_leaves_the_first_alone(played: Played) -> None:
    called = call("demo", "--data-dir", str(played.data_dir))
    assert called.status == 2
    assert "already runs" in called.err


def test_the_readme_s_answer_is_what_the_service_answers(played: Played) -> None:
    (asked,) = re.findall(r"curl .* -d '(.*?)'\n", README, re.DOTALL)
    (printed,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    answered = httpx.post(f"{played.lookup_url}/v1/eligibility", json=json.loads(asked), trust_env=False).json()
    assert len(printed.splitlines()) == 12
    assert _lasting(json.loads(printed)) == _lasting(answered)


def test_the_readme_s_picture_is_what_the_service_answers(played: Played) -> None:
    shipped = ROOT / "deploy/pictures/divided-commune.svg"
    assert played.picture.read_text(encoding="utf-8") == shipped.read_text(encoding="utf-8")


def _lasting(answer: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs from one answer to the next."""
    freshness = {name: value for name, value in answer["freshness"].items() if name != "cards_caught_up_at"}
    return {**answer, "decision_id": None, "decided_at": None, "freshness": freshness}
