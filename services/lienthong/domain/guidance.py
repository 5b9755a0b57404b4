"""Documents that state rules and tables that hold their numbers, each found by the day it is in force."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from lienthong.domain.facts import GUIDANCE, TABLE, Change
from lienthong.domain.territory import day, replacements

Row = Mapping[str, Any]

_NO_ROWS: Final[tuple[Row, ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidanceDocument:
    """A document with a rule in both languages; `ended_on` is its last day in effect, None while nothing ended it.

    `grade` says how well the rule is known: `2` two public sources, `1` one, `r` a third party's reading, `m` memory.
    """

    number: str
    issuer: str
    subject: str
    effective_from: date
    ended_on: date | None
    ended_by: str | None
    rule_vi: str
    rule_en: str
    grade: str
    source: str
    illustrative: bool = False

    def in_force(self, on: date) -> bool:
        """Tell whether the document is in effect on the day, both ends included."""
        return self.effective_from <= on and (self.ended_on is None or on <= self.ended_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableVersion:
    """A table from the day it takes effect until the next version of its name; `id` is `NAME/VALID_FROM`."""

    id: str
    revision: int
    name: str
    valid_from: date
    rows: tuple[Row, ...]
    grade: str
    source: str
    illustrative: bool = False


class Guidance:
    """An immutable index of documents by subject."""

    __slots__ = ("_by_number",)

    def __init__(self) -> None:
        self._by_number: dict[str, GuidanceDocument] = {}

    def revised(self, changes: Sequence[Change]) -> "Guidance":
        """Return the documents after changes of winning facts; those of other families are passed over."""
        replaced = replacements(changes, GUIDANCE, guidance_document)
        if not replaced:
            return self
        revised = Guidance()
        revised._by_number = self._by_number.copy()
        for before, after in replaced:
            if before is not None:
                revised._by_number.pop(before.number, None)
            if after is not None:
                revised._by_number[after.number] = after
        return revised

    def in_force(self, subject: str, on: date) -> tuple[GuidanceDocument, ...]:
        """Return the documents on a subject that are in effect on the day, the latest first."""
        found = [each for each in self._by_number.values() if each.subject == subject and each.in_force(on)]
        return tuple(sorted(found, key=lambda each: (-each.effective_from.toordinal(), each.number)))

    def document(self, number: str) -> GuidanceDocument | None:
        """Return a document by its number, in effect or not."""
        return self._by_number.get(number)


class Tables:
    """An immutable index of dated tables by name."""

    __slots__ = ("_by_name",)

    def __init__(self) -> None:
        self._by_name: dict[str, tuple[TableVersion, ...]] = {}

    def revised(self, changes: Sequence[Change]) -> "Tables":
        """Return the tables after changes of winning facts; those of other families are passed over."""
        replaced = replacements(changes, TABLE, table_version)
        if not replaced:
            return self
        revised = Tables()
        revised._by_name = self._by_name.copy()
        for before, after in replaced:
            if before is not None:
                revised._by_name[before.name] = tuple(each for each in revised.of(before.name) if each.id != before.id)
            if after is not None:
                held = (*revised.of(after.name), after)
                revised._by_name[after.name] = tuple(sorted(held, key=lambda each: each.valid_from))
        return revised

    def of(self, name: str) -> tuple[TableVersion, ...]:
        """Return the versions of a table, the earliest first."""
        return self._by_name.get(name, ())

    def version(self, name: str, on: date) -> TableVersion | None:
        """Return the version of a table in force on the day, None before its first one."""
        started = [each for each in self.of(name) if each.valid_from <= on]
        return started[-1] if started else None

    def rows(self, name: str, on: date) -> tuple[Row, ...]:
        """Return the rows of a table in force on the day, none where no version is."""
        version = self.version(name, on)
        return version.rows if version else _NO_ROWS


def guidance_document(data: Mapping[str, Any]) -> GuidanceDocument:
    """Read the data of `guidance.recorded`."""
    ended = data["ended"]
    return GuidanceDocument(
        number=data["id"],
        issuer=data["issuer"],
        subject=data["subject"],
        effective_from=date.fromisoformat(data["effective_from"]),
        ended_on=day(ended["on"]) if ended else None,
        ended_by=ended["by"] if ended else None,
        rule_vi=data["rule"]["vi"],
        rule_en=data["rule"]["en"],
        grade=data["grade"],
        source=data["source"],
        illustrative=bool(data.get("illustrative")),
    )


def table_version(data: Mapping[str, Any]) -> TableVersion:
    """Read the data of `table.recorded`."""
    return TableVersion(
        id=data["id"],
        revision=data["revision"],
        name=data["name"],
        valid_from=date.fromisoformat(data["valid_from"]),
        rows=tuple(data["rows"]),
        grade=data["grade"],
        source=data["source"],
        illustrative=bool(data.get("illustrative")),
    )
