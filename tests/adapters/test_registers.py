"""Shipped sets are found by name with what they require; anybody's file is read line by line, its faults with lines."""

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.adapters import registers
from lienthong.adapters.registers import (
    FactLine,
    LineFault,
    fact_of,
    facts_of,
    named,
    read_facts,
    read_stream,
    requirements,
    shipped,
)
from lienthong.adapters.wire import RefusalCode
from lienthong.domain.facts import ANNULLED, FactSet, fact
from lienthong_schemas.streams import EVENT_BYTES_MAX

NATIONAL = ("vn-before-2025-07-01", "vn-2025-07-01", "vn-hanoi-facilities")
LOAD_SECONDS_MAX = 3.0  # Five times the aim, for a machine that does something else beside.


def event(**changes: Any) -> dict[str, Any]:
    data = {
        "id": "commune/00001/-",
        "revision": 1,
        "level": "commune",
        "code": "00001",
        "name": "Phường Mẫu",
        "valid_from": None,
        "parent": None,
    }
    envelope = {
        "specversion": "1.0",
        "id": "one",
        "type": "territory.unit_recorded",
        "source": "/tests",
        "subject": "commune/00001/-",
        "time": "2025-06-20T09:00:00+07:00",
        "data": data,
    }
    return envelope | changes


def line(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def read(content: bytes) -> list[FactLine | LineFault]:
    return list(read_stream(io.BytesIO(content)))


def faults(content: bytes) -> list[tuple[int, RefusalCode, str]]:
    return [(each.line, each.refusal.code, each.refusal.path) for each in read(content) if isinstance(each, LineFault)]


def test_what_a_set_requires_comes_first_and_once() -> None:
    assert requirements("vn-before-2025-07-01") == ()
    assert [known.name for known in requirements("vn-2025-07-01")] == ["vn-before-2025-07-01", "vn-tables"]
    assert [known.name for known in requirements("vn-hanoi-stations-illustrative")] == [
        "vn-before-2025-07-01",
        "vn-tables",
        "vn-2025-07-01",
        "vn-hanoi-facilities",
    ]


def test_an_unknown_name_is_no_set() -> None:
    assert named("vn-1945-09-02") is None
    assert named("vn-2025-07-01") is shipped()["vn-2025-07-01"]


def test_a_name_gives_the_same_facts_as_the_path_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "copy.jsonl"
    path.write_bytes(shipped()["vn-hanoi-facilities"].content())
    assert list(read_facts("vn-hanoi-facilities")) == list(read_facts(path)) == list(read_facts(str(path)))


def test_the_national_sets_load_in_a_moment() -> None:
    started = time.perf_counter()
    count = sum(len(facts_of(shipped()[name])) for name in NATIONAL)
    assert count == 18_088
    assert time.perf_counter() - started < LOAD_SECONDS_MAX


def test_shipped_facts_have_the_digests_that_the_domain_gives_them() -> None:
    ours, domains = FactSet(), FactSet()
    for each in facts_of(shipped()["vn-hanoi-stations-illustrative"]):
        ours.add(each)
        domains.add(fact(each.type, each.data))
    assert ours.facts_digest == domains.facts_digest


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none() | st.booleans()))
def test_the_fast_encoder_gives_the_domains_digest_for_any_data(rest: dict[str, Any]) -> None:
    data = rest | {"id": "x", "revision": 1}
    assert fact_of("guidance.recorded", data) == fact("guidance.recorded", data)


def test_an_annulment_is_a_fact_of_the_family_it_names() -> None:
    data = {"id": "x", "revision": 2, "family": "unit", "reason": "mistake", "document": None}
    (found,) = read(line(event(type=ANNULLED, subject="x", data=data)))
    assert isinstance(found, FactLine)
    assert found.fact == fact(ANNULLED, data)
    assert found.fact.family == "unit"


def test_a_damaged_installation_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    known = shipped()["vn-hanoi-facilities"]
    monkeypatch.setattr(registers.ShippedSet, "content", lambda _: b"{}\n")
    with pytest.raises(ValueError, match="install the package again"):
        facts_of(known)


def test_every_fault_is_named_with_its_line_and_the_rest_is_read() -> None:
    good = line(event())
    content = b"".join(
        (
            good,
            b"{truncated\n",
            b"\n",
            b"\xff\xfe\n",
            line(event(surprise=1)),
            line(event(type="territory.renamed")),
            line(event(subject="commune/00002/-")),
            line(event(batchid="0" * 64)),
            line(event(dataschema="urn:lienthong:territory.unit_recorded:9")),
            line([1, 2]),
            good.rstrip(b"\n"),
        )
    )
    assert faults(content) == [
        (2, RefusalCode.NOT_JSON, ""),
        (4, RefusalCode.NOT_JSON, ""),
        (5, RefusalCode.INVALID_ENVELOPE, "?"),
        (6, RefusalCode.UNKNOWN_TYPE, "type"),
        (7, RefusalCode.WRONG_SUBJECT, "subject"),
        (8, RefusalCode.INVALID_ENVELOPE, "batchid"),
        (9, RefusalCode.UNKNOWN_VERSION, "dataschema"),
        (10, RefusalCode.NOT_AN_EVENT, ""),
    ]
    assert [each.line for each in read(content) if isinstance(each, FactLine)] == [1, 11]


def test_what_is_no_fact_is_no_part_of_a_file() -> None:
    seal = {"batch_id": "0" * 64, "base": None, "count": 1, "digest": "0" * 64, "name": None}
    assert faults(line(event(type="batch.sealed", subject="0" * 64, data=seal))) == [
        (1, RefusalCode.WRONG_STREAM, "type")
    ]


@pytest.mark.parametrize("ending", [b"\n", b""])
def test_a_line_of_ten_megabytes_is_one_fault_and_the_next_line_is_read(ending: bytes) -> None:
    content = b'{"x":"' + b"a" * 10_000_000 + b'"}\n' + line(event()).rstrip(b"\n") + ending
    assert faults(content) == [(1, RefusalCode.TOO_LARGE, "")]
    assert [each.line for each in read(content) if isinstance(each, FactLine)] == [2]


@pytest.mark.parametrize("size", range(EVENT_BYTES_MAX - 2, EVENT_BYTES_MAX + 4))
def test_lines_about_the_limit_keep_their_numbers(size: int) -> None:
    content = b"x" * size + b"\n" + b"{\n"
    expected = RefusalCode.NOT_JSON if size <= EVENT_BYTES_MAX else RefusalCode.TOO_LARGE
    assert faults(content) == [(1, expected, ""), (2, RefusalCode.NOT_JSON, "")]


def test_carriage_returns_and_blank_lines_do_not_matter() -> None:
    content = b"\r\n" + line(event()).replace(b"\n", b"\r\n") + b"  \n"
    assert [each.line for each in read(content)] == [2]


def test_a_missing_file_is_a_fault_of_the_caller() -> None:
    with pytest.raises(FileNotFoundError):
        list(read_facts("no/such/file.jsonl"))


@given(st.binary())
def test_no_bytes_at_all_raise(content: bytes) -> None:
    read(content)
