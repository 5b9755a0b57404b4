"""The register: an immutable snapshot of every accepted batch, folded; what a decision reads beside the card."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import reduce

from lienthong.domain.contract import Contracts
from lienthong.domain.facility import Facilities
from lienthong.domain.facts import Change, Fact, FactKey, FactSet
from lienthong.domain.guidance import Guidance, Tables
from lienthong.domain.lineage import Succession
from lienthong.domain.seals import SealedBatch
from lienthong.domain.territory import revised_territory


class BatchOutOfPlaceError(ValueError):
    """A batch was folded onto another than its base: its reader skipped or repeated one."""

    def __init__(self, *, batch_id: str, base: str | None, last_batch: str | None) -> None:
        self.batch_id = batch_id
        self.base = base
        self.last_batch = last_batch
        super().__init__(f"batch {batch_id} stands on {base}, but the last one folded is {last_batch}")


def _no_facilities() -> Facilities:
    return Facilities(Succession())


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One state of the register; `position` is the offset of the last accepted seal plus one, 0 where there is none.

    Built by `Register.empty()` and `with_batch`; a snapshot never changes, so readers need no lock. `batches` keeps
    what was accepted in its order; `facts` the winners, which nobody may add to.
    """

    territory: Succession = field(default_factory=Succession)
    facilities: Facilities = field(default_factory=_no_facilities)
    guidance: Guidance = field(default_factory=Guidance)
    tables: Tables = field(default_factory=Tables)
    facts: FactSet = field(default_factory=FactSet)
    batches: tuple[SealedBatch, ...] = ()
    illustrative_count: int = 0

    @classmethod
    def empty(cls) -> "Register":
        """Return the register before any batch."""
        return cls()

    @classmethod
    def of(cls, batches: Iterable[SealedBatch]) -> "Register":
        """Fold accepted batches in their order. Raises BatchOutOfPlaceError."""
        return reduce(cls.with_batch, batches, cls.empty())

    @property
    def position(self) -> int:
        """Return the position of the register stream that this snapshot answers for."""
        return self.batches[-1].position if self.batches else 0

    @property
    def last_batch(self) -> str | None:
        """Return the id of the last accepted batch, on which the next one must stand."""
        return self.batches[-1].batch_id if self.batches else None

    @property
    def contracts(self) -> Contracts:
        """Return the contracts on record."""
        return self.facilities.contracts

    @property
    def illustrative(self) -> bool:
        """Tell whether any standing fact was invented for a demonstration."""
        return self.illustrative_count > 0

    @property
    def state_digest(self) -> int:
        """Return the digest of the winning facts without annulled ones."""
        return self.facts.state_digest

    @property
    def facts_digest(self) -> int:
        """Return the digest of the winning facts, annulled ones included."""
        return self.facts.facts_digest

    def has_accepted(self, batch_id: str) -> bool:
        """Tell whether a batch is part of the register."""
        return any(batch.batch_id == batch_id for batch in self.batches)

    def with_batch(self, batch: SealedBatch) -> "Register":
        """Return the register with one more batch; costs what the batch touches. Raises BatchOutOfPlaceError."""
        if batch.base != self.last_batch or self.has_accepted(batch.batch_id):
            raise BatchOutOfPlaceError(batch_id=batch.batch_id, base=batch.base, last_batch=self.last_batch)
        return replace(self.with_facts(batch.facts), batches=(*self.batches, batch))

    def with_facts(self, facts: Iterable[Fact]) -> "Register":
        """Return what the register would be with these facts, their batch not yet accepted."""
        winners = self.facts.copy()
        changes = net_changes(winners, facts)
        territory = revised_territory(self.territory, changes)
        return replace(
            self,
            territory=territory,
            facilities=self.facilities.revised(changes, territory),
            guidance=self.guidance.revised(changes),
            tables=self.tables.revised(changes),
            facts=winners,
            illustrative_count=self.illustrative_count + _illustrative_more(changes),
        )


def net_changes(winners: FactSet, facts: Iterable[Fact]) -> list[Change]:
    """Add the facts and return what they changed together: one change for each identity, in the order they came."""
    first: dict[FactKey, Fact | None] = {}
    for each in facts:
        change = winners.add(each)
        if change is not None:
            first.setdefault(each.key, change.before)
    return [Change(before=before, after=winners.winners[key]) for key, before in first.items()]


def _illustrative_more(changes: Iterable[Change]) -> int:
    return sum(_is_illustrative(change.after) - _is_illustrative(change.before) for change in changes)


def _is_illustrative(fact: Fact | None) -> bool:
    return fact is not None and fact.illustrative and not fact.annulled
