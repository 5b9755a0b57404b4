"""A client of a cluster sends again exactly what a server proves not to have carried out, and nothing else, ever."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import exceptions

from lienthong.runtime import cluster_sending
from lienthong.runtime.backoff import Backoff
from lienthong.runtime.cluster import ClusterRedis
from lienthong.runtime.cluster_slots import slot_of
from tests.support.scripted_store import HANG_UP, Command, Refusal, ScriptedCluster, scripted
from tests.support.waiting import until

LIBRARY = "#!lua name=some_1\n"
KEYS = [f"{{{at}}}state" for at in range(12)]
WRITE: Callable[[str], tuple[Any, ...]] = lambda key: ("FCALL", "some_1_write", 1, key, "x")  # noqa: E731 -- a table of two
READ: Callable[[str], tuple[Any, ...]] = lambda key: ("FCALL_RO", "some_1_read", 1, key, "x")  # noqa: E731 -- as above


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Backoff(first_s=0.001, most_s=0.002, attempts=8, faults=cluster_sending.PAUSES.faults)
    monkeypatch.setattr(cluster_sending, "PAUSES", pauses)


async def sent(client: ClusterRedis, *commands: tuple[Any, ...]) -> list[Any]:
    """Send commands in one pipeline and return the answers, refusals among them."""
    async with client.pipeline(transaction=False) as pipeline:
        for command in commands:
            pipeline.execute_command(*command)
        return await pipeline.execute(raise_on_error=False)


def key_of(cluster: ScriptedCluster, at: int) -> str:
    """Return a key that a server has."""
    return next(key for key in KEYS if cluster.owner(slot_of(("GET", key))) == at)


def once(refusal: str) -> Callable[[int, Command], Any]:
    """Refuse each command the first time it comes."""
    seen: Counter[Command] = Counter()

    def answer(_: int, command: Command) -> Any:
        seen[command] += 1
        if seen[command] == 1:
            return Refusal(refusal)
        return b"done"

    return answer


@settings(max_examples=30)
@given(st.lists(st.sampled_from(KEYS), max_size=40), st.integers(1, 4))
def test_answers_stand_in_the_order_of_the_commands_whoever_gave_them(keys: list[str], servers: int) -> None:
    async def play() -> None:
        async with scripted(servers) as (cluster, client):
            cluster.answers = lambda at, command: b"%d %s" % (at, command[-1])
            answers = await sent(client, *(("HGET", key, f"{at}") for at, key in enumerate(keys)))
            owners = [cluster.owner(slot_of(("GET", key))) for key in keys]
            assert answers == [b"%d %d" % (owner, at) for at, owner in enumerate(owners)]

    asyncio.run(play())


async def test_the_servers_concerned_are_asked_at_the_same_time() -> None:
    async with scripted(3) as (cluster, client):
        arrived: set[int] = set()
        all_there = asyncio.Event()

        async def answer(at: int, _: Command) -> bytes:
            arrived.add(at)
            if len(arrived) == 3:
                all_there.set()
            await all_there.wait()
            return b"met"

        cluster.answers = answer
        assert await sent(client, *(WRITE(key_of(cluster, at)) for at in range(3))) == [b"met"] * 3


@pytest.mark.parametrize(
    "refusal",
    [
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "CLUSTERDOWN The cluster is down",
        "MASTERDOWN Link with MASTER is down",
        "LOADING The server is loading the dataset in memory",
        "READONLY You can't write against a read only replica.",
    ],
)
async def test_what_was_not_carried_out_is_sent_again_and_nothing_else_is(refusal: str) -> None:
    async with scripted() as (cluster, client):
        refused, other = key_of(cluster, 0), key_of(cluster, 1)
        answers = once(refusal)
        cluster.answers = lambda at, command: answers(at, command) if command[3].decode() == refused else b"done"
        assert await sent(client, WRITE(refused), WRITE(other), ("FCALL", "another", 1, refused)) == [b"done"] * 3
        assert (cluster.servers[0].count(b"FCALL"), cluster.servers[1].count(b"FCALL")) == (4, 1)


@pytest.mark.parametrize(
    "refusal", ["TRYAGAIN x", "CLUSTERDOWN x", "MOVED 0 {own}", "MOVED 0 {other}", "ASK 0 {other}"]
)
async def test_a_refusal_that_does_not_end_is_the_answer_after_a_bounded_number_of_times(refusal: str) -> None:
    async with scripted() as (cluster, client):
        key = key_of(cluster, 0)

        def answer(at: int, _: Command) -> Any:
            return Refusal(refusal.format(own=cluster.place(at), other=cluster.place(1 - at)))

        cluster.answers = answer
        with pytest.raises(exceptions.ResponseError):
            await client.execute_command(*WRITE(key))
        assert sum(server.count(b"FCALL") for server in cluster.servers) <= 40


async def test_a_slot_that_has_moved_is_followed_and_then_known() -> None:
    async with scripted() as (cluster, client):
        key = key_of(cluster, 0)
        assert await client.execute_command(*WRITE(key)) == b"x"
        cluster.slots = dict.fromkeys(cluster.slots, 1)

        def answer(at: int, command: Command) -> Any:
            if at == 0:
                return Refusal(f"MOVED {slot_of(('GET', key))} {cluster.place(1)}")
            return command[-1]

        cluster.answers = answer
        assert await sent(client, WRITE(key), WRITE(key)) == [b"x", b"x"]
        asked = cluster.servers[0].count(b"FCALL")
        assert await client.execute_command(*WRITE(key)) == b"x"
        assert cluster.servers[0].count(b"FCALL") == asked
        await until(lambda: [str(address) for address in client.nodes._map.primaries] == [cluster.place(1)])


async def test_a_server_that_does_not_know_its_host_is_found_where_it_was_reached() -> None:
    async with scripted() as (cluster, client):
        key = key_of(cluster, 0)

        def answer(at: int, _: Command) -> Any:
            if at == 0:
                return Refusal(f"MOVED {slot_of(('GET', key))} :{cluster.servers[1].address.port}")
            return b"here"

        cluster.answers = answer
        assert await client.execute_command(*WRITE(key)) == b"here"


async def test_a_server_is_asked_for_one_command_without_being_taken_for_the_owner() -> None:
    async with scripted() as (cluster, client):
        gone, here = key_of(cluster, 0), "{" + key_of(cluster, 0)[1:-6] + "}other"

        def answer(at: int, command: Command) -> Any:
            if at == 0 and command[3] == gone.encode():
                return Refusal(f"ASK {slot_of(('GET', gone))} {cluster.place(1)}")
            return b"%d" % at

        cluster.answers = answer
        for _ in range(2):
            assert await sent(client, WRITE(gone), WRITE(here), READ(gone)) == [b"1", b"0", b"1"]
        names = [command[0] for command in cluster.servers[1].received]
        assert names == [b"ASKING", b"FCALL", b"ASKING", b"FCALL_RO"] * 2
        # What is parsed by redis-py, over a connection of the pool, is asked for in the same way.
        cluster.answers = lambda at, _: (
            {b"at": b"1"} if at else Refusal(f"ASK {slot_of(('GET', gone))} {cluster.place(1)}")
        )
        assert await client.hgetall(gone) == {b"at": b"1"}


async def test_a_write_whose_connection_fails_is_never_repeated_and_a_read_is() -> None:
    async with scripted() as (cluster, client):
        cut = key_of(cluster, 0)

        def answer(at: int, _: Command) -> Any:
            if at == 0:
                return HANG_UP
            return b"done"

        await client.nodes.ready()
        cluster.answers = answer
        with pytest.raises(exceptions.ConnectionError):
            await sent(client, WRITE(cut), WRITE(key_of(cluster, 1)))
        assert [server.count(b"FCALL") for server in cluster.servers] == [1, 1]
        with pytest.raises(exceptions.ConnectionError):
            await client.execute_command(*READ(cut))
        assert cluster.servers[0].count(b"FCALL_RO") == 1 + cluster_sending.REPEATS_MAX


async def test_a_read_whose_connection_fails_once_is_answered() -> None:
    async with scripted() as (cluster, client):
        failed: list[Command] = []

        def answer(_: int, command: Command) -> Any:
            if not failed:
                failed.append(command)
                return HANG_UP
            return b"done"

        cluster.answers = answer
        assert await sent(client, READ(KEYS[0]), ("HGET", KEYS[0], "a")) == [b"done", b"done"]


async def test_after_a_fault_the_map_is_asked_for_at_once() -> None:
    async with scripted() as (cluster, client):
        key = key_of(cluster, 0)
        assert await client.execute_command(*WRITE(key)) == b"x"
        cluster.slots = dict.fromkeys(cluster.slots, 1)
        await cluster.servers[0].stop()
        await until(lambda: client.nodes.owner(slot_of(("GET", key))) == cluster.servers[1].address)
        assert await client.execute_command(*WRITE(key)) == b"x"


async def test_the_map_is_not_asked_for_as_often_as_calls_go_wrong() -> None:
    async with scripted() as (cluster, client):
        key = key_of(cluster, 0)
        await client.nodes.ready()
        cluster.answers = lambda at, _: Refusal(f"MOVED 1 {cluster.place(1)}") if at == 0 else b"x"
        for _ in range(50):
            # As with every new map, for this server goes on saying that the slot is its own.
            client.nodes._map.owners[slot_of(("GET", key))] = cluster.servers[0].address
            assert await client.execute_command(*WRITE(key)) == b"x"
        assert cluster.servers[0].count(b"FCALL") == 50
        assert sum(server.count(b"CLUSTER") for server in cluster.servers) < 25


async def test_a_server_that_lacks_the_functions_gets_them_once_whoever_asks() -> None:
    async with scripted(libraries={"some": LIBRARY}) as (cluster, client):
        loaded: set[int] = set()

        def answer(at: int, command: Command) -> Any:
            if command[0] == b"FUNCTION":
                loaded.add(at)
                return b"some_1"
            if at not in loaded:
                return Refusal("ERR Function not found")
            return b"done"

        cluster.answers = answer
        answers = await asyncio.gather(*(sent(client, WRITE(key), READ(key)) for key in KEYS))
        assert answers == [[b"done", b"done"]] * len(KEYS)
        assert [server.count(b"FUNCTION") for server in cluster.servers] == [1, 1]
        assert (b"FUNCTION", b"LOAD", b"REPLACE", LIBRARY.encode()) in cluster.servers[0].received


@pytest.mark.parametrize("load", ["NOPERM User who has no permissions to run the 'function|load' command", None])
async def test_a_function_that_cannot_be_had_is_refused_as_the_server_does(load: str | None) -> None:
    async with scripted(libraries={"some": LIBRARY} if load else {}) as (cluster, client):

        def answer(_: int, command: Command) -> Any:
            return Refusal(load if load and command[0] == b"FUNCTION" else "ERR Function not found")

        cluster.answers = answer
        with pytest.raises(exceptions.ResponseError, match="Function not found"):
            await client.execute_command(*WRITE(KEYS[0]))


async def test_a_slot_that_nobody_serves_is_refused_until_someone_does() -> None:
    async with scripted() as (cluster, client):
        slots = cluster.slots
        cluster.slots = {(0, 0): 0}
        with pytest.raises(exceptions.ClusterDownError, match="served by nobody"):
            await client.execute_command(*WRITE(KEYS[0]))
        cluster.slots = slots
        assert await client.execute_command(*WRITE(KEYS[0])) == b"x"


async def test_a_cluster_that_is_away_is_a_fault_and_is_found_when_it_is_back() -> None:
    async with scripted() as (cluster, client):
        for server in cluster.servers:
            await server.stop()
        with pytest.raises(exceptions.ConnectionError, match="no server of the cluster"):
            await client.ping()
        for server in cluster.servers:
            await server.start()
        cluster.answers = lambda *_: b"PONG"
        assert await client.ping()
        assert [server.count(b"PING") for server in cluster.servers] == [1, 1]


async def test_a_silent_server_is_given_up_though_nobody_waits_for_it_any_more() -> None:
    async with scripted(timeout_s=0.1) as (cluster, client):
        key = key_of(cluster, 0)
        assert await client.execute_command(*WRITE(key)) == b"x"
        silence = asyncio.Event()

        async def answer(at: int, command: Command) -> Any:
            if at == 0:
                await silence.wait()
            return command[-1]

        cluster.answers = answer
        cluster.slots = dict.fromkeys(cluster.slots, 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.execute_command(*WRITE(key)), 0.02)
        await until(lambda: client.nodes.owner(slot_of(("GET", key))) == cluster.servers[1].address)
        assert await client.execute_command(*WRITE(key)) == b"x"
        silence.set()


async def test_a_transaction_is_sent_again_as_a_whole_or_not_at_all() -> None:
    async with scripted() as (cluster, client):
        key = key_of(cluster, 0)
        moved = f"MOVED {slot_of(('GET', key))} {cluster.place(1)}"

        def answer(at: int, command: Command) -> Any:
            if command[0] == b"MULTI":
                return b"OK"
            if command[0] == b"EXEC" and at == 0:
                return Refusal("EXECABORT Transaction discarded because of previous errors.")
            if command[0] == b"EXEC":
                return [7, [b"a"]]
            if at == 0:
                return Refusal(moved)
            return b"QUEUED"

        cluster.answers = answer
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.xlen(key)
            pipeline.hmget(key, ["a"])
            assert await pipeline.execute() == [7, [b"a"]]
        names = [command[0] for command in cluster.servers[1].received if command[0] != b"CLUSTER"]
        assert names == [b"MULTI", b"XLEN", b"HMGET", b"EXEC"]


async def test_a_transaction_over_two_slots_is_refused_before_anything_is_sent() -> None:
    async with scripted() as (cluster, client):
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.xlen(KEYS[0])
            pipeline.xlen(KEYS[1])
            with pytest.raises(exceptions.ClusterCrossSlotError):
                await pipeline.execute()
        async with client.pipeline(transaction=True) as pipeline:
            with pytest.raises(exceptions.RedisError, match="use a Function"):
                await pipeline.watch(KEYS[0])
        assert [server.count(b"XLEN") for server in cluster.servers] == [0, 0]


async def test_the_first_refusal_is_raised_unless_refusals_are_wanted() -> None:
    async with scripted() as (cluster, client):

        def answer(_: int, command: Command) -> Any:
            if command[3] == KEYS[1].encode():
                return Refusal("WRONGTYPE Operation against a key holding the wrong kind of value")
            return b"done"

        cluster.answers = answer
        first, refusal, last = await sent(client, *(WRITE(key) for key in KEYS[:3]))
        assert (first, last) == (b"done", b"done")
        assert isinstance(refusal, exceptions.ResponseError)
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.execute_command(*WRITE(KEYS[1]))
            with pytest.raises(exceptions.ResponseError, match="WRONGTYPE"):
                await pipeline.execute()
        assert await client.pipeline(transaction=False).execute() == []
