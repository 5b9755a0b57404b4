from pathlib import Path

import orjson
import pytest
from PIL import Image

from lienthong.adapters.event_files import KeyedLine, read_events
from lienthong_schemas.streams import CARDS, LOOKUPS
from tests.support.command_line import call


def test_the_same_seed_gives_the_same_file_and_another_another(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "two", "three")]
    for file, seed in zip(files, ("7", "7", "8"), strict=True):
        assert call("generate", "cards", "--count", "50", "--seed", seed, "--out", str(file)).status == 0
    one, two, three = (file.read_bytes() for file in files)
    assert one == two != three
    assert sorted(tmp_path.iterdir()) == sorted(files), "no draft is left beside them"


def test_every_generated_event_may_be_published(tmp_path: Path) -> None:
    cards, lookups = tmp_path / "cards.jsonl", tmp_path / "lookups.jsonl"
    call("generate", "cards", "--count", "200", "--out", str(cards))
    call("generate", "lookups", "--count", "200", "--cards", "200", "--out", str(lookups))
    for file, stream in ((cards, CARDS.name), (lookups, LOOKUPS.name)):
        read = [line for line in read_events(file) if isinstance(line, KeyedLine)]
        assert [line.stream for line in read] == [stream] * 200


def test_events_may_go_to_standard_output() -> None:
    called = call("generate", "cards", "--count", "3", "--out", "-")
    assert [orjson.loads(line)["type"] for line in called.out.splitlines()] == ["card.recorded"] * 3


def test_numbers_keep_a_reserved_prefix_however_many_there_are() -> None:
    called = call("generate", "cards", "--count", "99999999", "--out", "-")
    assert called.status == 2
    assert "never issued" in called.err


def test_screenshots_are_drawn_in_every_format(tmp_path: Path) -> None:
    directory = tmp_path / "images"
    called = call("generate", "cards", "--count", "8", "--images", str(directory))
    assert called.status == 0
    drawn = sorted(directory.iterdir())
    assert {file.suffix for file in drawn} == {".png", ".jpg", ".webp"}
    assert all(file.name.startswith("00000") for file in drawn)
    for file in drawn:
        with Image.open(file) as image:
            image.verify()


@pytest.mark.parametrize("kind", ["cards", "lookups"])
def test_a_call_that_leads_nowhere_is_told(kind: str, tmp_path: Path) -> None:
    assert "Say where they go" in call("generate", kind).err
    called = call("generate", kind, "--out", str(tmp_path / "none" / "file"))
    assert called.status == 2
    assert "cannot be written" in called.err
    away = call("generate", kind, "--publish", "--data-dir", str(tmp_path / "none"))
    assert away.status == 2
    assert "lienthong up" in away.err


def test_schemas_are_exported_for_every_message(tmp_path: Path) -> None:
    called = call("schemas", "export", str(tmp_path / "schemas"), "--json")
    assert called.status == 0
    golden = Path(__file__).parent.parent.parent / "schemas" / "golden"
    assert sorted(Path(path).name for path in called.json) == sorted(file.name for file in golden.iterdir())
    (tmp_path / "file").touch()
    assert call("schemas", "export", str(tmp_path / "file" / "x")).status == 2
