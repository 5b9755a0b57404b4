"""The commands about topics against real brokers, and processes on topics that are not as they must be."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from lienthong.runtime.children import REFUSED_STATUS
from lienthong_schemas.streams import STREAMS
from tests.support.command_line import Called, call, program
from tests.support.distributed.kafka import administration
from tests.support.distributed.processes import free_ports
from tests.support.distributed.secured_kafka import PASSWORD, USERNAME, SecuredKafka
from tests.support.waiting import until_so

NAMES = [stream.name for stream in STREAMS]
NOBODY = "127.0.0.1:1"
WORD = "opensesame"


@pytest.fixture
def brokers(empty_kafka: str) -> str:
    """Where a Kafka is of whose brokers none knows a topic any more."""
    asyncio.run(until_so(partial(nobody_knows_a_topic, empty_kafka)))
    return empty_kafka


async def nobody_knows_a_topic(servers: str) -> bool:
    return not any([await there(broker) for broker in servers.split(",")])


def settings(servers: str, **others: str) -> dict[str, str]:
    """Return settings of these brokers, with so few partitions that nobody waits for them, and ports of their own."""
    lookup, monitor = free_ports(2)
    ports = {"LIENTHONG_LOOKUP_PORT": str(lookup), "LIENTHONG_MONITOR_PORT": str(monitor)}
    return {"LIENTHONG_KAFKA_SERVERS": servers, "LIENTHONG_CARD_PARTITIONS": "3", **ports, **others}


def topics(command: str, servers: str, *options: str, **others: str) -> Called:
    return call("topics", command, *options, settings=settings(servers, **others))


def sentences(called: Called) -> list[str]:
    return [drift["sentence"] for topic in called.json["topics"] for drift in topic["drift"]]


async def make(servers: str, *new: NewTopic) -> None:
    async with administration(servers) as admin:
        await admin.create_topics(list(new))


async def there(servers: str) -> set[str]:
    async with administration(servers) as admin:
        return {name for name in await admin.list_topics() if not name.startswith("__")}


def test_all_topics_are_made_and_then_are_as_they_must_be(brokers: str) -> None:
    made = topics("create", brokers, "--json")
    assert (made.status, made.json["sound"]) == (0, True)
    assert [(topic["name"], topic["made"]) for topic in made.json["topics"]] == [(name, True) for name in NAMES]
    checked = topics("check", brokers, "--json")
    assert (checked.status, sentences(checked)) == (0, [])
    again = topics("create", brokers)
    assert again.status == 0
    assert "made" not in again.out
    assert asyncio.run(there(brokers)) == set(NAMES)


def test_a_check_makes_nothing(brokers: str) -> None:
    checked = topics("check", brokers, "--json")
    assert checked.status == 1
    assert sentences(checked) == [f"{name} is missing: lienthong topics create makes it." for name in NAMES]
    assert asyncio.run(there(brokers)) == set()


def test_a_topic_that_somebody_made_otherwise_is_left_as_it_is_and_told_of(brokers: str) -> None:
    other = NewTopic("cards.v1", 2, 1, topic_configs={"cleanup.policy": "compact", "retention.ms": "60000"})
    asyncio.run(make(brokers, other, NewTopic("orders", 1, 1)))
    for command in ("create", "check"):
        called = topics(command, brokers, "--json")
        assert called.status == 1
        departed = {drift["what"]: drift for drift in called.json["topics"][0]["drift"]}
        assert {"partitions", "replication", "cleanup.policy", "retention.ms"} <= set(departed)
        assert departed["partitions"]["found"] == "2"
        assert "compaction keeps the last entry" in departed["cleanup.policy"]["sentence"]
        assert [topic["name"] for topic in called.json["topics"] if topic["drift"]] == ["cards.v1"]
    spoken = topics("check", brokers)
    assert "cards.v1 has 2 partitions and not 3: set LIENTHONG_CARD_PARTITIONS=2" in spoken.out
    assert asyncio.run(there(brokers)) == {*NAMES, "orders"}


def test_more_copies_than_there_are_brokers_are_refused_in_the_brokers_words(brokers: str) -> None:
    called = topics("create", brokers, "--replication", "9")
    assert called.status == REFUSED_STATUS
    assert "InvalidReplicationFactorError" in called.err
    assert "it may be repeated" in called.err


@pytest.mark.parametrize("name", ["projector", "up"])
async def test_nothing_starts_on_brokers_without_topics(brokers: str, tmp_path: Path, name: str) -> None:
    elsewhere = {
        "LIENTHONG_PROJECTION_URL": f"redis://{NOBODY}",
        "LIENTHONG_PROJECTION_PASSWORD": WORD,
        "LIENTHONG_HISTORY_URL": f"postgresql://clerk:{WORD}@{NOBODY}/history",
        "LIENTHONG_DATA_DIR": str(tmp_path),
    }
    called = await program(name, settings=settings(brokers, **elsewhere))
    assert called.status == REFUSED_STATUS
    assert f"Missing topics: {', '.join(NAMES)}; lienthong topics create makes them." in called.err
    assert WORD not in called.out + called.err
    if name == "up":
        for address in (f"kafka://{brokers}", f"redis://{NOBODY}", f"postgresql://{NOBODY}/history"):
            assert address in called.out


def test_nothing_is_read_with_another_number_of_cells_than_cards_have_partitions(brokers: str, tmp_path: Path) -> None:
    assert topics("create", brokers).status == 0
    other = {"LIENTHONG_CARD_PARTITIONS": "2", "LIENTHONG_DATA_DIR": str(tmp_path)}
    called = call("status", settings=settings(brokers, **other))
    assert called.status == REFUSED_STATUS
    assert "cards.v1 has 3 partitions and not 2: set LIENTHONG_CARD_PARTITIONS=3" in called.err


def test_brokers_that_ask_who_one_is_are_told(secured_kafka: SecuredKafka) -> None:
    servers = secured_kafka.servers("SASL_SSL")
    who = {
        "LIENTHONG_KAFKA_SECURITY": "SASL_SSL",
        "LIENTHONG_KAFKA_CA_FILE": str(secured_kafka.authority.certificate),
        "LIENTHONG_KAFKA_USERNAME": USERNAME,
        "LIENTHONG_KAFKA_PASSWORD": PASSWORD,
    }
    assert topics("create", servers, "--replication", "1", **who).status == 0
    assert topics("check", servers, "--replication", "1", **who).status == 0
    stranger = topics("check", servers, **{**who, "LIENTHONG_KAFKA_PASSWORD": WORD})
    assert stranger.status == REFUSED_STATUS
    assert WORD not in stranger.out + stranger.err


def test_brokers_that_are_away_are_named_in_one_sentence() -> None:
    called = topics("check", NOBODY)
    assert called.status == REFUSED_STATUS
    assert f"The brokers {NOBODY} cannot be reached" in called.err


def test_an_embedded_log_needs_no_topics() -> None:
    called = call("topics", "create")
    assert called.status == REFUSED_STATUS
    assert "Set LIENTHONG_KAFKA_SERVERS" in called.err


def test_a_file_of_certificates_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    files = {"LIENTHONG_KAFKA_SECURITY": "SSL", "LIENTHONG_KAFKA_CA_FILE": str(tmp_path / "none.pem")}
    called = topics("check", NOBODY, **files)
    assert called.status == REFUSED_STATUS
    assert "LIENTHONG_KAFKA_…_FILE" in called.err


async def test_brokers_that_are_away_keep_no_process_from_starting(tmp_path: Path) -> None:
    elsewhere = {"LIENTHONG_PROJECTION_URL": f"redis://{NOBODY}", "LIENTHONG_DATA_DIR": str(tmp_path / "new")}
    called = await program("projector", settings=settings(NOBODY, **elsewhere))
    assert called.status == 1
    assert f"The topics of {NOBODY} were not checked" in called.err
    assert called.err.splitlines()[-1].endswith("(ConnectionError).")
    assert [(tmp_path / "new" / name).is_dir() for name in ("run", "keys", "log", "projection")] == [
        True,
        True,
        False,
        False,
    ]
