"""Readers of decisions as processes have them, over a partition in memory, and databases whose connections are cut."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from lienthong.adapters.databases import Database
from lienthong.adapters.event_log import Entry
from lienthong.adapters.followers import Batch, Follower
from lienthong.adapters.wire import Refusal, RefusalCode
from lienthong.monitor.handlers import DecisionConsumer, Keeper
from lienthong_schemas.streams import DECISIONS
from tests.support.clocks import SetClock


class Reading:
    """One process that reads one partition for a keeper, a batch when it is told to."""

    def __init__(self, keeper: Keeper, stream: Sequence[bytes], partition: int = 0) -> None:
        self.set_aside: list[tuple[int, RefusalCode]] = []
        self.consumer = DecisionConsumer(keeper, self._aside)
        self.partition = partition
        self._entries = tuple(Entry(offset=at, key="k", value=value) for at, value in enumerate(stream))
        self.follower = Follower(DECISIONS.name, partition, self.consumer.handle, SetClock())
        self.consumer._followers[partition] = self.follower

    async def begin(self) -> None:
        """Stand where the keeper stands."""
        self.follower.seek(await self.consumer.start(self.partition))

    async def step(self, size: int) -> None:
        """Read a batch from where this process believes that it stands."""
        if self.follower.progress.position is None:
            await self.begin()
        position = self.follower.progress.position
        await self.follower.take(self._entries[position : (position or 0) + size])

    async def read(self, size: int) -> None:
        """Read to the end."""
        await self.step(size)
        while self.follower.progress.position != len(self._entries):
            await self.step(size)

    async def _aside(self, batch: Batch, at: int, refusal: Refusal, _attempts: int = 1) -> None:
        self.set_aside.append((batch.entries[at].offset, refusal.code))


Happened = Callable[[], bool]


@contextmanager
def cut(database: Database, name: str, at: int) -> Iterator[Happened]:
    """Cut the connection in which the `at`-th event of that name is: its server ends it, or the file's disk fails.

    Gives what tells whether that happened.
    """
    left = iter(range(at))
    happened: list[str] = []

    def strike(connection: Any, *_: object) -> None:
        if happened or next(left, None) is not None:
            return
        happened.append(name)
        if not database.is_server:
            raise OperationalError(None, None, sqlite3.OperationalError("disk I/O error"))
        pid = connection.connection.dbapi_connection.info.backend_pid
        with database.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    event.listen(database.engine, name, strike)
    try:
        yield lambda: bool(happened)
    finally:
        event.remove(database.engine, name, strike)
