"""The tables the shipped registers were built from, read here by other means than the build script's: the oracle."""

import csv
from collections import defaultdict
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "registers" / "source"

Key = tuple[str, str]


@cache
def rows(table: str) -> list[dict[str, str]]:
    with (SOURCE / f"{table}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def successors() -> dict[Key, frozenset[str]]:
    """Give the communes after for each unit before, by (level, code)."""
    links: dict[Key, set[str]] = defaultdict(set)
    for row in rows("succession"):
        commune = row["before_commune_code"]
        key = ("commune", commune) if commune else ("district", row["before_district_code"])
        links[key].add(row["after_commune_code"])
    return {key: frozenset(after) for key, after in links.items()}


@cache
def documents() -> dict[str, str]:
    """Give the number of the resolution behind the communes of each province after."""
    return {row["after_province_code"]: row["document"] for row in rows("legal_basis") if row["level"] == "commune"}
