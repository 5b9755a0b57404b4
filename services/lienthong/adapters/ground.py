"""What every process and command stands on, as the settings say: the log, its readers, and the projection's store.

Embedded, all of it is in the data directory; distributed, each part is where its own setting says. Whoever uses it does
not know which.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.followers import OnFault, Reader, halt
from lienthong.adapters.kafka_admin import refuse_unusable
from lienthong.adapters.kafka_client import KafkaConnection
from lienthong.adapters.kafka_log import KafkaLog, distributed_streams
from lienthong.adapters.kafka_reader import KafkaReader, Membership
from lienthong.adapters.projection_servers import connect_projection
from lienthong.adapters.streams import StreamReader
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.runtime.clock import Clock
from lienthong.runtime.connection import connect
from lienthong.runtime.datadir import DataDirectory, data_directory
from lienthong.runtime.settings import Settings

MakeReader = Callable[[str, OnFault], Reader]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The connections of one process; `read` makes a reader for a consumer group's name."""

    directory: DataDirectory
    settings: Settings
    clock: Clock
    log: EventLog
    store: Redis
    read: MakeReader

    def reader(self, group: str, on_fault: OnFault = halt) -> Reader:
        """Return a reader of the log. Where the log is shared, processes of one group share its partitions."""
        return self.read(group, on_fault)


@asynccontextmanager
async def grounded(settings: Settings, clock: Clock) -> AsyncIterator[Ground]:
    """Connect while the block lasts; nothing is opened before it is used, so a server that is away is no fault yet."""
    directory = data_directory(settings.data_dir)
    async with AsyncExitStack() as stack:
        store = connect_projection(settings, directory.socket("projection"))
        stack.push_async_callback(store.aclose)
        log, read = _log(stack, directory, settings, clock)
        yield Ground(directory=directory, settings=settings, clock=clock, log=log, store=store, read=read)


def _log(
    stack: AsyncExitStack, directory: DataDirectory, settings: Settings, clock: Clock
) -> tuple[EventLog, MakeReader]:
    if settings.kafka_servers is None:
        return _embedded_log(stack, directory, clock)
    return _distributed_log(stack, settings, clock)


def _embedded_log(stack: AsyncExitStack, directory: DataDirectory, clock: Clock) -> tuple[EventLog, MakeReader]:
    socket = directory.socket("log")
    client = connect(socket)
    stack.push_async_callback(client.aclose)
    log = ValkeyLog(client)
    # One process of each kind reads an embedded log, so there is no group to share it with.
    return log, lambda _group, on_fault: StreamReader(socket, log, clock, on_fault)


def _distributed_log(stack: AsyncExitStack, settings: Settings, clock: Clock) -> tuple[EventLog, MakeReader]:
    connection = KafkaConnection.of(settings)
    log = KafkaLog(connection, distributed_streams(settings), lambda: refuse_unusable(settings))
    stack.push_async_callback(log.aclose)

    def read(group: str, on_fault: OnFault) -> Reader:
        name = f"{settings.kafka_group}.{group}"
        membership = Membership(connection=connection, group=name, instance=settings.instance)
        return KafkaReader(membership, log, clock, on_fault)

    return log, read
