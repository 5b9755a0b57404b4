"""The facilities of Hà Nội as register facts, and illustrative mergers of stations in undivided communes."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lienthong.domain.names import name_key
from lienthong.registers.events import Data, Fact
from lienthong.registers.nation import EFFECTIVE_ON
from lienthong.registers.tables import ListedFacility, SourceTables

PROVINCE = "01"

NameKey = tuple[str, ...]

# The list is of the time before the reorganisation: its codes are read as of the last day they stood for.
LISTED_ON = "2025-06-30"

_KINDS = (
    ("trạm y tế", "commune_station"),
    ("phòng khám", "clinic"),
    ("bệnh viện", "hospital"),
    ("trung tâm cấp cứu", "emergency_centre"),
    ("trung tâm y tế", "health_centre"),
)
_STATION = re.compile(r"^trạm y tế (?P<unit>[^(]+)", re.IGNORECASE)
_SHORT_WARD = re.compile(r"^P\.\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A listed commune health station; `commune_code` is None where name and district do not settle it."""

    listed: ListedFacility
    commune_code: str | None


def stations(tables: SourceTables) -> list[Station]:
    """Settle each station's commune: exactly one commune of the listed district bears the name the station bears.

    The list's district may be wrong and its communes may be of an earlier wave; such a station keeps no commune.
    """
    communes: dict[tuple[NameKey, NameKey], list[str]] = defaultdict(list)
    for unit in tables.before:
        if unit.province_code == PROVINCE:
            communes[name_key(unit.district_name), name_key(unit.commune_name)].append(unit.commune_code)
    return [
        Station(listed=listed, commune_code=_only(communes[name_key(listed.district_name), named]))
        for listed in tables.facilities
        if (named := _unit_in_name(listed.name)) is not None
    ]


def facts_of_facilities(tables: SourceTables) -> Iterator[Fact]:
    """Give one fact for each listed facility, in the order of the list."""
    settled = {station.listed.code: station.commune_code for station in stations(tables)}
    for listed in tables.facilities:
        commune = settled.get(listed.code)
        yield (
            "facility.recorded",
            {
                "id": f"{listed.code}/-",
                "revision": 1,
                "code": listed.code,
                "name": listed.name,
                "kind": _kind(listed.name),
                "valid_from": None,
                "commune": _commune(commune, LISTED_ON) if commune else None,
                "address": f"{listed.address}, {listed.district_name}",
                "care_level": None,
                "points": None,
                "former_tier": None,
            },
        )


def facts_of_illustrative_mergers(tables: SourceTables) -> Iterator[Fact]:
    """Invent a successor station for each new commune, from the stations of its undivided predecessors alone.

    The code is that of the station whose commune the new commune took its code from, else the lowest. Nothing here is
    from a document; a station of a divided commune stays without a successor.
    """
    names = {unit.commune_code: unit.commune_name for unit in tables.after}
    for after_code, merging in sorted(_merging(tables).items()):
        code = next((one.listed.code for one in merging if one.commune_code == after_code), merging[0].listed.code)
        yield (
            "facility.recorded",
            {
                "id": f"{code}/{EFFECTIVE_ON}",
                "revision": 1,
                "code": code,
                "name": f"Trạm y tế {names[after_code]} (minh họa)",
                "kind": "commune_station",
                "valid_from": EFFECTIVE_ON,
                "commune": _commune(after_code, EFFECTIVE_ON),
                "address": None,
                "care_level": None,
                "points": None,
                "former_tier": None,
                "illustrative": True,
            },
        )
        yield "facility.reorganised", _merger(after_code, code, [one.listed.code for one in merging])


def without_commune(tables: SourceTables) -> list[ListedFacility]:
    """Give the stations whose commune their own name and district do not settle."""
    return [station.listed for station in stations(tables) if station.commune_code is None]


def sharing_a_commune(tables: SourceTables) -> int:
    """Count the stations that claim the same commune as another of the list."""
    claims = Counter(station.commune_code for station in stations(tables) if station.commune_code)
    return sum(count for count in claims.values() if count > 1)


def _only(codes: list[str]) -> str | None:
    return codes[0] if len(codes) == 1 else None


def _unit_in_name(name: str) -> NameKey | None:
    match = _STATION.match(name)
    if match is None:
        return None
    return name_key(_SHORT_WARD.sub("phường ", match["unit"].strip()))


def _kind(name: str) -> str:
    words = name_key(name)
    for beginning, kind in _KINDS:
        opening = name_key(beginning)
        if words[: len(opening)] == opening:
            return kind
    message = f"no kind is known for a facility called {name!r}"
    raise ValueError(message)


def _commune(code: str, recorded_on: str) -> Data:
    return {"level": "commune", "code": code, "recorded_on": recorded_on}


def _merging(tables: SourceTables) -> dict[str, list[Station]]:
    after = {link.commune_code: link.after_code for link in tables.commune_links if link.extent == "whole"}
    merging: dict[str, list[Station]] = defaultdict(list)
    for station in sorted(stations(tables), key=lambda station: station.listed.code):
        if station.commune_code in after:
            merging[after[station.commune_code]].append(station)
    return merging


def _merger(after_code: str, code: str, predecessors: list[str]) -> Data:
    return {
        "id": f"vn-hanoi-stations-illustrative/{after_code}",
        "revision": 1,
        "effective_on": EFFECTIVE_ON,
        "document": None,
        "links": [
            {"predecessor": {"code": one}, "successor": {"code": code}, "extent": "whole"}
            | ({"continues_as_point_of": code} if one != code else {})
            for one in predecessors
        ],
        "ends": [{"code": one} for one in predecessors],
        "illustrative": True,
    }
