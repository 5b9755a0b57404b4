"""Answers look-up events as the look-up process does, one partition of them, without a projection of cards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

from lienthong.adapters.event_log import EventLog, partition_of
from lienthong.adapters.followers import Batch, Follower
from lienthong.adapters.keys import KeyStore
from lienthong.adapters.outbox import OutboxCell, Relay
from lienthong.adapters.sealing import Sealer
from lienthong.adapters.wire import Refusal
from lienthong.domain.answer import Finding
from lienthong.domain.question import Presentation
from lienthong.domain.register import Register
from lienthong.lookup.desk import Desk
from lienthong.lookup.handlers import EventDesk, Intake
from lienthong.lookup.record import Recorder
from lienthong_schemas.questions import CardImagePresented
from lienthong_schemas.streams import LOOKUPS
from tests.support.clocks import SetClock
from tests.support.desk import nothing

FACILITY = "01004"
PARTITION = partition_of(FACILITY, LOOKUPS.partitions)
CELL = f"{LOOKUPS.name}-{PARTITION}"
#: Look-ups that are read at once.
BATCH = 2


def lookup_event(serial: int, time: str = "2025-08-01T08:00:00+07:00") -> bytes:
    """Return a look-up of a number that nobody has, from the one facility, at a time with its offset."""
    question = {
        "presented": {"kind": "insurance_number", "number": f"00000{serial:05d}"},
        "facility_code": FACILITY,
        "clerk_id": "NV01",
        "on": "2025-08-01",
        "admitted_on": None,
        "visit_kind": "outpatient",
        "holder": None,
    }
    event = {
        "specversion": "1.0",
        "id": f"lookup-{serial}",
        "type": "lookup.requested",
        "source": "/tests",
        "subject": FACILITY,
        "time": time,
        "data": {"question": question},
    }
    return orjson.dumps(event)


class NoCards:
    """A projection that proves of every card that there is none."""

    async def by_number(self, _number: str, _register_position: int) -> Finding:
        return nothing()

    async def by_citizen_id(self, _citizen_id: str, _register_position: int) -> Finding:
        return nothing()


class NoImages:
    """Refuses to read images, for none are asked about."""

    async def open(self, _presented: CardImagePresented) -> Presentation | Refusal:
        raise AssertionError


@dataclass
class Answering:
    """One life of the process: its desk, its outbox cell, the relay, and what was set aside."""

    log: EventLog
    relay: Relay
    follower: Follower
    desk: EventDesk
    set_aside: list[int] = field(default_factory=list)

    async def read(self) -> bool:
        """Answer the next look-ups, and tell whether there were any."""
        entries = await self.log.read(LOOKUPS.name, PARTITION, self.follower.progress.position or 0, BATCH)
        assert isinstance(entries, tuple)
        await self.follower.take(entries)
        return bool(entries)

    async def answer(self) -> None:
        """Answer what the partition holds, and relay every answer to the log."""
        while True:
            entries = await self.read()
            if await self.relay.waiting():
                await self.relay.relay_once()
            elif not entries:
                return


@asynccontextmanager
async def answering(log: EventLog, cell: OutboxCell, relay: Relay, keys: KeyStore) -> AsyncIterator[Answering]:
    """Begin as a new process does."""
    clock = SetClock()

    async def aside(batch: Batch, at: int, refusal: Refusal, attempts: int = 1) -> None:  # noqa: ARG001 -- as called
        running.set_aside.append(batch.entries[at].offset)

    intake = Intake(set_aside=aside, images=NoImages(), log=log, clock=clock)
    desk = EventDesk(Desk(NoCards(), Register.empty), Recorder(Sealer(keys, clock)), cell, intake)
    follower = Follower(LOOKUPS.name, PARTITION, desk.handle, clock)
    running = Answering(log, relay, follower, desk)
    desk.follow(follower)
    follower.seek(await desk.start())
    yield running
