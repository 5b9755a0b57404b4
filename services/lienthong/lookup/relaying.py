"""Keeps the outbox relayed: this process's share of its cells, whatever happens to the servers and to other relays."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, NoReturn

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.outbox import RELAY_BATCH, Relay
from lienthong.adapters.outbox_backlog import Backlog, backlog
from lienthong.adapters.outbox_leases import Leases
from lienthong.runtime.backoff import Backoff
from lienthong.runtime.clock import Clock
from lienthong.runtime.tasks import end

#: The pause after a round that took all there was. Each round makes both servers wait for their disks, and desks with
#: them; one that comes after a pause takes more decisions at once. An answer to an event is this much later at most.
PAUSE_S: Final = 0.05
#: How often the leases are renewed and every cell is looked at; what this process stores is relayed at once.
WATCH_INTERVAL_S: Final = 1.0
#: How often a backlog that is reason for an alarm is told of.
ALARM_INTERVAL: Final = timedelta(minutes=1)

_PASSING = (RedisError, OSError, TimeoutError)

_log = structlog.stdlib.get_logger("lienthong.relay")


class Relays:
    """The relays of one process, which may come to hold any of the cells."""

    def __init__(self, store: Redis, log: EventLog, leases: Leases, cells: Sequence[str], clock: Clock) -> None:
        self._store = store
        self._log = log
        self._leases = leases
        self._cells = tuple(cells)
        self._clock = clock
        self._work = {cell: asyncio.Event() for cell in cells}
        self._held: frozenset[str] = frozenset()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told_at: datetime | None = None
        self.backlog = Backlog()

    def stored(self, cell: str) -> Callable[[], None]:
        """Return what a writer of this process calls when entries wait in a cell."""
        return self._work[cell].set

    def warnings(self) -> list[str]:
        """Return what an operator should know of although desks are answered."""
        alarm = self.backlog.alarm(self._clock.now())
        return [] if alarm is None else [alarm]

    async def run(self, rights: Callable[[], Collection[str]]) -> NoReturn:
        """Relay until cancelled; `rights` tells at any moment which cells are filled by this process alone.

        Once a second: 1. Renew the leases. 2. Look at every cell. 3. Relay the cells that are held, and no others. A
        store that is away leaves each relay what it had: it goes on when the store is back, and harms nobody.
        """
        while True:
            try:
                # 1
                self._held = await self._leases.renew(self._cells, rights())
                # 2
                self.backlog = await backlog(self._store, self._cells)
            except _PASSING as fault:
                _log.warning("outbox_unreachable", fault=type(fault).__name__)
            self._tell()
            # 3
            self._settle()
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def stop(self) -> None:
        """Stop relaying and let others have the cells."""
        await end(*self._tasks.values())
        await self._leases.release()

    def _settle(self) -> None:
        """Start and wake the relays of what is held, end those of what is not; raise what ended one for no reason."""
        for cell, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[cell]
                task.result()
            elif cell not in self._held:
                self._work[cell].set()
        for cell in self._held:
            if cell not in self._tasks:
                self._tasks[cell] = asyncio.create_task(self._keep(cell), name=f"relay-{cell}")
            if cell in self.backlog.waiting:
                self._work[cell].set()

    async def _keep(self, cell: str) -> None:
        """Relay a cell for as long as it is held; a server that is away is tried again, and nothing is skipped."""

        def heard(fault: BaseException, attempts: int) -> None:
            _log.warning("relay_waits", cell=cell, attempts=attempts, fault=type(fault).__name__)

        relay, work, backoff = Relay(self._store, self._log, cell), self._work[cell], Backoff(faults=_PASSING)
        while cell in self._held:
            work.clear()
            relayed = await backoff.run(relay.relay_once, on_fault=heard)
            if relayed == 0:
                await work.wait()
            elif relayed < RELAY_BATCH:
                await asyncio.sleep(PAUSE_S)

    def _tell(self) -> None:
        """Write of a backlog that is reason for an alarm, once in a while, and of its end."""
        now = self._clock.now()
        alarm = self.backlog.alarm(now)
        if alarm is None:
            if self._told_at is not None:
                _log.warning("outbox_drained", entries=self.backlog.entries)
            self._told_at = None
        elif self._told_at is None or now - self._told_at >= ALARM_INTERVAL:
            self._told_at = now
            oldest = self.backlog.oldest_at
            _log.error(
                "outbox_backlog",
                entries=self.backlog.entries,
                fullest=self.backlog.fullest,
                oldest_at=None if oldest is None else oldest.isoformat(),
            )
