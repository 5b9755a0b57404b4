"""Connects to Kafka: every client of ours is made here, with every option that matters written out."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from lienthong.adapters.event_log import LogAway
from lienthong.runtime.distributed import DistributedSettings

CLIENT_ID: Final = "lienthong"

# A broker that has not answered by then is taken for gone and its connection for broken. It has to be longer than a
# member waits for the others of its group to come together again, because a broker answers that request last.
GROUP_REQUEST_TIMEOUT_MS: Final = 12_000
# All other requests are answered at once, or when two brokers have what was written.
REQUEST_TIMEOUT_MS: Final = 5_000
# Between two attempts at what may pass by itself: the time in which a partition gets another leader is some seconds.
RETRY_BACKOFF_MS: Final = 100
# Leaders that moved are noticed by the first request that they refuse; this is for what nothing tells of: that a topic
# was deleted and made anew, or has more partitions.
METADATA_MAX_AGE_MS: Final = 5_000
# Longer than any pause between two uses of a connection that is in use.
CONNECTION_IDLE_MS: Final = 540_000

# Brokers allow a batch of a mebibyte; the next entry would be the one too many.
BATCH_BYTES_MAX: Final = 512 * 1024
# Above the largest event of any stream; the topic has its own limit and says so.
REQUEST_BYTES_MAX: Final = 16 * 1024 * 1024

# A reader of single pages asks one partition at a time, and what waits on its connection waits for this.
PAGE_WAIT_MS: Final = 50
# A page of small entries comes with one request; an entry that is larger comes alone.
PAGE_BYTES_MAX: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConnection:
    """Where the brokers are and what they are shown; makes clients, and opens nothing itself."""

    servers: tuple[str, ...]
    protocol: str
    mechanism: str
    username: str | None
    password: str | None = field(repr=False)
    context: ssl.SSLContext | None

    @classmethod
    def of(cls, settings: DistributedSettings) -> Self:
        """Return what the settings say. Raises OSError (`ssl.SSLError` is one) where a file cannot be used."""
        assert settings.kafka_servers is not None, "whoever asks for Kafka has seen its setting"  # noqa: S101  # an invariant
        password = settings.kafka_password
        return cls(
            servers=tuple(settings.kafka_servers.split(",")),
            protocol=settings.kafka_security,
            mechanism=settings.kafka_mechanism,
            username=settings.kafka_username,
            password=None if password is None else password.get_secret_value(),
            context=_context(settings) if settings.kafka_security.endswith("SSL") else None,
        )

    def credentials(self) -> dict[str, Any]:
        """Return the options of a client of aiokafka that say who we are, and how we speak."""
        return {
            "security_protocol": self.protocol,
            "ssl_context": self.context,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    def producer(self) -> AIOKafkaProducer:
        """Return a producer, not started, whose acknowledged entries are on as many brokers as must agree.

        Callers give the partition of each batch; the partitioner is stated for whoever does not.
        """
        return AIOKafkaProducer(
            bootstrap_servers=list(self.servers),
            client_id=CLIENT_ID,
            acks="all",
            enable_idempotence=True,
            partitioner=DefaultPartitioner(),
            # Measured on cards of 700 bytes: as cheap as none for the processor, and a twelfth of the bytes.
            compression_type="zstd",
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=REQUEST_BYTES_MAX,
            # Callers bring batches; to wait for more would only make each of them later.
            linger_ms=0,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            connections_max_idle_ms=CONNECTION_IDLE_MS,
            **self.credentials(),
        )

    def consumer(self) -> AIOKafkaConsumer:
        """Return a consumer without a group, not started, that is told where to read and never guesses it."""
        return AIOKafkaConsumer(
            bootstrap_servers=list(self.servers),
            client_id=CLIENT_ID,
            group_id=None,
            auto_offset_reset="none",
            enable_auto_commit=False,
            # What a transaction took back was never said.
            isolation_level="read_committed",
            check_crcs=True,
            fetch_min_bytes=1,
            fetch_max_wait_ms=PAGE_WAIT_MS,
            fetch_max_bytes=PAGE_BYTES_MAX,
            max_partition_fetch_bytes=PAGE_BYTES_MAX,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            connections_max_idle_ms=CONNECTION_IDLE_MS,
            **self.credentials(),
        )

    def broker(self, stop_timeout_s: float) -> KafkaBroker:
        """Return a broker of FastStream that only consumes, makes no topic, and hands on what its decoder returns.

        Its own log would keep a task for two minutes wherever a process is given no partition, so it has none.
        """
        return KafkaBroker(
            list(self.servers),
            client_id=CLIENT_ID,
            consumer_only=True,
            allow_auto_create_topics=False,
            request_timeout_ms=GROUP_REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            connections_max_idle_ms=CONNECTION_IDLE_MS,
            graceful_timeout=stop_timeout_s,
            security=self._security(),
            apply_types=False,
            logger=None,
        )

    def _security(self) -> BaseSecurity:
        if not self.protocol.startswith("SASL"):
            return BaseSecurity(ssl_context=self.context)
        assert self.username is not None, "the settings refuse a mechanism without a user"  # noqa: S101  # an invariant
        assert self.password is not None, "the settings refuse a user without a password"  # noqa: S101  # an invariant
        kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
        return kinds[self.mechanism](self.username, self.password, ssl_context=self.context)


@contextmanager
def log_faults() -> Iterator[None]:
    """Turn every fault of a client into LogAway: a later attempt may succeed."""
    try:
        yield
    except LogAway:
        raise
    except (KafkaError, OSError) as fault:
        raise LogAway(fault) from fault


def _context(settings: DistributedSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_certificate_file is not None:
        context.load_cert_chain(settings.kafka_certificate_file, settings.kafka_key_file)
    return context
