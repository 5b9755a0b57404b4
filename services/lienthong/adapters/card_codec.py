"""Packs a card fact into a few dozen bytes and back without loss, so that its canonical bytes can be written out again.

The first byte says how the rest is read: its high half is the version of the layout, its low half the form. The
compact forms hold what cards usually hold; a fact they cannot reproduce exactly is kept as its JSON, deflated.
"""

import zlib
from hashlib import sha256

import msgspec
import orjson

from lienthong.adapters.card_layout import AS_JSON, COMPACT_RECORDED, COMPACT_WITHDRAWN, RECORDED, WITHDRAWN, CardFact
from lienthong.adapters.card_message import ENCODER, MESSAGES, RecordedMessage, WithdrawnMessage
from lienthong.adapters.card_packing import pack_compact, varint
from lienthong.adapters.card_record import card_from
from lienthong.adapters.card_unpacking import AS_CARD, AS_DATA, Reader, read_ended, read_record
from lienthong.domain.card import Card

_DEFLATE_LEVEL = 9
#: The canonical JSON of a fact around its data.
_DATA, _RECORDED_END, _WITHDRAWN_END = b'{"data":', b',"type":"card.recorded"}', b',"type":"card.withdrawn"}'
_FORMS = frozenset((AS_JSON, COMPACT_RECORDED, COMPACT_WITHDRAWN))


class UnreadableRecord(Exception):
    """A packed record that this version cannot read; `form` is its first byte, None where it is empty."""

    def __init__(self, form: int | None) -> None:
        super().__init__(f"a packed card begins with {form!r}, which this version does not read")
        self.form = form


def canonical(fact: CardFact) -> bytes:
    """Return the fact's canonical JSON (RFC 8785; our data hold no floating-point numbers and only ASCII keys)."""
    return orjson.dumps({"data": fact.data, "type": fact.type}, option=orjson.OPT_SORT_KEYS)


def digest(fact: CardFact) -> bytes:
    """Return the SHA-256 of the fact's canonical bytes: what it is compared and counted by."""
    return sha256(canonical(fact)).digest()


def fact_of(data: RecordedMessage) -> CardFact:
    """Return the fact that was read into a message, its data as received."""
    return CardFact(WITHDRAWN if isinstance(data, WithdrawnMessage) else RECORDED, msgspec.to_builtins(data))


def digest_message(data: RecordedMessage) -> bytes:
    """Return the `digest` of the fact that was read into a message."""
    end = _WITHDRAWN_END if isinstance(data, WithdrawnMessage) else _RECORDED_END
    return sha256(b"".join((_DATA, ENCODER.encode(data), end))).digest()


def pack(fact: CardFact) -> bytes:
    """Pack the fact; equal facts give equal bytes, and `unpack` gives back the same data.

    A one-period card without an address detail takes 50 to 60 bytes. The insurance number is not in them: it is the
    record's key.
    """
    try:
        message = msgspec.convert(fact.data, MESSAGES[fact.type])
    except msgspec.ValidationError:
        # Data with a key that the message does not know, which only this form keeps.
        return _as_json(fact)
    return pack_message(message)


def pack_message(data: RecordedMessage) -> bytes:
    """Pack the fact that was read into a message, as `pack` does."""
    try:
        return pack_compact(data)
    except (KeyError, ValueError):
        return _as_json(fact_of(data))


def _as_json(fact: CardFact) -> bytes:
    return bytes((AS_JSON,)) + varint(fact.data["revision"]) + zlib.compress(canonical(fact), _DEFLATE_LEVEL)


def unpack(number: str, packed: bytes) -> CardFact:
    """Return the fact that was packed under the insurance number (10 digits), or raise `UnreadableRecord`."""
    form = packed[0] if packed else None
    reader = Reader(packed, 1)
    if form == AS_JSON:
        reader.varint()
        document = orjson.loads(zlib.decompress(packed[reader.at :]))
        return CardFact(document["type"], document["data"])
    if form == COMPACT_RECORDED:
        return CardFact(RECORDED, read_record(reader, number, AS_DATA))
    if form == COMPACT_WITHDRAWN:
        data = read_record(reader, number, AS_DATA)
        data["withdrawn"] = read_ended(reader, AS_DATA)
        return CardFact(WITHDRAWN, data)
    raise UnreadableRecord(form)


def revision_of(packed: bytes) -> int:
    """Return the fact's revision without reading the rest, or raise `UnreadableRecord`."""
    form = packed[0] if packed else None
    if form not in _FORMS:
        raise UnreadableRecord(form)
    return Reader(packed, 1).varint()


def card(number: str, packed: bytes) -> Card:
    """Return the domain's card of a packed record, or raise `UnreadableRecord`."""
    form = packed[0] if packed else None
    if form == AS_JSON:
        return card_from(unpack(number, packed).data)
    if form not in {COMPACT_RECORDED, COMPACT_WITHDRAWN}:
        raise UnreadableRecord(form)
    reader = Reader(packed, 1)
    fields = read_record(reader, number, AS_CARD)
    fields["number"] = fields.pop("id")
    withdrawn = read_ended(reader, AS_CARD) if form == COMPACT_WITHDRAWN else None
    return Card(**fields, withdrawn=withdrawn)
