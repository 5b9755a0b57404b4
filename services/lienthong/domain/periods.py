"""Which coverage period answers for a day: the one in force, one that ended during treatment, or why there is none."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from lienthong.domain.card import Card, EndReason, Period


class Standing(StrEnum):
    """How a card stands on the service day, by the dates of its own record alone."""

    IN_FORCE = "in_force"
    ENDED_IN_TREATMENT = "ended_in_treatment"
    MOVED_OUT = "moved_out"
    MOVED_WITHIN = "moved_within"
    REJOINED = "rejoined"
    REISSUED = "reissued"
    WITHDRAWN = "withdrawn"
    REDUCED = "reduced"
    STOPPED = "stopped"
    ENDED = "ended"
    GAP = "gap"
    NOT_STARTED = "not_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The period that answers and the next one on record.

    `period` is the last one that had started by the day, None where none had; `last_day` is its last valid day with a
    withdrawal of the whole record counted in, None where it is open or there is no period.
    """

    standing: Standing
    period: Period | None
    last_day: date | None
    next_period: Period | None


def coverage(card: Card, on: date, admitted_on: date | None) -> Coverage:
    """Find the period that answers on the service day.

    A period in force on `on` comes first, the newest of several; then the one that was in force on `admitted_on` and
    ended since; then the last one that ended, with the reason. Days are inclusive; an admission after `on` is ignored.
    """
    upcoming: Period | None = None
    started: list[tuple[date, Period]] = []
    for period in card.periods:
        last = _last_day(card, period)
        if last < period.valid_from:
            continue
        if period.valid_from > on:
            upcoming = period if upcoming is None else min(upcoming, period, key=_start)
        else:
            started.append((last, period))
    in_force = [(last, period) for last, period in started if on <= last]
    if in_force:
        return _covered(Standing.IN_FORCE, max(in_force, key=_newest), upcoming)
    if admitted_on is not None and admitted_on <= on:
        treated = _covering(started, admitted_on)
        if treated is not None:
            return _covered(Standing.ENDED_IN_TREATMENT, treated, upcoming)
    return _not_covered(card, on, started, upcoming)


def replaced_by(card: Card, printed: str, answering: Period) -> bool:
    """Tell whether the printed number is that of an earlier card of the record, which another replaced (code 003)."""
    return printed != answering.number and any(
        period.number == printed and period.valid_from < answering.valid_from for period in card.periods
    )


def _last_day(card: Card, period: Period) -> date:
    last = period.last_day() or date.max
    return last if card.withdrawn is None else min(last, card.withdrawn.on)


def _covered(standing: Standing, chosen: tuple[date, Period], upcoming: Period | None) -> Coverage:
    last, period = chosen
    return Coverage(standing=standing, period=period, last_day=None if last == date.max else last, next_period=upcoming)


def _covering(started: list[tuple[date, Period]], admitted_on: date) -> tuple[date, Period] | None:
    """Return the period of the admission, carried on through renewals that follow without a day between."""
    current = [(last, period) for last, period in started if period.valid_from <= admitted_on <= last]
    if not current:
        return None
    chosen = max(current, key=_latest)
    while True:
        day_after = chosen[0] + timedelta(days=1)
        renewals = [(last, period) for last, period in started if period.valid_from <= day_after and last > chosen[0]]
        if not renewals:
            return chosen
        chosen = max(renewals, key=_latest)


def _not_covered(card: Card, on: date, started: list[tuple[date, Period]], upcoming: Period | None) -> Coverage:
    last, period = max(started, key=_latest) if started else (date.max, None)
    if card.withdrawn is not None and on > card.withdrawn.on:
        standing = Standing.WITHDRAWN
    elif period is None:
        standing = Standing.ENDED if upcoming is None else Standing.NOT_STARTED
    else:
        standing = _ending(period, on)
        if upcoming is not None and standing in {Standing.ENDED, Standing.REISSUED}:
            standing = Standing.GAP
    return Coverage(standing=standing, period=period, last_day=None if last == date.max else last, next_period=upcoming)


def _ending(period: Period, on: date) -> Standing:
    """Say what ended the period: an early end explains only the days that the printed one would still have covered."""
    cut = period.ended
    if cut is None or (period.valid_to is not None and on > period.valid_to):
        return Standing.ENDED
    return _CUTS.get(cut.reason, Standing.ENDED)


_CUTS: dict[str, Standing] = {
    EndReason.MOVED_OUT: Standing.MOVED_OUT,
    EndReason.MOVED_WITHIN: Standing.MOVED_WITHIN,
    EndReason.REJOINED: Standing.REJOINED,
    EndReason.REISSUED: Standing.REISSUED,
    EndReason.REDUCED: Standing.REDUCED,
    EndReason.STOPPED: Standing.STOPPED,
}


def _start(period: Period) -> tuple[date, str]:
    return period.valid_from, period.number


def _newest(item: tuple[date, Period]) -> tuple[date, date, str]:
    """Order periods in force together: the new level counts from the new card's first day."""
    last, period = item
    return period.valid_from, last, period.number


def _latest(item: tuple[date, Period]) -> tuple[date, date, str]:
    last, period = item
    return last, period.valid_from, period.number
