"""Event files that anybody publishes: facts of the register, facts of cards and look-ups, each line judged whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lienthong.adapters.card_wire import decode_card
from lienthong.adapters.registers import FactLine, LineFault, event_lines, fact_of
from lienthong.adapters.wire import Event, Refusal, RefusalCode, decode
from lienthong.domain.facts import ANNULLED, CARD, FAMILY_OF
from lienthong_schemas.lookups import LookupRequested
from lienthong_schemas.streams import CARDS, EVENT_BYTES_MAX, LOOKUPS

#: What a card's event has near its beginning; one written otherwise is read all the same, only not as fast.
_CARD_MARK: Final = b'"card.'

_TOO_LONG: Final = Refusal(
    code=RefusalCode.TOO_LARGE, message=f"is longer than the {EVENT_BYTES_MAX} bytes that are read of an event"
)
_NOT_PUBLISHED: Final = Refusal(
    code=RefusalCode.WRONG_STREAM, message="is neither a fact nor a look-up, and nothing else is published", path="type"
)
_SEALED: Final = Refusal(
    code=RefusalCode.INVALID_ENVELOPE, message="is given by publishing, and files do not carry it", path="batchid"
)
_IMAGE: Final = Refusal(
    code=RefusalCode.INVALID_DATA,
    message="is sealed with a key of the service, so it cannot come from a file",
    path="data.question.presented",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedLine:
    """An event that travels as it stands: the stream it belongs to, its key there, and its bytes without line end."""

    line: int
    stream: str
    key: str
    value: bytes


FileLine = FactLine | KeyedLine | LineFault


def read_events(path: Path) -> Iterator[FileLine]:
    """Read an event file line by line: register facts, events of cards and look-ups, and faults.

    Blank lines are skipped; a file of any size takes little memory. Raises OSError where it cannot be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(event_lines(file), start=1):
            if line is None:
                yield LineFault(line=number, refusal=_TOO_LONG)
            elif line.strip():
                yield _read(number, line.rstrip(b"\r\n"))


def _read(number: int, value: bytes) -> FileLine:
    if _CARD_MARK in value and b"batchid" not in value:
        fact = decode_card(value)
        if not isinstance(fact, Refusal):
            return KeyedLine(line=number, stream=CARDS.name, key=fact.data["id"], value=value)
    event = decode(value)
    if isinstance(event, Refusal):
        return LineFault(line=number, refusal=event)
    if event.envelope.batchid is not None:
        return LineFault(line=number, refusal=_SEALED)
    if event.type == ANNULLED or FAMILY_OF.get(event.type, CARD) != CARD:
        return FactLine(line=number, fact=fact_of(event.type, event.data))
    return _keyed(number, event, value)


def _keyed(number: int, event: Event, value: bytes) -> KeyedLine | LineFault:
    if event.type in CARDS.types:
        return KeyedLine(line=number, stream=CARDS.name, key=event.envelope.subject, value=value)
    if not isinstance(event.message, LookupRequested):
        return LineFault(line=number, refusal=_NOT_PUBLISHED)
    if event.message.question.presented.kind == "card_image":
        return LineFault(line=number, refusal=_IMAGE)
    return KeyedLine(line=number, stream=LOOKUPS.name, key=event.envelope.subject, value=value)
