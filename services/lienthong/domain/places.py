"""What the address and the registered place on a card are today, and what the desk is told of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from lienthong.domain.answer import Notice, PaymentHere, ShownPlace
from lienthong.domain.benefit import CODE_GRACE, code_grace_until, document_of
from lienthong.domain.card import Address, RegisteredPlace
from lienthong.domain.facility import LEVEL, facility_reference
from lienthong.domain.lineage import PROVINCE
from lienthong.domain.notices import Said, said_day, same
from lienthong.domain.register_view import RegisterView
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


def address_today(view: RegisterView, address: Address, on: date) -> PlaceToday:
    """Resolve the printed address and write its notices; an address never changes whether a card is good."""
    key = ("address", address.level, address.code, address.recorded_on, on)
    return view.remember(key, lambda: _address(view, address, on))


def registered_place_today(view: RegisterView, place: RegisteredPlace, on: date) -> PlaceToday:
    """Resolve the place of first registration and write its notices, by documents and never by its commune."""
    key = (LEVEL, place.code, place.recorded_on, on)
    return view.remember(key, lambda: _registered_place(view, place, on))


def facility_here(view: RegisterView, code: str, on: date) -> FacilityHere:
    """Tell whether the asking facility has a contract on record, and whether it signed in under a code that ended."""
    return view.remember(("here", code, on), lambda: _facility_here(view, code, on))


def _address(view: RegisterView, address: Address, on: date) -> PlaceToday:
    reference = Reference(level=address.level, code=address.code, recorded_on=address.recorded_on)
    resolution = view.territory.resolve(reference, on)
    return _today(resolution, _told(view, "address", resolution, on), resolution.path)


def _registered_place(view: RegisterView, place: RegisteredPlace, on: date) -> PlaceToday:
    reference = facility_reference(place.code, place.recorded_on)
    resolution = view.facilities.resolve(reference, on)
    if not view.facilities.lacks_successor(reference, on):
        return _today(resolution, _told(view, "place", resolution, on), resolution.path)
    guidance = view.card_guidance(on)
    notice = view.notices(on).write("place_without_successor", guidance, old=_names(view, resolution.printed, on))
    steps = (*resolution.path, *_commune_steps(view, place.code, on))
    return _today(resolution, (*_late_code(view, "place", resolution, on), notice), steps)


def _commune_steps(view: RegisterView, code: str, on: date) -> tuple[Step, ...]:
    """Return what became of a station's commune: the reason why a successor of the station is owed."""
    record = view.facilities.record(code, on)
    if record is None or record.commune is None:
        return ()
    return view.territory.resolve(record.commune, on).path


def _today(resolution: Resolution, notices: tuple[Notice, ...], steps: tuple[Step, ...]) -> PlaceToday:
    printed = resolution.printed[0] if len(resolution.printed) == 1 else None
    return PlaceToday(
        shown=ShownPlace(state=resolution.state, printed=printed, today=resolution.candidates),
        notices=notices,
        steps=steps,
        illustrative=resolution.illustrative,
    )


def _told(view: RegisterView, kind: str, resolution: Resolution, on: date) -> tuple[Notice, ...]:
    """Write the notice of a state, `kind` being `address` or `place`; a place that is what it was is not spoken of."""
    late = _late_code(view, kind, resolution, on)
    if resolution.state is State.CURRENT or (resolution.state is State.SUCCEEDED and not _changed(resolution)):
        return late
    notices = view.notices(on)
    code = f"{kind}_{resolution.state}"
    if resolution.state is State.UNKNOWN:
        guidance = view.card_guidance(on)
        return (notices.write(code, guidance),)
    notice = notices.write(
        code,
        _last_document(resolution.path),
        old=_names(view, resolution.printed, on),
        new=_names(view, resolution.candidates, on, beside=resolution.printed),
        date=said_day(resolution.path[-1].effective_on if resolution.path else None),
    )
    return (*late, notice)


def _late_code(view: RegisterView, kind: str, resolution: Resolution, on: date) -> tuple[Notice, ...]:
    if not resolution.ended_before_recorded:
        return ()
    return (view.notices(on).write(f"{kind}_code_ended", old=_names(view, resolution.printed, on)),)


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


def _names(view: RegisterView, places: Iterable[Place], on: date, beside: tuple[Place, ...] = ()) -> Said:
    named = [_name(view, place, on, beside) for place in places]
    return Said(", ".join(name.vi for name in named), ", ".join(name.en for name in named))


def _name(view: RegisterView, place: Place, on: date, beside: tuple[Place, ...]) -> Said:
    """Name a place so that it cannot be taken for the one it is told `beside`: with its new province, or its code."""
    name = place.name
    before = beside[0] if len(beside) == 1 else None
    if before is None:
        return same(name)
    if place.province_code not in (None, before.province_code):
        provinces = view.territory.timeline.in_force(PlaceKey(PROVINCE, str(place.province_code)), on)
        name = f"{name}, {provinces[0].version.name}" if len(provinces) == 1 else name
    if name == before.name and place.code != before.code:
        return Said(f"{name} (mã {place.code})", f"{name} (code {place.code})")
    return same(name)


def _facility_here(view: RegisterView, code: str, on: date) -> FacilityHere:
    payment = view.facilities.payment_here(code, on)
    notices = []
    if payment is PaymentHere.NONE_ON_RECORD:
        guidance = view.card_guidance(on)
        notices.append(view.notices(on).write("contract_not_on_record", guidance))
    grace = code_grace_until(view.tables, on)
    if grace is not None and grace < on and _ended_code(view, code, on):
        document = document_of(view.tables, CODE_GRACE, on)
        notices.append(view.notices(on).write("facility_code_old", document, date=said_day(grace)))
    contracts = view.facilities.contracts.of(code)
    return FacilityHere(
        payment=payment, notices=tuple(notices), illustrative=any(each.illustrative for each in contracts)
    )


def _ended_code(view: RegisterView, code: str, on: date) -> bool:
    """Tell whether the code was a facility's and is none's on the day."""
    spans = view.facilities.succession.timeline.spans(PlaceKey(LEVEL, code))
    return any(span.starts <= on for span in spans) and not any(span.covers(on) for span in spans)
