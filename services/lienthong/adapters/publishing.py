"""Publishes batches of register facts all or nothing, and events of cards and look-ups one by one, to the log."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.register_log import RegisterReader
from lienthong.adapters.wire import Outgoing, encode
from lienthong.domain.annulment import AnnulmentRefused, annul_batch
from lienthong.domain.facts import Fact
from lienthong.domain.gate import GateReport, check
from lienthong.domain.register import Register
from lienthong.domain.seals import batch_id_of
from lienthong.runtime.clock import Clock
from lienthong_schemas.streams import REGISTER

#: Facts written in one call of the log.
_CHUNK = 1_000
#: Who speaks, in the envelope of what is published.
_SOURCE = "/lienthong/publish"
#: The names of events of one batch are derived from its id, so that writing it again repeats them.
_NAMESPACE = uuid.UUID("6a0e7c52-2c57-4a56-8f5c-0e8c1b1f2d47")

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Facts to publish as one batch on `base`: the last accepted one when the gate passed them, None for none."""

    facts: tuple[Fact, ...]
    name: str | None
    base: str | None

    @property
    def batch_id(self) -> str:
        """Return the identity of the batch: the digest of its facts."""
        return batch_id_of(self.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A batch that stands: its position in the register, how many facts it brought, and when its seal was on disk."""

    batch_id: str
    name: str | None
    position: int
    count: int
    sealed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Overtaken:
    """Another publisher's seal on the same base came first: check against the new register and publish again."""

    batch_id: str
    won: str | None


class Publisher:
    """Writes to one log; `advance` of each call hears how many events were acknowledged since the last time."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._reader = RegisterReader(log)

    async def check(self, facts: Sequence[Fact]) -> GateReport:
        """Check a batch against the register of the log; writes nothing."""
        return check(await self._reader.refresh(), facts)

    async def register(self) -> Register:
        """Return the register of the log as it is now."""
        return await self._reader.refresh()

    async def annulment(self, batch_id: str, reason: str) -> tuple[Fact, ...] | AnnulmentRefused:
        """Return the facts that undo an accepted batch, to be checked and published like any other."""
        return annul_batch(await self._reader.refresh(), batch_id, reason)

    async def publish_batch(self, draft: Draft, advance: Advance) -> Published | Overtaken:
        """Write the facts of a batch that passed the gate on its base, and its seal.

        1. Write the facts, inert until sealed.
        2. Read what the log holds by now: a batch that was accepted since the gate looked leaves nothing to seal on.
        3. Seal them.
        4. Read whether the seal stands, for of two seals on one base the first in the log does.

        A crash before 3 leaves inert facts, and publishing the same batch again goes on from there. Raises
        RegisterGap and redis.RedisError; after the latter publish again.
        """
        batch_id = draft.batch_id
        distinct = list({each.sha256: each for each in draft.facts}.values())
        now = self._clock.now()
        # 1
        for start in range(0, len(distinct), _CHUNK):
            chunk = distinct[start : start + _CHUNK]
            await self._log.append_many(REGISTER.name, [(each.id, _event(each, batch_id, now)) for each in chunk])
            advance(len(chunk))
        # 2
        register = await self._reader.refresh()
        if register.last_batch == draft.base:
            # 3
            await self._log.append(REGISTER.name, batch_id, _seal(draft, batch_id, len(distinct), now))
        sealed_at = self._clock.now()
        # 4
        return _verdict(await self._reader.refresh(), batch_id, draft.base, sealed_at)

    async def publish_events(self, stream: str, events: Iterable[tuple[str, bytes]], advance: Advance) -> int:
        """Append events to a stream of the table, each under its key; return how many were acknowledged.

        Publishing them again is harmless: a fact with the same revision and bytes is a duplicate, and a look-up is
        recognised by its id. Raises redis.RedisError; what was acknowledged before it stands.
        """
        total = 0
        remaining = iter(events)
        while chunk := list(islice(remaining, _CHUNK)):
            await self._log.append_many(stream, chunk)
            total += len(chunk)
            advance(len(chunk))
        return total


def _event(fact: Fact, batch_id: str, now: datetime) -> bytes:
    return encode(
        Outgoing(
            id=str(uuid.uuid5(_NAMESPACE, f"{batch_id}/{fact.sha256.hex()}")),
            type=fact.type,
            source=_SOURCE,
            subject=fact.id,
            time=now,
            data=fact.data,
            batch_id=batch_id,
        )
    )


def _seal(draft: Draft, batch_id: str, count: int, now: datetime) -> bytes:
    data = {"batch_id": batch_id, "base": draft.base, "count": count, "digest": batch_id, "name": draft.name}
    return encode(
        Outgoing(id=str(uuid.uuid4()), type="batch.sealed", source=_SOURCE, subject=batch_id, time=now, data=data)
    )


def _verdict(register: Register, batch_id: str, base: str | None, sealed_at: datetime) -> Published | Overtaken:
    for batch in register.batches:
        if batch.batch_id == batch_id:
            return Published(
                batch_id=batch_id,
                name=batch.name,
                position=batch.position,
                count=len(batch.facts),
                sealed_at=sealed_at,
            )
    won = next((batch.batch_id for batch in register.batches if batch.base == base), None)
    return Overtaken(batch_id=batch_id, won=won)
