"""What a key store keeps of each key, and what it asks of the place that keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A wrapped key; its times are seconds since 1970."""

    key_id: str
    purpose: str
    begins_at: int
    ends_at: int
    destroy_at: int
    wrapped: bytes


class KeyStoreRefused(Exception):
    """The key store cannot be used; the text says why and what to do."""


class KeysAway(OSError):
    """The keys cannot be read or written at this moment; a later attempt may succeed."""

    def __init__(self, place: object, fault: object) -> None:
        super().__init__(f"{place}: {fault}")


class KeyRecords(Protocol):
    """Where wrapped keys are kept. Every call may come from any thread, and raises KeysAway."""

    #: What messages call the place.
    name: str

    def newest(self) -> KeyRecord | None:
        """Return a key of the latest period that has one."""
        ...

    def find(self, key_id: str) -> KeyRecord | None:
        """Return the key of that name."""
        ...

    def of_period(self, purpose: str, begins_at: int) -> KeyRecord | None:
        """Return the key of a purpose's period."""
        ...

    def add(self, record: KeyRecord) -> None:
        """Keep a new key; where its period has one, of another process, keep that one instead."""
        ...

    def destroy(self, until: int) -> Sequence[str]:
        """Destroy the keys whose `destroy_at` has come, and return their names."""
        ...

    def close(self) -> None:
        """Let go of the place."""
        ...
