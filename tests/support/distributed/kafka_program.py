"""Finds or fetches Apache Kafka and other jars, and writes what a broker is configured with."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from tests.support.distributed.processes import LOOPBACK, NotOnThisMachine

_POM = Path(__file__).with_name("pom.xml")
_LOGGING = Path(__file__).with_name("kafka_log4j2.properties")
#: Forty megabytes from wherever Maven is configured to fetch.
_FETCH_TIMEOUT_S = 300.0
_FORMAT_TIMEOUT_S = 60.0
_PROTOCOLS = ("SSL", "SASL_PLAINTEXT", "SASL_SSL")
#: Three brokers, the tests and the service share one machine: the smallest heap in which a broker does not struggle.
_JVM = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dlog4j2.disable.jmx=true",
    f"-Dlog4j2.configurationFile={_LOGGING}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaProgram:
    """A Java program and the jars of Kafka."""

    java: str
    jars: Path

    def command(self, main: str, *arguments: str | Path) -> list[str | Path]:
        """Return the command line of one of Kafka's programs, by the name of its class."""
        return [self.java, *_JVM, "-cp", f"{self.jars}/*", main, *arguments]

    def format(self, configuration: Path, cluster_id: str, users: Sequence[str]) -> None:
        """Prepare the directory that a configuration names, with the SCRAM credentials `users`."""
        scram = [word for user in users for word in ("--add-scram", user)]
        command = self.command(
            "kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config", configuration, *scram
        )
        subprocess.run(command, check=True, capture_output=True, timeout=_FORMAT_TIMEOUT_S)  # noqa: S603  # as above


def kafka_program() -> KafkaProgram:
    """Return the Kafka of this machine's cache, fetched first if it is not there. Raises NotOnThisMachine."""
    return KafkaProgram(java=program("java"), jars=jars_of(_POM, "kafka"))


def program(name: str) -> str:
    """Return where a program of the Java kit is. Raises NotOnThisMachine."""
    found = shutil.which(name)
    if found is None:
        raise NotOnThisMachine(name)
    return found


def jars_of(recipe: Path, name: str) -> Path:
    """Return the directory with the jars of a Maven recipe, fetched if it is not there. Raises NotOnThisMachine."""
    maven = program("mvn")
    version = hashlib.sha256(recipe.read_bytes()).hexdigest()[:12]
    jars = user_cache_path("lienthong-tests", ensure_exists=True) / f"{name}-{version}"
    # Two runs of the tests at once fetch it once; one that was killed half-way leaves nothing that looks complete.
    with FileLock(jars.with_suffix(".lock")):
        if not jars.exists():
            _fetch(maven, recipe, jars)
    return jars


def _fetch(maven: str, recipe: Path, jars: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix="fetching-", dir=jars.parent))
    try:
        subprocess.run(  # noqa: S603  # the PATH's Maven and our own recipe
            [maven, "-q", "-B", "-f", recipe, "dependency:copy-dependencies", f"-DoutputDirectory={draft}"],
            check=True,
            capture_output=True,
            text=True,
            timeout=_FETCH_TIMEOUT_S,
            env={**os.environ, "LC_ALL": "C"},
        )
        draft.replace(jars)
    except subprocess.CalledProcessError as fault:
        what = f"{jars.stem} (mvn could not fetch it: {fault.stdout.strip()[-500:]})"
        raise NotOnThisMachine(what) from fault
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPlace:
    """One broker: its number from 1, its two ports and its directory."""

    number: int
    port: int
    controller_port: int
    directory: Path

    @property
    def configuration(self) -> Path:
        """The file that the broker is started with."""
        return self.directory / "server.properties"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a cluster has beyond plain brokers.

    `settings` are broker settings besides or instead of ours; `listeners` the ports of listeners named by their
    security protocol (SSL, SASL_PLAINTEXT, SASL_SSL; any other name is without), of which clients are told the port
    that `advertised` says instead, a proxy's; `users` SCRAM credentials as Kafka's storage tool takes them.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    listeners: Mapping[str, int] = field(default_factory=dict)
    advertised: Mapping[str, int] = field(default_factory=dict)
    users: Sequence[str] = ()


def write_configuration(place: BrokerPlace, places: Sequence[BrokerPlace], extras: Extras) -> None:
    """Write one broker's configuration, as one of `places`."""
    copies = min(3, len(places))
    listeners = {"PLAINTEXT": place.port, "CONTROLLER": place.controller_port, **extras.listeners}
    advertised = {**listeners, **extras.advertised}
    del advertised["CONTROLLER"]
    protocols = {name: name if name in _PROTOCOLS else "PLAINTEXT" for name in listeners}
    voters = ",".join(f"{each.number}@{LOOPBACK}:{each.controller_port}" for each in places)
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(place.number),
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": _places(listeners),
        "advertised.listeners": _places(advertised),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(place.directory / "logs"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(max(1, copies - 1)),
        "offsets.topic.replication.factor": str(copies),
        "offsets.topic.num.partitions": "3",
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(max(1, copies - 1)),
        "transaction.state.log.num.partitions": "3",
        "share.coordinator.state.topic.replication.factor": str(copies),
        "share.coordinator.state.topic.min.isr": str(max(1, copies - 1)),
        # A broker that was killed is noticed, and its partitions are led by another, within three seconds.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "controller.quorum.election.timeout.ms": "500",
        "controller.quorum.fetch.timeout.ms": "1000",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "500",
        # Topics come and go with every test.
        "file.delete.delay.ms": "100",
        "log.segment.delete.delay.ms": "100",
        "log.cleaner.dedupe.buffer.size": "16777216",
        "log.index.size.max.bytes": "1048576",
        **extras.settings,
    }
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    place.configuration.write_text(lines, encoding="utf-8")


def _places(listeners: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in listeners.items())
