"""A look-up service that ends, or loses a server, at any single command answers each look-up once.

And the same strikes and the same audit find an outbox that loses entries, so that their silence means something.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from lienthong.adapters.event_log import Appended
from lienthong.adapters.keys import KeyStore, keys_in
from lienthong.adapters.outbox import Message, OutboxCell, Relay, SourceMove, load_outbox_functions
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.runtime.embedded import ServerSpec
from lienthong_schemas.streams import LOOKUPS
from tests.support.answering import CELL, FACILITY, answering, lookup_event
from tests.support.audit import Ledger
from tests.support.audit_lookups import audit_lookups
from tests.support.mortality import HOWS, Fate, How, Strike, lived, mortal, strikes

LOOKUPS_ASKED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the process under test is made of."""

    cell: Callable[[Redis], OutboxCell] = lambda redis: OutboxCell(redis, CELL)
    relay: Callable[[Redis, ValkeyLog], Relay] = lambda redis, log: Relay(redis, log, CELL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Two servers and the keys."""

    log_server: ServerSpec
    projection_server: ServerSpec
    log: Redis
    projection: Redis
    keys: KeyStore

    async def findings(self, parts: Parts, strike: Strike | None) -> tuple[int, set[str]]:
        """Answer under a strike; return how many commands that took, and what the audit then finds."""
        await self.log.flushall()
        await self.projection.flushall()
        await load_outbox_functions(self.projection)
        fate, ledger, log = Fate(strike), Ledger(), ValkeyLog(self.log)
        asked = [lookup_event(serial) for serial in range(LOOKUPS_ASKED)]
        # A publisher that does not know whether an append was carried out repeats it: both in one batch, and later.
        values = [asked[0], *asked, asked[1]]
        ledger.appended(
            LOOKUPS.name, values, await log.append_many(LOOKUPS.name, [(FACILITY, each) for each in values])
        )

        async def live() -> None:
            async with mortal(self.log_server.socket, fate) as near, mortal(self.projection_server.socket, fate) as far:
                mortal_log = ValkeyLog(near)
                relay = parts.relay(far, mortal_log)
                async with answering(mortal_log, parts.cell(far), relay, self.keys) as running:
                    await running.answer()
                assert running.set_aside == []

        await lived(live)
        return fate.sent, {each.kind for each in await audit_lookups(log, ledger)}

    async def found_by_all(self, parts: Parts, hows: Sequence[How] = HOWS) -> set[str]:
        """Strike at every command in every way that is named; return all that the audit found."""
        commands, undisturbed = await self.findings(parts, None)
        assert undisturbed == set()
        found = [(await self.findings(parts, strike))[1] for strike in strikes(commands, hows)]
        return set().union(*found)


@pytest.fixture
def ground(
    log_server: ServerSpec, projection_server: ServerSpec, log_client: Redis, projection_client: Redis, tmp_path: Path
) -> Iterator[Ground]:
    keys = keys_in(tmp_path)
    yield Ground(
        log_server=log_server,
        projection_server=projection_server,
        log=log_client,
        projection=projection_client,
        keys=keys,
    )
    keys.close()


async def test_a_service_that_ends_at_any_command_answers_each_look_up_once(ground: Ground) -> None:
    assert await ground.found_by_all(Parts()) == set()


class RemovesFirst(ValkeyLog):
    """Removes what is to be relayed, and then relays it."""

    def __init__(self, client: Redis, outbox: Redis) -> None:
        super().__init__(client)
        self._outbox = outbox

    async def append_many(self, stream: str, items: Sequence[tuple[str, bytes]]) -> list[Appended]:
        await self._outbox.xtrim(f"{{o.{CELL}}}outbox", maxlen=0, approximate=False)
        return await super().append_many(stream, items)


class MovesFirst(OutboxCell):
    """Moves the position of the source, and then stores the answers."""

    async def append_from(self, source: SourceMove, entries: Sequence[Sequence[Message]]) -> None:
        await super().append_from(replace(source, ids=()), [])
        await super().append_from(replace(source, expected=source.next), entries)


async def test_an_outbox_entry_that_is_lost_in_relaying_is_found(ground: Ground) -> None:
    parts = Parts(relay=lambda redis, log: Relay(redis, RemovesFirst(log._client, redis), CELL))
    assert {"decision missing", "answer missing"} <= await ground.found_by_all(parts, ["killed"])


async def test_an_answer_that_is_stored_after_its_position_is_found(ground: Ground) -> None:
    parts = Parts(cell=lambda redis: MovesFirst(redis, CELL))
    assert {"decision missing", "answer missing"} <= await ground.found_by_all(parts, ["refused"])
