"""Many calls share one connection, and none gets the answer of another, whatever ends or stops meanwhile."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import exceptions
from redis.asyncio import Redis

from lienthong.runtime.connection import connect
from lienthong.runtime.link import Link
from lienthong.runtime.server_spec import ServerSpec
from tests.support.servers import OwnServer
from tests.support.waiting import until

PATIENCE_S = 5.0


@asynccontextmanager
async def linked(socket: Path, timeout_s: float = PATIENCE_S) -> AsyncIterator[Link]:
    link = Link(socket, timeout_s)
    yield link
    await link.aclose()


async def test_each_call_gets_its_own_answers(projection_server: ServerSpec) -> None:
    async with linked(projection_server.socket) as link:
        calls = [[("ECHO", f"{call}/{at}") for at in range(call % 4)] for call in range(200)]
        answers = await asyncio.gather(*(link.run(call) for call in calls))
    expected = [[text.encode() for _, text in call] for call in calls]
    assert answers == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(st.binary(max_size=200_000), st.booleans()), min_size=1, max_size=8))
def test_a_caller_who_leaves_takes_nothing_from_the_others(
    projection_server: ServerSpec, said: list[tuple[bytes, bool]]
) -> None:
    async def play() -> None:
        async with linked(projection_server.socket) as link:
            tasks = [asyncio.create_task(link.run([("ECHO", text)])) for text, _ in said]
            await asyncio.sleep(0)
            for task, (_, leaves) in zip(tasks, said, strict=True):
                if leaves:
                    task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            for answer, (text, leaves) in zip(answers, said, strict=True):
                assert isinstance(answer, asyncio.CancelledError) if leaves else answer == [text]
            assert await link.run([("PING",)]) == [b"PONG"]

    asyncio.run(play())


async def test_a_refusal_stands_among_the_answers(projection_server: ServerSpec) -> None:
    async with linked(projection_server.socket) as link:
        first, refusal, last = await link.run([("ECHO", "a"), ("FCALL", "none", 0), ("ECHO", "b")])
    assert (first, last) == (b"a", b"b")
    assert isinstance(refusal, exceptions.ResponseError)
    assert str(refusal) == "Function not found"


async def test_a_server_that_is_gone_is_a_fault_and_one_that_is_back_is_reached(own_server: OwnServer) -> None:
    server = own_server("projection")
    async with linked(server.spec.socket) as link:
        with pytest.raises(exceptions.ConnectionError):
            await link.run([("PING",)])
        await server.start()
        assert await link.run([("PING",)]) == [b"PONG"]
        server.kill()
        with pytest.raises(exceptions.ConnectionError):
            await link.run([("PING",)])
        await server.start()
        assert await link.run([("PING",)]) == [b"PONG"]


async def test_a_silent_server_is_a_fault_in_time_and_its_late_answers_reach_nobody(own_server: OwnServer) -> None:
    server = own_server("projection")
    await server.start()
    assert server.pid is not None
    async with linked(server.spec.socket, timeout_s=0.2) as link:
        assert await link.run([("PING",)]) == [b"PONG"]
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(exceptions.TimeoutError):
                await link.run([("ECHO", "late")])
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert await link.run([("ECHO", "now")]) == [b"now"]


async def test_a_connection_is_made_to_the_end_though_who_asked_for_it_has_left(projection_server: ServerSpec) -> None:
    async with linked(projection_server.socket) as link:
        first = asyncio.create_task(link.run([("ECHO", "a")]))
        await asyncio.sleep(0)
        first.cancel()
        await until(lambda: link._calls is not None)
        made = link._calls
        assert await link.run([("ECHO", "b")]) == [b"b"]
        assert link._calls is made
    leaving = Link(projection_server.socket, PATIENCE_S)
    last = asyncio.create_task(leaving.run([("ECHO", "c")]))
    await asyncio.sleep(0)
    await leaving.aclose()
    with pytest.raises(asyncio.CancelledError):
        await last


async def test_a_client_raises_refusals_unless_they_are_wanted(projection_client: Redis) -> None:
    with pytest.raises(exceptions.ResponseError):
        await projection_client.fcall("none", 0)
    async with projection_client.pipeline(transaction=False) as pipeline:
        pipeline.execute_command("FCALL", "none", 0)
        pipeline.execute_command("HGET", "nothing", "there")
        refusal, answer = await pipeline.execute(raise_on_error=False)
    assert isinstance(refusal, exceptions.ResponseError)
    assert answer is None


async def test_a_client_reaches_all_other_commands_as_ever(projection_server: ServerSpec) -> None:
    client = connect(projection_server.socket)
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.hset("card", mapping={"a": 1})
        pipeline.execute_command("HGET", "card", "a")
        pipeline.hgetall("card")
        assert await pipeline.execute() == [1, b"1", {b"a": b"1"}]
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.execute_command("HGET", "card", "a")
        assert await pipeline.execute() == [b"1"]
    await client.aclose()
