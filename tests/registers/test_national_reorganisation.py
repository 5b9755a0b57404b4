"""Every unit of the country before 1 July 2025 resolves to exactly what the source says, and none is guessed."""

from collections import Counter
from datetime import date

import pytest

from lienthong.adapters.registers import facts_of, shipped
from lienthong.domain.facts import TERRITORY_REORGANISATION, UNIT
from lienthong.domain.lineage import Succession
from lienthong.domain.succession import Reference, Resolution, State
from lienthong.domain.territory import territory_reorganisation, unit_version
from tests.support.source_tables import documents, rows, successors

BEFORE = date(2023, 3, 1)
LAST_DAY = date(2025, 6, 30)
FIRST_DAY = date(2025, 7, 1)
LATER = date(2025, 8, 1)


@pytest.fixture(scope="module")
def nation() -> Succession:
    facts = [fact for name in ("vn-before-2025-07-01", "vn-2025-07-01") for fact in facts_of(shipped()[name])]
    return Succession(
        [unit_version(fact.data) for fact in facts if fact.family == UNIT],
        [territory_reorganisation(fact.data) for fact in facts if fact.family == TERRITORY_REORGANISATION],
    )


def resolve(nation: Succession, level: str, code: str, on: date = LATER) -> Resolution:
    return nation.resolve(Reference(level=level, code=code, recorded_on=BEFORE), on)


def test_every_old_unit_resolves_to_exactly_the_set_of_its_successors(nation: Succession) -> None:
    states: Counter[State] = Counter()
    among: Counter[int] = Counter()
    for (level, code), expected in successors().items():
        answer = resolve(nation, level, code)
        states[answer.state] += 1
        among[len(answer.candidates)] += 1
        assert {place.code for place in answer.candidates} == expected
        assert all(place.level == "commune" and place.valid_from == FIRST_DAY for place in answer.candidates)
        assert [place.code for place in answer.printed] == [code]
    assert states == {State.SUCCEEDED: 9569, State.DIVIDED: 471}
    assert among == {1: 9569, 2: 397, 3: 58, 4: 15, 5: 1}


def test_every_new_commune_is_reached_and_bears_the_sources_name_and_province(nation: Succession) -> None:
    reached = {place.code: place for level, code in successors() for place in resolve(nation, level, code).candidates}
    expected = {row["commune_code"]: (row["commune_name"], row["province_code"]) for row in rows("units_after")}
    assert len(expected) == 3321
    assert {code: (place.name, place.province_code) for code, place in reached.items()} == expected


def test_every_step_cites_the_resolution_of_the_province_it_leads_to(nation: Succession) -> None:
    for level, code in successors():
        answer = resolve(nation, level, code)
        provinces = {place.province_code for place in answer.candidates}
        assert len(provinces) == 1, "no division crosses a new province's border"
        (province,) = provinces
        assert province is not None
        assert {step.document for step in answer.path} == {documents()[province]}


def test_the_day_before_nothing_has_happened(nation: Succession) -> None:
    for level, code in successors():
        answer = resolve(nation, level, code, LAST_DAY)
        assert answer.state is State.CURRENT
        assert [(place.level, place.code, place.valid_to) for place in answer.candidates] == [(level, code, None)]


def test_a_new_code_recorded_after_the_reorganisation_is_current(nation: Succession) -> None:
    for row in rows("units_after"):
        answer = nation.resolve(Reference(level="commune", code=row["commune_code"], recorded_on=FIRST_DAY), LATER)
        assert answer.state is State.CURRENT
        assert [place.name for place in answer.candidates] == [row["commune_name"]]


def test_a_code_that_had_two_versions_is_ambiguous_without_a_day(nation: Succession) -> None:
    again = {row["commune_code"] for row in rows("units_after")} & {code for _, code in successors()}
    assert len(again) == 3316
    for code in again:
        answer = nation.resolve(Reference(level="commune", code=code), LATER)
        assert answer.state is State.AMBIGUOUS
        assert len(answer.printed) == 2


def test_sixty_three_provinces_became_thirty_four_and_eleven_stayed(nation: Succession) -> None:
    states: Counter[State] = Counter()
    today = set()
    for row in rows("province_succession"):
        answer = resolve(nation, "province", row["before_province_code"])
        states[answer.state] += 1
        (place,) = answer.candidates
        assert (place.code, place.name) == (row["after_province_code"], row["after_province_name"])
        today.add((place.code, place.valid_from))
        if answer.state is State.SUCCEEDED:
            assert [step.document for step in answer.path] == ["NQ 202/2025/QH15"]
    assert states == {State.CURRENT: 11, State.SUCCEEDED: 52}
    assert len(today) == 34
    assert sum(valid_from is not None for _, valid_from in today) == 23


def test_districts_ended_without_a_successor_but_for_five_islands(nation: Succession) -> None:
    districts = {row["district_code"] for row in rows("units_before")}
    islands = {code for level, code in successors() if level == "district"}
    assert (len(districts), len(islands)) == (696, 5)
    for code in districts - islands:
        answer = resolve(nation, "district", code)
        assert answer.state is State.ENDED
        assert answer.candidates == ()
        assert [step.document for step in answer.path] == [None]
    for code in islands:
        assert resolve(nation, "district", code).candidates[0].name.startswith("Đặc khu ")


def test_phuong_truc_bach_is_now_phuong_ba_dinh(nation: Succession) -> None:
    answer = resolve(nation, "commune", "00004")
    assert [place.name for place in answer.printed] == ["Phường Trúc Bạch"]
    assert [(place.name, place.province_code) for place in answer.candidates] == [("Phường Ba Đình", "01")]
    assert [(step.id, step.document) for step in answer.path] == [("vn-2025-07-01/commune/00004", "1656/NQ-UBTVQH15")]


def test_dai_mo_has_five_candidates(nation: Succession) -> None:
    answer = resolve(nation, "commune", "00634")
    assert [place.name for place in answer.printed] == ["Phường Đại Mỗ"]
    assert len(answer.candidates) == 5
