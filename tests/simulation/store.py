"""The store's double: shards of keys behind a client that is redis-py's own down to what goes over the wire.

Argument lists and the reading of replies are redis-py's; the commands are carried out by `keyspace`, the Functions by a
Lua. A call whose keys lie in two slots is refused, as a cluster does.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import BusyLoadingError, ConnectionError, ResponseError, TimeoutError  # noqa: A004  # the client's own names

from tests.simulation.keyspace import Command, Keyspace, encoded, keys_of
from tests.simulation.weather import Weather

#: The time of the servers when a run begins, in seconds of Unix time.
BEGAN_AT_S = 1_754_013_600


def slot_of(key: bytes) -> bytes:
    """Return the part of a key that says where it lies."""
    begins, ends = key.find(b"{"), key.find(b"}")
    return key[begins + 1 : ends] if 0 <= begins < ends - 1 else key


class Shard:
    """One server of the store."""

    def __init__(self, number: int, weather: Weather) -> None:
        self.name = f"store-{number}"
        self.away = self.silent = False
        self.loading = False
        self.keyspace = Keyspace(lambda: int((BEGAN_AT_S + weather.loop.time()) * 1000))
        self.waiting: dict[bytes, list[tuple[Command, asyncio.Future[Any]]]] = {}

    def fault(self) -> Exception:
        """Return what redis-py raises for a lost connection."""
        return (
            BusyLoadingError("LOADING") if self.loading else ConnectionError(f"the connection to {self.name} was lost")
        )

    def timeout(self) -> Exception:
        """Return what redis-py raises for an answer that does not come."""
        return TimeoutError(f"{self.name} did not answer in time")

    def execute(self, command: Command) -> Any:
        """Carry out one command; what was added to a stream wakes those who wait for it."""
        keys = keys_of(command)
        if len(keys) > 1 and len({slot_of(key) for key in keys}) > 1:
            message = "CROSSSLOT Keys in request don't hash to the same slot"
            raise ResponseError(message)
        reply = self.keyspace.execute(command)
        while self.keyspace.grown:
            self._wake(self.keyspace.grown.pop())
        return reply

    def drop(self) -> None:
        """Lose every connection that waits for something."""
        waiting, self.waiting = self.waiting, {}
        for each in waiting.values():
            for _, answer in each:
                if not answer.done():
                    answer.set_exception(self.fault())

    def wait(self, command: Command, answer: "asyncio.Future[Any]") -> None:
        """Carry out a command that reads one stream once the stream has grown."""
        (key,) = keys_of(command)
        waiting = [each for each in self.waiting.get(key, ()) if not each[1].done()]
        self.waiting[key] = [*waiting, (command, answer)]

    def _wake(self, key: bytes) -> None:
        for command, answer in self.waiting.pop(key, ()):
            if answer.done():
                continue
            reply = self.keyspace.execute(command)
            if reply is None:
                self.wait(command, answer)
            else:
                answer.set_result(reply)


class Store:
    """All shards, and what happens to them."""

    def __init__(self, weather: Weather, shards: int) -> None:
        self.weather = weather
        self.shards = [Shard(number, weather) for number in range(shards)]
        #: Hears of each change that a client did not make: the keys of a shard before and after.
        self.changed: Callable[[dict[bytes, Any], dict[bytes, Any]], None] = lambda _before, _after: None

    def shard_of(self, slot: bytes) -> Shard:
        """Return the shard that a slot lies on."""
        return self.shards[zlib.crc32(slot) % len(self.shards)]

    def client(self) -> "SimulatedRedis":
        """Return a client of a process."""
        return SimulatedRedis(self)

    def restart(self, shard: Shard) -> None:
        """Lose the connections and nothing else."""
        self.weather.note(f"{shard.name}: restarted")
        shard.drop()

    def flush(self, shard: Shard) -> None:
        """Replace the server by an empty one."""
        self.weather.note(f"{shard.name}: flushed")
        with _Changing(self, shard):
            shard.keyspace.clear()

    def fail_over(self, shard: Shard, writes: int) -> None:
        """Let a replica take over that lacks the last writes."""
        self.weather.note(f"{shard.name}: failed over without {writes} writes")
        with _Changing(self, shard):
            shard.keyspace.take_back(writes)

    def put_back(self, shard: Shard, copied: dict[bytes, Any], chosen: Callable[[bytes], bool]) -> None:
        """Put an older copy of some of the keys in their place."""
        self.weather.note(f"{shard.name}: older copy put back")
        with _Changing(self, shard):
            shard.keyspace.put_back(copied, chosen)


class _Changing:
    """Tells of the keys before and after, and drops who waits."""

    def __init__(self, store: Store, shard: Shard) -> None:
        self._store, self._shard = store, shard
        self._before: dict[bytes, Any] = {}

    def __enter__(self) -> None:
        self._before = self._shard.keyspace.copied()

    def __exit__(self, *_: object) -> None:
        self._store.changed(self._before, self._shard.keyspace.keys)
        self._shard.drop()


@cache
def _pool() -> ConnectionPool:
    """Return a pool that nothing is ever taken from; what the double answers is written as the older protocol does."""
    return ConnectionPool(protocol=2)


class SimulatedRedis(Redis):
    """redis-py without a connection."""

    def __init__(self, store: Store) -> None:
        super().__init__(connection_pool=_pool())
        self.store = store

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command and return its answer."""
        (answer,) = await carried_out(self.store, [args], whole=False)
        if isinstance(answer, Exception):
            raise answer
        return _read(self, args[0], answer, options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "_SimulatedPipeline":  # noqa: FBT001, FBT002  # the client's signature
        """Return a pipeline."""
        return _SimulatedPipeline(self, transaction=transaction, shard_hint=shard_hint)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001  # the client's signature
        """Close nothing."""


class _SimulatedPipeline(Pipeline):
    def __init__(self, client: SimulatedRedis, *, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._client = client

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002  # the client's signature
        """Send what was gathered and return the answers."""
        commands = self.command_stack
        await self.reset()  # type: ignore[no-untyped-call]  # the client's
        if not commands:
            return []
        answers = await carried_out(self._client.store, [args for args, _ in commands], whole=self.is_transaction)
        if raise_on_error:
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return [
            answer if isinstance(answer, Exception) else _read(self._client, args[0], answer, options)
            for (args, options), answer in zip(commands, answers, strict=True)
        ]


def _read(client: SimulatedRedis, name: Any, answer: Any, options: Mapping[str, Any]) -> Any:
    options = {key: value for key, value in options.items() if key != "keys"}
    callback = client.response_callbacks.get(name)
    return answer if callback is None else callback(answer, **options)


async def carried_out(store: Store, commands: Sequence[Sequence[Any]], *, whole: bool) -> list[Any]:
    """Send commands to their shards and return their answers, refusals among them. Raises redis.RedisError."""
    split = [_split(command) for command in commands]
    if len(store.shards) == 1:
        return await _sent(store, store.shards[0], split, whole=whole)
    by_shard: dict[str, tuple[Shard, list[int]]] = {}
    for at, command in enumerate(split):
        slots = [slot_of(key) for key in keys_of(command)]
        shards = [store.shard_of(slots[0])] if slots else store.shards
        for shard in shards:
            by_shard.setdefault(shard.name, (shard, []))[1].append(at)
    if len(by_shard) == 1:
        ((shard, _),) = by_shard.values()
        return await _sent(store, shard, split, whole=whole)
    sent = (_sent(store, shard, [split[at] for at in places], whole=whole) for shard, places in by_shard.values())
    answers: list[Any] = [None] * len(split)
    for (_, places), found in zip(by_shard.values(), await asyncio.gather(*sent), strict=True):
        for at, answer in zip(places, found, strict=True):
            answers[at] = answers[at] + answer if isinstance(answers[at], list) else answer
    return answers


async def _sent(store: Store, shard: Shard, commands: Sequence[Command], *, whole: bool) -> list[Any]:
    what = _said(commands)
    if len(commands) == 1 and commands[0][0] == b"XREAD" and b"BLOCK" in commands[0]:
        return [await _waited(store, shard, commands[0])]
    if whole:
        (answers,) = await store.weather.call(shard, what, [lambda: [_answer(shard, each) for each in commands]])
        return answers  # type: ignore[no-any-return]  # the answers of the one step
    steps = [partial(shard.execute, each) for each in commands]
    return await store.weather.call(shard, what, steps)


def _answer(shard: Shard, command: Command) -> Any:
    try:
        return shard.execute(command)
    except ResponseError as refusal:
        return refusal


async def _waited(store: Store, shard: Shard, command: Command) -> Any:
    """Read a stream, and wait for an entry where there is none."""
    block = command.index(b"BLOCK")
    wait_s, plain = int(command[block + 1]) / 1000, [*command[:block], *command[block + 2 :]]
    (reply,) = await store.weather.call(shard, _said([command]), [lambda: shard.execute(plain)])
    if isinstance(reply, Exception):
        raise reply
    if reply is not None:
        return reply
    answer = store.weather.loop.create_future()
    shard.wait(plain, answer)
    timer = store.weather.loop.call_later(wait_s, _nothing_came, answer)
    try:
        return await answer
    finally:
        timer.cancel()


def _nothing_came(answer: "asyncio.Future[Any]") -> None:
    if not answer.done():
        answer.set_result(None)


def _split(command: Sequence[Any]) -> Command:
    """Return a command as it goes over the wire: words and bytes."""
    words = [encoded(each) for each in command]
    return [*words[0].split(), *words[1:]] if b" " in words[0] else words


def _said(commands: Sequence[Command]) -> str:
    """Say what is sent, for the account: the first command's name and key, and how many more there are."""
    command = commands[0]
    name = command[1] if command[0].startswith(b"FCALL") else command[0]
    key = next(iter(keys_of(command)), b"")
    more = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
    return f"{name.decode()} {key.decode()}{more}"
