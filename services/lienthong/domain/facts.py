"""Facts, their revisions and their digests: state is a function of the set of facts, never of their order."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

DIGEST_MODULUS: Final = 1 << 256

CARD: Final = "card"
UNIT: Final = "unit"
TERRITORY_REORGANISATION: Final = "territory-reorganisation"
FACILITY: Final = "facility"
FACILITY_REORGANISATION: Final = "facility-reorganisation"
CONTRACT: Final = "contract"
GUIDANCE: Final = "guidance"
TABLE: Final = "table"

ANNULLED: Final = "fact.annulled"

FAMILY_OF: Final[Mapping[str, str]] = {
    "card.recorded": CARD,
    "card.withdrawn": CARD,
    "territory.unit_recorded": UNIT,
    "territory.reorganised": TERRITORY_REORGANISATION,
    "facility.recorded": FACILITY,
    "facility.reorganised": FACILITY_REORGANISATION,
    "contract.recorded": CONTRACT,
    "guidance.recorded": GUIDANCE,
    "table.recorded": TABLE,
}

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)

FactKey = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One revision of one fact; `data` is exactly what was received and `sha256` the digest of its canonical bytes."""

    family: str
    id: str
    revision: int
    type: str
    data: Mapping[str, Any]
    sha256: bytes

    @property
    def annulled(self) -> bool:
        """Tell whether this revision takes the fact back: it competes like any other and has no content."""
        return self.type == ANNULLED

    @property
    def illustrative(self) -> bool:
        """Tell whether the fact was invented for a demonstration and comes from no document."""
        return self.data.get("illustrative") is True

    @property
    def key(self) -> FactKey:
        """Return the fact's identity: (family, id)."""
        return (self.family, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What adding a fact did: the winner it displaced, None where there was none, and the winner now."""

    before: Fact | None
    after: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionConflict:
    """One revision was assigned twice with other bytes; `sha256s` holds every digest seen, the greatest stands."""

    family: str
    id: str
    revision: int
    sha256s: tuple[bytes, ...]


def canonical(type: str, data: Mapping[str, Any]) -> bytes:  # noqa: A002 -- the name of the field on the wire
    """Return the bytes a fact is known by: RFC 8785 JSON of `{"data":…,"type":…}`, for data without floats."""
    return _ENCODER.encode({"data": data, "type": type}).encode()


def fact(type: str, data: Mapping[str, Any]) -> Fact:  # noqa: A002 -- the name of the field on the wire
    """Return the fact that validated data state; ValueError where the type is no fact's."""
    family = data["family"] if type == ANNULLED else FAMILY_OF.get(type)
    if family is None:
        message = f"{type} is not the type of a fact"
        raise ValueError(message)
    digest = hashlib.sha256(canonical(type, data)).digest()
    return Fact(family=family, id=data["id"], revision=data["revision"], type=type, data=data, sha256=digest)


def digest_hex(digest: int) -> str:
    """Return a digest as the 64 hexadecimal digits that messages carry."""
    return f"{digest:064x}"


def digest_of(facts: Iterable[Fact]) -> int:
    """Return the sum modulo 2^256 of the distinct facts' SHA-256: the identity of a batch, whatever its order."""
    return sum(int.from_bytes(sha256) for sha256 in {each.sha256 for each in facts}) % DIGEST_MODULUS


def beats(challenger: Fact, holder: Fact) -> bool:
    """Tell whether the challenger wins: the higher revision, of equal ones the greater SHA-256."""
    return (challenger.revision, challenger.sha256) > (holder.revision, holder.sha256)


class FactSet:
    """The winning fact of each identity, with both digests kept as facts come in.

    Adding is idempotent and commutative: any order and any repetition of the same facts gives the same winners, the
    same digests and the same conflicts.
    """

    __slots__ = ("_rivals", "facts_digest", "state_digest", "winners")

    def __init__(self) -> None:
        self.winners: dict[FactKey, Fact] = {}
        self.state_digest = 0
        self.facts_digest = 0
        self._rivals: dict[FactKey, frozenset[bytes]] = {}

    def copy(self) -> "FactSet":
        """Return an independent set with the same facts."""
        twin = FactSet()
        twin.winners = self.winners.copy()
        twin.state_digest = self.state_digest
        twin.facts_digest = self.facts_digest
        twin._rivals = self._rivals.copy()
        return twin

    def add(self, fact: Fact) -> Change | None:
        """Let the fact compete; return what changed, None where the winner stays what it was."""
        key = fact.key
        held = self.winners.get(key)
        if held is not None:
            if held.sha256 == fact.sha256:
                return None
            self._note_rivals(key, held, fact)
            if not beats(fact, held):
                return None
        self.winners[key] = fact
        self._count(held, -1)
        self._count(fact, 1)
        return Change(before=held, after=fact)

    @property
    def conflicts(self) -> tuple[RevisionConflict, ...]:
        """Return the winning revisions that were assigned more than once, by family and id."""
        return tuple(
            RevisionConflict(
                family=key[0], id=key[1], revision=self.winners[key].revision, sha256s=tuple(sorted(rivals))
            )
            for key, rivals in sorted(self._rivals.items())
        )

    def _note_rivals(self, key: FactKey, held: Fact, fact: Fact) -> None:
        """Keep conflicts of the winning revision only, so that they too do not depend on the order."""
        if fact.revision == held.revision:
            self._rivals[key] = self._rivals.get(key, frozenset()) | {held.sha256, fact.sha256}
        elif fact.revision > held.revision:
            self._rivals.pop(key, None)

    def _count(self, fact: Fact | None, sign: int) -> None:
        if fact is None:
            return
        value = sign * int.from_bytes(fact.sha256)
        self.facts_digest = (self.facts_digest + value) % DIGEST_MODULUS
        if not fact.annulled:
            self.state_digest = (self.state_digest + value) % DIGEST_MODULUS
