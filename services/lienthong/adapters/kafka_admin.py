"""Asks the brokers for the topics there are, and makes the ones that are missing."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    BrokerResponseError,
    NoError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from lienthong.adapters.kafka_client import CLIENT_ID, CONNECTION_IDLE_MS, RETRY_BACKOFF_MS, KafkaConnection, log_faults
from lienthong.adapters.kafka_topics import Drift, FoundTopic, Topic, topics, unusable
from lienthong.runtime.settings import Settings

# A broker that does not answer within this is not answering; the command may be repeated.
REQUEST_TIMEOUT_MS: Final = 10_000
# A cluster makes topics and chooses the leaders of their partitions within a second.
CREATE_TIMEOUT_MS: Final = 30_000
_LED_INTERVAL_S: Final = 0.05
# A broker may not have heard yet of topics that another has just made: so often is one asked, with these pauses.
_ASKED: Final = 3
_ASKED_INTERVAL_S: Final = 0.5


class TopicsRefused(Exception):
    """The brokers answered that they will not; `topic` is which one it was about and `kind` their word for why."""

    def __init__(self, topic: str, kind: type[BrokerResponseError], said: str | None) -> None:
        self.topic = topic
        self.kind = kind
        super().__init__(f"The brokers refuse {topic} ({kind.__name__}): {(said or kind.description).rstrip('.')}.")


class TopicsUnusable(Exception):
    """The log cannot be used as it is: topics are missing, or have other numbers of partitions."""

    def __init__(self, drifts: tuple[Drift, ...]) -> None:
        self.drifts = drifts
        missing = [drift.topic for drift in drifts if drift.what == "topic"]
        sentences = [drift.sentence for drift in drifts if drift.what != "topic"]
        if missing:
            sentences.insert(0, f"Missing topics: {', '.join(missing)}; lienthong topics create makes them.")
        super().__init__(" ".join(sentences))


class TlsFileRefused(Exception):
    """A file that connections to the brokers are encrypted with cannot be used."""

    def __init__(self, fault: OSError) -> None:
        why = fault.strerror or type(fault).__name__
        super().__init__(f"A file that LIENTHONG_KAFKA_…_FILE names cannot be used: {why}.")


class TopicAdmin:
    """The topics of the brokers behind one client. Everything raises LogAway where these are away."""

    def __init__(self, client: AIOKafkaAdminClient) -> None:
        self._client = client

    async def found(self, wanted: Sequence[Topic], *, options: bool = True) -> dict[str, FoundTopic]:
        """Return those of the topics that exist, as they are; without their options, the right to see them suffices.

        No broker is taken at its first word that one lacks. Raises TopicsRefused where this user may not read them.
        """
        names = {topic.name for topic in wanted}
        for _ in range(_ASKED):
            layouts = {name: each for name, each in (await self._layouts()).items() if name in names}
            known = await self._options(layouts) if options else {key: {} for key in layouts}
            if known.keys() == names:
                break
            await asyncio.sleep(_ASKED_INTERVAL_S)
        return {
            name: FoundTopic(
                partitions=len(layouts[name]),
                replication=min((len(each["replicas"]) for each in layouts[name]), default=0),
                options=its_options,
            )
            for name, its_options in known.items()
        }

    async def create(self, missing: Sequence[Topic]) -> None:
        """Make topics, and return when each of their partitions is led; one that is there already is left as it is.

        Raises TopicsRefused, after which those that were not refused are made all the same.
        """
        new = [
            NewTopic(
                topic.name,
                topic.partitions,
                topic.replication,
                topic_configs={name: option.value for name, option in topic.options.items()},
            )
            for topic in missing
        ]
        with log_faults():
            answer = await self._client.create_topics(new, timeout_ms=CREATE_TIMEOUT_MS)
        for name, code, message in answer.topic_errors:
            kind = for_code(code)
            if kind not in {NoError, TopicAlreadyExistsError}:
                raise TopicsRefused(name, kind, message)
        with log_faults():
            async with asyncio.timeout(CREATE_TIMEOUT_MS / 1000):
                await self._until_led(missing)

    async def _until_led(self, wanted: Sequence[Topic]) -> None:
        while True:
            if await self._led(wanted):
                return
            await asyncio.sleep(_LED_INTERVAL_S)

    async def _led(self, wanted: Sequence[Topic]) -> bool:
        """Tell whether every partition of the topics has a leader: only then can it be written to."""
        layouts = await self._layouts()
        partitions = [layouts.get(topic.name, ()) for topic in wanted]
        return all(each and all(partition["leader"] >= 0 for partition in each) for each in partitions)

    async def _layouts(self) -> dict[str, list[dict[str, Any]]]:
        """Return the partitions of every topic that this user may see.

        All are asked for, because asking for one by its name makes a broker create it where that is not switched off.
        """
        with log_faults():
            return {each["topic"]: each["partitions"] for each in await self._client.describe_topics()}

    async def _options(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        if not resources:
            return {}
        with log_faults():
            (answer,) = await self._client.describe_configs(resources)
        options = {}
        for code, message, _, name, entries in answer.resources:
            kind = for_code(code)
            if kind is NoError:
                options[name] = {entry[0]: entry[1] for entry in entries}
            elif kind is not UnknownTopicOrPartitionError:
                raise TopicsRefused(name, kind, message)
        return options


@asynccontextmanager
async def topic_admin(settings: Settings) -> AsyncIterator[TopicAdmin]:
    """Connect to the brokers that the settings name, while the block lasts. Raises LogAway and TlsFileRefused."""
    try:
        connection = KafkaConnection.of(settings)
    except OSError as fault:
        raise TlsFileRefused(fault) from fault
    client = AIOKafkaAdminClient(
        bootstrap_servers=list(connection.servers),
        client_id=CLIENT_ID,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        retry_backoff_ms=RETRY_BACKOFF_MS,
        connections_max_idle_ms=CONNECTION_IDLE_MS,
        **connection.credentials(),
    )
    try:
        with log_faults():
            await client.start()
        yield TopicAdmin(client)
    finally:
        await client.close()


async def refuse_unusable(settings: Settings) -> None:
    """Raise TopicsUnusable where the log lacks topics or has them laid out otherwise.

    Raises LogAway where the brokers are away, and TlsFileRefused.
    """
    wanted = topics(card_partitions=settings.card_partitions)
    async with topic_admin(settings) as admin:
        departures = unusable(wanted, await admin.found(wanted, options=False))
    if departures:
        raise TopicsUnusable(departures)
