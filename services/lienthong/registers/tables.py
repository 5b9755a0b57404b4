"""The source tables of the national reorganisation, read into typed rows."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitBefore:
    """A commune before 1 July 2025, or one of the five island districts that had none (`commune_code` empty)."""

    province_code: str
    province_name: str
    district_code: str
    district_name: str
    commune_code: str
    commune_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitAfter:
    """A commune, ward or special zone from 1 July 2025."""

    province_code: str
    province_name: str
    commune_code: str
    commune_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommuneLink:
    """One arrow from a commune (or an island district) before to a commune after; `hint` is the geometric default."""

    district_code: str
    commune_code: str
    after_code: str
    extent: str
    hint: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvinceLink:
    """Where a province went."""

    before_code: str
    after_code: str
    after_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasis:
    """The document of one part of the reorganisation; `after_province_code` is empty for the provinces' own."""

    level: str
    number: str
    issuer: str
    issued_on: str
    effective_on: str
    after_province_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFacility:
    """A facility of the public registration list of Hà Nội, as listed."""

    code: str
    name: str
    district_name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTables:
    """All tables of the source, in their order."""

    before: tuple[UnitBefore, ...]
    after: tuple[UnitAfter, ...]
    commune_links: tuple[CommuneLink, ...]
    province_links: tuple[ProvinceLink, ...]
    legal_basis: tuple[LegalBasis, ...]
    facilities: tuple[ListedFacility, ...]


def read_tables(source: Path) -> SourceTables:
    """Read the six tables of a directory; OSError where one is missing, KeyError where a column is."""
    return SourceTables(
        before=tuple(_units_before(source)),
        after=tuple(
            UnitAfter(**{name: row[name] for name in UnitAfter.__slots__}) for row in _rows(source, "units_after")
        ),
        commune_links=tuple(_commune_links(source)),
        province_links=tuple(
            ProvinceLink(
                before_code=row["before_province_code"],
                after_code=row["after_province_code"],
                after_name=row["after_province_name"],
            )
            for row in _rows(source, "province_succession")
        ),
        legal_basis=tuple(_legal_basis(source)),
        facilities=tuple(_facilities(source)),
    )


def _rows(source: Path, table: str) -> Iterator[dict[str, str]]:
    with (source / f"{table}.csv").open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _units_before(source: Path) -> Iterator[UnitBefore]:
    for row in _rows(source, "units_before"):
        yield UnitBefore(**{name: row[name] for name in UnitBefore.__slots__})


def _commune_links(source: Path) -> Iterator[CommuneLink]:
    for row in _rows(source, "succession"):
        yield CommuneLink(
            district_code=row["before_district_code"],
            commune_code=row["before_commune_code"],
            after_code=row["after_commune_code"],
            extent=row["extent"],
            hint=row["geometric_default"] == "yes",
        )


def _legal_basis(source: Path) -> Iterator[LegalBasis]:
    for row in _rows(source, "legal_basis"):
        yield LegalBasis(
            level=row["level"],
            number=row["document"],
            issuer=row["issuer"],
            issued_on=row["issued_on"],
            effective_on=row["effective_on"],
            after_province_code=row["after_province_code"],
        )


def _facilities(source: Path) -> Iterator[ListedFacility]:
    for row in _rows(source, "facilities_hanoi_before"):
        yield ListedFacility(
            code=row["facility_code"],
            name=row["facility_name"],
            district_name=row["district_name"],
            address=row["address"],
        )
