"""Spoils events in every way that a network, a disk or a mistaken program does; all of them can be noticed."""

import random
from collections.abc import Mapping
from typing import Any

import orjson

from lienthong.adapters.wire import Refusal, decode
from lienthong_schemas.streams import Stream

TEN_MEGABYTES = 10_000_000
_FLIPS_MAX = 1_000


def spoilt(value: bytes, stream: Stream, chance: random.Random) -> Mapping[str, bytes]:
    """Return the event spoilt in each way, by the name of the way."""
    event: dict[str, Any] = orjson.loads(value)
    return {
        "empty": b"",
        "truncated": value[: chance.randrange(1, len(value))],
        "bit-flipped": _flipped(value, stream, chance),
        "text for an object": _with(event, data="none"),
        "number for a text": _with(event, data={**event["data"], next(iter(event["data"])): 7.5}),
        "unknown field": _with(event, data={**event["data"], "added_later": True}),
        "no time": orjson.dumps({name: part for name, part in event.items() if name != "time"}),
        "ten megabytes": b" " * TEN_MEGABYTES + value,
        "not UTF-8": value.replace(b'"source":"', b'"source":"\xff\xfe'),
        "unknown version": _with(event, dataschema=f"urn:lienthong:{event['type']}:9"),
        "unknown type": _with(event, type="card.removed"),
        "of another stream": orjson.dumps(_ELSEWHERE),
        "another thing than an object": b"[1,2,3]",
        "nested without end": b"[" * 50_000,
    }


def _with(event: Mapping[str, Any], **changes: Any) -> bytes:
    return orjson.dumps({**event, **changes})


def _flipped(value: bytes, stream: Stream, chance: random.Random) -> bytes:
    """Flip a bit that makes the event unreadable; most do, and one in a name makes it another event."""
    for _ in range(_FLIPS_MAX):
        at = chance.randrange(len(value))
        flipped = value[:at] + bytes([value[at] ^ 1 << chance.randrange(8)]) + value[at + 1 :]
        if isinstance(decode(flipped, stream), Refusal):
            return flipped
    message = "no single bit makes this event unreadable"
    raise AssertionError(message)


_ELSEWHERE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "elsewhere",
    "type": "dead_letter.replayed",
    "source": "/tests",
    "subject": "00004",
    "time": "2025-06-20T09:00:00+07:00",
    "data": {"letter_id": "x", "replayed_to": {"stream": "cards.v1", "partition": 0, "position": 0}},
}
