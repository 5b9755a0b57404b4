"""How the brokers are reached, with users and encryption, on a real one."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from lienthong.adapters.event_log import LogAway
from lienthong.adapters.kafka_client import KafkaConnection
from lienthong.runtime.distributed import DistributedSettings
from tests.support.distributed.secured_kafka import PASSWORD, USERNAME, SecuredKafka
from tests.support.sinks import Sink, append, values
from tests.support.transports import KafkaTransport
from tests.support.waiting import until

WAYS = [
    ("SASL_PLAINTEXT", "PLAIN"),
    ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
    ("SASL_PLAINTEXT", "SCRAM-SHA-512"),
    ("SASL_SSL", "SCRAM-SHA-512"),
    ("SSL", "SCRAM-SHA-512"),
]


def settings(kafka: SecuredKafka, protocol: str, mechanism: str, **changes: Any) -> DistributedSettings:
    given: dict[str, Any] = {
        "kafka_servers": kafka.servers(protocol),
        "kafka_security": protocol,
        "kafka_mechanism": mechanism,
        "kafka_ca_file": kafka.authority.certificate,
    }
    if protocol.startswith("SASL"):
        given |= {"kafka_username": USERNAME, "kafka_password": SecretStr(PASSWORD)}
    else:
        given |= {"kafka_certificate_file": kafka.client.certificate, "kafka_key_file": kafka.client.key}
    return DistributedSettings(**{**given, **changes})


@pytest.mark.parametrize(("protocol", "mechanism"), WAYS)
async def test_entries_are_appended_read_and_followed(
    secured_kafka: SecuredKafka, protocol: str, mechanism: str
) -> None:
    plain = KafkaTransport.at(secured_kafka.cluster.servers)
    await plain.create()
    kafka = plain.through(settings(secured_kafka, protocol, mechanism))
    await append(kafka, 0, 3)
    read = await kafka.log.read(kafka.lookups, 0, 0, 5)
    assert isinstance(read, tuple)
    assert [entry.value for entry in read] == values(0, 3)
    sink, reader = Sink(), kafka.reader()
    reader.subscribe(kafka.lookups, 0, sink.take, sink.start)
    reader.start()
    await until(lambda: sink.position == 3)
    assert sink.values == values(0, 3)
    await kafka.aclose()
    await plain.aclose()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_a_wrong_password_is_a_log_that_is_away(secured_kafka: SecuredKafka, mechanism: str) -> None:
    kafka = KafkaTransport(settings(secured_kafka, "SASL_SSL", mechanism, kafka_password=SecretStr("another")))
    with pytest.raises(LogAway):
        await kafka.log.append(kafka.lookups, "k", b"v")
    await kafka.aclose()


async def test_a_broker_of_another_authority_is_not_trusted(secured_kafka: SecuredKafka) -> None:
    kafka = KafkaTransport(settings(secured_kafka, "SASL_SSL", "PLAIN", kafka_ca_file=None))
    with pytest.raises(LogAway):
        await kafka.log.append(kafka.lookups, "k", b"v")
    await kafka.aclose()


def test_a_file_that_is_not_there_is_said_before_anything_is_opened() -> None:
    with pytest.raises(FileNotFoundError):
        KafkaConnection.of(
            DistributedSettings(kafka_servers="h:1", kafka_security="SSL", kafka_ca_file=Path("/nowhere/ca.pem"))
        )


def test_a_password_is_not_shown() -> None:
    connection = KafkaConnection.of(
        DistributedSettings(
            kafka_servers="h:1", kafka_security="SASL_PLAINTEXT", kafka_username="u", kafka_password=SecretStr("hidden")
        )
    )
    assert "hidden" not in repr(connection)
