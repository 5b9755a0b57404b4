"""The whole service with its history and its keys on a server: volumes, archive, and readiness that tells of faults."""

import base64
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import httpx
import pytest

from lienthong.adapters.archive import DaySpan
from lienthong.adapters.demo_cards import DAI_MO, DEMO_CARDS, TRUC_BACH
from lienthong.adapters.keys import open_keys
from lienthong.adapters.sealing import Sealer
from lienthong.runtime.clock import SystemClock
from lienthong_schemas.streams import DECISIONS
from tests.support.distributed.postgres import PostgresServer, new_database
from tests.support.service import Service, running_service
from tests.support.waiting import until_so

MASTER = base64.b64encode(bytes(range(32))).decode()
EVER = DaySpan(first=date(2020, 1, 1), last=date(2100, 1, 1))


@pytest.fixture
async def service(postgres_server: PostgresServer) -> AsyncIterator[Service]:
    root = Path(tempfile.mkdtemp(prefix="lienthong-"))
    try:
        with new_database(postgres_server.url) as history, new_database(postgres_server.url) as keys:
            async with running_service(root, history_url=history, keys_url=keys, master_key=MASTER) as running:
                yield running
    finally:
        shutil.rmtree(root)


async def volumes(service: Service) -> httpx.Response:
    return await service.monitor_http.get("/v1/volumes", params={"by": "outcome"})


async def counted(service: Service) -> int:
    return int((await volumes(service)).json()["lookups"])


async def archived(service: Service) -> int:
    return sum(service.monitor.archive.counts(EVER).values())


async def test_answers_are_counted_and_archived_and_what_is_sealed_opens_again(service: Service) -> None:
    await service.publish_cards([DEMO_CARDS[TRUC_BACH], DEMO_CARDS[DAI_MO]])
    given = [
        await service.decide({"kind": "insurance_number", "number": number}, on="2025-08-01")
        for number in (TRUC_BACH, DAI_MO, TRUC_BACH)
    ]

    async def all_kept() -> bool:
        # Those who waited for the cards to be in force asked as well.
        ends = [bounds.end for bounds in (await service.log.bounds(DECISIONS.name)).values()]
        return len(given) <= sum(ends) == await counted(service) == await archived(service)

    await until_so(all_kept)
    assert list(service.directory.history.iterdir()) == list(service.directory.keys.iterdir()) == []
    keys = open_keys(service.settings, service.directory)
    sealer = Sealer(keys, SystemClock())
    for each in given:
        found = service.monitor.archive.by_id(each["decision_id"])
        assert found is not None
        opened = sealer.open(found.key_id, found.sealed)
        assert isinstance(opened, bytes)
        assert each["decision_id"].encode() in opened
        # Nothing personal stands beside what is sealed.
        assert TRUC_BACH.encode() not in found.event
        assert "Mẫu".encode() not in found.event
    keys.close()


async def test_readiness_tells_of_a_history_that_is_away_and_counts_go_on_when_it_is_back(
    service: Service, postgres_server: PostgresServer
) -> None:
    async def ready() -> bool:
        return (await service.monitor_http.get("/readyz")).status_code == httpx.codes.OK

    await until_so(ready)
    postgres_server.kill()
    answer = await service.monitor_http.get("/readyz")
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert answer.json()["history"] == "does not answer (DatabaseAway)"
    refused = await volumes(service)
    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert (refused.json()["type"], refused.headers["retry-after"]) == ("urn:lienthong:problem:history_away", "5")
    # A desk notices nothing: its keys were prepared, and its decisions wait in the log.
    asked = [await service.ask({"kind": "insurance_number", "number": TRUC_BACH}) for _ in range(5)]
    assert {each.status_code for each in asked} == {httpx.codes.OK}
    await postgres_server.restart()

    async def all_counted() -> bool:
        return await ready() and await counted(service) == await archived(service) == len(asked)

    await until_so(all_counted, deadline_s=40)
    assert sorted(service.monitor.history.positions(DECISIONS.name)) == sorted(
        service.monitor.archive.positions(DECISIONS.name)
    )
