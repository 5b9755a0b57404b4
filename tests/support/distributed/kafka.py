"""A real Apache Kafka of one or three brokers on this machine, whose brokers a test may kill, pause and start again."""

import base64
import shutil
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code

from tests.support.distributed.kafka_program import BrokerPlace, Extras, kafka_program, write_configuration
from tests.support.distributed.processes import (
    LOOPBACK,
    Command,
    LocalServer,
    ServerEnded,
    free_ports,
    listens,
    temporary_directory,
)
from tests.support.waiting import until_so

#: Three brokers need seven seconds of two idle cores; busy ones may take several times that.
READY_TIMEOUT_S = 90.0
_ASK_TIMEOUT_MS = 2_000
_INTERNAL = "__"


@asynccontextmanager
async def administration(servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect to the brokers `HOST:PORT,HOST:PORT` to ask about and change topics. Raises KafkaError."""
    client = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=_ASK_TIMEOUT_MS)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


class KafkaCluster:
    """Brokers numbered from 1, each also a controller, with nothing in them and data that goes with `stop`.

    Every topic that does not say otherwise is kept by `min(3, brokers)` of them.
    """

    def __init__(self, brokers: int = 3, extras: Extras | None = None) -> None:
        self._extras = extras or Extras()
        self._root = temporary_directory()
        ports = free_ports(2 * brokers)
        self._places = {
            number: BrokerPlace(
                number=number,
                port=ports[number - 1],
                controller_port=ports[brokers + number - 1],
                directory=self._root / str(number),
            )
            for number in range(1, brokers + 1)
        }
        self._servers: dict[int, LocalServer] = {}
        self._struck = False

    @property
    def servers(self) -> str:
        """Where clients connect: `HOST:PORT,HOST:PORT`."""
        return ",".join(f"{LOOPBACK}:{place.port}" for place in self._places.values())

    @property
    def brokers(self) -> list[int]:
        """The numbers of all brokers, running or not."""
        return list(self._places)

    @property
    def pids(self) -> dict[int, int]:
        """The process ids of the brokers that run."""
        return {number: server.pid for number, server in self._servers.items() if server.running}

    async def start(self) -> None:
        """Start all brokers and return when each is known to the others.

        Raises NotOnThisMachine if Kafka is neither here nor to be fetched, ServerEnded if a broker does not start.
        """
        program = kafka_program()
        # An id that began with a hyphen would be taken for an option.
        cluster_id = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        for place in self._places.values():
            place.directory.mkdir()
            write_configuration(place, list(self._places.values()), self._extras)
            command = program.command("kafka.Kafka", place.configuration)
            name = f"Kafka broker {place.number}"
            self._servers[place.number] = LocalServer(
                Command(name=name, arguments=command, log=place.directory / "log")
            )
        with ThreadPoolExecutor() as pool:
            formatting = partial(program.format, cluster_id=cluster_id, users=self._extras.users)
            list(pool.map(formatting, [place.configuration for place in self._places.values()]))
        for server in self._servers.values():
            server.start()
        await self.ready()

    async def stop(self) -> None:
        """End all brokers at once and remove their data."""
        for server in self._servers.values():
            server.kill()
        shutil.rmtree(self._root, ignore_errors=True)

    def kill(self, broker: int) -> None:
        """End a broker with SIGKILL, as a machine does that loses its power, and return when it is gone."""
        self._struck = True
        self._servers[broker].kill()

    async def restart(self, broker: int) -> None:
        """Start a broker that was killed on its old data and port, and return when all that run are known."""
        self._servers[broker].start()
        await self.ready()

    def pause(self, broker: int) -> None:
        """Let a broker stand still with its connections open; it is replaced after three seconds."""
        self._struck = True
        self._servers[broker].pause()

    def resume(self, broker: int) -> None:
        """Let a paused broker go on."""
        self._servers[broker].resume()

    async def broker_of(self, topic: str, partition: int) -> int:
        """Return the number of the broker that leads a partition now, -1 if none does."""
        for known in await self._topics():
            for each in known["partitions"]:
                if (known["topic"], each["partition"]) == (topic, partition):
                    return int(each["leader"])
        return -1

    async def ready(self) -> None:
        """Return when every broker that runs answers and knows all others that run. Raises ServerEnded."""
        for broker in self.pids:
            try:
                await until_so(partial(self._answers, broker), READY_TIMEOUT_S)
            except TimeoutError:
                raise ServerEnded(self._servers[broker]) from None

    async def in_sync(self) -> None:
        """Return when every partition is led and all its copies are equal: then any one broker may be killed."""
        await until_so(self._is_in_sync, READY_TIMEOUT_S)

    async def heal(self) -> None:
        """Bring back every broker that was killed or paused, and return when any one of them may be struck again."""
        if self._struck:
            for broker, server in self._servers.items():
                self.resume(broker)
                if not server.running:
                    server.start()
            await self.ready()
            await self.in_sync()
            self._struck = False

    async def empty(self) -> None:
        """Bring back every broker, delete every topic, and return when none knows of any.

        What consumer groups had committed goes with the topics.
        """
        await self.heal()
        await delete_topics(self.servers)

    async def _topics(self) -> list[dict[str, Any]]:
        async with administration(self._running_servers()) as admin:
            return list(await admin.describe_topics())

    def _running_servers(self) -> str:
        return ",".join(f"{LOOPBACK}:{self._places[broker].port}" for broker in self.pids)

    async def _answers(self, broker: int) -> bool:
        server = self._servers[broker]
        if not server.running:
            raise ServerEnded(server)
        port = self._places[broker].port
        if not listens(port):
            return False
        try:
            async with administration(f"{LOOPBACK}:{port}") as admin:
                known = await admin.describe_cluster()
        except (KafkaError, OSError):
            return False
        return {each["node_id"] for each in known["brokers"]} >= set(self.pids)

    async def _is_in_sync(self) -> bool:
        try:
            topics = await self._topics()
        except (KafkaError, OSError):
            return False
        return all(
            each["leader"] >= 0 and set(each["isr"]) == set(each["replicas"])
            for topic in topics
            for each in topic["partitions"]
        )


async def delete_topics(servers: str) -> None:
    """Delete every topic of the brokers `HOST:PORT,HOST:PORT` that is not Kafka's own, and return when none has any.

    Raises KafkaError if a broker refuses.
    """
    async with administration(servers) as admin:
        own = await _topics_of_ours(admin)
        if own:
            answer = await admin.delete_topics(own)
            for _, code in answer.topic_error_codes:
                if code and for_code(code) is not UnknownTopicOrPartitionError:
                    raise for_code(code)

    for server in servers.split(","):
        await until_so(partial(_has_none, server), READY_TIMEOUT_S)


async def _has_none(server: str) -> bool:
    async with administration(server) as admin:
        return not await _topics_of_ours(admin)


async def _topics_of_ours(admin: AIOKafkaAdminClient) -> list[str]:
    return [name for name in await admin.list_topics() if not name.startswith(_INTERNAL)]
