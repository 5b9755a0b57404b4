"""The shim that slows fsync down does, and shows what a weaker promise than ours loses: kill tests mean something."""

import time
from pathlib import Path

from lienthong.adapters.event_log import Bounds
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.runtime.connection import connect
from tests.support.server_programs import slow_fsync
from tests.support.servers import KillableServer, OwnServer
from tests.support.waiting import DEADLINE_S

LATE = 50


async def appended(server: KillableServer, count: int) -> None:
    """Append entries one by one and return when each was acknowledged."""
    client = connect(server.spec.socket)
    log = ValkeyLog(client)
    for number in range(count):
        await log.append("register.v1", str(number), b"{}")
    await client.aclose()


async def kept(server: KillableServer) -> Bounds:
    """Kill the server, start it again, and return what it then holds."""
    server.kill()
    await server.start()
    client = connect(server.spec.socket)
    bounds = (await ValkeyLog(client).bounds("register.v1"))[0]
    await client.aclose()
    return bounds


async def fsync_under_way(server: KillableServer) -> None:
    """Return once the server waits for its disk in the background."""
    client = connect(server.spec.socket)
    end = time.monotonic() + DEADLINE_S
    while not (await client.info("persistence"))["aof_pending_bio_fsync"]:
        assert time.monotonic() < end
    await client.aclose()


async def test_with_everysec_and_a_slow_disk_acknowledged_entries_are_lost(
    own_server: OwnServer, tmp_path: Path
) -> None:
    server = own_server("log", appendfsync="everysec", environment=slow_fsync(tmp_path, 1500, 1500))
    await server.start()
    await appended(server, 1)
    await fsync_under_way(server)
    await appended(server, LATE)
    assert (await kept(server)).end < 1 + LATE


async def test_an_append_returns_no_sooner_than_the_disk(own_server: OwnServer, tmp_path: Path) -> None:
    server = own_server("log", environment=slow_fsync(tmp_path, 200, 200))
    await server.start()
    began = time.monotonic()
    await appended(server, 1)
    assert time.monotonic() - began >= 0.2
