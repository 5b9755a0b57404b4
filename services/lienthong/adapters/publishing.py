"""Publishes batches of register facts all or nothing, and card facts one by one, to the log."""

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
from lienthong_schemas.streams import CARDS, REGISTER

#: Facts written in one call of the log.
_CHUNK = 1_000
#: Who speaks, in the envelope of what is published.
_SOURCE = "/lienthong/publish"
#: The names of events of one batch are derived from its id, so that writing it again repeats them.
_NAMESPACE = uuid.UUID("6a0e7c52-2c57-4a56-8f5c-0e8c1b1f2d47")

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A batch that stands: its position in the register, and how many facts it brought."""

    batch_id: str
    name: str | None
    position: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overtaken:
    """Another publisher's seal on the same base came first: check against the new register and publish again."""

    batch_id: str
    won: str | None


class Publisher:
    """Writes to one log; `advance` of each call hears how many facts were acknowledged since the last time."""

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

    async def publish_batch(
        self, facts: Sequence[Fact], name: str | None, base: str | None, advance: Advance
    ) -> Published | Overtaken:
        """Write the facts of a batch that passed the gate on `base`, and its seal.

        1. Write the facts, inert until sealed; 2. seal them; 3. read whether the seal stands, for of two seals on one
        base the first in the log does.
        """
        batch_id = batch_id_of(tuple(facts))
        distinct = list({each.sha256: each for each in facts}.values())
        now = self._clock.now()
        # 1
        for start in range(0, len(distinct), _CHUNK):
            chunk = distinct[start : start + _CHUNK]
            await self._log.append_many(REGISTER.name, [(each.id, _event(each, batch_id, now)) for each in chunk])
            advance(len(chunk))
        # 2
        await self._log.append(REGISTER.name, batch_id, _seal(batch_id, base, len(distinct), name, now))
        # 3
        return _verdict(await self._reader.refresh(), batch_id, base, len(distinct))

    async def publish_cards(self, events: Iterable[tuple[str, bytes]], advance: Advance) -> int:
        """Append events of cards, each under its insurance number; return how many were acknowledged.

        Publishing them again is harmless: a fact with the same revision and bytes is a duplicate.
        """
        total = 0
        remaining = iter(events)
        while chunk := list(islice(remaining, _CHUNK)):
            await self._log.append_many(CARDS.name, chunk)
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


def _seal(batch_id: str, base: str | None, count: int, name: str | None, now: datetime) -> bytes:
    data = {"batch_id": batch_id, "base": base, "count": count, "digest": batch_id, "name": name}
    return encode(
        Outgoing(id=str(uuid.uuid4()), type="batch.sealed", source=_SOURCE, subject=batch_id, time=now, data=data)
    )


def _verdict(register: Register, batch_id: str, base: str | None, count: int) -> Published | Overtaken:
    for batch in register.batches:
        if batch.batch_id == batch_id:
            return Published(batch_id=batch_id, name=batch.name, position=batch.position, count=count)
    won = next((batch.batch_id for batch in register.batches if batch.base == base), None)
    return Overtaken(batch_id=batch_id, won=won)
