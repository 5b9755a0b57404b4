"""What a process of the service stands on in the simulation: its doubles of the log, the store, the clock and the keys.

The processes are put together by their own `running`; only what opens a connection or a file is replaced.
"""

import contextlib
import os
import random
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest import mock

import uuid_utils

from lienthong.adapters.followers import OnFault, Reader
from lienthong.adapters.ground import Ground
from lienthong.adapters.keys import PeriodKey
from lienthong.runtime.clock import Clock
from lienthong.runtime.datadir import DataDirectory
from lienthong.runtime.settings import Settings
from tests.simulation.disk import Disk
from tests.simulation.groups import Group, SimulatedReader
from tests.simulation.history import emptied
from tests.simulation.log import Partitions, SimulatedLog
from tests.simulation.loop import SimulatedLoop
from tests.simulation.store import Store
from tests.simulation.weather import Weather

#: When every run begins: nine in the morning in Vietnam.
BEGAN_AT: Final = datetime(2025, 8, 1, 2, tzinfo=UTC)
#: Buckets of a new cell: few, so that creating and recounting one costs little.
BUCKETS: Final = 8


class SimulatedClock:
    """Tells the time of the loop."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        """Return the present moment."""
        return BEGAN_AT + timedelta(seconds=self._loop.time())


class LastingKeys:
    """A key store with one key a purpose, which never ends."""

    def __init__(self, *_: object) -> None:
        pass

    def current(self, purpose: str, at: datetime) -> PeriodKey:
        """Return the purpose's key."""
        begins_at = at - timedelta(days=1000)
        ends_at = at + timedelta(days=1000)
        return PeriodKey(key_id=purpose, begins_at=begins_at, ends_at=ends_at, destroy_at=ends_at, key=bytes(32))

    def find(self, key_id: str) -> PeriodKey:
        """Return the key of that name."""
        return self.current(key_id, BEGAN_AT)

    def destroy_expired(self, _now: datetime) -> list[str]:
        """Destroy nothing."""
        return []

    def close(self) -> None:
        """Close nothing."""


class Grounds:
    """Makes the ground of each process of a run."""

    def __init__(self, weather: Weather, partitions: Partitions, store: Store) -> None:
        self.weather = weather
        self.partitions = partitions
        self.store = store
        self.clock: Clock = SimulatedClock(weather.loop)
        self.disk = Disk(weather)
        self.history = emptied(weather)
        self.groups: dict[str, Group] = {}
        #: How often a member of a group hears late that a partition is another's, and whether processes have names.
        self.zombies = 0.0
        self.named = False

    @asynccontextmanager
    async def grounded(self, settings: Settings, clock: Clock) -> AsyncIterator[Ground]:
        """Stand in for the function of that name."""
        log = SimulatedLog(self.partitions, self.weather)

        def read(name: str, on_fault: OnFault) -> Reader:
            group = self.groups.setdefault(name, Group(name, self.weather, self.zombies))
            return SimulatedReader(group, log, self.weather, clock, on_fault)

        directory = DataDirectory(root=Path("nowhere"))
        store = self.store.client()
        yield Ground(directory=directory, settings=settings, clock=clock, log=log, store=store, read=read)


@contextmanager
def chance_from(seed: Random, clock: Clock) -> Iterator[None]:
    """Let everything that is drawn at random while the block lasts come from the seed."""

    def drawn_id() -> uuid.UUID:
        at_ms = int(clock.now().timestamp() * 1000)
        return uuid.UUID(int=at_ms << 80 | 0x7 << 76 | seed.getrandbits(12) << 64 | 0b10 << 62 | seed.getrandbits(62))

    state = random.getstate()
    random.seed(seed.getrandbits(64))
    with ExitStack() as stack:
        stack.callback(random.setstate, state)
        for module, name, made in (
            (os, "urandom", seed.randbytes),
            (secrets, "token_bytes", seed.randbytes),
            (secrets, "randbelow", seed.randrange),
            (secrets, "token_hex", lambda count: seed.randbytes(count).hex()),
            (uuid, "uuid4", drawn_id),
            (uuid_utils, "uuid7", drawn_id),
        ):
            stack.enter_context(mock.patch.object(module, name, made))
        yield


@asynccontextmanager
async def no_images(*_: Any) -> AsyncIterator[None]:
    """Stand in for the reader of card images, of which there are none."""
    with contextlib.nullcontext():
        yield None
