"""Annul an accepted batch by a new one that restores, at the next revision, what stood before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lienthong.domain.facts import ANNULLED, Fact, FactKey, FactSet, fact
from lienthong.domain.register import Register


class AnnulmentFault(StrEnum):
    """Why a batch cannot be annulled."""

    NOT_ACCEPTED = "not_accepted"
    REVISED_LATER = "revised_later"
    NOTHING_STANDS = "nothing_stands"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnulmentRefused:
    """A batch that cannot be annulled, and the facts that a later batch revised."""

    batch_id: str
    reason: AnnulmentFault
    facts: tuple[FactKey, ...] = ()


def annul_batch(register: Register, batch_id: str, reason: str) -> tuple[Fact, ...] | AnnulmentRefused:
    """Return the facts of the batch that undoes an accepted one, or why there is none.

    What stood before the batch returns at the next revision; what was new is annulled, with `reason` as its reason.
    An annulment is a batch like any other, so annulling it brings back what it undid.
    """
    places = [place for place, batch in enumerate(register.batches) if batch.batch_id == batch_id]
    if not places:
        return AnnulmentRefused(batch_id=batch_id, reason=AnnulmentFault.NOT_ACCEPTED)
    winners = FactSet()
    for earlier in register.batches[: places[0]]:
        for each in earlier.facts:
            winners.add(each)
    stood = dict(winners.winners)
    changed = {each.key for each in register.batches[places[0]].facts if winners.add(each) is not None}
    brought = {key: winners.winners[key] for key in sorted(changed)}
    revised = tuple(key for key, each in brought.items() if register.facts.winners[key].sha256 != each.sha256)
    if revised:
        return AnnulmentRefused(batch_id=batch_id, reason=AnnulmentFault.REVISED_LATER, facts=revised)
    if not brought:
        return AnnulmentRefused(batch_id=batch_id, reason=AnnulmentFault.NOTHING_STANDS)
    return tuple(_undone(each, stood.get(key), reason) for key, each in brought.items())


def _undone(brought: Fact, stood: Fact | None, reason: str) -> Fact:
    revision = brought.revision + 1
    if stood is not None:
        return fact(stood.type, {**stood.data, "revision": revision})
    data: Mapping[str, Any] = {
        "id": brought.id,
        "revision": revision,
        "family": brought.family,
        "reason": reason,
        "document": None,
    }
    return fact(ANNULLED, data)
