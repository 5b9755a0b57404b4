"""A store that went back while no look-up came is noticed, and what it lost is answered again."""

from pathlib import Path

from redis.asyncio import Redis

from lienthong.adapters.keys import keys_in
from lienthong.adapters.outbox import OutboxCell, Relay, load_outbox_functions
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong_schemas.streams import ANSWERS, LOOKUPS
from tests.support.answering import CELL, FACILITY, answering, lookup_event
from tests.support.audit import Ledger, read_stream
from tests.support.audit_lookups import audit_lookups


async def test_answers_that_a_store_lost_before_they_were_relayed_are_given_again(
    log_client: Redis, projection_client: Redis, tmp_path: Path
) -> None:
    log, ledger, keys = ValkeyLog(log_client), Ledger(), keys_in(tmp_path)
    await load_outbox_functions(projection_client)
    values = [lookup_event(serial) for serial in range(2)]
    ledger.appended(LOOKUPS.name, values, await log.append_many(LOOKUPS.name, [(FACILITY, each) for each in values]))
    relay = Relay(projection_client, log, CELL)
    async with answering(log, OutboxCell(projection_client, CELL), relay, keys) as running:
        await running.read()
        await running.desk.look()
        assert running.follower.progress.position == len(values)
        await projection_client.flushall()
        await running.desk.look()
        assert running.follower.progress.position == 0
        await running.answer()
    keys.close()
    assert await audit_lookups(log, ledger) == []


async def test_a_look_up_that_comes_again_after_its_store_went_back_is_not_answered_again(
    log_client: Redis, projection_client: Redis, tmp_path: Path
) -> None:
    log, ledger, keys = ValkeyLog(log_client), Ledger(), keys_in(tmp_path)
    await load_outbox_functions(projection_client)
    asked = lookup_event(1)

    async def ask() -> None:
        ledger.appended(LOOKUPS.name, [asked], [await log.append(LOOKUPS.name, FACILITY, asked)])

    relay = Relay(projection_client, log, CELL)
    async with answering(log, OutboxCell(projection_client, CELL), relay, keys) as running:
        await ask()
        await running.answer()
        await projection_client.flushall()
        await running.desk.look()
        await running.answer()
        await ask()
        await running.answer()
    keys.close()
    assert len(ledger.lookups) == 1
    assert [len(values) for values in await read_stream(log, ANSWERS.name) if values] == [1]
    assert await audit_lookups(log, ledger) == []
