"""What may no longer be kept is gone: the key first, so that nothing that remains can be read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.keys import KeyStore, keys_in
from lienthong.adapters.retention import let_go
from lienthong.adapters.sealing import KeyDestroyed, Sealer
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong_schemas.streams import CARD_IMAGES, CARDS, DECISIONS, Stream
from tests.support.clocks import SetClock
from tests.support.servers import (  # noqa: F401 -- fixtures
    log_client,
    log_server,
    servers_root,
    session_log_server,
)

NOON = datetime(2025, 8, 1, 5, 0, tzinfo=UTC)


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeyStore]:
    store = keys_in(tmp_path)
    yield store
    store.close()


def event(at: datetime) -> bytes:
    return orjson.dumps({"time": at.isoformat()})


async def kept(log: EventLog, stream: Stream) -> int:
    return sum([bounds.end - bounds.first for bounds in (await log.bounds(stream.name)).values()])


async def test_an_image_is_unreadable_and_gone_when_its_hour_and_its_retention_are_over(
    log_client: Redis,  # noqa: F811 -- the fixture of that name
    keys: KeyStore,
) -> None:
    clock = SetClock(NOON)
    log, sealer = ValkeyLog(log_client), Sealer(keys, clock)
    sealed = sealer.seal(CARD_IMAGES.name, b"a picture")
    await log.append(CARD_IMAGES.name, "01004", event(NOON))
    await log.append(CARDS.name, "0000012345", event(NOON))
    clock.advance(timedelta(minutes=59))
    await let_go(log, sealer, clock)
    assert sealer.open(sealed.key_id, sealed.data) == b"a picture"
    clock.advance(timedelta(hours=1, minutes=2))
    await let_go(log, sealer, clock)
    assert isinstance(sealer.open(sealed.key_id, sealed.data), KeyDestroyed)
    assert await kept(log, CARD_IMAGES) == 0
    assert await kept(log, CARDS) == 1


async def test_decisions_outlive_images(
    log_client: Redis,  # noqa: F811 -- the fixture of that name
    keys: KeyStore,
) -> None:
    clock = SetClock(NOON)
    log, sealer = ValkeyLog(log_client), Sealer(keys, clock)
    appended = await log.append(DECISIONS.name, "pseudonym", event(NOON))
    clock.advance(timedelta(days=399))
    await let_go(log, sealer, clock)
    assert await log.first(DECISIONS.name, appended.partition) == appended.offset
    clock.advance(timedelta(days=2))
    await let_go(log, sealer, clock)
    assert await log.first(DECISIONS.name, appended.partition) == appended.offset + 1
