"""Look-up volumes through time: which earlier places a place's total must include."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from lienthong.domain.succession import PlaceKey, Reference, Resolution, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The counted references behind one place: those wholly part of it, and those divided among it and others.

    A divided predecessor's look-ups belong to no single successor, so they are shown beside a total, never in it.
    """

    whole: tuple[Reference, ...]
    divided: tuple[Reference, ...]


def lineage(
    place: PlaceKey, on: date, counted: Iterable[Reference], resolve: Callable[[Reference, date], Resolution]
) -> Lineage:
    """Sort counted references by what became of them on the day: wholly `place`, partly, or neither.

    A reference that the register does not know counts for its own code.
    """
    whole: list[Reference] = []
    divided: list[Reference] = []
    for reference in counted:
        resolution = resolve(reference, on)
        candidates = {(candidate.level, candidate.code) for candidate in resolution.candidates}
        if resolution.state is State.UNKNOWN:
            if (reference.level, reference.code) == place:
                whole.append(reference)
        elif place in candidates:
            alone = resolution.state in {State.CURRENT, State.SUCCEEDED}
            (whole if alone else divided).append(reference)
    return Lineage(whole=tuple(whole), divided=tuple(divided))
