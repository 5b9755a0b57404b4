"""Desks are answered while the log or the store is away, and each decision that was given arrives once, in order."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx
import orjson
import pytest

from lienthong.adapters.demo_cards import DEMO_CARDS, TRUC_BACH
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.outbox import OutboxCell, OutboxFull
from lienthong.adapters.outbox_backlog import backlog
from lienthong.adapters.outbox_layout import all_cells
from lienthong.adapters.spool import spool_directory, waiting_in
from lienthong_schemas.streams import DECISIONS
from tests.support.audit import read_stream
from tests.support.service import Service, service  # noqa: F401 -- a fixture
from tests.support.waiting import until_so

ON = "2025-08-01"
NEVER_ISSUED = "0000099999"
WHILE_THE_LOG_IS_AWAY = 2_000
WHILE_THE_STORE_IS_AWAY = 300
AT_ONCE = 20
#: A disk that is slow under other tests must not make a decision that was recorded look like one that was not.
SETTLED_S = 60.0

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def filled(service: Service) -> Service:  # noqa: F811 -- the fixture of that name
    await service.publish_cards(record for record in DEMO_CARDS.values() if "withdrawn" not in record)
    return service


async def ask(service: Service, number: str) -> dict[str, Any]:  # noqa: F811 -- as the fixture
    response = await service.ask({"kind": "insurance_number", "number": number}, on=ON)
    assert response.status_code in {httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE}, response.text
    decision: dict[str, Any] = response.json()
    return decision


async def ask_often(service: Service, number: str, times: int) -> list[dict[str, Any]]:  # noqa: F811 -- as the fixture
    """Ask in rounds of `AT_ONCE`, and return the decisions."""
    given: list[dict[str, Any]] = []
    while len(given) < times:
        given += await asyncio.gather(*(ask(service, number) for _ in range(AT_ONCE)))
    return given


async def decided(log: EventLog) -> list[list[dict[str, Any]]]:
    """Return the decisions of each partition, as a consumer takes them that keeps one mark for each cell and epoch."""
    return [first_comings(map(orjson.loads, values)) for values in await read_stream(log, DECISIONS.name)]


def first_comings(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    marks: Counter[tuple[str, str]] = Counter()
    taken = []
    for event in events:
        place = event["outboxcell"], event["outboxepoch"]
        if event["outboxseq"] > marks[place]:
            marks[place] = event["outboxseq"]
            taken.append(event)
    return taken


async def drained(service: Service) -> None:  # noqa: F811 -- as the fixture
    """Wait until nothing is left in the spool and in the outbox."""

    async def nothing_left() -> bool:
        spooled, _ = waiting_in(spool_directory(service.directory))
        return not spooled and not (await backlog(service.store, all_cells(service.log))).entries

    await until_so(nothing_left, SETTLED_S)


async def each_is_there_once(service: Service, given: Iterable[dict[str, Any]]) -> None:  # noqa: F811 -- as the fixture
    """See that the log has the decisions that were given, one event each, with the outcome that was given."""
    events = [event for partition in await decided(service.log) for event in partition]
    outcomes = Counter((event["id"], event["data"]["outcome"]) for event in events)
    expected = {(decision["decision_id"], decision["outcome"]) for decision in given}
    assert expected <= outcomes.keys()
    assert set(outcomes.values()) == {1}


async def test_the_log_may_be_away_for_long_and_no_desk_notices(filled: Service) -> None:
    await filled.servers["log"].stop()
    given = await ask_often(filled, TRUC_BACH, WHILE_THE_LOG_IS_AWAY)
    outcomes = Counter(decision["outcome"] for decision in given)
    # A disk that is slow under other tests makes some `cannot_tell`, log or no log.
    assert outcomes.keys() <= {"eligible", "cannot_tell"}
    assert (await backlog(filled.store, all_cells(filled.log))).entries >= outcomes["eligible"] > outcomes.total() / 2
    await filled.servers["log"].start()
    await drained(filled)
    await each_is_there_once(filled, given)
    for partition in await decided(filled.log):
        places = [(event["outboxcell"], event["outboxseq"]) for event in partition]
        assert places == sorted(places), "each partition has the entries of a cell in their order"


async def test_while_the_store_is_away_nothing_is_denied_and_everything_is_recorded(filled: Service) -> None:
    before = await ask_often(filled, TRUC_BACH, AT_ONCE)
    pid = filled.servers["projection"].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    meanwhile = await ask_often(filled, NEVER_ISSUED, WHILE_THE_STORE_IS_AWAY)
    assert {decision["outcome"] for decision in meanwhile} == {"cannot_tell"}
    spooled, lost = waiting_in(spool_directory(filled.directory))
    assert (spooled > 0, lost) == (True, 0)
    warnings = (await filled.http.get("/readyz")).json()["warnings"]
    assert any("spool" in warning for warning in warnings)
    await filled.servers["projection"].start()
    await filled.projected()
    after = await ask_often(filled, TRUC_BACH, AT_ONCE)
    await drained(filled)
    await each_is_there_once(filled, [*before, *meanwhile, *after])
    assert "not_found" not in {decision["outcome"] for decision in [*before, *after]}


async def test_a_store_that_says_nothing_is_one_that_is_away(filled: Service) -> None:
    pid = filled.servers["projection"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        silent = await ask_often(filled, NEVER_ISSUED, AT_ONCE)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert {decision["outcome"] for decision in silent} == {"cannot_tell"}
    await filled.projected()
    await drained(filled)
    await each_is_there_once(filled, silent)


async def test_what_a_full_outbox_refuses_is_spooled_and_comes_after_it(
    filled: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:

        async def refuse(cell: OutboxCell, *_: object) -> None:
            raise OutboxFull(cell.name, 1)

        full.setattr(OutboxCell, "append", refuse)
        full.setattr(OutboxCell, "append_once", refuse)
        given = await ask_often(filled, TRUC_BACH, AT_ONCE)
        assert {decision["outcome"] for decision in given} == {"cannot_tell"}
    await drained(filled)
    await each_is_there_once(filled, given)
