"""The answer to a desk: decide(question, finding, register) -> Decision, pure.

The outcome comes from `verdict.judge`, which sees no register; places, payment, benefit and words are added here.
"""

from dataclasses import dataclass
from datetime import date, datetime

from lienthong.domain.answer import (
    Decision,
    Finding,
    Found,
    Freshness,
    NoRecord,
    Notice,
    Outcome,
    PaymentHere,
    ShownCard,
    ShownHolder,
    ShownPeriod,
    ShownPlace,
    StoreFault,
)
from lienthong.domain.benefit import Benefit, benefit, extension_days
from lienthong.domain.card import Card, Period
from lienthong.domain.identity import mask
from lienthong.domain.outcome_notices import closing_notices, outcome_notices, presentation_notices
from lienthong.domain.places import PlaceToday, address_today, facility_here, registered_place_today
from lienthong.domain.question import Question
from lienthong.domain.register import Register
from lienthong.domain.register_view import RegisterDay, view_of
from lienthong.domain.succession import Step
from lienthong.domain.verdict import Reason, Verdict, judge

__all__ = [
    "Decision",
    "Finding",
    "Found",
    "Freshness",
    "NoRecord",
    "Notice",
    "Outcome",
    "PaymentHere",
    "ShownCard",
    "ShownHolder",
    "ShownPeriod",
    "ShownPlace",
    "Stamp",
    "StoreFault",
    "compose",
    "decide",
    "freshness_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What an answer is known by: its id (UUIDv7) and the moment it was given."""

    decision_id: str
    decided_at: datetime


def decide(
    question: Question, finding: Finding, register: Register, *, decision_id: str, decided_at: datetime
) -> Decision:
    """Answer a question from what was found and one snapshot of the register.

    Total: every question gets an answer, and no fact of the register changes its outcome.
    """
    stamp = Stamp(decision_id=decision_id, decided_at=decided_at)
    return compose(judge(question, finding), question, freshness_of(finding), register, stamp)


def compose(verdict: Verdict, question: Question, freshness: Freshness, register: Register, stamp: Stamp) -> Decision:
    """Write a verdict out as the answer: what may be shown, what the places are today, and the notices."""
    day = view_of(register).day(question.on)
    here = facility_here(day, question.facility_code)
    address = _address(day, verdict)
    place = _registered_place(day, verdict)
    places = [each for each in (address, place) if each is not None]
    payable_until = _payable_until(day, verdict)
    illustrative = here.illustrative or day.illustrative or any(each.illustrative for each in places)
    level = _benefit(day, verdict.period).level if verdict.period is not None else None
    notices = [
        *outcome_notices(day, verdict, question, freshness, payable_until),
        *presentation_notices(day, question, level),
        *_place_notices(verdict.outcome, places),
        *here.notices,
        *closing_notices(day.notices, verdict.outcome, illustrative=illustrative),
    ]
    return Decision(
        decision_id=stamp.decision_id,
        outcome=verdict.outcome,
        decided_at=stamp.decided_at,
        on=day.on,
        card=None if verdict.card is None else _shown_card(day, verdict, verdict.card),
        address=None if address is None else address.shown,
        registered_place=None if place is None else place.shown,
        payment_here=here.payment,
        payable_until=payable_until,
        routes=(),
        notices=tuple(notices),
        proof=_proof(places),
        freshness=freshness,
        illustrative=illustrative,
    )


def _place_notices(outcome: Outcome, places: list[PlaceToday]) -> tuple[Notice, ...]:
    """Return what is said of the places; they say that the card is still valid, so a good card alone has them."""
    if outcome is not Outcome.ELIGIBLE:
        return ()
    return tuple(notice for each in places for notice in each.notices)


def freshness_of(finding: Finding) -> Freshness:
    """Return how far the store had read; after a fault of the store nothing of it is known."""
    if isinstance(finding, StoreFault):
        return Freshness(register_position=finding.register_position, cards_caught_up_at=None, complete=False)
    return finding.freshness


def _address(day: RegisterDay, verdict: Verdict) -> PlaceToday | None:
    if verdict.card is None or verdict.card.address is None:
        return None
    return address_today(day, verdict.card.address)


def _registered_place(day: RegisterDay, verdict: Verdict) -> PlaceToday | None:
    """Take the place of the period that answers, or of the one to come where none had started."""
    period = verdict.period or verdict.next_period
    if verdict.card is None or period is None or period.registered_place is None:
        return None
    return registered_place_today(day, period.registered_place)


def _payable_until(day: RegisterDay, verdict: Verdict) -> date | None:
    """Return the last payable day of a card that ended during treatment, None where no table gives the days."""
    last_day = verdict.last_day
    if verdict.reason is not Reason.ENDED_IN_TREATMENT or last_day is None:
        return None
    days = extension_days(day.tables, day.on)
    return None if days is None else date.fromordinal(min(last_day.toordinal() + days, date.max.toordinal()))


def _shown_card(day: RegisterDay, verdict: Verdict, card: Card) -> ShownCard:
    holder, period = card.holder, verdict.period
    shown_holder = None
    if verdict.holder_matched:
        shown_holder = ShownHolder(name=holder.name, birth=holder.birth, sex=holder.sex)
    return ShownCard(
        number=mask(card.number if period is None else period.number),
        holder=shown_holder,
        period=None if period is None else _shown_period(day, period),
        next_period=None if verdict.next_period is None else _shown_period(day, verdict.next_period),
    )


def _shown_period(day: RegisterDay, period: Period) -> ShownPeriod:
    level, share_percent = _benefit(day, period)
    return ShownPeriod(
        valid_from=period.valid_from,
        valid_to=period.valid_to,
        group=period.group,
        benefit_level=level,
        share_percent=share_percent,
    )


def _benefit(day: RegisterDay, period: Period) -> Benefit:
    """Return the level on the service day, or on the nearest day of a period that lies before or after it."""
    last = period.last_day()
    on = max(period.valid_from, day.on if last is None else min(last, day.on))
    if on == day.on:
        return day.benefit(period.group, period.benefit_level)
    return benefit(day.tables, period.group, period.benefit_level, on)


def _proof(places: list[PlaceToday]) -> tuple[Step, ...]:
    """Return every reorganisation walked, once each, in the order of their days."""
    steps = {step.id: step for each in places for step in each.steps}
    return tuple(sorted(steps.values(), key=lambda step: (step.effective_on, step.id)))
