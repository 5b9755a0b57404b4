"""After a store was flushed each look-up is answered once more at most if the log lacks its answer, and never twice."""

from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from lienthong.adapters.keys import keys_in
from lienthong.adapters.outbox import OutboxCell, Relay, load_outbox_functions
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.lookup.answered import AnsweredBefore
from lienthong_schemas.streams import ANSWERS, DECISIONS, LOOKUPS
from tests.support.answering import CELL, FACILITY, PARTITION, answering, lookup_event
from tests.support.audit import Ledger, read_stream
from tests.support.audit_lookups import audit_lookups

ASKED = 10


@pytest.fixture
async def log(log_client: Redis, projection_client: Redis) -> ValkeyLog:
    await load_outbox_functions(projection_client)
    return ValkeyLog(log_client)


async def ask(log: ValkeyLog, ledger: Ledger, *serials: int) -> None:
    values = [lookup_event(serial) for serial in serials]
    ledger.appended(LOOKUPS.name, values, await log.append_many(LOOKUPS.name, [(FACILITY, each) for each in values]))


async def test_only_the_partition_of_the_facility_is_read(log: ValkeyLog, monkeypatch: pytest.MonkeyPatch) -> None:
    read, partitions = log.read, []
    answer = orjson.dumps({"id": "018f0000-0000-7000-8000-000000000001"})
    await log.append_many(ANSWERS.name, [(FACILITY, answer), (FACILITY, b"\xff"), (FACILITY, b"{}")])

    async def seen(stream: str, partition: int, position: int, count: int) -> object:
        partitions.append(partition)
        return await read(stream, partition, position, count)

    monkeypatch.setattr(log, "read", seen)
    before = AnsweredBefore(log, until=1)
    assert await before.holds(FACILITY, "018f0000-0000-7000-8000-000000000001")
    assert not await before.holds(FACILITY, "018f0000-0000-7000-8000-000000000002")
    assert set(partitions) == {PARTITION}


async def test_where_only_the_newest_are_asked_for_older_ones_are_not_read(log: ValkeyLog) -> None:
    ids = [f"018f0000-0000-7000-8000-00000000000{number}" for number in range(5)]
    await log.append_many(ANSWERS.name, [(FACILITY, orjson.dumps({"id": each})) for each in ids])
    before = AnsweredBefore(log, until=1, recent=2)
    assert [await before.holds(FACILITY, each) for each in ids] == [False, False, False, True, True]


async def test_a_flushed_store_has_each_look_up_answered_once_and_then_nothing_is_remembered(
    log: ValkeyLog, projection_client: Redis, tmp_path: Path
) -> None:
    ledger, keys = Ledger(), keys_in(tmp_path)
    relay = Relay(projection_client, log, CELL)
    await ask(log, ledger, *range(ASKED))
    async with answering(log, OutboxCell(projection_client, CELL), relay, keys) as running:
        await running.answer()
    await projection_client.flushall()
    await ask(log, ledger, *range(ASKED, 2 * ASKED))
    async with answering(log, OutboxCell(projection_client, CELL), relay, keys) as running:
        assert running.desk._before is not None
        await running.answer()
        assert running.desk._before is None
    keys.close()
    assert await audit_lookups(log, ledger) == []
    assert sum(map(len, await read_stream(log, DECISIONS.name))) == 2 * ASKED


async def test_answers_that_a_failover_forgot_although_they_were_relayed_are_not_given_again(
    log: ValkeyLog, projection_client: Redis, tmp_path: Path
) -> None:
    """The store that takes over lacks the last answers and their positions, and the process starts on it anew."""
    ledger, keys = Ledger(), keys_in(tmp_path)
    relay = Relay(projection_client, log, CELL)
    await ask(log, ledger, *range(ASKED))
    async with answering(log, OutboxCell(projection_client, CELL), relay, keys) as running:
        await running.read()
        copies = {key: await projection_client.dump(key) or b"" for key in await projection_client.keys("*")}
        await running.answer()
    await projection_client.flushall()
    for key, copy in copies.items():
        await projection_client.restore(key, 0, copy)
    async with answering(log, OutboxCell(projection_client, CELL), relay, keys) as running:
        await running.answer()
    keys.close()
    assert await audit_lookups(log, ledger) == []
