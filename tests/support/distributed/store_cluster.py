"""A real Valkey or Redis Cluster on this machine, whose nodes a test may kill and whose slots it may move."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import redis

from tests.support.distributed.processes import LOOPBACK, free_ports
from tests.support.distributed.store_server import READY_TIMEOUT_S, Login, StoreServer
from tests.support.waiting import until, until_so

SLOTS = 16_384
#: A primary that is silent for so long is replaced by its replica, which takes about a second more.
NODE_TIMEOUT_MS = 2_000
_MIGRATE_TIMEOUT_MS = 5_000


class StoreCluster:
    """Nodes numbered from 0: first the primaries, then a replica of each; roles change as nodes are killed.

    `announced` are the ports of the primaries that clients are told instead of the real ones: those of proxies. Nodes
    would follow each other there too, so a cluster with announced ports has no replicas.
    """

    def __init__(
        self,
        primaries: int = 3,
        *,
        replicas: bool = True,
        login: Login | None = None,
        announced: Sequence[int] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._primaries = primaries
        self._login = login
        self._announced = announced
        self._bus = free_ports(2 * primaries if replicas and not announced else primaries)
        self.nodes = [
            StoreServer(f"node-{number}", login=login, settings={**self._clustered(number), **(settings or {})})
            for number in range(len(self._bus))
        ]

    @property
    def addresses(self) -> str:
        """Where clients find the cluster: `HOST:PORT,HOST:PORT`."""
        ports = self._announced or [node.port for node in self.nodes]
        return ",".join(f"{LOOPBACK}:{port}" for port in ports)

    @property
    def url(self) -> str:
        """The addresses as the settings want them."""
        return f"redis+cluster://{self.addresses}"

    async def start(self) -> None:
        """Start all nodes, join them, and return when each slot is served and each replica follows its primary."""
        for node in self.nodes:
            await node.start()
        first, *others = self.nodes
        for number, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        share, beyond = divmod(SLOTS, self._primaries)
        for number in range(self._primaries):
            end = (number + 1) * share - 1 + (beyond if number == self._primaries - 1 else 0)
            self.nodes[number].ask("CLUSTER", "ADDSLOTSRANGE", number * share, end)
        for number, node in enumerate(others, 1):
            first.ask("CLUSTER", "MEET", LOOPBACK, node.port, self._bus[number])
        await until(self._all_know_all, READY_TIMEOUT_S)
        for number, node in enumerate(self.nodes[self._primaries :]):
            node.ask("CLUSTER", "REPLICATE", self._id(number))
        await self.settled()

    async def stop(self) -> None:
        """End all nodes and remove their data."""
        for node in self.nodes:
            await node.stop()

    def kill(self, node: int) -> None:
        """End a node with SIGKILL and return when it is gone; its replica takes over, see `settled`."""
        self.nodes[node].kill()

    async def restart(self, node: int) -> None:
        """Start a node that was killed on its old data and port, and return when the cluster has settled."""
        await self.nodes[node].start()
        await self.settled()

    async def settled(self) -> None:
        """Return when all running nodes agree, each slot has a running primary, and running replicas have its data."""
        # In a thread, so that clients of the same test go on meanwhile.
        await until_so(partial(asyncio.to_thread, self._is_settled), READY_TIMEOUT_S)

    async def heal(self) -> None:
        """Bring back every node that was killed or paused, and return when any one of them may be struck again."""
        for node in self.nodes:
            await node.heal()
        await self.settled()

    async def empty(self) -> None:
        """Bring back every node, close half-moved slots, and remove all data and functions; slots stay in place."""
        await self.heal()
        for number in self.primaries:
            for slot in self._open_slots(number):
                self._everywhere("CLUSTER", "SETSLOT", slot, "STABLE")
            self.nodes[number].empty()

    def flush(self) -> None:
        """Remove all data, while the functions stay."""
        self._everywhere("FLUSHALL")

    @property
    def primaries(self) -> list[int]:
        """The nodes that serve slots, as a running node sees it."""
        return sorted({primary for primary in self._slots().values() if primary is not None})

    @property
    def replicas(self) -> list[int]:
        """The running nodes that say of themselves that they follow another."""
        return [number for number, node in enumerate(self.nodes) if node.running and not _is_primary(node)]

    def primary_of(self, slot: int) -> int:
        """Return the node that serves a slot, as a running node sees it. Raises LookupError if there is none."""
        for (first, last), primary in self._slots().items():
            if first <= slot <= last and primary is not None:
                return primary
        message = f"slot {slot} has no primary"
        raise LookupError(message)

    def replicas_of(self, node: int) -> list[int]:
        """Return the running nodes that follow this one."""
        port = self._told(node)
        return [number for number in self.replicas if _followed(self.nodes[number]) == port]

    async def fail_over(self, replica: int) -> None:
        """Let a replica take its primary's place without losing anything, as an upgrade does."""
        self.nodes[replica].ask("CLUSTER", "FAILOVER")
        await until(lambda: _is_primary(self.nodes[replica]), READY_TIMEOUT_S)
        await self.settled()

    async def move_slot(self, slot: int, to: int) -> None:
        """Move a slot with its keys to another primary, and return when all nodes know."""
        self.begin_move(slot, to)
        self.move_keys(slot, to)
        await self.finish_move(slot, to)

    def begin_move(self, slot: int, to: int) -> None:
        """Open a slot to be moved: its keys that are not there are asked for at the other primary (ASK)."""
        source = self.primary_of(slot)
        self.nodes[to].ask("CLUSTER", "SETSLOT", slot, "IMPORTING", self._id(source))
        self.nodes[source].ask("CLUSTER", "SETSLOT", slot, "MIGRATING", self._id(to))

    def move_keys(self, slot: int, to: int, keys: Sequence[str] | None = None) -> None:
        """Move these keys of an open slot, or all: a command that has some here and some there gets TRYAGAIN."""
        source = self.nodes[self.primary_of(slot)]
        held = cast("list[bytes]", source.ask("CLUSTER", "GETKEYSINSLOT", slot, SLOTS))
        wanted: list[str | bytes] = [*held] if keys is None else [*keys]
        secret = ["AUTH2", self._login.username, self._login.password] if self._login else []
        if wanted:
            target = ("MIGRATE", LOOPBACK, self.nodes[to].port, "", 0, _MIGRATE_TIMEOUT_MS)
            source.ask(*target, *secret, "KEYS", *wanted)

    async def finish_move(self, slot: int, to: int) -> None:
        """Give a slot whose keys were moved to its new primary, and return when all nodes know."""
        source, identity = self.primary_of(slot), self._id(to)
        # The new primary first: a slot that nobody had would be lost with a node that fails in between.
        for number in [to, source, *(each for each in self.primaries if each not in {to, source})]:
            self.nodes[number].ask("CLUSTER", "SETSLOT", slot, "NODE", identity)
        await self.settled()

    def _clustered(self, number: int) -> dict[str, str]:
        announced = {"cluster-announce-port": str(self._announced[number])} if self._announced else {}
        return {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            "cluster-port": str(self._bus[number]),
            "cluster-announce-ip": LOOPBACK,
            "cluster-announce-bus-port": str(self._bus[number]),
            "repl-diskless-sync-delay": "0",
            "repl-ping-replica-period": "1",
            **announced,
        }

    def _told(self, number: int) -> int:
        return self._announced[number] if self._announced else self.nodes[number].port

    def _id(self, number: int) -> str:
        return cast("bytes", self.nodes[number].ask("CLUSTER", "MYID")).decode()

    def _everywhere(self, *command: str | int) -> None:
        for number in self.primaries:
            self.nodes[number].ask(*command)

    def _open_slots(self, number: int) -> list[int]:
        """Return the slots that a node has begun to give or to get."""
        own = _lines(self.nodes[number], "NODES")
        words = next(line.split() for line in own if "myself" in line)
        return [int(word[1:].split("-")[0]) for word in words[8:] if word.startswith("[")]

    def _slots(self, node: StoreServer | None = None) -> dict[tuple[int, int], int | None]:
        """Return which node serves which range of slots as one sees it; None where a node is not running."""
        seen = (node or next(each for each in self.nodes if each.running)).ask("CLUSTER", "SLOTS")
        known = {self._told(number): number for number, each in enumerate(self.nodes) if each.running}
        ranges = cast("list[tuple[int, int, tuple[bytes, int]]]", seen)
        return {(first, last): known.get(primary[1]) for first, last, primary, *_ in ranges}

    def _all_know_all(self) -> bool:
        return all(
            sum("connected" in line.split() and "handshake" not in line for line in _lines(node, "NODES"))
            == len(self.nodes)
            for node in self.nodes
        )

    def _is_settled(self) -> bool:
        running = [node for node in self.nodes if node.running]
        try:
            seen = [self._slots(node) for node in running]
            return (
                all("cluster_state:ok" in _lines(node, "INFO") for node in running)
                and all(view == seen[0] and None not in view.values() for view in seen)
                and all(_is_primary(node) or _has_the_data(node) for node in running)
            )
        except redis.RedisError:
            return False


def _lines(node: StoreServer, question: str) -> list[str]:
    return cast("bytes", node.ask("CLUSTER", question)).decode().splitlines()


def _is_primary(node: StoreServer) -> bool:
    return _role(node)[0] == b"master"


def _followed(node: StoreServer) -> int:
    return int(_role(node)[2])


def _has_the_data(node: StoreServer) -> bool:
    return _role(node)[3] == b"connected"


def _role(node: StoreServer) -> list[bytes | int]:
    return cast("list[bytes | int]", node.ask("ROLE"))
