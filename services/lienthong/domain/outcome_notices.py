"""What the desk is told of the outcome itself and of the card, before anything about places."""

from collections.abc import Iterator
from datetime import date

from lienthong.domain.answer import Freshness, Notice, Outcome
from lienthong.domain.benefit import EXTENSION, document_of, lacks_group
from lienthong.domain.card import Period
from lienthong.domain.faults import WARNING_SENTENCES, WarningCode
from lienthong.domain.notices import Notices, Said, said_day, said_time
from lienthong.domain.question import CitizenPresented, Malformed, NumberPresented, Question
from lienthong.domain.register_view import RegisterDay
from lienthong.domain.verdict import Reason, Verdict

_ISSUERS = {
    Reason.DEFENCE: Said("Bộ Quốc phòng", "Defence"),
    Reason.PUBLIC_SECURITY: Said("Bộ Công an", "Public Security"),
}

# Reasons whose notice has its own words and needs no more than the last valid day.
_CODES = {
    Reason.CHILD: "child",
    Reason.BEING_REISSUED: "being_reissued",
    Reason.STORE_FAULT: "cannot_tell",
    Reason.NOT_PROVEN: "cannot_tell",
    Reason.OTHER_NAME: "identity_mismatch",
    Reason.OTHER_NAME_SAME_INITIALS: "identity_mismatch",
    Reason.OTHER_BIRTH: "identity_mismatch",
    Reason.MOVED_OUT: "moved",
    Reason.MOVED_WITHIN: "moved",
    Reason.REJOINED: "moved",
    Reason.REISSUED: "reissued",
    Reason.WITHDRAWN: "withdrawn",
    Reason.REDUCED: "reduced",
    Reason.STOPPED: "stopped",
    Reason.ENDED: "ended",
    Reason.GAP: "ended",
}


def outcome_notices(
    day: RegisterDay, verdict: Verdict, question: Question, freshness: Freshness, payable_until: date | None
) -> Iterator[Notice]:
    """Say why the outcome is what it is; nothing is said of a card that is simply in force."""
    notices, reason, presented = day.notices, verdict.reason, question.presented
    if isinstance(presented, Malformed):
        yield _malformed(presented)
    elif reason is Reason.NO_RECORD:
        yield notices.write("not_found", time=said_time(freshness.cards_caught_up_at))
    elif reason in _ISSUERS:
        yield notices.write("issuer_armed_forces", issuer=_ISSUERS[reason])
    elif reason is Reason.ENDED_IN_TREATMENT:
        yield from _ended_in_treatment(day, verdict, payable_until)
    elif reason is Reason.NOT_STARTED:
        first = verdict.next_period.valid_from if verdict.next_period else None
        yield notices.write("not_started", date=said_day(first))
    elif reason in _CODES:
        no_period = reason is Reason.ENDED and verdict.period is None
        yield notices.write("no_period" if no_period else _CODES[reason], date=said_day(verdict.last_day))
    new = verdict.period if reason is Reason.EARLIER_CARD_PRESENTED else verdict.next_period
    if new is not None and reason is not Reason.NOT_STARTED:
        yield _new_card(notices, new)
    if verdict.several_in_force:
        yield notices.write("several_cards")


def presentation_notices(day: RegisterDay, question: Question, level: int | None) -> Iterator[Notice]:
    """Pass on what reading the presentation warned of, and that printed characters are behind the law's tables.

    `level` is the one that counts on the day. A stale digit gives 000 and this notice, never 052 or 053.
    """
    presented = question.presented
    if not isinstance(presented, NumberPresented | CitizenPresented):
        return
    warnings = dict.fromkeys(presented.warnings)
    if isinstance(presented, NumberPresented) and presented.group is not None:
        if lacks_group(day.tables, presented.group, day.on):
            warnings[WarningCode.NUMBER_GROUP_UNKNOWN] = None
        if None not in (level, presented.benefit_level) and level != presented.benefit_level:
            warnings[WarningCode.NUMBER_LEVEL_UNEXPECTED] = None
    for code in warnings:
        sentences = WARNING_SENTENCES[WarningCode(code)]
        yield Notice(code=code, vi=sentences.vi, en=sentences.en, document=None)


def closing_notices(notices: Notices, outcome: Outcome, *, illustrative: bool) -> Iterator[Notice]:
    """Say what stands under every answer that is not green, and on anything invented."""
    if outcome is not Outcome.ELIGIBLE:
        yield notices.write("emergency")
    if illustrative:
        yield notices.write("illustrative")


def _malformed(presented: Malformed) -> Notice:
    """Say what to do, and point at the character, counted from 1 as people count."""
    place = presented.position
    vi = "" if place is None else f" (ký tự thứ {place + 1})"
    en = "" if place is None else f" (character {place + 1})"
    return Notice(code=presented.code, vi=presented.vi + vi, en=presented.en + en, document=None)


def _ended_in_treatment(day: RegisterDay, verdict: Verdict, payable_until: date | None) -> Iterator[Notice]:
    notices = day.notices
    until = Said("ngày chưa xác định", "a day not on record") if payable_until is None else said_day(payable_until)
    document = document_of(day.tables, EXTENSION, day.on)
    yield notices.write("ended_in_treatment", document, date=said_day(verdict.last_day), until=until)
    if payable_until is not None and payable_until < day.on:
        yield notices.write("treatment_payment_over", until=until)


def _new_card(notices: Notices, period: Period) -> Notice:
    first, last = said_day(period.valid_from), said_day(period.last_day())
    return notices.write("new_card", first=first, last=last)
