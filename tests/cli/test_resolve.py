import csv
import resource
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from tests.support.canned_service import canned_service
from tests.support.command_line import call, program

#: The contract: all old units within five seconds on a machine that does nothing else.
ALL_UNITS_CPU_S = 5.0
MERGER = "vn-2025-07-01/commune/00004"


def test_a_printed_commune_is_resolved_with_the_document_between() -> None:
    called = call(
        "resolve", "unit", "--level", "commune", "00004", "--recorded-on", "2023-05-01", "--on", "2025-08-01", "--json"
    )
    assert called.status == 0
    found = called.json
    place = {"level": "commune", "code": "00004", "province_code": "01"}
    assert found["state"] == "succeeded"
    assert found["printed"] == [
        place | {"name": "Phường Trúc Bạch", "parent_code": "001", "valid_from": None, "valid_to": "2025-06-30"}
    ]
    assert found["candidates"] == [
        place | {"name": "Phường Ba Đình", "parent_code": "01", "valid_from": "2025-07-01", "valid_to": None}
    ]
    assert found["path"] == [{"id": MERGER, "document": "1656/NQ-UBTVQH15", "effective_on": "2025-07-01"}]


def test_a_divided_commune_shows_every_candidate_and_chooses_none() -> None:
    called = call("resolve", "unit", "00634", "--recorded-on", "2023-05-01", "--on", "2025-08-01")
    assert "divided" in called.out
    for name in ("Xuân Phương", "Tây Mỗ", "Đại Mỗ", "Hà Đông", "Dương Nội"):
        assert f"Phường {name}" in called.out


def test_a_facility_is_resolved_by_its_own_succession() -> None:
    called = call("resolve", "facility", "01C51", "--on", "2025-08-01", "--json")
    assert called.json["state"] == "current"
    assert call("resolve", "facility", "01999", "--json").json["state"] == "unknown"


def test_references_on_standard_input_are_answered_in_their_order() -> None:
    given = "commune 00004 2023-05-01\n\nfacility 01C51\ncommune 00004 2025-07-02\ncommune 99999\ncommune 00004\n"
    called = call("resolve", "unit", "-", "--on", "2025-08-01", "--json", given=given)
    assert [found["state"] for found in called.json_lines()] == [
        "succeeded",
        "current",
        "current",
        "unknown",
        "ambiguous",
    ]


@pytest.mark.parametrize("line", ["commune", "commune 00004 2023-05-01 more", "commune 00004 yesterday"])
def test_a_line_that_is_no_reference_is_named(line: str) -> None:
    called = call("resolve", "unit", "-", "--json", given=f"commune 00001\n{line}\n")
    assert called.status == 2
    assert "2" in called.err


async def test_all_old_units_are_resolved_within_the_time_promised() -> None:
    source = Path(__file__).parent.parent / "registers" / "source" / "units_before.csv"
    with source.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    given = "".join(
        f"commune {row['commune_code']}\n" if row["commune_code"] else f"district {row['district_code']}\n"
        for row in rows
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    called = await program(
        "resolve", "unit", "-", "--recorded-on", "2023-05-01", "--on", "2025-08-01", "--json", given=given.encode()
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = called.json_lines()
    assert len(found) == len(rows) == 10_040
    assert sum(len(each["candidates"]) > 1 for each in found) == 471
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < ALL_UNITS_CPU_S


def test_another_countrys_events_are_resolved_from_a_file(tmp_path: Path) -> None:
    events = [
        {
            "id": "kreis/X-1/-",
            "revision": 1,
            "level": "kreis",
            "code": "X-1",
            "name": "Old",
            "valid_from": None,
            "parent": None,
        },
        {
            "id": "kreis/X-2/2020-01-01",
            "revision": 1,
            "level": "kreis",
            "code": "X-2",
            "name": "New",
            "valid_from": "2020-01-01",
            "parent": None,
        },
    ]
    merger = {
        "id": "m/1",
        "revision": 1,
        "effective_on": "2020-01-01",
        "document": None,
        "links": [
            {
                "predecessor": {"level": "kreis", "code": "X-1"},
                "successor": {"level": "kreis", "code": "X-2"},
                "extent": "whole",
            }
        ],
        "ends": [{"level": "kreis", "code": "X-1"}],
    }
    file = tmp_path / "country.jsonl"
    file.write_bytes(
        b"".join(
            orjson.dumps(
                {
                    "specversion": "1.0",
                    "id": str(number),
                    "type": "territory.reorganised" if data is merger else "territory.unit_recorded",
                    "source": "/tests",
                    "subject": data["id"],
                    "time": "2020-01-01T00:00:00Z",
                    "data": data,
                }
            )
            + b"\n"
            for number, data in enumerate([*events, merger])
        )
    )
    called = call("resolve", "unit", "--level", "kreis", "X-1", "--data", str(file), "--on", "2024-01-01", "--json")
    assert [place["name"] for place in called.json["candidates"]] == ["New"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("unit", "00004", "--on", "tomorrow"), "--on is a day as YYYY-MM-DD"),
        (("unit", "00004", "--data", "no-such-file.jsonl"), "There is no event file"),
        (("unit", "00004", "--data", "vn-tables", "--url", "http://127.0.0.1:9"), "which has its own data"),
        (("unit", "00004", "--url", "http://127.0.0.1:9"), "does not answer"),
        (("unit", "00004", "--url", "nowhere"), "is no address"),
    ],
)
def test_a_wrong_call_is_told_in_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    called = call("resolve", *arguments)
    assert called.status == 2
    assert sentence in " ".join(called.err.split())
    assert called.out == ""


def test_a_running_service_is_asked_for_the_same_things() -> None:
    with canned_service() as service:
        service.answers({"state": "unknown", "printed": [], "candidates": [], "path": []})
        days = ("--recorded-on", "2023-05-01", "--on", "2025-08-01", "--url", service.url)
        found = call("resolve", "unit", "--level", "district", "001", "--name", "Quận", *days, "--json").json
        assert found["state"] == "unknown"
        asked = urlsplit(service.asked.removeprefix("GET "))
        assert asked.path == "/v1/units/district/001"
        assert parse_qs(asked.query) == {"recorded_on": ["2023-05-01"], "on": ["2025-08-01"], "name": ["Quận"]}
        assert "unknown" in call("resolve", "facility", "01C51", *days).out
        assert service.asked.startswith("GET /v1/facilities/01C51?")
