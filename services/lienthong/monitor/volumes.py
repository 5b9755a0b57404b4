"""Answers how many look-ups there were: by time, channel and outcome, and by places through their succession."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

from lienthong.adapters.history import History, VolumeFilter
from lienthong.domain.facility import LEVEL as FACILITY
from lienthong.domain.register import Register
from lienthong.domain.succession import PlaceKey, Reference
from lienthong.domain.volume import Counted, PlaceTotal, Resolve, belongs, place_totals, province_of

By = Literal["day", "minute", "channel", "outcome", "facility", "commune", "province"]
PlaceLevel = Literal["facility", "commune", "province"]

NOTE_VI = "Số lượt tra cứu thẻ; không phải chi phí, không phải kết luận giám định."
NOTE_EN = "Counts of card look-ups; not costs, and not a finding of any review."
_NOT_PLACED = "Chưa xác định / Not placed"


class OnePlace(NamedTuple):
    """The facility, commune or province that a question is about, by its code on the day `on`."""

    level: PlaceLevel
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeQuestion:
    """What to total and by what; places are those of the day `on`, communes and provinces those printed on cards."""

    by: By
    chosen: VolumeFilter
    on: date
    place: OnePlace | None = None


class _Line(NamedTuple):
    reference: Reference
    day: str
    channel: str
    outcome: str
    lookups: int


def volumes(history: History, register: Register, question: VolumeQuestion) -> dict[str, Any]:
    """Return the totals with their note; of places, each with what it includes and, if divided, among whom.

    `divided` lists what was counted under a divided predecessor of the place asked about: it belongs to no single
    successor, so it stands beside the total.
    """
    divided: list[dict[str, Any]] = []
    if question.by == "minute":
        rows = [{"minute": minute, "lookups": lookups} for minute, lookups in history.by_minute(question.chosen)]
    else:
        lines, resolve = _lines(history, register, question)
        kept = [line for line in lines if _belongs(line.reference, question, resolve)]
        rows = _rows(kept, question, register, resolve)
        divided = _divided(lines, question, resolve)
    return {
        "by": question.by,
        "from": question.chosen.from_day,
        "to": question.chosen.to_day,
        "on": question.on.isoformat(),
        "place": None if question.place is None else question.place._asdict(),
        "lookups": sum(row["lookups"] for row in rows),
        "rows": rows,
        "divided": divided,
        "note_vi": NOTE_VI,
        "note_en": NOTE_EN,
    }


def _lines(history: History, register: Register, question: VolumeQuestion) -> tuple[list[_Line], Resolve]:
    """Read the lines to total: those of printed units where a unit is asked about, else those of facilities."""
    about = {question.by, question.place.level if question.place else ""}
    if about & {"commune", "province"}:
        units = history.by_unit(question.chosen)
        return [
            # An unknown first day belongs to the oldest version of the code, which the first day of all finds.
            _Line(
                _reference(each.level, each.code, each.valid_from), each.day, each.channel, each.outcome, each.lookups
            )
            for each in units
        ], register.territory.resolve
    return [
        _Line(_reference(FACILITY, each.code, each.day), each.day, each.channel, each.outcome, each.lookups)
        for each in history.by_facility(question.chosen)
    ], register.facilities.resolve


def _reference(level: str, code: str, recorded_on: str) -> Reference:
    return Reference(
        level=level, code=code, recorded_on=date.min if recorded_on == "-" else date.fromisoformat(recorded_on)
    )


def _belongs(reference: Reference, question: VolumeQuestion, resolve: Resolve) -> bool:
    place = question.place
    if place is None:
        return True
    if place.level == "province":
        return province_of(reference, question.on, resolve) == place.code
    return belongs(reference, PlaceKey(place.level, place.code), question.on, resolve)


def _rows(
    lines: Sequence[_Line], question: VolumeQuestion, register: Register, resolve: Resolve
) -> list[dict[str, Any]]:
    match question.by:
        case "facility" | "commune":
            return [_place_row(total) for total in place_totals(_counted(lines), question.on, resolve)]
        case "province":
            return _province_rows(lines, question.on, register)
        case "channel":
            return _grouped(lines, "channel", lambda line: line.channel)
        case "outcome":
            return _grouped(lines, "outcome", lambda line: line.outcome)
        case _:
            return _grouped(lines, "day", lambda line: line.day)


def _counted(lines: Iterable[_Line]) -> Iterable[Counted]:
    return (Counted(line.reference, line.lookups) for line in lines)


def _grouped(lines: Iterable[_Line], name: str, key: Callable[[_Line], str]) -> list[dict[str, Any]]:
    totals: dict[str, int] = {}
    for line in lines:
        totals[key(line)] = totals.get(key(line), 0) + line.lookups
    return [{name: value, "lookups": lookups} for value, lookups in sorted(totals.items())]


def _divided(lines: Sequence[_Line], question: VolumeQuestion, resolve: Resolve) -> list[dict[str, Any]]:
    place = question.place
    if place is None or place.level == "province":
        return []
    key = PlaceKey(place.level, place.code)
    totals = place_totals(_counted(lines), question.on, resolve)
    return [_place_row(total) for total in totals if key in total.candidates]


def _place_row(total: PlaceTotal) -> dict[str, Any]:
    return {
        "level": total.place.level,
        "code": total.place.code,
        "name": total.name,
        "state": total.state.value,
        "lookups": total.lookups,
        "includes": [{"code": key.code, "lookups": lookups} for key, lookups in total.includes],
        "divided_among": [key.code for key in total.candidates],
    }


def _province_rows(lines: Iterable[_Line], on: date, register: Register) -> list[dict[str, Any]]:
    totals: dict[str | None, int] = {}
    for line in lines:
        code = province_of(line.reference, on, register.territory.resolve)
        totals[code] = totals.get(code, 0) + line.lookups
    rows = [
        {"level": "province", "code": code, "name": _province_name(register, code, on), "lookups": lookups}
        for code, lookups in totals.items()
    ]
    return sorted(rows, key=lambda row: (-int(str(row["lookups"])), str(row["code"])))


def _province_name(register: Register, code: str | None, on: date) -> str:
    if code is not None:
        found = register.territory.resolve(Reference(level="province", code=code, recorded_on=on), on)
        if len(found.candidates) == 1:
            return found.candidates[0].name
    return _NOT_PLACED
