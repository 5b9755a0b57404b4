"""Which seals stand: register facts are inert until the seal of their batch on the last accepted one."""

from dataclasses import dataclass
from enum import StrEnum

from lienthong.domain.facts import Fact, digest_hex, digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What `batch.sealed` says, with `position`: its offset in the log plus one.

    `batch_id` is the digest of the batch's distinct facts; `base` the last accepted batch, None for the first.
    """

    batch_id: str
    base: str | None
    count: int
    digest: str
    name: str | None
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBatch:
    """An accepted batch: its facts count from `position`, the offset of its seal plus one."""

    batch_id: str
    base: str | None
    name: str | None
    position: int
    facts: tuple[Fact, ...]


class Refusal(StrEnum):
    """Why a seal does not stand; its facts stay inert."""

    ALREADY_ACCEPTED = "already_accepted"
    OTHER_BASE = "other_base"
    OTHER_FACTS = "other_facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedSeal:
    """A seal that does not stand, and the batch that it should have been based on."""

    seal: Seal
    reason: Refusal
    last_batch: str | None


class SealLog:
    """Reads the register stream in its order and says of each seal whether it stands.

    Every reader of the same stream comes to the same answer. Facts of a refused seal are kept, for the publisher may
    seal them again on the right base.
    """

    __slots__ = ("_accepted", "_waiting", "last_batch")

    def __init__(self) -> None:
        self.last_batch: str | None = None
        self._accepted: set[str] = set()
        self._waiting: dict[str, dict[bytes, Fact]] = {}

    def add(self, batch_id: str, fact: Fact) -> None:
        """Note a fact written for a batch; the same fact written again counts once, one of an accepted batch not."""
        if batch_id not in self._accepted:
            self._waiting.setdefault(batch_id, {})[fact.sha256] = fact

    def seal(self, seal: Seal) -> SealedBatch | RefusedSeal:
        """Accept a seal on the last accepted batch whose count and digest match its facts, or say why not."""
        facts = self._waiting.get(seal.batch_id, {})
        refusal = self._refusal(seal, facts)
        if refusal is not None:
            return RefusedSeal(seal=seal, reason=refusal, last_batch=self.last_batch)
        del self._waiting[seal.batch_id]
        self._accepted.add(seal.batch_id)
        self.last_batch = seal.batch_id
        return SealedBatch(
            batch_id=seal.batch_id,
            base=seal.base,
            name=seal.name,
            position=seal.position,
            facts=tuple(facts[sha256] for sha256 in sorted(facts)),
        )

    def _refusal(self, seal: Seal, facts: dict[bytes, Fact]) -> Refusal | None:
        if seal.batch_id in self._accepted:
            return Refusal.ALREADY_ACCEPTED
        if seal.base != self.last_batch:
            return Refusal.OTHER_BASE
        digest = digest_hex(digest_of(facts.values()))
        if not facts or len(facts) != seal.count or digest != seal.digest or digest != seal.batch_id:
            return Refusal.OTHER_FACTS
        return None


def batch_id_of(facts: tuple[Fact, ...]) -> str:
    """Return the identity of a batch of these facts: the digest of the distinct ones, in hexadecimal."""
    return digest_hex(digest_of(facts))
