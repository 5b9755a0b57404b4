"""Two look-up processes on one machine: what one leaves behind when it is killed, the other takes to the log."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from lienthong.adapters.ground import grounded
from lienthong.adapters.spool import spool_directory, waiting_in
from lienthong.runtime.clock import SystemClock
from lienthong_schemas.streams import DECISIONS
from tests.support.audit import read_stream
from tests.support.outstanding import outstanding
from tests.support.real_service import READY_DEADLINE_S, RealService, real_service
from tests.support.waiting import until_so

QUESTION = {
    "presented": {"kind": "insurance_number", "number": "0000099999"},
    "facility_code": "01004",
    "clerk_id": "NV01",
    "on": "2025-08-01",
}
ASKED = 20

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def second_process(service: RealService) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    """Start another look-up process on the data directory, with a client of it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lienthong", "lookup", "--data-dir", str(service.directory.root)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "LIENTHONG_LOOKUP_PORT": str(port)},
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:

            async def listens() -> bool:
                try:
                    return (await http.get("/healthz")).is_success
                except httpx.TransportError:
                    return False

            await until_so(listens, READY_DEADLINE_S)
            yield process, http
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ask(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Ask at once, and return the decisions."""
    answers = await asyncio.gather(*(http.post("/v1/eligibility", json=QUESTION) for _ in range(ASKED)))
    return [answer.json() for answer in answers]


async def test_what_a_killed_process_has_stored_and_spooled_is_taken_to_the_log_by_another() -> None:
    async with real_service() as service:
        await service.start()
        async with second_process(service) as (process, second), service.http() as first:
            given = [*await ask(first), *await ask(second)]
            service.signal("projection", signal.SIGSTOP)
            try:
                away = [*await ask(second), *await ask(first)]
                process.kill()
                await process.wait()
            finally:
                service.signal("projection", signal.SIGCONT)
            assert {decision["outcome"] for decision in away} == {"cannot_tell"}
            given += [*away, *await ask(first)]

        async with grounded(service.settings, SystemClock()) as ground:

            async def settled() -> bool:
                return not await outstanding(ground)

            await until_so(settled, READY_DEADLINE_S)
            assert waiting_in(spool_directory(service.directory)) == (0, 0)
            streams = await read_stream(ground.log, DECISIONS.name)
    arrived = [orjson.loads(value) for values in streams for value in values]
    outcomes = {(event["id"], event["data"]["outcome"]) for event in arrived}
    assert {(decision["decision_id"], decision["outcome"]) for decision in given} <= outcomes
    places = {(event["outboxcell"], event["outboxepoch"], event["outboxseq"]): event["id"] for event in arrived}
    assert len(places) == len({event["id"] for event in arrived}), "a decision has two places, or a place two decisions"
