import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from lienthong.adapters.event_log import EventLog, Trimmed
from lienthong.adapters.followers import Batch, Fault, Follower
from lienthong.adapters.streams import StreamReader
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.connection import connect
from lienthong.runtime.embedded import ServerSpec
from lienthong_schemas.streams import CARDS, LOOKUPS
from tests.support.servers import OwnServer
from tests.support.sinks import Sink, values
from tests.support.waiting import until

STREAMS = [CARDS, dataclasses.replace(LOOKUPS, partitions=1)]


@pytest.fixture
def log(log_client: Redis) -> EventLog:
    return ValkeyLog(log_client, STREAMS)


@pytest.fixture
async def reader(log_server: ServerSpec, log: EventLog) -> AsyncIterator[StreamReader]:
    reader = StreamReader(log_server.socket, log, SystemClock())
    yield reader
    await reader.stop()


async def append(log: EventLog, first: int, end: int) -> None:
    await log.append_many("lookups.v1", [("k", value) for value in values(first, end)])


async def test_a_killed_server_is_read_on_well_within_five_seconds(own_server: OwnServer) -> None:
    server, sink = own_server("log"), Sink()
    await server.start()
    client = connect(server.spec.socket)
    log = ValkeyLog(client, STREAMS)
    reader = StreamReader(server.spec.socket, log, SystemClock())
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await append(log, 0, 10)
    await until(lambda: sink.position == 10)
    server.kill()
    await server.start()
    await append(log, 10, 20)
    await until(lambda: sink.position == 20, deadline_s=3)
    assert sink.values == values(0, 20)
    await reader.stop()
    await client.aclose()


async def test_entries_trimmed_while_a_handler_fails_are_told_too(
    log: EventLog, log_server: ServerSpec, log_client: Redis
) -> None:
    sink, told = Sink(), list[Fault]()
    entered, gate = asyncio.Event(), asyncio.Event()

    async def hear(_follower: Follower, fault: Fault) -> None:
        told.append(fault)

    async def wait(_batch: Batch) -> None:
        entered.set()
        await gate.wait()

    sink.before = wait
    reader = StreamReader(log_server.socket, log, SystemClock(), on_fault=hear)
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    await append(log, 0, 500)
    reader.start()
    await entered.wait()
    await append(log, 500, 520)
    await log_client.xtrim("lookups.v1/0", minid="0-511", approximate=False)
    gate.set()
    await until(lambda: Trimmed(position=500, first=510) in told)
    assert sink.position == 500
    await reader.stop()


async def test_entries_that_are_not_ours_reach_the_handler_and_the_rest_goes_on(
    log: EventLog, reader: StreamReader, log_client: Redis
) -> None:
    sink = Sink()
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await log_client.xadd("lookups.v1/0", {b"\xff": b"\xfe"}, id="0-1")
    await log_client.xadd("lookups.v1/0", {"k": b"\xff", "v": b"\xff\x00"}, id="0-2")
    await log.append("lookups.v1", "k", b"3")
    await until(lambda: sink.position == 3)
    assert sink.values == [b"", b"\xff\x00", b"3"]


async def test_a_reader_started_before_its_server_begins_when_the_server_comes(own_server: OwnServer) -> None:
    server, sink = own_server("log"), Sink()
    client = connect(server.spec.socket)
    log = ValkeyLog(client, STREAMS)
    reader = StreamReader(server.spec.socket, log, SystemClock())
    reader.subscribe("lookups.v1", 0, sink.take, sink.start)
    reader.start()
    await server.start()
    await append(log, 0, 3)
    await until(lambda: sink.position == 3)
    await reader.stop()
    await client.aclose()
