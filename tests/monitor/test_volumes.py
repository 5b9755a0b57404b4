"""Volumes follow a place through its succession, and equal a recount of the decisions."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import httpx
import pytest

from lienthong.adapters.demo_cards import DAI_MO, DEMO_CARDS, TRUC_BACH
from lienthong.adapters.history import CountedLookup, CountedUnit, History, VolumeFilter
from lienthong.adapters.history_positions import Stretch
from lienthong.adapters.wire import Event, decode
from lienthong.monitor.volumes import OnePlace, VolumeQuestion, volumes
from lienthong_schemas.decisions import EligibilityDecided
from lienthong_schemas.streams import DECISIONS
from tests.support.facts import commune, facility, facility_reorganised, register_of, reorganised, unit
from tests.support.service import Service, service  # noqa: F401 -- a fixture
from tests.support.waiting import until_so

TODAY = date(2025, 8, 1)

MAP = register_of(
    unit(("province", "01")),
    *(unit(commune(code), parent=("province", "01")) for code in ("00001", "00002", "00003")),
    unit(commune("00001"), "2025-07-01", parent=("province", "01")),
    unit(commune("00009"), "2025-07-01", parent=("province", "01")),
    reorganised(
        "2025-07-01",
        [
            (commune("00001"), commune("00001"), "whole"),
            (commune("00002"), commune("00001"), "whole"),
            (commune("00003"), commune("00001"), "part"),
            (commune("00003"), commune("00009"), "part"),
        ],
        [commune("00001"), commune("00002"), commune("00003")],
    ),
    facility("01A01"),
    facility("01A02"),
    facility("01A01", "2025-07-01"),
    facility_reorganised("2025-07-01", [("01A01", "01A01", "whole"), ("01A02", "01A01", "whole")], ["01A01", "01A02"]),
)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = History.open(tmp_path / "history.sqlite")
    yield opened
    opened.close()


def counted(history: History, *lookups: tuple[str, str, str, int]) -> None:
    """Count (day, facility, printed commune, how many) before the reorganisation's versions."""
    begins = history.position(DECISIONS.name, 0)
    made = [
        CountedLookup(
            offset=0,
            minute=f"{day}T09:00",
            day=day,
            facility_code=code,
            channel="card_qr",
            outcome="eligible",
            units=(CountedUnit(level="commune", code=printed, valid_from="-"),),
            place=None,
        )
        for day, code, printed, how_many in lookups
        for _ in range(how_many)
    ]
    made = [replace(each, offset=begins + at) for at, each in enumerate(made)]
    history.count(Stretch(stream=DECISIONS.name, partition=0, position=begins, next=begins + len(made)), made)


def question(by: str, place: OnePlace | None = None) -> VolumeQuestion:
    return VolumeQuestion(by=by, chosen=VolumeFilter(), on=TODAY, place=place)  # type: ignore[arg-type]  # a literal


def test_a_merged_facility_is_the_sum_of_its_predecessors(history: History) -> None:
    counted(history, ("2025-06-10", "01A01", "00001", 3), ("2025-06-11", "01A02", "00001", 4))
    counted(history, ("2025-07-20", "01A01", "00001", 5))
    answer = volumes(history, MAP, question("facility"))
    (row,) = answer["rows"]
    assert (row["code"], row["lookups"]) == ("01A01", 12)
    assert {part["code"]: part["lookups"] for part in row["includes"]} == {"01A01": 8, "01A02": 4}
    by_day = volumes(history, MAP, question("day", OnePlace("facility", "01A01")))
    assert {row["day"]: row["lookups"] for row in by_day["rows"]} == {"2025-06-10": 3, "2025-06-11": 4, "2025-07-20": 5}


def test_a_divided_commune_stands_beside_its_successors_and_in_its_province(history: History) -> None:
    counted(history, ("2025-06-10", "01A01", "00002", 2), ("2025-06-10", "01A01", "00003", 7))
    answer = volumes(history, MAP, question("commune", OnePlace("commune", "00001")))
    assert answer["lookups"] == 2
    (beside,) = answer["divided"]
    assert (beside["code"], beside["lookups"], beside["divided_among"]) == ("00003", 7, ["00001", "00009"])
    province = volumes(history, MAP, question("province"))
    assert [(row["code"], row["lookups"]) for row in province["rows"]] == [("01", 9)]


def test_a_place_that_the_register_does_not_know_keeps_its_own_count(history: History) -> None:
    counted(history, ("2025-06-10", "99Z99", "99999", 1))
    (row,) = volumes(history, MAP, question("facility"))["rows"]
    assert (row["code"], row["state"], row["lookups"]) == ("99Z99", "unknown", 1)


async def test_volumes_equal_a_recount_of_the_decisions(service: Service) -> None:  # noqa: F811 -- the fixture of that name
    await service.publish_cards([DEMO_CARDS[TRUC_BACH], DEMO_CARDS[DAI_MO]])
    for number in (TRUC_BACH, DAI_MO, TRUC_BACH, "1"):
        await service.decide({"kind": "insurance_number", "number": number}, on="2025-08-01")

    async def read(by: str) -> dict[str, int]:
        response = await service.monitor_http.get("/v1/volumes", params={"by": by})
        assert response.status_code == httpx.codes.OK
        return {row[by if by != "facility" else "code"]: row["lookups"] for row in response.json()["rows"]}

    async def recount() -> Counter[str]:
        outcomes: Counter[str] = Counter()
        for partition, bounds in (await service.log.bounds(DECISIONS.name)).items():
            entries = await service.log.read(DECISIONS.name, partition, bounds.first, 1_000)
            assert isinstance(entries, tuple)
            events = [decode(entry.value, DECISIONS) for entry in entries]
            outcomes.update(
                event.message.outcome
                for event in events
                if isinstance(event, Event) and isinstance(event.message, EligibilityDecided)
            )
        return outcomes

    async def counted_all() -> bool:
        found = await recount()
        return found["malformed"] == 1 and await read("outcome") == dict(found)

    await until_so(counted_all)
    assert sum((await read("facility")).values()) == sum((await recount()).values())


async def test_places_are_not_mixed_and_dates_are_checked(service: Service) -> None:  # noqa: F811 -- as above
    for query in (
        "facility=01A01&commune=00001",
        "by=minute&facility=01A01",
        "by=commune&facility=1",
        "from=1",
        "on=0",
        "x=1",
    ):
        response = await service.monitor_http.get(f"/v1/volumes?{query}")
        assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY, query
