"""What was let go before it was read is passed over and said, and what comes after it is read."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from lienthong.adapters.event_log import Bounds, EventLog
from lienthong.adapters.valkey_log import stream_key
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.connection import connect
from lienthong_schemas.streams import ANSWERS, DECISIONS, LOOKUPS
from tests.support.answering import FACILITY, PARTITION, lookup_event
from tests.support.service import Service, running_service
from tests.support.waiting import until_so


@pytest.fixture
async def root() -> AsyncIterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="lienthong-"))
    yield made
    shutil.rmtree(made)


async def ask(log: EventLog, serials: range) -> None:
    now = SystemClock().now().isoformat()
    await log.append_many(LOOKUPS.name, [(FACILITY, lookup_event(serial, now)) for serial in serials])


async def answered(service: Service, count: int) -> None:
    """Wait until so many look-ups were answered, and counted."""

    async def all_are() -> bool:
        answers = await service.log.bounds(ANSWERS.name)
        return sum(bounds.end for bounds in answers.values()) == count and await counted(service) == count

    await until_so(all_are)


async def counted(service: Service) -> int:
    volumes = await service.monitor_http.get("/v1/volumes")
    return int(volumes.json()["lookups"])


async def let_go(client: Redis, stream: str, partition: int) -> None:
    await client.xtrim(stream_key(stream, partition), maxlen=0, approximate=False)


async def test_look_ups_after_those_that_were_let_go_are_answered_although_the_store_was_lost(root: Path) -> None:
    async with running_service(root) as service:
        await ask(service.log, range(3))
        await answered(service, 3)
        log, projection = connect(service.directory.socket("log")), connect(service.directory.socket("projection"))
        await let_go(log, LOOKUPS.name, PARTITION)
        await projection.flushall()
        await ask(service.log, range(3, 5))
        await answered(service, 5)
        assert await service.log.bounds(LOOKUPS.name, [PARTITION]) == {PARTITION: Bounds(first=3, end=5)}
        await log.aclose()
        await projection.aclose()


async def test_a_lost_history_begins_again_with_the_decisions_that_are_kept(root: Path) -> None:
    async with running_service(root) as service:
        await ask(service.log, range(4))
        await answered(service, 4)
        log = connect(service.directory.socket("log"))
        for partition in range(DECISIONS.partitions):
            await let_go(log, DECISIONS.name, partition)
        await log.aclose()
    for file in (root / "history").iterdir():
        file.unlink()
    async with running_service(root) as service:
        await ask(service.log, range(4, 6))

        async def rest_is_counted() -> bool:
            return await counted(service) == 2

        await until_so(rest_is_counted)
