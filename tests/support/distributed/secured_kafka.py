"""One Kafka broker that also listens where clients have to say who they are, or speak TLS, or both."""

import shutil

from tests.support.distributed.certificates import CertificateAuthority, Credentials
from tests.support.distributed.kafka import KafkaCluster
from tests.support.distributed.kafka_program import Extras
from tests.support.distributed.processes import LOOPBACK, free_ports, temporary_directory

USERNAME, PASSWORD = "desk", "not-a-secret"
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_LISTENERS = ("SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MODULES = "org.apache.kafka.common.security"


class SecuredKafka:
    """A broker for USERNAME with PASSWORD by every mechanism; SSL, without a user, wants the client's certificate.

    `authority` is what the clients trust, `client` a certificate of theirs. `cluster` is the broker without security.
    """

    def __init__(self) -> None:
        self._directory = temporary_directory()
        self.authority = CertificateAuthority(self._directory)
        self.client: Credentials = self.authority.issue("client")
        self._ports = dict(zip(_LISTENERS, free_ports(len(_LISTENERS)), strict=True))
        self.cluster = KafkaCluster(
            brokers=1,
            extras=Extras(
                settings=_security(self.authority),
                listeners=self._ports,
                users=[f"{each}=[name={USERNAME},password={PASSWORD}]" for each in _MECHANISMS[1:]],
            ),
        )

    def servers(self, protocol: str) -> str:
        """Return where clients connect that use SSL, SASL_PLAINTEXT or SASL_SSL: `HOST:PORT`."""
        return f"{LOOPBACK}:{self._ports[protocol]}"

    async def start(self) -> None:
        """Start the broker; raises as `KafkaCluster.start` does."""
        await self.cluster.start()

    async def stop(self) -> None:
        """End the broker and remove its data and the certificates."""
        await self.cluster.stop()
        shutil.rmtree(self._directory)


def _security(authority: CertificateAuthority) -> dict[str, str]:
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.issue("broker").both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": ",".join(_MECHANISMS),
    }
    for listener in ("sasl_plaintext", "sasl_ssl"):
        jaas = f"listener.name.{listener}"
        settings[f"{jaas}.plain.sasl.jaas.config"] = (
            f'{_MODULES}.plain.PlainLoginModule required user_{USERNAME}="{PASSWORD}";'
        )
        for mechanism in _MECHANISMS[1:]:
            settings[f"{jaas}.{mechanism.lower()}.sasl.jaas.config"] = f"{_MODULES}.scram.ScramLoginModule required;"
    return settings
