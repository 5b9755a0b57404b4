"""What the address and the registered place on a card are today, and what the desk is told of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from lienthong.domain.answer import Notice, PaymentHere, ShownPlace
from lienthong.domain.benefit import CODE_GRACE, code_grace_until, document_of
from lienthong.domain.card import Address, RegisteredPlace
from lienthong.domain.facility import LEVEL, facility_reference
from lienthong.domain.lineage import PROVINCE
from lienthong.domain.notices import Said, said_day, same
from lienthong.domain.register_view import RegisterDay
from lienthong.domain.succession import Place, PlaceKey, Reference, Resolution, State, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceToday:
    """A printed place as the answer shows it, with its notices and the steps that prove them."""

    shown: ShownPlace
    notices: tuple[Notice, ...]
    steps: tuple[Step, ...]
    illustrative: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityHere:
    """What is on record of the facility that asks."""

    payment: PaymentHere
    notices: tuple[Notice, ...]
    illustrative: bool


def address_today(day: RegisterDay, address: Address) -> PlaceToday:
    """Resolve the printed address and write its notices; an address never changes whether a card is good."""
    reference = Reference(level=address.level, code=address.code, recorded_on=day.view.as_recorded(address.recorded_on))
    return day.remember(reference, lambda: _address(day, reference))


def registered_place_today(day: RegisterDay, place: RegisteredPlace) -> PlaceToday:
    """Resolve the place of first registration and write its notices, by documents and never by its commune."""
    reference = facility_reference(place.code, day.view.as_recorded(place.recorded_on))
    return day.remember((LEVEL, reference), lambda: _registered_place(day, reference))


def facility_here(day: RegisterDay, code: str) -> FacilityHere:
    """Tell whether the asking facility has a contract on record, and whether it signed in under a code that ended."""
    return day.remember(code, lambda: _facility_here(day, code))


def _address(day: RegisterDay, reference: Reference) -> PlaceToday:
    resolution = day.territory.resolve(reference, day.on)
    return _today(resolution, _told(day, "address", resolution), resolution.path)


def _registered_place(day: RegisterDay, reference: Reference) -> PlaceToday:
    resolution = day.facilities.resolve(reference, day.on)
    if not day.facilities.lacks_successor(reference, day.on):
        return _today(resolution, _told(day, "place", resolution), resolution.path)
    notice = day.notices.write("place_without_successor", day.guidance, old=_names(day, resolution.printed))
    steps = (*resolution.path, *_commune_steps(day, reference.code))
    return _today(resolution, (*_late_code(day, "place", resolution), notice), steps)


def _commune_steps(day: RegisterDay, code: str) -> tuple[Step, ...]:
    """Return what became of a station's commune: the reason why a successor of the station is owed."""
    record = day.facilities.record(code, day.on)
    if record is None or record.commune is None:
        return ()
    return day.territory.resolve(record.commune, day.on).path


def _today(resolution: Resolution, notices: tuple[Notice, ...], steps: tuple[Step, ...]) -> PlaceToday:
    printed = resolution.printed[0] if len(resolution.printed) == 1 else None
    return PlaceToday(
        shown=ShownPlace(state=resolution.state, printed=printed, today=resolution.candidates),
        notices=notices,
        steps=steps,
        illustrative=resolution.illustrative,
    )


def _told(day: RegisterDay, kind: str, resolution: Resolution) -> tuple[Notice, ...]:
    """Write the notice of a state, `kind` being `address` or `place`; a place that is what it was is not spoken of."""
    late = _late_code(day, kind, resolution)
    if resolution.state is State.CURRENT or (resolution.state is State.SUCCEEDED and not _changed(resolution)):
        return late
    code = f"{kind}_{resolution.state}"
    if resolution.state is State.UNKNOWN:
        return (day.notices.write(code, day.guidance),)
    notice = day.notices.write(
        code,
        _last_document(resolution.path),
        old=_names(day, resolution.printed),
        new=_names(day, resolution.candidates, beside=resolution.printed),
        date=said_day(resolution.path[-1].effective_on if resolution.path else None),
    )
    return (*late, notice)


def _late_code(day: RegisterDay, kind: str, resolution: Resolution) -> tuple[Notice, ...]:
    if not resolution.ended_before_recorded:
        return ()
    return (day.notices.write(f"{kind}_code_ended", old=_names(day, resolution.printed)),)


def _changed(resolution: Resolution) -> bool:
    """Tell whether code, name or province differ; the end of districts alone is nothing to tell a desk."""
    if len(resolution.printed) != 1 or len(resolution.candidates) != 1:
        return True
    before, after = resolution.printed[0], resolution.candidates[0]
    moved = None not in (before.province_code, after.province_code) and before.province_code != after.province_code
    return moved or (before.level, before.code, before.name) != (after.level, after.code, after.name)


def _last_document(path: tuple[Step, ...]) -> str | None:
    """Return the document of the last day walked, which made the place what it is; None where none is on record."""
    last = (step.document for step in path if step.effective_on == path[-1].effective_on)
    return next((document for document in last if document is not None), None)


def _names(day: RegisterDay, places: Iterable[Place], beside: tuple[Place, ...] = ()) -> Said:
    named = [_name(day, place, beside) for place in places]
    return Said(", ".join(name.vi for name in named), ", ".join(name.en for name in named))


def _name(day: RegisterDay, place: Place, beside: tuple[Place, ...]) -> Said:
    """Name a place so that it cannot be taken for the one it is told `beside`: with its new province, or its code."""
    name = place.name
    before = beside[0] if len(beside) == 1 else None
    if before is None:
        return same(name)
    if place.level != PROVINCE and place.province_code not in (None, before.province_code):
        provinces = day.territory.timeline.in_force(PlaceKey(PROVINCE, str(place.province_code)), day.on)
        name = f"{name}, {provinces[0].version.name}" if len(provinces) == 1 else name
    if name == before.name and place.code != before.code:
        return Said(f"{name} (mã {place.code})", f"{name} (code {place.code})")
    return same(name)


def _facility_here(day: RegisterDay, code: str) -> FacilityHere:
    payment = day.facilities.payment_here(code, day.on)
    notices = []
    if payment is PaymentHere.NONE_ON_RECORD:
        notices.append(day.notices.write("contract_not_on_record", day.guidance))
    grace = code_grace_until(day.tables, day.on)
    if grace is not None and grace < day.on and _ended_code(day, code):
        document = document_of(day.tables, CODE_GRACE, day.on)
        notices.append(day.notices.write("facility_code_old", document, date=said_day(grace)))
    contracts = day.facilities.contracts.of(code)
    return FacilityHere(
        payment=payment, notices=tuple(notices), illustrative=any(each.illustrative for each in contracts)
    )


def _ended_code(day: RegisterDay, code: str) -> bool:
    """Tell whether the code was a facility's and is none's on the day."""
    spans = day.facilities.succession.timeline.spans(PlaceKey(LEVEL, code))
    return any(span.starts <= day.on for span in spans) and not any(span.covers(day.on) for span in spans)
