"""Who does the job: our projector, a Kafka Streams program and a Quix Streams program, each a process of its own.

A peer says `ready`, is told the name of a group, says `warm` at the first twentieth of the events and `read` at the
last. Its round has ended once its group has committed everything, which it does after its store's changelog is
acknowledged.
"""

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
import time
from asyncio.subprocess import Process
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

from platformdirs import user_cache_path

from lienthong_schemas.streams import CARDS
from tests.bench.cards import Truth
from tests.bench.distributed import Distributed
from tests.bench.filling import PATIENCE_S, POLL_INTERVAL_S, WARM_UP_PARTS, Cost, fill, moment, verify
from tests.bench.peers.ledger import Ledger
from tests.support.distributed.kafka_program import jars_of, program

_HERE = Path(__file__).parent
_MAIN = "KafkaStreamsCards"
#: Measured beside 512 MiB with G1 and with the parallel collector: the cheapest of the three for the processor.
_JVM = ("-Xmx768m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
#: One thread was as fast as two where the broker has the other core. The cache is Kafka Streams' default.
_THREADS, _CACHE_BYTES = "1", str(10 * 1024 * 1024)
#: The default of 30 s would be nearly the whole measurement, and what a crash repeats.
_STREAMS_COMMIT_MS = "1000"
#: The default is 5 s, with which it was slower and took twice the memory.
_QUIX_COMMIT_S = "1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The topic that is read, and what a store must hold afterwards."""

    made: Distributed
    events: int
    truth: Truth
    ledger: Ledger


class Contestant(Protocol):
    """One who does the job, again and again; `rounds_unmeasured` come first, to let it get warm."""

    name: str
    rounds_unmeasured: int

    async def round(self, job: Job) -> Cost:
        """Do the job on an empty store and verify what was stored."""
        ...

    async def close(self) -> None:
        """End what still runs."""
        ...


class LienThong:
    """Our projector, with digests and the citizen-ID index, into a store that syncs every write."""

    name = "Lien Thong"
    rounds_unmeasured = 1

    async def round(self, job: Job) -> Cost:
        """Do the job on an empty store and verify what was stored."""
        cost = await fill(job.made, job.events)
        await verify(job.made, job.truth)
        return cost

    async def close(self) -> None:
        """Do nothing: each round has ended its own process."""


class _Peer:
    """What both peers share: a process that is told a group and says how far it is."""

    name: str
    rounds_unmeasured: int
    _groups = itertools.count()

    def __init__(self) -> None:
        self._process: Process | None = None
        self._state = Path(mkdtemp(prefix="lienthong-peer-"))

    def command(self, job: Job) -> list[str]:
        """Return the command line."""
        raise NotImplementedError

    def topics(self, job: Job, _group: str) -> dict[str, int]:
        """Return how much of which topics a group has to commit."""
        return {CARDS.name: job.events}

    async def round(self, job: Job) -> Cost:
        """Do the job on an empty store and verify what was stored."""
        start = time.perf_counter()
        process = self._process or await self._started(job)
        group = f"peer-{next(self._groups)}"
        await _tell(process, group)
        await _hear(process, "warm")
        began = moment(job.made, job.events // WARM_UP_PARTS, process.pid)
        await _hear(process, "read")
        async with asyncio.timeout(PATIENCE_S):
            while not await job.ledger.has_committed(group, self.topics(job, group)):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(POLL_INTERVAL_S)
        ended = moment(job.made, job.events, process.pid)
        await _tell(process, "")
        await _hear(process, "closed")
        await job.ledger.verify_and_forget(group, job.truth)
        return Cost.between(start, began, ended)

    async def close(self) -> None:
        """End the process and remove its state."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        self._process = None
        shutil.rmtree(self._state, ignore_errors=True)

    async def _started(self, job: Job) -> Process:
        self._process = await asyncio.create_subprocess_exec(
            *self.command(job), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
        await _hear(self._process, "ready")
        return self._process

    def _arguments(self, job: Job) -> list[str]:
        servers = job.made.settings.kafka_servers
        assert servers is not None
        return [servers, CARDS.name, str(job.events), str(job.events // WARM_UP_PARTS), str(self._state)]


class KafkaStreams(_Peer):
    """A state store on RocksDB with a changelog, in one JVM for all rounds, so that it is compiled when it counts."""

    name = "Kafka Streams"
    rounds_unmeasured = 3

    def command(self, job: Job) -> list[str]:
        """Return the command line; compile the program first if that is not done."""
        jars = jars_of(_HERE / "pom.xml", "peers")
        classes = self._state / "classes"
        source = _HERE / f"{_MAIN}.java"
        subprocess.run([program("javac"), "-cp", f"{jars}/*", "-d", classes, source], check=True)  # noqa: S603  # ours
        path = f"{classes}:{jars}/*"
        options = (_THREADS, _STREAMS_COMMIT_MS, _CACHE_BYTES, str(self.citizen_ids(job)))
        return [program("java"), *_JVM, "-cp", path, _MAIN, *self._arguments(job), *options]

    def citizen_ids(self, _job: Job) -> int:
        """Return how many citizen IDs are indexed: none."""
        return 0


class KafkaStreamsWhole(KafkaStreams):
    """The same program, which keeps digests and an index by citizen ID as well, as our projector does."""

    name = "Kafka Streams, with digests and index"

    def citizen_ids(self, job: Job) -> int:
        """Return how many citizen IDs are indexed: those of all events."""
        return job.truth.citizen_ids

    def topics(self, job: Job, group: str) -> dict[str, int]:
        """Return how much of which topics a group has to commit: also of the one in which IDs are the keys."""
        return {CARDS.name: job.events, f"{group}-citizens-repartition": job.truth.citizen_ids}


class QuixStreams(_Peer):
    """A state on RocksDB with a changelog, in a process for each round: it needs no warming."""

    name = "Quix Streams"
    rounds_unmeasured = 1

    def command(self, job: Job) -> list[str]:
        """Return the command line; make its environment first if there is none."""
        return [str(_environment()), str(_HERE / "quix_cards.py"), *self._arguments(job), _QUIX_COMMIT_S]

    async def round(self, job: Job) -> Cost:
        """Do the job on an empty store and verify what was stored."""
        cost = await super().round(job)
        await self.close()
        self._state.mkdir()
        return cost


def _environment() -> Path:
    """Return the Python of Quix Streams' own environment in this user's cache."""
    requirements = _HERE / "requirements.txt"
    environment = user_cache_path("lienthong-tests", ensure_exists=True) / "quix"
    python = environment / "bin" / "python"
    made = environment / requirements.name
    if not made.exists() or made.read_bytes() != requirements.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)  # noqa: S603  # our own
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)  # noqa: S603  # as above
        shutil.copy(requirements, made)
    return python


async def _tell(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())
    await process.stdin.drain()


async def _hear(process: Process, line: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        heard = (await process.stdout.readline()).decode().strip()
    assert heard == line, (heard, line)
