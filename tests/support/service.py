"""The whole service in one event loop over two real servers: what a test asks over HTTP goes the whole way.

    from tests.support.service import service  # noqa: F401

`service` is a running `Service`: its servers, projector and look-up service; `publish_*` return when it is in force.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.publishing import Draft, Published, Publisher
from lienthong.adapters.registers import facts_of, named
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.adapters.wire import Outgoing, encode
from lienthong.domain.facts import Fact
from lienthong.lookup import app as lookup_app
from lienthong.lookup.http import LookupParts, application
from lienthong.monitor import app as monitor_app
from lienthong.monitor.app import Monitor
from lienthong.projector import app as projector_app
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.connection import connect
from lienthong.runtime.datadir import DataDirectory, data_directory, held
from lienthong.runtime.embedded import EmbeddedServer
from lienthong.runtime.settings import Settings, load
from lienthong.runtime.supervisor import server_specs
from lienthong_schemas.streams import CARDS
from tests.support.waiting import until, until_so

DESK = {"facility_code": "01004", "clerk_id": "NV01"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running service."""

    directory: DataDirectory
    settings: Settings
    servers: Mapping[str, EmbeddedServer]
    log: EventLog
    store: Redis
    parts: LookupParts
    monitor: Monitor
    http: httpx.AsyncClient
    monitor_http: httpx.AsyncClient

    async def ask(self, presented: Mapping[str, Any], **more: Any) -> httpx.Response:
        """Ask over HTTP what a card that is presented so is worth."""
        return await self.http.post("/v1/eligibility", json={"presented": presented, **DESK, **more})

    async def decide(self, presented: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Ask, and return the decision."""
        response = await self.ask(presented, **more)
        assert response.status_code == httpx.codes.OK, response.text
        decision: dict[str, Any] = response.json()
        return decision

    async def publish_set(self, name: str) -> None:
        """Publish a shipped set and wait until it is in force."""
        shipped = named(name)
        assert shipped is not None
        await self.publish_facts(facts_of(shipped), name)

    async def publish_facts(self, facts: Sequence[Fact], name: str | None = None) -> Published:
        """Publish a batch and wait until it is in force."""
        publisher = Publisher(self.log, SystemClock())
        report = await publisher.check(facts)
        assert report.passed, report.faults
        draft = Draft(facts=tuple(facts), name=name, base=report.base)
        published = await publisher.publish_batch(draft, lambda _: None)
        assert isinstance(published, Published)
        await until(lambda: self.parts.register().position >= published.position)
        return published

    async def publish_cards(self, cards: Iterable[Mapping[str, Any]]) -> None:
        """Append records of cards and wait until the projection has read them."""
        await self.log.append_many(CARDS.name, [(data["id"], _recorded(data)) for data in cards])
        await self.projected()

    async def projected(self) -> None:
        """Wait until absence is proved again: every cell has read to its end."""

        async def proved() -> bool:
            decision = await self.decide({"kind": "citizen_id", "number": "000999999998"})
            return bool(decision["freshness"]["complete"])

        await until_so(proved)


@asynccontextmanager
async def running_service(root: Path, **given: Any) -> AsyncIterator[Service]:
    """Run the service on a data directory, with other settings that are given, until the block ends."""
    settings = load(data_dir=root, **given)
    directory = data_directory(root)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stack.enter_context(held(directory))
        servers = {spec.name: EmbeddedServer(spec) for spec in server_specs(directory, settings)}
        for server in servers.values():
            stack.push_async_callback(server.stop)
        await asyncio.gather(*(server.start() for server in servers.values()))
        log_client = connect(directory.socket("log"))
        stack.push_async_callback(log_client.aclose)
        store = connect(directory.socket("projection"))
        stack.push_async_callback(store.aclose)
        await stack.enter_async_context(projector_app.running(settings, clock))
        monitor = await stack.enter_async_context(monitor_app.running(settings, clock))
        parts = await stack.enter_async_context(lookup_app.running(settings, clock))
        http = await stack.enter_async_context(_client(application(parts, settings)))
        monitor_http = await stack.enter_async_context(_client(monitor_app.application(monitor, settings, clock)))
        yield Service(
            directory=directory,
            settings=settings,
            servers=servers,
            log=ValkeyLog(log_client),
            store=store,
            parts=parts,
            monitor=monitor,
            http=http,
            monitor_http=monitor_http,
        )


def _recorded(data: Mapping[str, Any]) -> bytes:
    return encode(
        Outgoing(
            id=f"{data['id']}-{data['revision']}",
            type="card.recorded",
            source="/tests",
            subject=data["id"],
            time=SystemClock().now(),
            data=data,
        )
    )


def _client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """The whole service, empty, on a data directory of its own."""
    root = Path(tempfile.mkdtemp(prefix="lienthong-"))
    try:
        async with running_service(root) as running:
            yield running
    finally:
        shutil.rmtree(root)
