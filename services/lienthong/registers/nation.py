"""The national reorganisation of 1 July 2025 as register facts: the units before, the units after, and the links."""

from collections import defaultdict
from collections.abc import Iterator

from lienthong.registers.events import Data, Fact
from lienthong.registers.tables import CommuneLink, LegalBasis, SourceTables

NAME = "vn-2025-07-01"
EFFECTIVE_ON = "2025-07-01"


def facts_before(tables: SourceTables) -> Iterator[Fact]:
    """Give the provinces, districts and communes before, in order of their codes; the first day of none is known."""
    provinces = {unit.province_code: unit.province_name for unit in tables.before}
    districts = {unit.district_code: (unit.district_name, unit.province_code) for unit in tables.before}
    for code, name in sorted(provinces.items()):
        yield _unit("province", code, name, None)
    for code, (name, province) in sorted(districts.items()):
        yield _unit("district", code, name, ("province", province))
    for unit in sorted(tables.before, key=lambda unit: unit.commune_code):
        if unit.commune_code:
            yield _unit("commune", unit.commune_code, unit.commune_name, ("district", unit.district_code))


def facts_of_reorganisation(tables: SourceTables) -> Iterator[Fact]:
    """Give the new provinces and communes, one reorganisation for each of them, and the end of the districts."""
    names_before = {unit.province_code: unit.province_name for unit in tables.before}
    merged = _provinces_by_successor(tables)
    renewed = sorted(code for code, before in merged.items() if before != [code])
    names = {link.after_code: link.after_name for link in tables.province_links}
    unchanged = set(merged) - set(renewed)
    renamed = sorted(code for code in unchanged if names[code] != names_before[code])
    if renamed:
        message = f"provinces that only change their name are not foreseen: {renamed}"
        raise ValueError(message)
    for code in renewed:
        yield _unit("province", code, names[code], None, EFFECTIVE_ON)
    for unit in sorted(tables.after, key=lambda unit: unit.commune_code):
        parent = ("province", unit.province_code)
        yield _unit("commune", unit.commune_code, unit.commune_name, parent, EFFECTIVE_ON)
    basis = next(document for document in tables.legal_basis if document.level == "province")
    for code in renewed:
        yield _province_reorganisation(code, merged[code], basis)
    yield from _commune_reorganisations(tables)
    yield from _districts_ended(tables)


def _unit(level: str, code: str, name: str, parent: tuple[str, str] | None, valid_from: str | None = None) -> Fact:
    return "territory.unit_recorded", {
        "id": f"{level}/{code}/{valid_from or '-'}",
        "revision": 1,
        "level": level,
        "code": code,
        "name": name,
        "valid_from": valid_from,
        "parent": _key(*parent) if parent else None,
    }


def _key(level: str, code: str) -> Data:
    return {"level": level, "code": code}


def _provinces_by_successor(tables: SourceTables) -> dict[str, list[str]]:
    merged: dict[str, list[str]] = defaultdict(list)
    for link in tables.province_links:
        merged[link.after_code].append(link.before_code)
    return merged


def _document(basis: LegalBasis) -> Data:
    return {"number": basis.number, "issuer": basis.issuer, "issued_on": basis.issued_on}


def _reorganisation(subject: str, document: Data | None, links: list[Data], ends: list[Data]) -> Fact:
    return "territory.reorganised", {
        "id": f"{NAME}/{subject}",
        "revision": 1,
        "effective_on": EFFECTIVE_ON,
        "document": document,
        "links": links,
        "ends": ends,
    }


def _province_reorganisation(code: str, before: list[str], basis: LegalBasis) -> Fact:
    predecessors = [_key("province", one) for one in before]
    successor = _key("province", code)
    links = [{"predecessor": one, "successor": successor, "extent": "whole"} for one in predecessors]
    return _reorganisation(f"province/{code}", _document(basis), links, predecessors)


def _commune_reorganisations(tables: SourceTables) -> Iterator[Fact]:
    arrows: dict[str, list[CommuneLink]] = defaultdict(list)
    for arrow in tables.commune_links:
        arrows[arrow.after_code].append(arrow)
    documents = {
        basis.after_province_code: _document(basis) for basis in tables.legal_basis if basis.level == "commune"
    }
    for unit in sorted(tables.after, key=lambda unit: unit.commune_code):
        predecessors = [_predecessor(arrow) for arrow in arrows[unit.commune_code]]
        successor = _key("commune", unit.commune_code)
        links = [
            {"predecessor": one, "successor": successor, "extent": arrow.extent}
            | ({"hint": True} if arrow.hint else {})
            for one, arrow in zip(predecessors, arrows[unit.commune_code], strict=True)
        ]
        yield _reorganisation(f"commune/{unit.commune_code}", documents[unit.province_code], links, predecessors)


def _predecessor(arrow: CommuneLink) -> Data:
    # The five island districts had no communes: the district itself is what the special zone succeeds.
    return _key("commune", arrow.commune_code) if arrow.commune_code else _key("district", arrow.district_code)


def _districts_ended(tables: SourceTables) -> Iterator[Fact]:
    succeeded = {arrow.district_code for arrow in tables.commune_links if not arrow.commune_code}
    ended: dict[str, set[str]] = defaultdict(set)
    for unit in tables.before:
        if unit.district_code not in succeeded:
            ended[unit.province_code].add(unit.district_code)
    for province in sorted(ended):
        # No table names the document that abolished a level, and none is guessed.
        ends = [_key("district", code) for code in sorted(ended[province])]
        yield _reorganisation(f"districts/{province}", None, [], ends)
