"""Which of the card facts of a batch win over each other and over what is stored, and what that does to the digest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lienthong.adapters.card_codec import digest, revision_of, unpack
from lienthong.adapters.projection_layout import DIGEST_MODULUS, RECORD_BYTES_MAX, insurance_number


class Offered(NamedTuple):
    """One fact of a batch: its number's key, revision, SHA-256, packed bytes, and its offset in the partition."""

    key: bytes
    revision: int
    sha256: bytes
    packed: bytes
    offset: int


class Write(NamedTuple):
    """One record to store; `was_long` where what it replaces had a key of its own."""

    key: bytes
    packed: bytes
    was_long: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a batch changes: records to write, how many of them are new, and what to add to the digest.

    `conflicts` are the offsets of facts that met the same revision with other bytes.
    """

    writes: tuple[Write, ...]
    added: int
    digest: int
    conflicts: tuple[int, ...]


def settle(offers: Iterable[Offered], stored: Mapping[bytes, bytes]) -> Settled:
    """Let the offers compete with each other and with the stored records of their numbers.

    The highest revision wins; of one revision with other bytes the greater SHA-256. Raises
    `UnreadableRecord` where a stored record was damaged.
    """
    best, conflicts = _strongest(offers)
    writes: list[Write] = []
    added = total = 0
    for key, offer in best.items():
        held = stored.get(key)
        if held is None:
            added += 1
            total += int.from_bytes(offer.sha256, "big")
            writes.append(Write(key, offer.packed, was_long=False))
            continue
        # Packing loses nothing, so equal bytes are the same fact.
        if held == offer.packed or revision_of(held) > offer.revision:
            continue
        sha256 = digest(unpack(insurance_number(key), held))
        if revision_of(held) == offer.revision:
            conflicts.append(offer.offset)
            if offer.sha256 < sha256:
                continue
        total += int.from_bytes(offer.sha256, "big") - int.from_bytes(sha256, "big")
        writes.append(Write(key, offer.packed, was_long=len(held) > RECORD_BYTES_MAX))
    return Settled(writes=tuple(writes), added=added, digest=total % DIGEST_MODULUS, conflicts=tuple(conflicts))


def _strongest(offers: Iterable[Offered]) -> tuple[dict[bytes, Offered], list[int]]:
    """Return the winner of each number among the offers, and the offsets of those that met a conflict."""
    best: dict[bytes, Offered] = {}
    conflicts: list[int] = []
    for offer in offers:
        held = best.setdefault(offer.key, offer)
        if held is offer:
            continue
        if held.revision == offer.revision and held.sha256 != offer.sha256:
            conflicts.append(offer.offset)
        if (offer.revision, offer.sha256) > (held.revision, held.sha256):
            best[offer.key] = offer
    return best, conflicts
