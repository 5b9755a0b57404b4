"""Build register facts and registers as short as a test wants to say them."""

from collections.abc import Iterable
from typing import Any

from lienthong.domain.facts import Fact, digest_hex, digest_of, fact
from lienthong.domain.register import Register
from lienthong.domain.seals import SealedBatch

Unit = tuple[str, str]
"""A level and a code."""


def commune(code: str) -> Unit:
    return ("commune", code)


def unit(place: Unit, valid_from: str | None = None, **other: Any) -> Fact:
    """Build `territory.unit_recorded`; its name is its code's unless given."""
    level, code = place
    parent = other.pop("parent", None)
    data = {
        "id": f"{level}/{code}/{valid_from or '-'}",
        "revision": 1,
        "level": level,
        "code": code,
        "name": f"{level.title()} {code}",
        "valid_from": valid_from,
        "parent": _unit_key(parent) if parent else None,
    }
    return fact("territory.unit_recorded", data | other)


def reorganised(
    day: str, links: Iterable[tuple[Unit, Unit, str]] = (), ends: Iterable[Unit] = (), **other: Any
) -> Fact:
    """Build `territory.reorganised`; links are (predecessor, successor, extent)."""
    said = [
        {"predecessor": _unit_key(old), "successor": _unit_key(new), "extent": extent} for old, new, extent in links
    ]
    return fact("territory.reorganised", _reorganisation(day, said, [_unit_key(each) for each in ends], other))


def facility(code: str, valid_from: str | None = None, **other: Any) -> Fact:
    """Build `facility.recorded`, a commune health station unless said; `commune` is (level, code, recorded_on)."""
    place = other.pop("commune", None)
    data = {
        "id": f"{code}/{valid_from or '-'}",
        "revision": 1,
        "code": code,
        "name": f"Trạm y tế {code}",
        "kind": "commune_station",
        "valid_from": valid_from,
        "commune": dict(zip(("level", "code", "recorded_on"), place, strict=True)) if place else None,
        "address": None,
        "care_level": None,
        "points": None,
        "former_tier": None,
    }
    return fact("facility.recorded", data | other)


def facility_reorganised(
    day: str, links: Iterable[tuple[str, str, str]] = (), ends: Iterable[str] = (), **other: Any
) -> Fact:
    """Build `facility.reorganised`; links are (predecessor, successor, extent) of codes."""
    point = other.pop("continues_as_point_of", None)
    said = [
        {
            "predecessor": {"code": old},
            "successor": {"code": new},
            "extent": extent,
            "hint": False,
            "continues_as_point_of": point,
        }
        for old, new, extent in links
    ]
    return fact("facility.reorganised", _reorganisation(day, said, [{"code": each} for each in ends], other))


def contract(number: str, code: str, valid_from: str, valid_to: str | None = None, **other: Any) -> Fact:
    """Build `contract.recorded`."""
    data = {
        "id": number,
        "revision": 1,
        "facility_code": code,
        "kind": "contract",
        "valid_from": valid_from,
        "valid_to": valid_to,
        "inherits": None,
    }
    return fact("contract.recorded", data | other)


def guidance(
    number: str, subject: str, effective_from: str, ended: tuple[str, str] | None = None, **other: Any
) -> Fact:
    """Build `guidance.recorded`; `ended` is its last day in effect and the document that ended it."""
    data = {
        "id": number,
        "revision": 1,
        "issuer": "Bảo hiểm xã hội Việt Nam",
        "subject": subject,
        "effective_from": effective_from,
        "ended": {"on": ended[0], "by": ended[1]} if ended else None,
        "rule": {"vi": f"Theo {number}.", "en": f"By {number}."},
        "grade": "1",
        "source": "test",
    }
    return fact("guidance.recorded", data | other)


def table(name: str, valid_from: str, rows: list[dict[str, Any]], **other: Any) -> Fact:
    """Build `table.recorded`."""
    data = {
        "id": f"{name}/{valid_from}",
        "revision": 1,
        "name": name,
        "valid_from": valid_from,
        "rows": rows,
        "grade": "1",
        "source": "test",
    }
    return fact("table.recorded", data | other)


def annulled(target: Fact, revision: int | None = None) -> Fact:
    """Build the annulment of a fact, at the next revision unless said."""
    data = {
        "id": target.id,
        "revision": revision or target.revision + 1,
        "family": target.family,
        "reason": "test",
        "document": None,
    }
    return fact("fact.annulled", data)


def revised(target: Fact, **changes: Any) -> Fact:
    """Build the next revision of a fact with other content."""
    return fact(target.type, {**target.data, "revision": target.revision + 1, **changes})


def batch(register: Register, *facts: Fact, name: str | None = None) -> SealedBatch:
    """Seal facts on a register, one position after its last seal."""
    return SealedBatch(
        batch_id=digest_hex(digest_of(facts)),
        base=register.last_batch,
        name=name,
        position=register.position + 1,
        facts=facts,
    )


def published(register: Register, *facts: Fact) -> Register:
    """Return the register with one more batch of these facts."""
    return register.with_batch(batch(register, *facts))


def register_of(*facts: Fact) -> Register:
    """Return a register whose one batch holds these facts."""
    return published(Register.empty(), *facts) if facts else Register.empty()


def _reorganisation(day: str, links: list[Any], ends: list[Any], other: dict[str, Any]) -> dict[str, Any]:
    number = other.pop("document", "1/NQ")
    first = (links[0]["successor"] if links else ends[0])["code"]
    return {
        "id": f"test-{day}/{first}",
        "revision": 1,
        "effective_on": day,
        "document": {"number": number, "issuer": "Quốc hội", "issued_on": None} if number else None,
        "links": links,
        "ends": ends,
    } | other


def _unit_key(place: Unit) -> dict[str, str]:
    return {"level": place[0], "code": place[1]}
