"""What is shipped is what the tables say, byte for byte, and every line of it is a valid message."""

import json
from collections import Counter
from pathlib import Path

import pytest

from lienthong.adapters.registers import FactLine, facts_of, read_stream, shipped
from lienthong.adapters.wire import Event, decode
from lienthong.registers.build import FILES, HERE, build, check_numbers, main
from lienthong.registers.catalogue import CATALOGUE, INDEX, write_index
from lienthong.registers.tables import read_tables
from lienthong_schemas.streams import REGISTER
from tests.support.source_tables import SOURCE, rows

NAMES = sorted(path.stem for path in HERE.glob("*.jsonl"))


def test_rebuilding_from_the_tables_gives_the_shipped_bytes(tmp_path: Path) -> None:
    build(SOURCE, tmp_path)
    for name in FILES:
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (HERE / f"{name}.jsonl").read_bytes(), name


def test_the_index_says_what_the_files_hold(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.jsonl").write_bytes((HERE / f"{name}.jsonl").read_bytes())
    write_index(tmp_path, HERE / CATALOGUE)
    assert (tmp_path / INDEX).read_bytes() == (HERE / INDEX).read_bytes()
    assert sorted(shipped()) == NAMES


def test_a_file_that_the_catalogue_does_not_describe_is_not_indexed(tmp_path: Path) -> None:
    (tmp_path / "unheard-of.jsonl").write_bytes(b"")
    with pytest.raises(ValueError, match=r"not in catalogue\.toml: unheard-of"):
        write_index(tmp_path, HERE / CATALOGUE)


def test_the_script_builds_writes_the_index_and_says_its_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(SOURCE), str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "divided: 471, by number of successors: {2: 397, 3: 58, 4: 15, 5: 1}" in said
    assert "vn-before-2025-07-01.jsonl: " in said
    assert json.loads((tmp_path / "out" / INDEX).read_bytes()).keys() == FILES.keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_event_is_a_valid_message_of_the_register(name: str) -> None:
    known = shipped()[name]
    events = [decode(line, REGISTER) for line in known.content().splitlines()]
    assert all(isinstance(event, Event) for event in events)
    assert Counter(event.type for event in events if isinstance(event, Event)) == known.counts
    ids = {event.envelope.id for event in events if isinstance(event, Event)}
    assert len(ids) == len(events)


@pytest.mark.parametrize("name", NAMES)
def test_the_short_way_reads_what_the_validating_way_reads(name: str) -> None:
    known = shipped()[name]
    with (HERE / known.file).open("rb") as file:
        validated = [read.fact for read in read_stream(file) if isinstance(read, FactLine)]
    assert validated == facts_of(known)


def test_the_counts_are_the_published_ones() -> None:
    before, after = shipped()["vn-before-2025-07-01"], shipped()["vn-2025-07-01"]
    assert before.counts == {"territory.unit_recorded": 63 + 696 + 10_035}
    assert after.counts == {
        "territory.unit_recorded": 23 + 3321,
        "territory.reorganised": 23 + 3321 + 63,
    }
    links = [link for fact in facts_of(after) for link in fact.data.get("links", ())]
    communes = [link for link in links if link["successor"]["level"] == "commune"]
    assert len(communes) == len(rows("succession")) == 10_602
    assert Counter(link["extent"] for link in communes) == {"whole": 9569, "part": 1033}
    assert sum(link.get("hint", False) for link in communes) == 471


def test_the_check_numbers_are_those_of_the_source() -> None:
    said = list(check_numbers(read_tables(SOURCE)))
    assert said[:7] == [
        "units before: 10040 (five of them island districts without communes)",
        "communes after: 3321; links: 10602",
        "provinces: 63 to 34",
        "divided: 471, by number of successors: {2: 397, 3: 58, 4: 15, 5: 1}",
        "facilities: 543; stations: 475",
        "stations that claim the same commune as another: 35",
        "stations whose name and district settle no commune: 128",
    ]
    assert len(said) == 7 + 128


def test_every_set_names_its_source_and_licence_and_only_one_is_illustrative() -> None:
    assert all(known.source and known.licence and known.title_vi and known.title_en for known in shipped().values())
    assert [known.name for known in shipped().values() if known.illustrative] == ["vn-hanoi-stations-illustrative"]
    notice = (HERE / "NOTICE.md").read_text(encoding="utf-8")
    assert "Copyright (c) 2025 Tran Ngoc Minh Hieu" in notice
    assert all(known.file in notice for known in shipped().values())
