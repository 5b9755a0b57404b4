"""The outcome of a question, by the card alone: no place, facility, contract or table is looked at here.

That is how "no register fact changes an outcome" is kept: `judge` has no register to look at.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import assert_never

from lienthong.domain.answer import Finding, Found, NoRecord, Outcome, StoreFault
from lienthong.domain.card import Card, Issuer, Period
from lienthong.domain.faults import FaultCode
from lienthong.domain.identity_check import IdentityCheck, check_identity
from lienthong.domain.periods import Coverage, Standing, coverage, replaced_by
from lienthong.domain.question import (
    CitizenPresented,
    Malformed,
    NoCardReason,
    NothingPresented,
    NumberPresented,
    Question,
)


class Reason(StrEnum):
    """Why the outcome is what it is; each has one code of the national portal."""

    IN_FORCE = "in_force"
    NEXT_CARD_ISSUED = "next_card_issued"
    EARLIER_CARD_PRESENTED = "earlier_card_presented"
    ENDED_IN_TREATMENT = "ended_in_treatment"
    MALFORMED = "malformed"
    SPOILT_BY_INPUT_METHOD = "spoilt_by_input_method"
    CHILD = "child"
    BEING_REISSUED = "being_reissued"
    EMERGENCY = "emergency"
    STORE_FAULT = "store_fault"
    NOT_PROVEN = "not_proven"
    NO_RECORD = "no_record"
    OTHER_NAME = "other_name"
    OTHER_NAME_SAME_INITIALS = "other_name_same_initials"
    OTHER_BIRTH = "other_birth"
    DEFENCE = "defence"
    PUBLIC_SECURITY = "public_security"
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
class Verdict:
    """The outcome with its reason, and what of the record may be shown.

    `card` is None wherever nothing of a record may be returned; `holder_matched` tells that name and birth both agree
    with the record. `period` is the one that answers, with its `last_day`. `several_in_force` tells that
    more than one card is live on the day.
    """

    outcome: Outcome
    reason: Reason
    card: Card | None = None
    holder_matched: bool = False
    period: Period | None = None
    last_day: date | None = None
    next_period: Period | None = None
    several_in_force: bool = False


def judge(question: Question, finding: Finding) -> Verdict:
    """Judge in this order: malformed, no card, store, not found, identity, issuer, periods."""
    presented = question.presented
    if isinstance(presented, Malformed):
        return _UNREADABLE if presented.code == FaultCode.SCANNER_INPUT_METHOD else _MALFORMED
    if isinstance(presented, NothingPresented):
        return Verdict(outcome=Outcome.CHECK_PAPERS, reason=_NO_CARD[presented.reason])
    if isinstance(finding, StoreFault):
        return Verdict(outcome=Outcome.CANNOT_TELL, reason=Reason.STORE_FAULT)
    cards = _cards_of(presented, finding)
    if cards:
        return _proven(_judge_cards(question, presented, cards), complete=finding.freshness.complete)
    return _proven(Verdict(outcome=Outcome.NOT_FOUND, reason=Reason.NO_RECORD), complete=finding.freshness.complete)


_MALFORMED = Verdict(outcome=Outcome.MALFORMED, reason=Reason.MALFORMED)
# An input method spoilt what the scanner typed: the card may be perfect, so it is not called malformed.
_UNREADABLE = Verdict(outcome=Outcome.CANNOT_TELL, reason=Reason.SPOILT_BY_INPUT_METHOD)
_NO_CARD = {
    NoCardReason.CHILD: Reason.CHILD,
    NoCardReason.REISSUE: Reason.BEING_REISSUED,
    NoCardReason.EMERGENCY: Reason.EMERGENCY,
}
_UNPROVEN_DENIALS = frozenset({Outcome.NOT_FOUND, Outcome.NOT_IN_FORCE})


def _proven(verdict: Verdict, *, complete: bool) -> Verdict:
    """Withhold a denial, and all that it was drawn from, while newer facts may not have been read yet."""
    if complete or verdict.outcome not in _UNPROVEN_DENIALS:
        return verdict
    return Verdict(outcome=Outcome.CANNOT_TELL, reason=Reason.NOT_PROVEN)


def _cards_of(presented: NumberPresented | CitizenPresented, finding: Found | NoRecord) -> tuple[Card, ...]:
    """Keep the candidates that do belong to what was presented: an index may offer more than the records confirm."""
    if isinstance(finding, NoRecord):
        return ()
    match presented:
        case NumberPresented(number=number):
            return tuple(card for card in finding.cards if card.number == number)
        case CitizenPresented(citizen_id=citizen_id):
            return tuple(card for card in finding.cards if citizen_id in card.citizen_ids)
        case _:
            assert_never(presented)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    card: Card
    identity: IdentityCheck
    coverage: Coverage


def _judge_cards(question: Question, presented: NumberPresented | CitizenPresented, cards: tuple[Card, ...]) -> Verdict:
    candidates = [
        _Candidate(
            card=card,
            identity=check_identity(card.holder, presented.identity, question.holder),
            coverage=coverage(card, question.on, question.admitted_on),
        )
        for card in cards
    ]
    chosen = candidates[0] if len(candidates) == 1 else max(candidates, key=_preference)
    mismatch = _MISMATCHES.get(chosen.identity)
    if mismatch is not None:
        return Verdict(outcome=Outcome.IDENTITY_MISMATCH, reason=mismatch)
    in_force = sum(candidate.coverage.standing is Standing.IN_FORCE for candidate in candidates)
    return _judge_card(chosen, presented, several_in_force=in_force > 1)


_MISMATCHES = {
    IdentityCheck.OTHER_NAME: Reason.OTHER_NAME,
    IdentityCheck.OTHER_NAME_SAME_INITIALS: Reason.OTHER_NAME_SAME_INITIALS,
    IdentityCheck.OTHER_BIRTH: Reason.OTHER_BIRTH,
}


def _preference(candidate: _Candidate) -> tuple[bool, bool, bool, date, int, str]:
    """Prefer the card of the person presented, then one that is good on the day, then the newest."""
    covered = candidate.coverage
    return (
        candidate.identity not in _MISMATCHES,
        covered.standing is Standing.IN_FORCE,
        covered.standing is Standing.ENDED_IN_TREATMENT,
        covered.period.valid_from if covered.period else date.min,
        candidate.card.revision,
        candidate.card.number,
    )


def _judge_card(
    chosen: _Candidate, presented: NumberPresented | CitizenPresented, *, several_in_force: bool
) -> Verdict:
    covered = chosen.coverage
    matched = chosen.identity is IdentityCheck.MATCH
    answering = covered.period or covered.next_period
    issuer = _ARMED_FORCES.get(answering.issuer) if answering is not None else None
    if issuer is not None:
        # Their dates here confirm nothing: the ones printed on the paper card count.
        return Verdict(
            outcome=Outcome.CHECK_PAPERS,
            reason=issuer,
            card=chosen.card,
            holder_matched=matched,
            several_in_force=several_in_force,
        )
    outcome, reason = _stands(chosen, presented)
    return Verdict(
        outcome=outcome,
        reason=reason,
        card=chosen.card,
        holder_matched=matched,
        period=covered.period,
        last_day=covered.last_day,
        next_period=covered.next_period,
        several_in_force=several_in_force,
    )


_ARMED_FORCES = {Issuer.DEFENCE: Reason.DEFENCE, Issuer.PUBLIC_SECURITY: Reason.PUBLIC_SECURITY}


def _stands(chosen: _Candidate, presented: NumberPresented | CitizenPresented) -> tuple[Outcome, Reason]:
    covered = chosen.coverage
    match covered.standing:
        case Standing.IN_FORCE:
            return Outcome.ELIGIBLE, _in_force(chosen, presented)
        case Standing.ENDED_IN_TREATMENT:
            return Outcome.ELIGIBLE, Reason.ENDED_IN_TREATMENT
        case Standing.MOVED_OUT | Standing.MOVED_WITHIN | Standing.REJOINED | Standing.REISSUED:
            # The period or the card that answers now may not be recorded yet: nothing confirmed, nothing denied.
            return Outcome.CHECK_PAPERS, Reason(covered.standing.value)
        case (
            Standing.WITHDRAWN
            | Standing.REDUCED
            | Standing.STOPPED
            | Standing.ENDED
            | Standing.GAP
            | Standing.NOT_STARTED
        ):
            return Outcome.NOT_IN_FORCE, Reason(covered.standing.value)
        case _:
            assert_never(covered.standing)


def _in_force(chosen: _Candidate, presented: NumberPresented | CitizenPresented) -> Reason:
    covered = chosen.coverage
    if covered.next_period is not None:
        return Reason.NEXT_CARD_ISSUED
    earlier = (
        isinstance(presented, NumberPresented)
        and covered.period is not None
        and replaced_by(chosen.card, presented.printed, covered.period)
    )
    return Reason.EARLIER_CARD_PRESENTED if earlier else Reason.IN_FORCE
