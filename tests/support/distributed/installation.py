"""An installation of several processes on real brokers, a store cluster and a database, each of which tests strike.

Every process is `python -m lienthong NAME` with settings from its environment, as an operator runs it; one that ends is
started again, as whatever runs an operator's processes would do.
"""

import asyncio
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from redis.crc import key_slot

from lienthong.adapters.projection_layout import Keys
from lienthong.runtime.children import Announcement, Child, ChildSpec
from lienthong.runtime.settings import Settings, load
from lienthong_schemas.streams import CARDS, DECISIONS, LOOKUPS
from tests.support.distributed.kafka import KafkaCluster
from tests.support.distributed.processes import LOOPBACK, free_ports
from tests.support.distributed.store_cluster import StoreCluster
from tests.support.real_service import READY_DEADLINE_S
from tests.support.waiting import until

MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#: Few, so that an installation of tests is ready soon; each of several projectors has some.
CARD_PARTITIONS = 12
BROKER, PRIMARY, SLOT, FLUSH = "a leading broker", "a primary", "a slot", "a flush"
PROJECTOR, LOOKUP, MONITOR = "projector", "lookup", "monitor"
_LINES_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What an installation stands on; `database` is the address of an empty one."""

    kafka: KafkaCluster
    store: StoreCluster
    database: str


class Alternating(httpx.AsyncBaseTransport):
    """Sends each request to the next of several processes, as a balancer before them does."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = itertools.cycle(ports)
        self._transport = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to a process; one that is away is a fault for who asks."""
        request.url = request.url.copy_with(port=next(self._ports))
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


class Installation:
    """Several processes of each kind; make one with `installed`."""

    def __init__(self, root: Path, servers: Servers, numbers: Mapping[str, int]) -> None:
        self.servers = servers
        self._root = root
        self._ports = {
            f"{name}-{number}": free_ports(1)[0] for name in (LOOKUP, MONITOR) for number in range(numbers.get(name, 0))
        }
        names = [f"{name}-{number}" for name, count in numbers.items() for number in range(count)]
        self.children = {name: Child(self._spec(name), self._heard) for name in names}
        self._running: dict[str, asyncio.Task[None]] = {}

    @property
    def settings(self) -> Settings:
        """How to reach the servers."""
        return load(data_dir=self._root / "test", **self._servers())

    async def start(self) -> None:
        """Make the topics, start every process, and return when each is ready."""
        await self._command("topics", "create")
        for name, child in self.children.items():
            self._running[name] = asyncio.create_task(child.keep_running(), name=name)
        await self.ready()

    async def ready(self) -> None:
        """Return when every process says that it is ready."""
        await until(lambda: all(child.ready.is_set() for child in self.children.values()), 2 * READY_DEADLINE_S)

    async def stop(self) -> None:
        """Stop every process, each as long as it takes: a child that is stopped is not to be interrupted in it."""
        for task in self._running.values():
            task.cancel()
        if self._running:
            await asyncio.wait(self._running.values())

    def accounts(self) -> dict[str, list[str]]:
        """Return the last lines that each process wrote."""
        return {
            name: self._account(name).read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_SHOWN:]
            for name in self.children
            if self._account(name).exists()
        }

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx.AsyncClient]:
        """Connect as a desk does; each request meets another of the look-up processes."""
        ports = [port for name, port in self._ports.items() if name.startswith(LOOKUP)]
        async with httpx.AsyncClient(transport=Alternating(ports), base_url=f"http://{LOOPBACK}", timeout=5) as client:
            yield client

    async def strike(self, kind: str, chance: random.Random) -> None:
        """Kill a process of a kind, or do to the servers what the kind says."""
        match kind:
            case "a leading broker":
                await self._lose_broker(chance)
            case "a primary":
                await self._lose_primary(chance)
            case "a slot":
                await self._move_slot(chance)
            case "a flush":
                self.servers.store.flush()
            case _:
                await self.kill(f"{kind}-{chance.randrange(sum(name.startswith(kind) for name in self.children))}")

    async def kill(self, name: str) -> None:
        """End a process with SIGKILL once it has a process id; it is started again after a pause."""
        child = self.children[name]
        await until(lambda: child.pid is not None, READY_DEADLINE_S)
        assert child.pid is not None
        psutil.Process(child.pid).send_signal(signal.SIGKILL)

    async def _lose_broker(self, chance: random.Random) -> None:
        """Kill the leader of some partition; it comes back when another has taken over."""
        kafka = self.servers.kafka
        broker = await kafka.broker_of(chance.choice([CARDS.name, LOOKUPS.name, DECISIONS.name]), 0)
        kafka.kill(broker)
        await kafka.restart(broker)
        await kafka.in_sync()

    async def _lose_primary(self, chance: random.Random) -> None:
        """Kill a primary; it comes back, as a replica, when its replica has taken over."""
        store = self.servers.store
        await store.settled()
        primary = chance.choice(store.primaries)
        store.kill(primary)
        await store.settled()
        await store.restart(primary)

    async def _move_slot(self, chance: random.Random) -> None:
        """Move the slot of a cell to another primary."""
        store = self.servers.store
        await store.settled()
        slot = key_slot(Keys(1).state(chance.randrange(CARD_PARTITIONS)).encode())
        to = chance.choice([each for each in store.primaries if each != store.primary_of(slot)])
        await store.move_slot(slot, to)

    def _servers(self) -> dict[str, str]:
        return {
            "kafka_servers": self.servers.kafka.servers,
            "projection_url": self.servers.store.url,
            "history_url": self.servers.database,
            "keys_url": self.servers.database,
            "master_key": MASTER_KEY,
            "card_partitions": str(CARD_PARTITIONS),
        }

    def _environment(self, name: str) -> dict[str, str]:
        given = {
            **self._servers(),
            "data_dir": str(self._root / name),
            "instance": name,
            "log_level": "warning",
            "lookup_port": str(self._ports.get(name, 1)),
            "monitor_port": str(self._ports.get(name, 1)),
        }
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LIENTHONG_")}
        return {**environment, **{f"LIENTHONG_{key.upper()}": value for key, value in given.items()}}

    def _spec(self, name: str) -> ChildSpec:
        return ChildSpec(
            name=name,
            command=[sys.executable, "-m", "lienthong", name.partition("-")[0]],
            environment=self._environment(name),
            log_file=self._account(name),
        )

    def _account(self, name: str) -> Path:
        return self._root / f"{name}.log"

    def _heard(self, heard: Announcement) -> None:
        """Say nothing: what matters of a process is whether it is ready."""

    async def _command(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lienthong", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment("command"),
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()


@asynccontextmanager
async def installed(servers: Servers, **numbers: int) -> AsyncIterator[Installation]:
    """Make an installation of so many `projector`, `lookup` and `monitor` processes; it is stopped at the end."""
    root = Path(tempfile.mkdtemp(prefix="lienthong-"))
    installation = Installation(root, servers, numbers)
    try:
        yield installation
    finally:
        await installation.stop()
        shutil.rmtree(root)
