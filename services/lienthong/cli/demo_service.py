"""The service of a demonstration: started as `lienthong up` starts it, asked over HTTP, published to by its log."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import psutil

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.projection import Projection
from lienthong.adapters.publishing import Publisher
from lienthong.cli.demo_ground import HOST
from lienthong.cli.service import running_service
from lienthong.domain.answer import Outcome
from lienthong.runtime.children import Announcement
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.settings import Settings
from lienthong.runtime.supervisor import up

#: What is waited for is done within a second or two; a machine on which it takes this long is not working.
PATIENCE_S: Final = 60.0
POLL_S: Final = 0.01
#: A request that takes this long has failed; a store that is away is told of within one second.
_HTTP_TIMEOUT_S: Final = 10.0
#: How often a desk asks that is told to ask again, and after how long.
_ASKS_MAX: Final = 20
_ASKS_AGAIN_AFTER_S: Final = 0.5


class Impatient(Exception):
    """Something that was waited for did not come about."""

    def __init__(self, what: str) -> None:
        super().__init__(f"After {PATIENCE_S:.0f} s {what}.")


class Interrupted(Exception):
    """The service was told to stop before the demonstration was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back over HTTP: the decision, the status, and how long the desk waited."""

    status: int
    body: Mapping[str, Any]
    took_ms: float
    retry_after_s: str | None

    @property
    def outcome(self) -> str:
        """Return the decision's outcome."""
        return str(self.body["outcome"])


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoService:
    """A running service, as a desk, a publisher of decrees and an operator reach it."""

    settings: Settings
    started_in_s: float
    publisher: Publisher
    log: EventLog
    projection: Projection
    http: httpx.AsyncClient
    pids: Mapping[str, int]
    outcomes: list[str]

    @property
    def lookup_url(self) -> str:
        """Return the address of the look-up service."""
        return f"http://{HOST}:{self.settings.lookup_port}"

    @property
    def monitor_url(self) -> str:
        """Return the address of the monitor."""
        return f"http://{HOST}:{self.settings.monitor_port}"

    async def ask(self, question: Mapping[str, Any]) -> Answer:
        """Ask as a check-in desk does, and keep the outcome of what was answered from the store.

        A desk that is told to ask again, because the data are a moment behind on a busy machine, does so.
        """
        for _ in range(_ASKS_MAX):
            began = time.perf_counter()
            response = await self.http.post(f"{self.lookup_url}/v1/eligibility", json=question)
            took_ms = (time.perf_counter() - began) * 1000
            if not response.is_success or response.json()["outcome"] != Outcome.CANNOT_TELL:
                break
            await asyncio.sleep(_ASKS_AGAIN_AFTER_S)
        if response.is_success:
            self.outcomes.append(response.json()["outcome"])
        return Answer(
            status=response.status_code,
            body=response.json(),
            took_ms=took_ms,
            retry_after_s=response.headers.get("retry-after"),
        )

    async def get(self, url: str, **query: str) -> dict[str, Any]:
        """Return what one of the two services says at an address."""
        response = await self.http.get(url, params=query)
        found: dict[str, Any] = response.json()
        return found

    @contextmanager
    def store_stopped(self) -> Iterator[None]:
        """Hold the projection's server still, as a machine does that has stopped answering."""
        server = psutil.Process(self.pids["projection"])
        server.suspend()
        try:
            yield
        finally:
            server.resume()


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[tuple[DemoService, "asyncio.Task[None]"]]:
    """Start the service and give it with the task that ends when it does; stop it cleanly at the end of the block.

    Raises Interrupted where it was told to stop before it was ready, and what `up` raises.
    """
    began = time.monotonic()
    stop, ready = asyncio.Event(), asyncio.Event()
    pids: dict[str, int] = {}

    def heard(announcement: Announcement) -> None:
        if "pid" in announcement.facts:
            pids[announcement.name] = announcement.facts["pid"]
        if announcement.name == "service" and announcement.event == "ready":
            ready.set()

    serving = asyncio.create_task(up(settings, heard, stop=stop))
    try:
        await unless_stopped(ready.wait(), serving)
        async with (
            running_service(settings) as service,
            httpx.AsyncClient(timeout=_HTTP_TIMEOUT_S, trust_env=False) as http,
        ):
            yield (
                DemoService(
                    settings=settings,
                    started_in_s=time.monotonic() - began,
                    publisher=Publisher(service.log, SystemClock()),
                    log=service.log,
                    projection=service.projection,
                    http=http,
                    pids=pids,
                    outcomes=[],
                ),
                serving,
            )
    finally:
        stop.set()
        await asyncio.gather(serving, return_exceptions=True)


async def unless_stopped(work: Any, serving: "asyncio.Task[None]") -> None:
    """Do the work; if the service ends before it is done, give it up and raise why, or Interrupted."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task, serving}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
        return
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    serving.result()
    raise Interrupted


async def until(condition: Callable[[], Any], otherwise: str) -> None:
    """Wait until an awaited condition is true. Raises Impatient, saying `otherwise`."""
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        if time.monotonic() > deadline:
            raise Impatient(otherwise)
        await asyncio.sleep(POLL_S)
