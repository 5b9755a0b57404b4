"""The native dialect: a question's message becomes the domain's question, a decision its JSON and back."""

from datetime import date, datetime

import msgspec

from lienthong.domain.answer import Decision
from lienthong.domain.presentation import parse_chip, parse_presented
from lienthong.domain.question import Identity, NoCardReason, NothingPresented, Presentation, PresentedKind, VisitKind
from lienthong.domain.question import Question as Asked
from lienthong.runtime.clock import vietnam_today
from lienthong_schemas.questions import (
    CardImagePresented,
    CardQrPresented,
    CitizenChipPresented,
    CitizenIdPresented,
    CitizenQrPresented,
    InsuranceNumberPresented,
    NoCardPresented,
    Presented,
    Question,
)

# msgspec writes these dataclasses out in less than half of orjson's time, which looks each field up by its name.
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Decision)


def question_from(message: Question, now: datetime, image: Presentation | None = None) -> Asked:
    """Return the question a validated message asks; the service day is today in Vietnam where it names none.

    `image` is what was read from a card image, which the message holds sealed. Raises ValueError where a message
    holds an image and `image` is not given: reading it is its caller's step.
    """
    holder = message.holder
    return Asked(
        presented=_presented(message.presented) if image is None else image,
        facility_code=message.facility_code,
        clerk_id=message.clerk_id,
        on=vietnam_today(now) if message.on is None else date.fromisoformat(message.on),
        admitted_on=None if message.admitted_on is None else date.fromisoformat(message.admitted_on),
        visit_kind=VisitKind(message.visit_kind),
        holder=None if holder is None else Identity(name=holder.name, birth=holder.birth),
    )


def encode_decision(decision: Decision) -> bytes:
    """Return the decision's JSON, as `lienthong_schemas.decisions.Decision` describes it."""
    return _encoder.encode(decision)


def decode_decision(content: bytes) -> Decision:
    """Return the decision of its JSON. Raises ValueError where the bytes are none."""
    return _decoder.decode(content)


def _presented(message: Presented) -> Presentation:
    match message:
        case InsuranceNumberPresented(number=text) | CitizenIdPresented(number=text):
            return parse_presented(PresentedKind(message.kind), text)
        case CardQrPresented(text=text) | CitizenQrPresented(text=text):
            return parse_presented(PresentedKind(message.kind), text)
        case CitizenChipPresented(fields=fields):
            return parse_chip(fields.number, fields.name, fields.birth)
        case NoCardPresented(reason=reason):
            return NothingPresented(reason=NoCardReason(reason))
        case CardImagePresented():
            fault = "a card image is read before its question is asked"
            raise ValueError(fault)
