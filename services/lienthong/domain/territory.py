"""Units and their reorganisations as facts state them, folded into the succession of the territory."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

from lienthong.domain.facts import TERRITORY_REORGANISATION, UNIT, Change, Fact
from lienthong.domain.lineage import Succession
from lienthong.domain.succession import Document, Extent, Link, PlaceKey, PlaceVersion, Reorganisation
from lienthong.domain.timeline import Replacement

Value = TypeVar("Value")


def revised_territory(territory: Succession, changes: Sequence[Change]) -> Succession:
    """Return the territory after changes of winning facts; those of other families are passed over."""
    versions = replacements(changes, UNIT, unit_version)
    reorganisations = replacements(changes, TERRITORY_REORGANISATION, territory_reorganisation)
    return territory.revised(versions, reorganisations) if versions or reorganisations else territory


def unit_version(data: Mapping[str, Any]) -> PlaceVersion:
    """Read the data of `territory.unit_recorded`."""
    parent = data["parent"]
    return PlaceVersion(
        level=data["level"],
        code=data["code"],
        name=data["name"],
        valid_from=day(data["valid_from"]),
        parent=_unit_key(parent) if parent else None,
        illustrative=bool(data.get("illustrative")),
    )


def territory_reorganisation(data: Mapping[str, Any]) -> Reorganisation:
    """Read the data of `territory.reorganised`."""
    return reorganisation(data, _unit_key)


def reorganisation(data: Mapping[str, Any], key_of: Callable[[Mapping[str, Any]], PlaceKey]) -> Reorganisation:
    """Read the data of a reorganisation whose places are named as `key_of` reads them."""
    document = data["document"]
    return Reorganisation(
        id=data["id"],
        effective_on=date.fromisoformat(data["effective_on"]),
        document=Document(number=document["number"], issuer=document["issuer"], issued_on=day(document["issued_on"]))
        if document
        else None,
        links=tuple(
            Link(
                predecessor=key_of(link["predecessor"]),
                successor=key_of(link["successor"]),
                extent=Extent(link["extent"]),
                hint=bool(link.get("hint")),
                continues_as_point_of=link.get("continues_as_point_of"),
            )
            for link in data["links"]
        ),
        ends=tuple(key_of(ended) for ended in data["ends"]),
        illustrative=bool(data.get("illustrative")),
    )


def replacements(
    changes: Sequence[Change], family: str, read: Callable[[Mapping[str, Any]], Value]
) -> list[Replacement[Value]]:
    """Read what facts of a family said before and say now; None stands for no fact and for an annulled one."""
    return [
        Replacement(_read(change.before, read), _read(change.after, read))
        for change in changes
        if change.after.family == family
    ]


def day(text: str | None) -> date | None:
    """Read a day of a fact, None where it is unknown or open."""
    return None if text is None else date.fromisoformat(text)


def _read(fact: Fact | None, read: Callable[[Mapping[str, Any]], Value]) -> Value | None:
    return None if fact is None or fact.annulled else read(fact.data)


def _unit_key(data: Mapping[str, Any]) -> PlaceKey:
    return PlaceKey(data["level"], data["code"])
