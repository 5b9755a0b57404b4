"""A process that ends, or loses a server, at any command while it moves what was spooled and relays it, loses nothing.

And what was spooled is in the outbox once, although who comes after moves all of it again.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import orjson
import pytest
import uuid_utils
from redis.asyncio import Redis

from lienthong.adapters.outbox import Message, OutboxCell, Relay, load_outbox_functions
from lienthong.adapters.outbox_layout import all_cells
from lienthong.adapters.outbox_leases import Leases
from lienthong.adapters.spool import Spool, Take, waiting_in
from lienthong.adapters.spool_files import Spooled
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.lookup import spooling
from lienthong.lookup.spooling import into_outbox
from lienthong.runtime.server_spec import ServerSpec
from lienthong_schemas.streams import DECISIONS
from tests.support.audit import read_stream
from tests.support.mortality import Fate, Strike, lived, mortal, strikes

CELL = "http-3"
RECORDS = 7
#: A process that has ended keeps its cells for so long.
LEASE_S = 0.02
UNHURRIED_S = 30.0


def spooled(number: int) -> Spooled:
    message = Message(stream=DECISIONS.name, key="one", value=orjson.dumps({"number": number}))
    return Spooled(cell=CELL, decision_id=str(uuid_utils.uuid7()), message=message)


class Process:
    """The lives of a look-up process that only moves and relays."""

    def __init__(self, log_server: ServerSpec, projection_server: ServerSpec, directory: Path) -> None:
        self._servers = log_server, projection_server
        self._directory = directory
        self._names = map("life-{}".format, count())

    async def live(self, fate: Fate) -> None:
        """Take the lease, move what was spooled, and relay it."""
        near_server, far_server = self._servers
        name = next(self._names)
        spool = Spool(self._directory, name)
        try:
            async with mortal(near_server.socket, fate) as near, mortal(far_server.socket, fate) as far:
                log = ValkeyLog(near)
                leases, cells = Leases(far, name, LEASE_S), all_cells(log)
                while CELL not in await leases.renew(cells):
                    pass
                await spool.move(_a_few(into_outbox(far, lambda _cell: lambda: None)))
                relay = Relay(far, log, CELL)
                while await relay.waiting():
                    await relay.relay_once()
                await leases.release()
        finally:
            await spool.close()


def _a_few(take: Take) -> Take:
    """Move a few records in a call, so that there are calls to end between."""

    async def taken(cell: str, records: Sequence[Spooled]) -> None:
        for first in range(0, len(records), 2):
            await take(cell, records[first : first + 2])

    return taken


async def numbers(log: Redis) -> list[int]:
    (values,) = [values for values in await read_stream(ValkeyLog(log), DECISIONS.name) if values] or [[]]
    events = [orjson.loads(value) for value in values]
    assert all(copies == 1 for copies in Counter(e["number"] for e in dedupe(events)).values())
    return [event["number"] for event in dedupe(events)]


def dedupe(events: Sequence[dict[str, int]]) -> list[dict[str, int]]:
    return list({(event["outboxepoch"], event["outboxseq"]): event for event in events}.values())


@pytest.fixture
def process(log_server: ServerSpec, projection_server: ServerSpec, tmp_path: Path) -> Process:
    return Process(log_server, projection_server, tmp_path)


async def under(process: Process, strike: Strike | None, clients: tuple[Redis, Redis], directory: Path) -> int:
    """Spool, live under a strike until it is done, and see what came of it; return how many commands that took."""
    for client in clients:
        await client.flushall()
    await load_outbox_functions(clients[1])
    writer = Spool(directory, "writer")
    for number in range(RECORDS):
        assert await writer.keep(spooled(number), UNHURRIED_S)
    await writer.close()
    fate = Fate(strike)
    await lived(lambda: process.live(fate))
    assert await numbers(clients[0]) == list(range(RECORDS)), strike
    assert waiting_in(directory) == (0, 0)
    return fate.sent


async def test_a_process_that_ends_at_any_command_moves_and_relays_each_record_once(
    process: Process, log_client: Redis, projection_client: Redis, tmp_path: Path
) -> None:
    clients = log_client, projection_client
    commands = await under(process, None, clients, tmp_path)
    for strike in strikes(commands):
        await under(process, strike, clients, tmp_path)


async def test_a_move_that_forgets_ids_is_found(
    process: Process, log_client: Redis, projection_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgets(OutboxCell):
        async def append_once(self, entries: Sequence[Sequence[Message]], _ids: Sequence[bytes]) -> None:
            await super().append_once(entries, ())

    monkeypatch.setattr(spooling, "OutboxCell", Forgets)
    clients = log_client, projection_client
    found = 0
    for strike in strikes(await under(process, None, clients, tmp_path), ["unanswered"]):
        try:
            await under(process, strike, clients, tmp_path)
        except AssertionError:
            found += 1
    assert found
