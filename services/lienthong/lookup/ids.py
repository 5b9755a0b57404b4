"""Ids of decisions: UUIDv7 (RFC 9562), drawn for HTTP and derived for event look-ups, so that a repeat is the same."""

import hashlib
from datetime import datetime
from uuid import UUID

import uuid_utils

_VERSION, _VARIANT = 0x7, 0b10
_RANDOM_A_BITS, _RANDOM_B_BITS = 12, 62


def drawn() -> str:
    """Return a new id of this moment."""
    return str(uuid_utils.uuid7())


def derived(event_id: str, source: str, at: datetime) -> str:
    """Return the id of the decision on an event: its time in milliseconds, and bits of the SHA-256 of its identity.

    CloudEvents identifies an event by source and id together.
    """
    digest = int.from_bytes(hashlib.sha256(f"{source}\n{event_id}".encode()).digest())
    random_a = digest & ((1 << _RANDOM_A_BITS) - 1)
    random_b = (digest >> _RANDOM_A_BITS) & ((1 << _RANDOM_B_BITS) - 1)
    milliseconds = max(0, int(at.timestamp() * 1000)) & ((1 << 48) - 1)
    value = milliseconds << 80 | _VERSION << 76 | random_a << 64 | _VARIANT << 62 | random_b
    return str(UUID(int=value))
