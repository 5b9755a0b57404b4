"""The store's double answers every command as a real server does: those of whole runs, and any in any order."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from lienthong.adapters.outbox import load_outbox_functions
from lienthong.adapters.projection_servers import load_functions
from tests.simulation.loop import SimulatedLoop
from tests.simulation.run import simulate
from tests.simulation.store import Shard, SimulatedRedis, Store
from tests.simulation.weather import CALM, Weather

Command = tuple[Any, ...]
Reply = Any

#: What a server alone knows, or says in an order of its own.
_OWN = {"TIME", "CONFIG", "FUNCTION", "PING", "INFO", "COMMAND", "CLUSTER", "ACL"}
_UNORDERED = {"KEYS", "SMEMBERS"}
_KEYS = ("{a}one", "{a}two", "{a}three")
_FIELDS = ("f", "g", "h", b"\x00\xff")
_VALUES = ("", "1", "22", b"\x00" * 300, "text")
_IDS = ("0-1", "0-3", "0-7", "2-1", "0-*")


def raw(chance: Random) -> Command:
    """Return any command that the service or its Functions use, of any arguments."""
    key, field, value = chance.choice(_KEYS), chance.choice(_FIELDS), chance.choice(_VALUES)
    return chance.choice(
        (
            ("HSET", key, field, value, chance.choice(_FIELDS), "2"),
            ("HGET", key, field),
            ("HMGET", key, field, "nothing"),
            ("HGETALL", key),
            ("HDEL", key, field, "nothing"),
            ("HEXISTS", key, field),
            ("HLEN", key),
            ("HSETNX", key, field, value),
            ("SET", key, value),
            ("SET", key, value, "NX"),
            ("GET", key),
            ("DEL", key),
            ("UNLINK", key, chance.choice(_KEYS)),
            ("EXISTS", key, chance.choice(_KEYS)),
            ("SADD", key, field, value),
            ("SREM", key, field),
            ("SISMEMBER", key, field),
            ("SMEMBERS", key),
            ("SCARD", key),
            ("KEYS", "{a}*"),
            ("XADD", key, chance.choice(_IDS), "k", value),
            ("XLEN", key),
            ("XRANGE", key, "-", "+"),
            ("XRANGE", key, "(0-1", "+", "COUNT", 2),
            ("XREVRANGE", key, "+", "-", "COUNT", 1),
            ("XREAD", "COUNT", 2, "STREAMS", key, "0-1"),
            ("XTRIM", key, "MINID", "=", "0-3"),
            ("XDEL", key, "0-3"),
            ("EXPIRE", key, 1000),
        )
    )


async def real(client: Redis, commands: Sequence[Command]) -> list[Reply]:
    """Return what a real server answers."""
    return [await _answered(client, command) for command in commands]


def doubled(commands: Sequence[Command]) -> list[Reply]:
    """Return what the double answers."""
    chance = Random(0)  # noqa: S311  # an order that can be had again
    loop = SimulatedLoop(chance)  # type: ignore[abstract]  # nothing opens a socket
    client = SimulatedRedis(Store(Weather(loop, chance, CALM), 1))
    found: list[Reply] = []

    async def run() -> None:
        await load_functions(client)
        await load_outbox_functions(client)
        found.extend([await _answered(client, command) for command in commands])

    in_loop(loop, run())
    return found


def in_loop(loop: SimulatedLoop, work: Coroutine[Any, Any, None]) -> None:
    """Run in a simulated loop, beside the one that runs the test."""
    running = asyncio.get_running_loop()
    try:
        asyncio.events._set_running_loop(loop)
        loop.run_until(loop.create_task(work))
    finally:
        asyncio.events._set_running_loop(running)


async def _answered(client: Redis, command: Command) -> Reply:
    try:
        reply = await client.execute_command(*command)  # type: ignore[no-untyped-call]  # the client's
    except ResponseError as refusal:
        return str(refusal).removeprefix("ERR ").partition(" ")[0]
    return sorted(reply) if command[0] in _UNORDERED else reply


def recorded(seed: int) -> list[Command]:
    """Return the commands of a run up to the moment at which a store first loses something."""
    commands: list[Command] = []
    going = True
    execute = Shard.execute

    def noting(self: Shard, command: list[bytes]) -> Any:
        if going and command[0].decode() not in _OWN and b"{o.leases}relays" not in command:
            commands.append((command[0].decode(), *command[1:]))
        return execute(self, command)

    def stopping(lost: Callable[..., None]) -> Callable[..., None]:
        def stopped(*given: Any) -> None:
            nonlocal going
            going = False
            lost(*given)

        return stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shard, "execute", noting)
        for name in ("flush", "fail_over", "put_back"):
            patch.setattr(Store, name, stopping(getattr(Store, name)))
        simulate(seed)
    return commands


@pytest.mark.parametrize("seed", range(3))
async def test_any_commands_in_any_order_are_answered_as_by_a_server(projection_client: Redis, seed: int) -> None:
    chance = Random(seed)  # noqa: S311  # commands that can be had again
    commands = [raw(chance) for _ in range(1_500)]
    for command, told, said in zip(commands, await real(projection_client, commands), doubled(commands), strict=True):
        assert told == said, command


@pytest.fixture(params=[2, 5, 11, 17])
def commands(request: pytest.FixtureRequest) -> list[Command]:
    """The commands of a run, which has a loop of its own."""
    return recorded(request.param)


async def test_the_commands_of_a_run_are_answered_as_by_a_server(
    projection_client: Redis, commands: list[Command]
) -> None:
    assert len(commands) > 300
    await load_functions(projection_client)
    await load_outbox_functions(projection_client)
    for command, told, said in zip(commands, await real(projection_client, commands), doubled(commands), strict=True):
        assert told == said, command
