"""Readiness names the reader that stands still and why, and a history that does not answer in time."""

import threading
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import ProgrammingError

from lienthong.adapters.database_faults import DatabaseAway
from lienthong.adapters.followers import Progress
from lienthong.monitor import routes
from lienthong.monitor.routes import health_routes
from tests.support.clocks import SetClock

CLOCK = SetClock()


def progress(partition: int, *, moved_ago_s: float, failing: str | None = None) -> Progress:
    return Progress(
        stream="decisions.v1",
        partition=partition,
        position=5,
        end=9,
        caught_up_at=None,
        moved_at=CLOCK.now() - timedelta(seconds=moved_ago_s),
        fault=None,
        failing=failing,
    )


async def readiness(given: list[tuple[str, Progress]], ping: Callable[[], None]) -> httpx.Response:
    app = FastAPI()
    app.include_router(health_routes(lambda: given, ping, CLOCK))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://monitor") as client:
        return await client.get("/readyz")


async def test_the_reader_that_stands_still_is_named_with_its_fault() -> None:
    moving = [("monitor", progress(0, moved_ago_s=1)), ("archive", progress(0, moved_ago_s=1))]
    assert (await readiness(moving, lambda: None)).json() == {"status": "ready", "history": "answers", "stalled": []}
    still = [*moving, ("archive", progress(1, moved_ago_s=11, failing="DatabaseAway"))]
    answer = await readiness(still, lambda: None)
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert answer.json()["stalled"] == [
        {
            "reader": "archive",
            "stream": "decisions.v1",
            "partition": 1,
            "position": 5,
            "lag": 4,
            "failing": "DatabaseAway",
        }
    ]


@pytest.mark.parametrize(
    "fault", [DatabaseAway("the history", "connection refused"), ProgrammingError("SELECT", None, Exception())]
)
async def test_a_history_that_refuses_is_told_of(fault: Exception) -> None:
    def ping() -> None:
        raise fault

    answer = await readiness([], ping)
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert answer.json()["history"] == f"does not answer ({type(fault).__name__})"


async def test_a_history_that_answers_too_late_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "PING_DEADLINE_S", 0.01)
    answered = threading.Event()

    def ping() -> None:
        answered.wait()

    answer = await readiness([], ping)
    answered.set()
    assert answer.json()["history"] == "does not answer (TimeoutError)"
