"""Build the shipped event files: `python -m lienthong.registers.build SOURCE_DIR [OUT_DIR]`; same tables, same bytes.

Without SOURCE_DIR only the index is written again, for the event files that stand in the folder.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from lienthong.registers import nation, stations
from lienthong.registers.catalogue import CATALOGUE, write_index
from lienthong.registers.events import Fact, event_file
from lienthong.registers.tables import SourceTables, read_tables

HERE = Path(__file__).parent

FILES: dict[str, Callable[[SourceTables], Iterator[Fact]]] = {
    "vn-before-2025-07-01": nation.facts_before,
    "vn-2025-07-01": nation.facts_of_reorganisation,
    "vn-hanoi-facilities": stations.facts_of_facilities,
    "vn-hanoi-stations-illustrative": stations.facts_of_illustrative_mergers,
}


def build(source: Path, out: Path) -> SourceTables:
    """Write the event files derived from the tables of a directory; OSError or KeyError where one is not whole."""
    tables = read_tables(source)
    for name, facts in FILES.items():
        (out / f"{name}.jsonl").write_bytes(event_file(facts(tables)))
    return tables


def check_numbers(tables: SourceTables) -> Iterator[str]:
    """Say what to compare with the published numbers, and which stations stay without a commune."""
    successors = Counter((link.district_code, link.commune_code) for link in tables.commune_links)
    among = Counter(count for count in successors.values() if count > 1)
    provinces = {link.after_code for link in tables.province_links}
    unsettled = stations.without_commune(tables)
    yield f"units before: {len(tables.before)} (five of them island districts without communes)"
    yield f"communes after: {len(tables.after)}; links: {len(tables.commune_links)}"
    yield f"provinces: {len(tables.province_links)} to {len(provinces)}"
    yield f"divided: {sum(among.values())}, by number of successors: {dict(sorted(among.items()))}"
    yield f"facilities: {len(tables.facilities)}; stations: {len(stations.stations(tables))}"
    yield f"stations that claim the same commune as another: {stations.sharing_a_commune(tables)}"
    yield f"stations whose name and district settle no commune: {len(unsettled)}"
    yield from (f"  {listed.code} {listed.name} · {listed.district_name}" for listed in unsettled)


def main(arguments: list[str]) -> int:
    """Build into OUT_DIR (default: this package's folder) and print the check numbers."""
    out = Path(arguments[1]) if len(arguments) > 1 else HERE
    if arguments:
        out.mkdir(parents=True, exist_ok=True)
        tables = build(Path(arguments[0]), out)
        sys.stdout.writelines(f"{line}\n" for line in check_numbers(tables))
    index = write_index(out, HERE / CATALOGUE)
    sys.stdout.writelines(
        f"{entry['file']}: {entry['size_bytes']} bytes, {entry['counts']}\n" for entry in index.values()
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
