"""A data directory with both servers running and nothing else: what a projector begins with."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_layout import CellState
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.runtime.connection import connect
from lienthong.runtime.datadir import DataDirectory, data_directory
from lienthong.runtime.embedded import EmbeddedServer
from lienthong.runtime.settings import Settings, load
from lienthong.runtime.supervisor import server_specs
from lienthong_schemas.streams import CARDS
from tests.support.card_facts import usual_card
from tests.support.projecting import card_event
from tests.support.waiting import until_so


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A data directory with both servers running."""

    directory: DataDirectory
    settings: Settings
    log: EventLog
    log_client: Redis
    store: Redis
    projection: Projection

    async def publish(self, first: int, last: int) -> None:
        """Append usual cards."""
        facts = [usual_card(f"00000{serial:05d}") for serial in range(first, last)]
        await self.log.append_many(CARDS.name, [(fact.data["id"], card_event(fact)) for fact in facts])

    async def projected(self, count: int, since: datetime) -> list[CellState]:
        """Wait until there are so many cards, all of them said to be complete at a moment after `since`."""
        since_ms = int(since.timestamp() * 1000)

        async def done() -> bool:
            states = await self.projection.states()
            fresh = all((state.caught_up_at_ms or 0) > since_ms and state.complete for state in states)
            return fresh and sum(state.facts for state in states) == count

        await until_so(done)
        return await self.projection.states()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    root = Path(tempfile.mkdtemp(prefix="lienthong-"))
    settings = load(data_dir=root)
    directory = data_directory(root)
    directory.prepare()
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, root)
        for spec in server_specs(directory, settings):
            server = EmbeddedServer(spec)
            stack.push_async_callback(server.stop)
            await server.start()
        log_client, store = connect(directory.socket("log")), connect(directory.socket("projection"))
        stack.push_async_callback(log_client.aclose)
        stack.push_async_callback(store.aclose)
        yield Place(
            directory=directory,
            settings=settings,
            log=ValkeyLog(log_client),
            log_client=log_client,
            store=store,
            projection=Projection(store, CARDS.partitions),
        )
