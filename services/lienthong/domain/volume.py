"""Look-up volumes through time: a place's total holds what was counted under its predecessors."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from lienthong.domain.succession import PlaceKey, Reference, Resolution, State

Resolve = Callable[[Reference, date], Resolution]


class Counted(NamedTuple):
    """How many look-ups were counted under a reference."""

    reference: Reference
    lookups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceTotal:
    """The look-ups of one place of the day asked about.

    `place` exists on that day, unless `state` says otherwise: a divided, ended or unknown place keeps what was counted
    under it, for it belongs to no single successor; `candidates` names those. `name` is None where the register does
    not know the place. `includes` holds what the total is the sum of, by code, the largest first.
    """

    place: PlaceKey
    name: str | None
    state: State
    candidates: tuple[PlaceKey, ...]
    lookups: int
    includes: tuple[tuple[PlaceKey, int], ...]


def place_totals(counted: Iterable[Counted], on: date, resolve: Resolve) -> list[PlaceTotal]:
    """Total what was counted by what each reference has become by the day, the largest total first."""
    parts: dict[_Heir, dict[PlaceKey, int]] = {}
    for reference, lookups in counted:
        part = parts.setdefault(_heir(resolve(reference, on), reference), {})
        key = PlaceKey(reference.level, reference.code)
        part[key] = part.get(key, 0) + lookups
    totals = [
        PlaceTotal(
            place=heir.place,
            name=heir.name,
            state=heir.state,
            candidates=heir.candidates,
            lookups=sum(part.values()),
            includes=tuple(sorted(part.items(), key=lambda item: (-item[1], item[0]))),
        )
        for heir, part in parts.items()
    ]
    return sorted(totals, key=lambda total: (-total.lookups, total.place))


def belongs(reference: Reference, place: PlaceKey, on: date, resolve: Resolve) -> bool:
    """Tell whether what was counted under the reference is in the place's total on the day."""
    return _heir(resolve(reference, on), reference).place == place


def province_of(reference: Reference, on: date, resolve: Resolve) -> str | None:
    """Return the province of a unit on the day, None where the register does not settle exactly one.

    A divided commune still has one: no division crosses the border of a province of today.
    """
    provinces = {candidate.province_code for candidate in resolve(reference, on).candidates}
    return provinces.pop() if len(provinces) == 1 else None


class _Heir(NamedTuple):
    place: PlaceKey
    name: str | None
    state: State
    candidates: tuple[PlaceKey, ...]


def _heir(resolution: Resolution, reference: Reference) -> _Heir:
    if resolution.state in {State.CURRENT, State.SUCCEEDED} and len(resolution.candidates) == 1:
        today = resolution.candidates[0]
        return _Heir(PlaceKey(today.level, today.code), today.name, State.CURRENT, ())
    names = {place.name for place in resolution.printed}
    candidates = tuple(PlaceKey(candidate.level, candidate.code) for candidate in resolution.candidates)
    own = PlaceKey(reference.level, reference.code)
    return _Heir(own, names.pop() if len(names) == 1 else None, resolution.state, candidates)
