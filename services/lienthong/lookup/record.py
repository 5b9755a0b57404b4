"""The record of an answer: `eligibility.decided` with its inputs, what is personal in it sealed."""

import base64
import zlib
from importlib.metadata import version
from typing import Any, Final

import msgspec
import orjson

from lienthong.adapters.outbox import Message
from lienthong.adapters.sealing import Sealer
from lienthong.adapters.wire import Outgoing, encode
from lienthong.domain.answer import Found, ShownPlace
from lienthong.domain.card import Card
from lienthong.domain.portal_code import portal_code
from lienthong.domain.question import CitizenPresented, NumberPresented
from lienthong.domain.register_view import table_versions
from lienthong.lookup.desk import Answered
from lienthong_schemas.streams import ANSWERS, DECISIONS

SOURCE: Final = "/lienthong/lookup"
SOFTWARE: Final = f"lienthong/{version('lienthong')}"
#: What is sealed begins with this byte where the rest is deflated; JSON begins with a brace.
DEFLATED: Final = b"\x01"
#: Sealed plaintext above this is deflated, so that the event stays within its limit: most answers are 3 kB.
_PLAIN_BYTES_MAX: Final = 16_384

# Half of orjson's time for dataclasses.
_encoder = msgspec.json.Encoder()


class Recorder:
    """Writes the events of an answer."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def decided(self, given: Answered, asked: bytes, answer: bytes) -> Message:
        """Return `eligibility.decided`; `asked` is the question's JSON and `answer` the answer's, as they crossed."""
        decision, verdict = given.decision, given.verdict
        subject = self._pseudonym(given)
        cards = given.finding.cards if isinstance(given.finding, Found) else ()
        plaintext = b'{"question":%b,"answer":%b,"cards":%b}' % (asked, answer, _encoder.encode(cards))
        if len(plaintext) > _PLAIN_BYTES_MAX:
            plaintext = DEFLATED + zlib.compress(plaintext)
        sealed = self._sealer.seal(DECISIONS.name, plaintext, decision.decided_at)
        data = {
            "decision_id": decision.decision_id,
            "facility_code": given.question.facility_code,
            "channel": channel_of(given),
            "outcome": decision.outcome,
            "portal_code": portal_code(verdict.reason),
            "notices": [notice.code for notice in decision.notices],
            "printed_references": _printed_references(verdict.card, given),
            "on": decision.on,
            "sealed": {"key_id": sealed.key_id, "bytes": base64.b64encode(sealed.data).decode()},
            "card_revision": None if verdict.card is None else verdict.card.revision,
            "register_position": decision.freshness.register_position,
            "table_versions": table_versions(given.register, decision.on),
            "software": SOFTWARE,
        }
        event = Outgoing(
            id=decision.decision_id,
            type="eligibility.decided",
            source=SOURCE,
            subject=subject,
            time=decision.decided_at,
            data=data,
        )
        return Message(stream=DECISIONS.name, key=subject, value=encode(event))

    def answered(self, given: Answered, lookup_id: str, answer: bytes) -> Message:
        """Return `lookup.answered`, for who asked by an event."""
        facility_code = given.question.facility_code
        event = Outgoing(
            id=given.decision.decision_id,
            type="lookup.answered",
            source=SOURCE,
            subject=facility_code,
            time=given.decision.decided_at,
            data={"lookup_id": lookup_id, "decision": orjson.Fragment(answer)},
        )
        return Message(stream=ANSWERS.name, key=facility_code, value=encode(event))

    def _pseudonym(self, given: Answered) -> str:
        presented = given.question.presented
        if given.verdict.card is not None:
            return self._sealer.pseudonym(given.verdict.card.number)
        if isinstance(presented, NumberPresented):
            return self._sealer.pseudonym(presented.number)
        if isinstance(presented, CitizenPresented):
            return self._sealer.pseudonym(presented.citizen_id)
        # Nobody was named, so there is nobody to find these answers again by.
        return given.decision.decision_id


def channel_of(given: Answered) -> str:
    """Return how the card was presented, in the words of the wire."""
    presented = given.question.presented
    kind = getattr(presented, "kind", None)
    return "no_card" if kind is None else str(kind)


def _printed_references(card: Card | None, given: Answered) -> dict[str, Any]:
    if card is None:
        return {"address": None, "registered_place": None}
    period = given.verdict.period or given.verdict.next_period
    place = None if period is None else period.registered_place
    return {
        "address": None
        if card.address is None
        else {
            "level": card.address.level,
            "code": card.address.code,
            "recorded_on": card.address.recorded_on,
            "version": _version(given.decision.address),
        },
        "registered_place": None if place is None else {"code": place.code, "recorded_on": place.recorded_on},
    }


def _version(shown: ShownPlace | None) -> str | None:
    if shown is None or shown.printed is None:
        return None
    printed = shown.printed
    since = "-" if printed.valid_from is None else printed.valid_from.isoformat()
    return f"{printed.level}/{printed.code}/{since}"
