"""Where a card stands in the projection: cells, buckets, the names of keys, and the bytes sent to the Functions.

A number is spread over buckets by multiplying it with 2^64 divided by the golden ratio and taking the highest bits:
that spreads both runs of neighbouring numbers, as a register issues them, and a sparse sample of them evenly.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lienthong.adapters.memo import Memo

#: Cells of the citizen-ID index, whatever the number of cells of cards.
INDEX_CELLS: Final = 16
#: With 16 cells of cards a million cards come to 61 a bucket, and a bucket of that size stays one allocation.
BUCKETS: Final = 1024
#: The longest value that a bucket takes without being unpacked (`hash-max-listpack-value`).
RECORD_BYTES_MAX: Final = 255
DIGEST_MODULUS: Final = 1 << 256
DIGEST_BYTES: Final = 32

#: The most buckets that a cell may have: a bucket of cards travels in fifteen bits, one of the index in sixteen.
BUCKETS_MAX: Final = 32_768
_INDEX_BUCKETS_MAX = 65_536

_GOLDEN = 0x9E37_79B9_7F4A_7C15
_MASK = (1 << 64) - 1
_HALF = 32
_LOW = (1 << _HALF) - 1
# The constants of murmur2, its seed with the length of an insurance number.
_M, _R, _SEED_OF_TEN = 0x5BD1_E995, 24, 0x9747_B28C ^ 10
_FOUR_DIGITS = 10_000
_WAS_LONG = 0x8000
_KEY = struct.Struct(">H5s")
_ENTRY = struct.Struct(">H5s5s")
_SHORT = struct.Struct(">H5sB")
_LONG = struct.Struct(">H5sBI")
_FOUND = struct.Struct(">II")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellState:
    """What a cell says of itself; `position` is None where the cell does not exist.

    `digest` is the sum modulo 2^256 of the SHA-256 of its winning facts, `facts` their count.
    `caught_up_at_ms` is the last moment (Unix time) at which nothing of the stream was missing.
    """

    position: int | None
    facts: int
    digest: int
    caught_up_at_ms: int | None
    complete: bool


class Keys:
    """The names of one generation's keys; the part in braces keeps a cell in one slot of a cluster."""

    def __init__(self, generation: int) -> None:
        self._generation = generation

    def state(self, cell: int) -> str:
        """Return the state of a cell of cards; its other keys are derived from this name."""
        return f"{{{self._generation}.{cell}}}state"

    def bucket(self, cell: int, bucket: int) -> str:
        """Return a bucket of a cell of cards."""
        return f"{{{self._generation}.{cell}}}b{bucket}"

    def index_state(self, cell: int) -> str:
        """Return the state of a cell of the citizen-ID index."""
        return f"{{{self._generation}.i{cell}}}state"

    def mirror(self) -> str:
        """Return the stream of accepted batches of the register."""
        return f"{{{self._generation}.register}}batches"

    def mirror_state(self) -> str:
        """Return how far the register's stream has been read."""
        return f"{{{self._generation}.register}}state"


def key_of(number: str) -> bytes:
    """Return the five bytes of an insurance number (10 digits) or a citizen ID (12 digits)."""
    return int(number).to_bytes(5, "big")


def insurance_number(key: bytes) -> str:
    """Return the insurance number of five bytes."""
    return f"{int.from_bytes(key, 'big'):010d}"


def cell_of(number: str, cells: int) -> int:
    """Return the cell of an insurance number: murmur2 of its ten characters, as the log partitions by it.

    The same as `event_log.partition_of` at a quarter of its cost, for this one length and with what four digits
    contribute remembered: the check that a card stands in its own partition is made for every card.
    """
    result = (_HEADS[number[:4]] ^ _MIDDLES[number[4:8]] ^ _TAILS[number[8:]]) * _M & _LOW
    result = (result ^ result >> 13) * _M & _LOW
    return ((result ^ result >> 15) & 0x7FFF_FFFF) % cells


def _head(four: str) -> int:
    return ((_SEED_OF_TEN * _M & _LOW) ^ _middle(four)) * _M & _LOW


def _middle(four: str) -> int:
    mixed = int.from_bytes(four.encode(), "little") * _M & _LOW
    return (mixed ^ mixed >> _R) * _M & _LOW


def _tail(two: str) -> int:
    return int.from_bytes(two.encode(), "little")


_HEADS, _MIDDLES, _TAILS = (Memo(make, _FOUR_DIGITS) for make in (_head, _middle, _tail))


def bucket_of(key: bytes, buckets: int) -> int:
    """Return the bucket of an insurance number in its cell."""
    return ((int.from_bytes(key, "big") * _GOLDEN & _MASK) >> _HALF) * buckets >> _HALF


def index_cell_of(key: bytes) -> int:
    """Return the index cell of a citizen ID."""
    return ((int.from_bytes(key, "big") * _GOLDEN & _MASK) >> _HALF) * INDEX_CELLS >> _HALF


def index_buckets_of(cells: int, buckets: int) -> int:
    """Return how many buckets an index cell has: together as many as all cells of cards, as far as numbers reach.

    A country's 96 million citizen IDs come to 92 a bucket then, which is still one allocation.
    """
    return min(_INDEX_BUCKETS_MAX, max(1, cells * buckets // INDEX_CELLS))


def index_bucket_of(key: bytes, buckets: int) -> int:
    """Return the bucket of a citizen ID in its index cell, from other bits than chose the cell."""
    return (int.from_bytes(key, "big") * _GOLDEN & _LOW) * buckets >> _HALF


def keys_blob(keys: list[bytes], buckets: int) -> bytes:
    """Return the insurance numbers to read, as the Functions `old` and `read` take them."""
    return b"".join([_KEY.pack(bucket_of(key, buckets), key) for key in keys])


def citizen_blob(keys: list[bytes], buckets: int) -> bytes:
    """Return the citizen IDs to read, as the Function `candidates` takes them."""
    return b"".join([_KEY.pack(index_bucket_of(key, buckets), key) for key in keys])


def index_entry(citizen_id: str, number: bytes, buckets: int) -> tuple[int, bytes]:
    """Return the index cell of a citizen ID and one candidate for it, as the Function `index` takes it.

    The same as `index_cell_of` and `index_bucket_of` together, for it is made for every card.
    """
    value = int(citizen_id)
    spread = value * _GOLDEN & _MASK
    entry = _ENTRY.pack((spread & _LOW) * buckets >> _HALF, value.to_bytes(5, "big"), number)
    return (spread >> _HALF) * INDEX_CELLS >> _HALF, entry


def record_entry(key: bytes, packed: bytes, buckets: int, *, was_long: bool) -> bytes:
    """Return one record to write, as the Function `write` takes it; `was_long` frees the key it had before."""
    bucket = bucket_of(key, buckets) | (_WAS_LONG if was_long else 0)
    if len(packed) <= RECORD_BYTES_MAX:
        return _SHORT.pack(bucket, key, len(packed)) + packed
    return _LONG.pack(bucket, key, 0, len(packed)) + packed


def found(blob: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (index of what was asked for, record) of a Function's answer."""
    at, size = 0, len(blob)
    while at < size:
        index, length = _FOUND.unpack_from(blob, at)
        at += _FOUND.size
        yield index, blob[at : at + length]
        at += length
