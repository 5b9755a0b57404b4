"""A station's commune is settled by its own name and district or not at all; invented mergers say that they are."""

from collections import Counter

import pytest

from lienthong.adapters.registers import facts_of, shipped
from lienthong.domain.facts import Fact
from tests.support.source_tables import rows, successors

HANOI = {row["commune_code"]: row for row in rows("units_before") if row["province_code"] == "01"}


@pytest.fixture(scope="module")
def facilities() -> dict[str, Fact]:
    return {fact.data["code"]: fact for fact in facts_of(shipped()["vn-hanoi-facilities"])}


@pytest.fixture(scope="module")
def illustrative() -> list[Fact]:
    return facts_of(shipped()["vn-hanoi-stations-illustrative"])


def test_every_listed_facility_is_there_under_its_own_code(facilities: dict[str, Fact]) -> None:
    listed = {row["facility_code"]: row["facility_name"] for row in rows("facilities_hanoi_before")}
    assert {code: fact.data["name"] for code, fact in facilities.items()} == listed
    assert Counter(fact.data["kind"] for fact in facilities.values()) == {
        "commune_station": 475,
        "clinic": 57,
        "hospital": 10,
        "emergency_centre": 1,
    }


def test_a_settled_commune_is_the_only_one_of_its_name_in_the_listed_district(facilities: dict[str, Fact]) -> None:
    districts = {row["facility_code"]: row["district_name"] for row in rows("facilities_hanoi_before")}
    settled = {code: fact.data["commune"] for code, fact in facilities.items() if fact.data["commune"]}
    assert len(settled) == 347
    for code, commune in settled.items():
        unit = HANOI[commune["code"]]
        assert unit["district_name"] == districts[code]
        assert commune == {"level": "commune", "code": unit["commune_code"], "recorded_on": "2025-06-30"}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("01E62", "Hải Bối lies in Đông Anh, and the list says Sóc Sơn"),
        ("01C53", "Quốc Tử Giám went into another ward in an earlier wave"),
        ("01F64", "Trâu Quỳ is a township, and the list says commune"),
        ("01R16", "Mê Linh has Tiền Phong, and no Tiên Phong"),
        ("01081", "an emergency centre is no commune's station"),
    ],
)
def test_what_the_name_and_the_district_do_not_settle_stays_unsettled(
    facilities: dict[str, Fact], code: str, why: str
) -> None:
    assert facilities[code].data["commune"] is None, why


def test_tone_marks_and_abbreviations_do_not_matter(facilities: dict[str, Fact]) -> None:
    assert HANOI[facilities["01C06"].data["commune"]["code"]]["commune_name"] == "Phường Yên Hòa"
    assert HANOI[facilities["01E03"].data["commune"]["code"]]["commune_name"] == "Phường Khương Trung"


def test_cat_linhs_station_stands_in_a_divided_commune(facilities: dict[str, Fact]) -> None:
    commune = facilities["01C51"].data["commune"]["code"]
    assert HANOI[commune]["commune_name"] == "Phường Cát Linh"
    assert len(successors()["commune", commune]) == 2


def test_no_station_of_a_divided_commune_gets_an_invented_successor(
    facilities: dict[str, Fact], illustrative: list[Fact]
) -> None:
    ended = [key["code"] for fact in illustrative for key in fact.data.get("ends", ())]
    whole = {
        code
        for code, fact in facilities.items()
        if fact.data["commune"] and len(successors()["commune", fact.data["commune"]["code"]]) == 1
    }
    assert sorted(ended) == sorted(whole)
    assert "01C51" not in ended


def test_what_is_invented_says_so_and_cites_nothing(illustrative: list[Fact]) -> None:
    assert all(fact.illustrative for fact in illustrative)
    assert all(fact.data.get("document") is None for fact in illustrative)
    assert all("(minh họa)" in fact.data["name"] for fact in illustrative if fact.family == "facility")


def test_an_invented_successor_stands_in_the_commune_that_its_predecessors_communes_became(
    facilities: dict[str, Fact], illustrative: list[Fact]
) -> None:
    communes = {fact.data["code"]: fact.data["commune"]["code"] for fact in illustrative if fact.family == "facility"}
    for fact in illustrative:
        for link in fact.data.get("links", ()):
            before = facilities[link["predecessor"]["code"]].data["commune"]["code"]
            assert successors()["commune", before] == {communes[link["successor"]["code"]]}
            point = None if link["predecessor"] == link["successor"] else link["successor"]["code"]
            assert link.get("continues_as_point_of") == point
