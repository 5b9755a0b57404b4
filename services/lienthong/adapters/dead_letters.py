"""Sets aside what could not be read, sealed, so that its stream goes on; lists, shows and replays it."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import structlog

from lienthong.adapters.event_log import Appended, Entry, EventLog, Recreated, Trimmed, entries_per_read
from lienthong.adapters.followers import Batch
from lienthong.adapters.sealing import KeyDestroyed, Sealer
from lienthong.adapters.wire import Event, Outgoing, Refusal, decode, encode
from lienthong.runtime.clock import Clock
from lienthong_schemas.dead_letters import ORIGINAL_BYTES_MAX, DeadLetterRecorded, DeadLetterReplayed
from lienthong_schemas.streams import BY_NAME, DEAD_LETTERS
from lienthong_schemas.vocabulary import NAME_LENGTH_MAX

RECORDED, REPLAYED = "dead_letter.recorded", "dead_letter.replayed"

_log = structlog.stdlib.get_logger("lienthong.dead_letters")


class SetAside(Protocol):
    """Sets aside one entry of which nothing can be made: its batch, its index there, why, and after how many tries."""

    async def __call__(self, batch: Batch, at: int, refusal: Refusal, attempts: int = 1, /) -> None:
        """Return once it is on disk."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One original that was set aside.

    `subject` is its key, or its stream's name where it had none: a key may be a person's number, so it is never
    printed. `replayed_to` has the offsets in its stream where it was appended again.
    """

    id: str
    recorded_at: datetime
    subject: str
    letter: DeadLetterRecorded
    replayed_to: tuple[int, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Return what may be shown to anyone who runs the service, as JSON values: nothing of the original."""
        shown = self.letter.model_dump(mode="json", exclude={"sealed"})
        kept = self.letter.sealed is not None
        return {"id": self.id, "recorded_at": self.recorded_at.isoformat(), **shown} | {
            "original_kept": kept,
            "replayed_to": list(self.replayed_to),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKept:
    """The original was longer than what is kept; only its size and SHA-256 are known."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutKey:
    """The original can be shown but not replayed: neither its entry nor its content says under which key."""


class DeadLetters:
    """What one process sets aside."""

    def __init__(self, log: EventLog, sealer: Sealer, clock: Clock, consumer: str) -> None:
        self._log = log
        self._sealer = sealer
        self._clock = clock
        self._consumer = consumer

    async def set_aside(self, batch: Batch, at: int, refusal: Refusal, attempts: int = 1) -> None:
        """Record the entry at index `at` of the batch; returns once it is on disk.

        A batch that comes again records it again under the same id, and readers count that once. Raises
        redis.RedisError: the caller's batch then stays where it is.
        """
        entry, now = batch.entries[at], self._clock.now()
        origin = {"stream": batch.stream, "partition": batch.partition, "position": entry.offset}
        sealed = None
        if len(entry.value) <= ORIGINAL_BYTES_MAX:
            ciphertext = self._sealer.seal(DEAD_LETTERS.name, entry.value, now)
            sealed = {"key_id": ciphertext.key_id, "bytes": base64.b64encode(ciphertext.data).decode()}
        data = {
            "origin": origin,
            "consumer": self._consumer,
            "reason": {"code": refusal.code.value, "message": refusal.message, "path": refusal.path},
            "attempts": attempts,
            "size_bytes": len(entry.value),
            "sha256": hashlib.sha256(entry.value).hexdigest(),
            "sealed": sealed,
        }
        subject = entry.key if _is_subject(entry.key) else batch.stream
        event = Outgoing(
            id=f"{self._consumer}:{batch.stream}/{batch.partition}/{entry.offset}",
            type=RECORDED,
            source=f"/{self._consumer}",
            subject=subject,
            time=now,
            data=data,
        )
        await self._log.append(DEAD_LETTERS.name, subject, encode(event))
        _log.warning("dead_letter", id=event.id, reason=refusal.code.value, path=refusal.path)


async def letters(log: EventLog) -> list[DeadLetter]:
    """Return every dead letter that is kept, oldest first, each once, with where it was replayed to."""
    found: dict[str, DeadLetter] = {}
    async for event in _events(log):
        if isinstance(event.message, DeadLetterRecorded) and event.envelope.id not in found:
            found[event.envelope.id] = DeadLetter(
                id=event.envelope.id,
                recorded_at=datetime.fromisoformat(event.envelope.time),
                subject=event.envelope.subject,
                letter=event.message,
            )
        elif isinstance(event.message, DeadLetterReplayed) and event.message.letter_id in found:
            letter = found[event.message.letter_id]
            offsets = (*letter.replayed_to, event.message.replayed_to.position)
            found[letter.id] = replace(letter, replayed_to=offsets)
    return sorted(found.values(), key=lambda letter: letter.recorded_at)


async def find(log: EventLog, letter_id: str) -> DeadLetter | None:
    """Return the dead letter of that id, None if there is none or it is no longer kept."""
    return next((letter for letter in await letters(log) if letter.id == letter_id), None)


def original(letter: DeadLetter, sealer: Sealer) -> bytes | KeyDestroyed | NotKept:
    """Return the original's bytes, or why nobody can read them any more. Raises SealBroken."""
    sealed = letter.letter.sealed
    if sealed is None:
        return NotKept(size_bytes=letter.letter.size_bytes, sha256=letter.letter.sha256)
    return sealer.open(sealed.key_id, base64.b64decode(sealed.bytes))


async def replay(
    letter: DeadLetter, log: EventLog, sealer: Sealer, clock: Clock
) -> Appended | KeyDestroyed | NotKept | WithoutKey:
    """Append the original to its stream once more, and then record that.

    The consumer decides anew: what it still cannot read becomes another dead letter. A crash between the two leaves
    a replay that is not recorded, and replaying again is harmless to consumers that recognise what they had. Raises
    redis.RedisError and SealBroken.
    """
    value = original(letter, sealer)
    if not isinstance(value, bytes):
        return value
    stream = letter.letter.origin.stream
    key = letter.subject if letter.subject != stream else _key_in(value, stream)
    if key is None:
        return WithoutKey()
    appended = await log.append(stream, key, value)
    event = Outgoing(
        id=f"{letter.id}@{appended.offset}",
        type=REPLAYED,
        source="/dead-letters",
        subject=letter.subject,
        time=clock.now(),
        data={
            "letter_id": letter.id,
            "replayed_to": {"stream": stream, "partition": appended.partition, "position": appended.offset},
        },
    )
    await log.append(DEAD_LETTERS.name, letter.subject, encode(event))
    return appended


async def _events(log: EventLog) -> AsyncIterator[Event]:
    """Yield every event of the dead letters' stream; one that is not ours is left out and counted in the log."""
    for partition, bounds in (await log.bounds(DEAD_LETTERS.name)).items():
        position = bounds.first
        while position < bounds.end:
            page = await log.read(DEAD_LETTERS.name, partition, position, entries_per_read(DEAD_LETTERS))
            if isinstance(page, Trimmed):
                position = page.first
                continue
            if isinstance(page, Recreated) or not page:
                break
            for entry in page:
                event = _event(entry)
                if event is not None:
                    yield event
            position = page[-1].offset + 1


def _event(entry: Entry) -> Event | None:
    event = decode(entry.value, DEAD_LETTERS)
    if isinstance(event, Refusal):
        _log.error("dead_letter_unreadable", offset=entry.offset, reason=event.code.value)
        return None
    return event


def _key_in(value: bytes, stream: str) -> str | None:
    """Return the key that a readable original asks for: the subject of every event is its key."""
    event = decode(value, BY_NAME.get(stream))
    return None if isinstance(event, Refusal) else event.envelope.subject


def _is_subject(key: str) -> bool:
    """Say whether an entry's key can stand as an event's subject; the empty key of a foreign entry cannot."""
    return 0 < len(key) <= NAME_LENGTH_MAX and key.isprintable()
