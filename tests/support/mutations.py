"""Departures from a valid event: in its values, in its keys, and in its bytes."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import orjson
from hypothesis import strategies as st

Holder = dict[str, Any] | list[Any]

_ODD_TEXTS = (
    "",
    "-",
    "x" * 200,
    "2023-02-29",
    "2023-03-01T00:00:00",
    "0000-01-01",
    "0000",
    "1962-13",
    "1962-00-10",
    "1962-02-30",
    "20230301",
    "9999-12-31",
    "0000054321",
    "0000012345\n",
    "٠٠٠٠٠١٢٣٤٥",
    "HC4010000012345",
    "hc4010000012345",
    "K4",
    "00 04",
    "00004\n",
    "a\u0000b",
    "a\u007fb",
    "a\u0085b",
    "a\u202eb",
    "a\u2028b",
    "ngõ\u00a0𐍈",
    "e\u0301",
    "2025-06-20T09:00:00Z",
    "2025-06-20t09:00:00z",
    "2025-06-20T09:00:60Z",
    "2025-06-20T24:00:00Z",
    "2025-06-20T09:00:00.123456789+07:00",
    "2025-06-20T09:00:00+25:00",
    "2025-06-20 09:00:00Z",
    "urn:lienthong:card.recorded:1",
    "urn:lienthong:card.recorded:2",
    "card.withdrawn",
)
odd_values: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from((0, -1, 1, 3, 9, 10, 2**32 - 1, 2**32, 2**63, 2**64, 1.0, 3.0, 0.5, -0.0, 1e300)),
    st.sampled_from(_ODD_TEXTS),
    st.text(max_size=20),
    st.builds(list),
    st.builds(dict),
    st.builds(lambda: [[]]),
)


def _json_or_null(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return b"null"


def _places(value: Any) -> list[tuple[Holder, Any]]:
    found: list[tuple[Holder, Any]] = []
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found.append((value, key))
        found.extend(_places(value[key]))
    return found


def _change_value(draw: st.DrawFn, document: dict[str, Any]) -> None:
    holder, key = draw(st.sampled_from(_places(document)))
    change = draw(st.sampled_from(("replace", "remove", "add", "repeat")))
    if change == "replace":
        holder[key] = draw(odd_values)
    elif change == "remove":
        del holder[key]
    elif isinstance(holder, list):
        holder.extend([deepcopy(holder[key])] * draw(st.sampled_from((1, 40))))
    elif change == "add":
        holder[draw(st.sampled_from(("unknown", "hint", "illustrative", "withdrawn", "batchid", "outboxseq")))] = draw(
            odd_values
        )
    else:
        other, other_key = draw(st.sampled_from(_places(document)))
        holder[key] = deepcopy(other[other_key])


def _flip(draw: st.DrawFn, value: bytes) -> bytes:
    at = draw(st.integers(0, len(value) - 1))
    return value[:at] + bytes([value[at] ^ (1 << draw(st.integers(0, 7)))]) + value[at + 1 :]


def _insert(draw: st.DrawFn, value: bytes) -> bytes:
    at = draw(st.integers(0, len(value)))
    return value[:at] + draw(st.binary(min_size=1, max_size=4)) + value[at:]


def _name_twice(draw: st.DrawFn, value: bytes) -> bytes:
    key = draw(st.sampled_from((b'"revision":', b'"type":', b'"id":', b'"data":', b'"holder":', b'"number":')))
    return value.replace(key, key + draw(odd_values.map(_json_or_null)) + b"," + key, 1)


_BYTE_CHANGES: dict[str, Callable[[st.DrawFn, bytes], bytes]] = {
    "cut": lambda draw, value: value[: draw(st.integers(0, len(value) - 1))],
    "flip": _flip,
    "insert": _insert,
    "name twice": _name_twice,
    "trail": lambda draw, value: value + draw(st.sampled_from((b" ", b"\n", b"\x00", b"{}", b","))),
    "escape": lambda _, value: json.dumps(json.loads(value)).encode(),
    "space": lambda _, value: b" \n\t" + value.replace(b",", b" ,\r\n", 1),
}


@st.composite
def mutated(draw: st.DrawFn, document: dict[str, Any]) -> bytes:
    """Draw the bytes of a document after none to three departures in its values and at most one in its bytes."""
    changed = deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        if changed:
            _change_value(draw, changed)
    try:
        value = orjson.dumps(changed)
    except TypeError:
        # An integer beyond 64 bits, or a lone surrogate: the standard library writes both.
        value = json.dumps(changed).encode()
    change = draw(st.none() | st.sampled_from(tuple(_BYTE_CHANGES)))
    return value if change is None else _BYTE_CHANGES[change](draw, value)
