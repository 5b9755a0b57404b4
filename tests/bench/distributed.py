"""A distributed installation of its own for a benchmark: one Kafka broker, a store, and processes that end with it.

The broker and the store are those that the tests run: on this machine, on the same cores as what is measured.
"""

import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psutil
from pydantic import SecretStr
from redis.asyncio import Redis

from lienthong.adapters.ground import grounded
from lienthong.adapters.kafka_admin import topic_admin
from lienthong.adapters.kafka_log import KafkaLog
from lienthong.adapters.kafka_topics import topics
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.datadir import DataDirectory, data_directory
from lienthong.runtime.settings import Settings
from tests.bench.installation import free_port, start_process, stop
from tests.support.distributed.kafka import KafkaCluster
from tests.support.distributed.store_cluster import StoreCluster
from tests.support.distributed.store_server import StoreServer

#: As many as an embedded log has, and few enough that the cells of so few cards are filled as a country's would be.
CARD_PARTITIONS = 16
PRIMARIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Distributed:
    """What a benchmark measures: its settings, clients for log and store, and the process ids of its servers."""

    directory: DataDirectory
    settings: Settings
    log: KafkaLog
    store: Redis
    brokers: tuple[int, ...]
    stores: tuple[int, ...]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str, port: int | None = None) -> subprocess.Popen[bytes]:
        """Start a Python module with its arguments, and wait until it says that it is ready."""
        self.processes.append(start_process(self.settings, self.directory, command, port))
        return self.processes[-1]

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End a process that was started here."""
        self.processes.remove(process)
        stop(process)


def cpu_s(pids: Iterable[int]) -> float:
    """Return the seconds of processor that processes and what they have started have used."""
    spent = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            spent += times.user + times.system
    return spent


@asynccontextmanager
async def distributed(*, clustered: bool = False, partitions: int = CARD_PARTITIONS) -> AsyncIterator[Distributed]:
    """Run a broker and a store, or a cluster of three primaries, while the block lasts; nothing of it stays."""
    async with AsyncExitStack() as stack:
        kafka = KafkaCluster(brokers=1)
        stack.push_async_callback(kafka.stop)
        await kafka.start()
        store = StoreCluster(PRIMARIES, replicas=False) if clustered else StoreServer()
        stack.push_async_callback(store.stop)
        await store.start()
        nodes = store.nodes if isinstance(store, StoreCluster) else [store]
        root = Path(mkdtemp(prefix="lienthong-bench-"))
        stack.callback(rmtree, root, ignore_errors=True)
        settings = Settings(
            data_dir=root,
            kafka_servers=kafka.servers,
            card_partitions=partitions,
            projection_url=SecretStr(store.url),
            lookup_port=free_port(),
            monitor_port=free_port(),
            log_to="files",
        )
        directory = data_directory(root)
        directory.prepare()
        async with topic_admin(settings) as admin:
            await admin.create(topics(card_partitions=partitions, replication=1))
        ground = await stack.enter_async_context(grounded(settings, SystemClock()))
        assert isinstance(ground.log, KafkaLog)
        made = Distributed(
            directory=directory,
            settings=settings,
            log=ground.log,
            store=ground.store,
            brokers=tuple(kafka.pids.values()),
            stores=tuple(node.pid for node in nodes),
        )
        stack.callback(_stop_all, made)
        yield made


def _stop_all(made: Distributed) -> None:
    for process in tuple(made.processes):
        made.stop(process)
