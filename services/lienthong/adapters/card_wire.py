"""The projector's hot path: card facts decoded by a compiled reader that accepts nothing its contract refuses.

The contract is the pydantic model. What the compiled reader does not accept, an unusual event or a wrong one, is
judged by the contract itself, so both give the same verdict, and a refusal has the contract's words.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from lienthong.adapters.card_codec import digest, digest_message, fact_of, pack
from lienthong.adapters.card_layout import CACHE_ENTRIES, CardFact
from lienthong.adapters.card_message import DECODER, CardEvent, RecordedMessage
from lienthong.adapters.card_packing import pack_compact
from lienthong.adapters.memo import Memo
from lienthong.adapters.wire import Refusal, decode
from lienthong_schemas.streams import CARDS
from lienthong_schemas.vocabulary import instant

_INSURANCE_DIGITS = 10
# Patterns of the contract, matched whole, for Python's `$` also matches before a last line feed.
_SOURCE = re.compile(r"[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{1,255}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class ReadCard(NamedTuple):
    """What the projector needs of a card fact: the SHA-256 of its canonical bytes, and its packed record."""

    number: str
    revision: int
    citizen_ids: Sequence[str]
    sha256: bytes
    packed: bytes


def read_card(value: bytes) -> ReadCard | Refusal:
    """Return the card fact that the bytes of `cards.v1` are, packed, or why they are none; never raises."""
    accepted = _accepted(value)
    if accepted is not None:
        data, packed = accepted
        return ReadCard(data.id, data.revision, data.citizen_ids, digest_message(data), packed)
    fact = _judged(value)
    if isinstance(fact, Refusal):
        return fact
    judged = fact.data
    return ReadCard(judged["id"], judged["revision"], judged["citizen_ids"], digest(fact), pack(fact))


def decode_card(value: bytes) -> CardFact | Refusal:
    """Return the card fact that the bytes of `cards.v1` are, or why they are none; never raises for any bytes."""
    accepted = _accepted(value)
    return _judged(value) if accepted is None else fact_of(accepted[0])


def _judged(value: bytes) -> CardFact | Refusal:
    """Return the contract's verdict."""
    judged = decode(value, CARDS)
    return judged if isinstance(judged, Refusal) else CardFact(judged.type, judged.data)


def _accepted(value: bytes) -> tuple[RecordedMessage, bytes] | None:
    """Return the data and their packed form where the compiled reader accepts the bytes; else the contract must judge.

    What can be packed compactly was judged by it.
    """
    if len(value) > CARDS.event_bytes_max:
        return None
    try:
        event = DECODER.decode(value)
        return (event.data, pack_compact(event.data)) if _agrees(event) else None
    except (msgspec.DecodeError, KeyError, ValueError, RecursionError):
        return None


def _agrees(event: CardEvent) -> bool:
    """Tell whether what neither types nor packing can say holds too: the envelope, the subject, printable texts."""
    data = event.data
    number, address, ids = data.id, data.address, data.citizen_ids
    texts = f"{event.id}{data.holder.name}{'' if address is None else address.detail}"
    return (
        event.subject == number
        and len(number) == _INSURANCE_DIGITS
        and number.isascii()
        and number.isdigit()
        # A fraction of what the pattern costs, which decides where a text holds something that is merely rare.
        and (texts.isprintable() or _UNPRINTABLE.search(texts) is None)
        and (len(ids) <= 1 or len(set(ids)) == len(ids))
        and _SOURCES[event.source]
        and _is_instant(event.time)
    )


def _is_source(text: str) -> bool:
    return _SOURCE.fullmatch(text) is not None


def _is_instant(text: str) -> bool:
    if _TIME.fullmatch(text) is None:
        return False
    try:
        instant(text)
    except ValueError:
        return False
    return True


#: Each publisher names itself in every event.
_SOURCES: Final[Memo[bool]] = Memo(_is_source, CACHE_ENTRIES)
