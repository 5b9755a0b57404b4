"""The settings of an installation that is more than one machine: where the log, the projection and the history are.

Without them everything is embedded. Each may be given alone: a projection of its own beside an embedded log, say.
"""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

from lienthong.runtime.store_address import parse_store_url

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_SASL_WITHOUT_USER = "LIENTHONG_KAFKA_SECURITY {security} needs LIENTHONG_KAFKA_USERNAME and LIENTHONG_KAFKA_PASSWORD."


class DistributedSettings(BaseSettings):
    """What can be set of servers elsewhere; secrets have settings of their own and stay out of addresses."""

    kafka_servers: str | None = Field(default=None, description="Kafka brokers as HOST:PORT,HOST:PORT")
    kafka_security: Security = Field(default="PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    kafka_mechanism: Mechanism = Field(default="SCRAM-SHA-512", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    kafka_username: str | None = Field(default=None, description="a user name of the Kafka brokers")
    kafka_password: SecretStr | None = Field(default=None, description="the password of that user")
    kafka_ca_file: Path | None = Field(default=None, description="a file with the certificates that are trusted")
    kafka_certificate_file: Path | None = Field(default=None, description="a file with a client certificate")
    kafka_key_file: Path | None = Field(default=None, description="a file with that certificate's key")
    # The beginning of every consumer group's name, so that two installations may share brokers.
    kafka_group: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = Field(
        default="lienthong", description="a name of letters, digits, dots and hyphens"
    )
    # 96.46 million cards in 128 cells are some 750,000 a cell: it is read through in a second when it is repaired.
    card_partitions: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=128, description="a number of partitions of cards.v1 from 1 to 1024"
    )

    # Some 64 cards in each bucket keep it one allocation, up to 128 are possible: 1024 buckets are enough for a million
    # cards in 16 cells, a country's 754,000 in each of 128 cells want 12,288. A generation keeps what it was made with.
    card_buckets: Annotated[int, Field(ge=1, le=32_768)] = Field(
        default=1024, description="a number of buckets from 1 to 32768"
    )

    projection_url: SecretStr | None = Field(
        default=None,
        description="redis://HOST:PORT, rediss://…, redis+cluster://HOST:PORT,HOST:PORT or rediss+cluster://…",
    )
    projection_username: str | None = Field(default=None, description="a user name of the projection's servers")
    projection_password: SecretStr | None = Field(default=None, description="the password of that user")
    projection_ca_file: Path | None = Field(default=None, description="a file with the certificates that are trusted")
    projection_certificate_file: Path | None = Field(default=None, description="a file with a client certificate")
    projection_key_file: Path | None = Field(default=None, description="a file with that certificate's key")

    history_url: SecretStr | None = Field(default=None, description="postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    keys_url: SecretStr | None = Field(default=None, description="postgresql://USER:PASSWORD@HOST:PORT/DATABASE")

    # Names this process for good: what starts again under the same name gets its partitions back at once.
    instance: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = Field(
        default=None, description="a name of letters, digits, dots and hyphens, other than that of any other process"
    )

    @field_validator("kafka_servers")
    @classmethod
    def _servers(cls, value: str | None) -> str | None:
        if value is not None:
            for server in value.split(","):
                host, _, port = server.rpartition(":")
                if not host or not port.isdigit():
                    raise ValueError
        return value

    @field_validator("projection_url")
    @classmethod
    def _store(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_store_url(value.get_secret_value())
        return value

    @field_validator("history_url", "keys_url")
    @classmethod
    def _database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and urlsplit(value.get_secret_value()).scheme not in {"postgresql", "postgres"}:
            raise ValueError
        return value

    @model_validator(mode="after")
    def _user(self) -> Self:
        if self.kafka_security.startswith("SASL") and (self.kafka_username is None or self.kafka_password is None):
            kind = "kafka_user"
            raise PydanticCustomError(kind, _SASL_WITHOUT_USER, {"security": self.kafka_security})
        return self
