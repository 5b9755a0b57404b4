"""The gate: what a batch would do to the register, and why it may not, before any of it is written."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from lienthong.domain.contract import contract
from lienthong.domain.facility import LEVEL, facility, facility_reorganisation, place_version
from lienthong.domain.facts import (
    CONTRACT,
    FACILITY,
    FACILITY_REORGANISATION,
    TERRITORY_REORGANISATION,
    UNIT,
    Change,
    Fact,
    FactKey,
    FactSet,
    digest_hex,
    digest_of,
)
from lienthong.domain.gate_checks import Touched, divided, parent_faults, parts_without_rest, succession_faults, touched
from lienthong.domain.gate_faults import Fault, FaultCode, fault
from lienthong.domain.register import Register, net_changes
from lienthong.domain.succession import PlaceKey
from lienthong.domain.territory import territory_reorganisation, unit_version


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSummary:
    """What the batch would change, both counts taken on `on`: the last day on which any of it takes effect.

    `on` is None where nothing in the batch has a day. Units are counted by level, facilities apart; `divided` are the
    codes that the batch leads to more than one place.
    """

    on: date | None
    units_before: Mapping[str, int]
    units_after: Mapping[str, int]
    facilities_before: int
    facilities_after: int
    divided: tuple[PlaceKey, ...]
    without_successor_before: tuple[str, ...]
    without_successor_after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """The gate's answer; a batch with a fault is refused whole, a warning refuses nothing.

    `register` is what would stand, for a sample of answers before and after. `illustrative` names the invented facts.
    """

    batch_id: str
    base: str | None
    count: int
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    illustrative: tuple[FactKey, ...]
    summary: GateSummary
    register: Register

    @property
    def passed(self) -> bool:
        """Tell whether the batch may be written."""
        return not self.faults


def check(register: Register, facts: Sequence[Fact]) -> GateReport:
    """Check a batch of facts, given in any order, against what stands; nothing is changed."""
    distinct = {each.sha256: each for each in facts}
    batch_id = digest_hex(digest_of(facts))
    changes = net_changes(register.facts.copy(), distinct.values())
    after = register.with_facts(distinct.values())
    territory = touched(changes, (UNIT, TERRITORY_REORGANISATION), unit_version, territory_reorganisation)
    facilities = touched(
        changes,
        (FACILITY, FACILITY_REORGANISATION),
        lambda data: place_version(facility(data)),
        facility_reorganisation,
    )
    faults = [
        *_batch_faults(register, batch_id, distinct),
        *_revision_faults(register, distinct.values()),
        *succession_faults(after.territory.timeline, territory),
        *parent_faults(after.territory, territory),
        *succession_faults(after.facilities.succession.timeline, facilities),
    ]
    warnings = [
        *parts_without_rest(after.territory.timeline, territory),
        *parts_without_rest(after.facilities.succession.timeline, facilities),
        *_loose_references(after, changes),
    ]
    return GateReport(
        batch_id=batch_id,
        base=register.last_batch,
        count=len(distinct),
        faults=tuple(faults),
        warnings=tuple(warnings),
        illustrative=tuple(sorted(each.key for each in distinct.values() if each.illustrative)),
        summary=_summary(register, after, territory, facilities),
        register=after,
    )


def _batch_faults(register: Register, batch_id: str, distinct: Mapping[bytes, Fact]) -> Iterator[Fault]:
    if not distinct:
        yield fault(FaultCode.NOTHING_TO_PUBLISH, None)
    elif register.has_accepted(batch_id):
        yield fault(FaultCode.ALREADY_ACCEPTED, None)


def _revision_faults(register: Register, facts: Collection[Fact]) -> Iterator[Fault]:
    """Find revisions that would never count, or that were given other content, in the register or in the batch."""
    batch = FactSet()
    for each in facts:
        batch.add(each)
        held = register.facts.winners.get(each.key)
        if held is None or held.sha256 == each.sha256:
            continue
        if each.revision < held.revision:
            yield fault(FaultCode.REVISION_LOST, each.key, revision=each.revision, held=held.revision)
        elif each.revision == held.revision:
            yield fault(FaultCode.REVISION_CONFLICT, each.key, revision=each.revision)
    for conflict in batch.conflicts:
        yield fault(FaultCode.REVISION_CONFLICT, (conflict.family, conflict.id), revision=conflict.revision)
    known = register.facts.winners.keys() | {each.key for each in facts if not each.annulled}
    for key, winner in batch.winners.items():
        if winner.annulled and key not in known:
            yield fault(FaultCode.NOTHING_TO_ANNUL, key)


def _loose_references(after: Register, changes: Sequence[Change]) -> Iterator[Fault]:
    """Find facilities in communes, and contracts of facilities, that the register does not know."""
    for change in changes:
        now = change.after
        if now.annulled:
            continue
        if now.family == FACILITY:
            commune = facility(now.data).commune
            if commune is not None and not after.territory.timeline.spans(commune.key):
                yield fault(FaultCode.COMMUNE_UNKNOWN, now.key, place=commune.key)
        elif now.family == CONTRACT:
            place = PlaceKey(LEVEL, contract(now.data).facility_code)
            if not after.facilities.succession.timeline.spans(place):
                yield fault(FaultCode.CONTRACT_WITHOUT_FACILITY, now.key, place=place)


def _summary(before: Register, after: Register, territory: Touched, facilities: Touched) -> GateSummary:
    on = max(territory.days | facilities.days, default=None)
    day = on or date.max
    return GateSummary(
        on=on,
        units_before=before.territory.count(day),
        units_after=after.territory.count(day),
        facilities_before=before.facilities.succession.count(day).get(LEVEL, 0),
        facilities_after=after.facilities.succession.count(day).get(LEVEL, 0),
        divided=tuple(
            sorted(
                {
                    key
                    for timeline, found in (
                        (after.territory.timeline, territory),
                        (after.facilities.succession.timeline, facilities),
                    )
                    for reorganisation, _ in found.reorganisations.values()
                    for key in {link.predecessor for link in reorganisation.links}
                    if divided(timeline, key, reorganisation.effective_on)
                }
            )
        ),
        without_successor_before=before.facilities.without_successor(day),
        without_successor_after=after.facilities.without_successor(day),
    )
