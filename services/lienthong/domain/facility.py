"""Facilities through time on the engine of places, their communes, and whether one has a contract on record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from lienthong.domain.answer import PaymentHere
from lienthong.domain.contract import Contract, Contracts
from lienthong.domain.facts import FACILITY, FACILITY_REORGANISATION, Change
from lienthong.domain.lineage import KeptAnswers, Succession
from lienthong.domain.succession import (
    Place,
    PlaceKey,
    PlaceVersion,
    Reference,
    Reorganisation,
    Resolution,
)
from lienthong.domain.territory import day, reorganisation, replacements
from lienthong.domain.timeline import EventDays, Span
from lienthong.domain.walk import origins, walk

LEVEL: Final = "facility"

COMMUNE_STATION: Final = "commune_station"
"""The kind of facility that every commune has one of, and whose fate therefore hangs on its commune's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """One version of a facility; `commune` is None where its name and district do not settle it.

    `points` is the score of its professional level (0 to 100), `former_tier` its tier before Law 51/2024/QH15.
    """

    code: str
    name: str
    kind: str
    valid_from: date | None
    commune: Reference | None
    address: str | None
    care_level: str | None
    points: int | None
    former_tier: str | None
    illustrative: bool = False


class Facilities:
    """An immutable fold of facilities, their reorganisations and contracts, beside the territory they stand in."""

    __slots__ = ("_kept", "_records", "contracts", "succession", "territory")

    def __init__(self, territory: Succession) -> None:
        self.territory = territory
        self.succession = Succession()
        self.contracts = Contracts()
        self._records: dict[PlaceVersion, Facility] = {}
        self._kept = KeptAnswers(EventDays())

    def revised(self, changes: Sequence[Change], territory: Succession) -> "Facilities":
        """Return the facilities after changes of winning facts, in a territory; other families are passed over."""
        revised = Facilities(territory)
        records = replacements(changes, FACILITY, facility)
        versions = replacements(changes, FACILITY, lambda data: place_version(facility(data)))
        reorganisations = replacements(changes, FACILITY_REORGANISATION, facility_reorganisation)
        changed = bool(versions or reorganisations)
        revised.succession = self.succession.revised(versions, reorganisations) if changed else self.succession
        days = revised.succession.timeline.days.joined(territory.timeline.days.days)
        revised._kept = KeptAnswers(days)
        revised.contracts = self.contracts.revised(changes)
        revised._records = self._records
        if records:
            revised._records = self._records | {place_version(after): after for _, after in records if after}
        return revised

    def resolve(self, reference: Reference, on: date) -> Resolution:
        """Return what a printed facility is on a day, by documents alone; its places stand in communes of that day."""
        return self._kept.find(reference, on, self._resolve)

    def _resolve(self, reference: Reference, on: date) -> Resolution:
        resolution = self.succession.resolve(reference, on)
        recorded_on = reference.recorded_on
        return replace(
            resolution,
            printed=tuple(self._in_commune(place, recorded_on or place.valid_from) for place in resolution.printed),
            candidates=tuple(self._in_commune(place, on) for place in resolution.candidates),
        )

    def record(self, code: str, on: date) -> Facility | None:
        """Return the facility that bears the code on the day, None where there is none or more than one."""
        spans = self.succession.timeline.in_force(PlaceKey(LEVEL, code), on)
        return self._records[spans[0].version] if len(spans) == 1 else None

    def lacks_successor(self, reference: Reference, on: date) -> bool:
        """Tell whether a document is owed: the facility ended, or a station's commune changed, and nothing says more.

        A station whose commune took in or went into another must itself have a successor, but its commune never says
        which; one whose commune is not on record is not suspected.
        """
        meant = self.succession.meant(reference, on)
        return len(meant) == 1 and self._lacks_successor(*meant[0], on)

    def without_successor(self, on: date) -> tuple[str, ...]:
        """Return the codes that bore, by the day, a version that lacks a successor."""
        spans = (span for span in self.succession.timeline.all_spans() if span.starts <= on)
        return tuple(sorted({span.version.code for span in spans if self._lacks_successor(span, span.starts, on)}))

    def payment_here(self, code: str, on: date) -> PaymentHere:
        """Tell whether the facility that works under a code has a contract on the day.

        A contract belongs to the version that bore the code when it began, so a successor under the same code is
        `continuing` until its own is on record. `none_on_record` needs a contract that is known to have ended.
        """
        key = PlaceKey(LEVEL, code)
        spans = self.succession.timeline.in_force(key, on)
        if not spans:
            ended = [span for span in self.succession.timeline.spans(key) if span.starts <= on]
            return self._payment_after(ended[-1], on) if ended else _payment(self.contracts.of(code), on)
        return self._payment_of(spans[0], on)

    def _payment_of(self, span: Span, on: date) -> PaymentHere:
        """Look at the version's own contracts, then at its successor's where it is a service point, then behind it."""
        own = _payment(self._contracts_of(span), on)
        if own is not PaymentHere.UNKNOWN:
            return own
        ahead = walk(self.succession.timeline, span, span.starts, on).standing
        if ahead and span not in ahead:
            answers = {_payment(self._contracts_of(each), on) for each in ahead}
            return answers.pop() if len(answers) == 1 else PaymentHere.UNKNOWN
        behind = origins(self.succession.timeline, span, date.min, on)
        return PaymentHere.CONTINUING if any(self._paid_last(each, on) for each in behind) else PaymentHere.UNKNOWN

    def _payment_after(self, span: Span, on: date) -> PaymentHere:
        """Answer for a code that ended: by its successors where they agree, for its last contract else."""
        ahead = walk(self.succession.timeline, span, span.starts, on).standing
        answers = {self._payment_of(each, on) for each in ahead}
        if len(answers) == 1 and answers != {PaymentHere.UNKNOWN}:
            return answers.pop()
        return PaymentHere.CONTINUING if ahead and self._paid_last(span, on) else PaymentHere.UNKNOWN

    def _paid_last(self, span: Span, on: date) -> bool:
        last = span.last_day(on) or on
        return any(contract.covers(last) for contract in self._contracts_of(span))

    def _contracts_of(self, span: Span) -> tuple[Contract, ...]:
        """Return the contracts that name the code and began with this version, or before the first one on record."""
        firsts = [each.starts for each in self.succession.timeline.spans(span.version.key)]
        return tuple(
            contract
            for contract in self.contracts.of(span.version.code)
            if span.starts == max((first for first in firsts if first <= contract.valid_from), default=firsts[0])
        )

    def _lacks_successor(self, span: Span, since: date, on: date) -> bool:
        found = walk(self.succession.timeline, span, since, on)
        if found.disputed:
            return False
        if not found.standing:
            return True
        record = self._records[span.version]
        if found.reorganisations or record.kind != COMMUNE_STATION or record.commune is None:
            return False
        return not self.territory.stands_alone(record.commune, on)

    def _in_commune(self, place: Place, as_of: date | None) -> Place:
        """Show the facility in the commune and province of a day; where the commune is several, in none of them."""
        found = self._record_of(place)
        if found is None or found.commune is None:
            return place
        communes = self.territory.resolve(found.commune, as_of or found.commune.recorded_on or date.min).candidates
        if not communes:
            return place
        codes, provinces = {each.code for each in communes}, {each.province_code for each in communes}
        return replace(
            place,
            parent_code=codes.pop() if len(codes) == 1 else None,
            province_code=provinces.pop() if len(provinces) == 1 else None,
        )

    def _record_of(self, place: Place) -> Facility | None:
        for span in self.succession.timeline.spans(PlaceKey(LEVEL, place.code)):
            if span.version.valid_from == place.valid_from and span.version.name == place.name:
                return self._records[span.version]
        return None


def facility_reference(code: str, recorded_on: date | None = None) -> Reference:
    """Return the reference that a facility code on a card makes."""
    return Reference(level=LEVEL, code=code, recorded_on=recorded_on)


def facility(data: Mapping[str, Any]) -> Facility:
    """Read the data of `facility.recorded`."""
    commune, valid_from = data["commune"], day(data["valid_from"])
    return Facility(
        code=data["code"],
        name=data["name"],
        kind=data["kind"],
        valid_from=valid_from,
        commune=_commune(commune, valid_from) if commune else None,
        address=data["address"],
        care_level=data["care_level"],
        points=data["points"],
        former_tier=data["former_tier"],
        illustrative=bool(data.get("illustrative")),
    )


def facility_reorganisation(data: Mapping[str, Any]) -> Reorganisation:
    """Read the data of `facility.reorganised`, whose places are codes without a level."""
    return reorganisation(data, lambda named: PlaceKey(LEVEL, named["code"]))


def place_version(record: Facility) -> PlaceVersion:
    """Return the facility as the engine of places knows it; its commune stands where a unit has its parent."""
    commune = record.commune
    return PlaceVersion(
        level=LEVEL,
        code=record.code,
        name=record.name,
        valid_from=record.valid_from,
        parent=PlaceKey(commune.level, commune.code) if commune else None,
        illustrative=record.illustrative,
    )


def _commune(commune: Mapping[str, Any], valid_from: date | None) -> Reference:
    """Read a commune's code as of the day it was recorded, or of the first day of the version that names it."""
    return Reference(
        level=commune["level"], code=commune["code"], recorded_on=day(commune["recorded_on"]) or valid_from
    )


def _payment(contracts: Iterable[Contract], on: date) -> PaymentHere:
    known = tuple(contracts)
    if any(each.covers(on) for each in known):
        return PaymentHere.CONTRACT_ON_RECORD
    return PaymentHere.NONE_ON_RECORD if any(each.ended_before(on) for each in known) else PaymentHere.UNKNOWN
