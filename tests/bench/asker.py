"""Asks by event at an even rate, whatever the answers do: `python -m tests.bench.asker SERVERS FILE RATE SECONDS`.

A process of its own. Each look-up is timed from the moment at which it was due to be published to the moment at which
its answer was read from the log. Look-ups come ready-made from a file, each with its facility before it, and get an id
of their own. It prints what it measured as JSON.
"""

import asyncio
import contextlib
import json
import secrets
import sys
import time
from pathlib import Path

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from lienthong_schemas.streams import ANSWERS, LOOKUPS
from tests.bench.load import read_requests

#: Stands in the file where the id goes.
ID = b"<id>"
TICK_S = 0.005
LOOKUP_ID = b'"lookup_id":"'
#: What has not been answered by then never will be; until then the next measurement waits for what this one left.
PATIENCE_S = 240.0


class Asker:
    """Publishes look-ups and reads answers over two clients that are started."""

    def __init__(self, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, lookups: list[bytes]) -> None:
        self._producer = producer
        self._consumer = consumer
        self._lookups = [lookup.partition(b"\n") for lookup in lookups]
        # So that ids of one run are none of another's.
        self._run = secrets.token_hex(8)
        self._due: dict[bytes, float] = {}
        self.waited: list[float] = []
        self.last_at = 0.0

    async def ask(self, rate: float, seconds: float) -> float:
        """Publish evenly; return how many seconds that took, which are more than asked for where it fell behind."""
        count = int(rate * seconds)
        began = time.perf_counter()
        sent = 0
        while sent < count:
            until = min(count, int((time.perf_counter() - began) * rate) + 1)
            for at in range(sent, until):
                facility, _, event = self._lookups[at % len(self._lookups)]
                name = f"{self._run}-{at}".encode()
                self._due[name] = began + at / rate
                await self._producer.send(LOOKUPS.name, event.replace(ID, name, 1), key=facility)
            sent = until
            await asyncio.sleep(TICK_S)
        await self._producer.flush()
        return time.perf_counter() - began

    async def read(self) -> None:
        """Note how long each answer took, until cancelled."""
        while True:
            for records in (await self._consumer.getmany(timeout_ms=1000)).values():
                now = self.last_at = time.perf_counter()
                for record in records:
                    at = record.value.index(LOOKUP_ID) + len(LOOKUP_ID)
                    due = self._due.pop(record.value[at : record.value.index(b'"', at)], None)
                    if due is not None:
                        self.waited.append(now - due)

    async def drained(self) -> None:
        """Return when every look-up is answered. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            while self._due:  # noqa: ASYNC110  # the reader is busy enough without telling of each
                await asyncio.sleep(TICK_S)


async def run(servers: str, lookups: list[bytes], rate: float, seconds: float) -> dict[str, float]:
    """Ask, wait for the answers, and return how it went; times in milliseconds."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=0)
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, fetch_max_wait_ms=10)
    await producer.start()
    await consumer.start()
    try:
        consumer.assign([TopicPartition(ANSWERS.name, at) for at in range(ANSWERS.partitions_distributed)])
        await consumer.seek_to_end()
        asker = Asker(producer, consumer, lookups)
        began, used = time.perf_counter(), time.process_time()
        reading = asyncio.create_task(asker.read())
        asking_s = await asker.ask(rate, seconds)
        answered = len(asker.waited)
        with contextlib.suppress(TimeoutError):
            await asker.drained()
        reading.cancel()
    finally:
        await consumer.stop()
        await producer.stop()
    waited = sorted(asker.waited)
    return {
        "asked_per_second": int(rate * seconds) / asking_s,
        "answered_per_second": answered / asking_s,
        "answered": len(waited),
        "unanswered": int(rate * seconds) - len(waited),
        "p50_ms": waited[len(waited) // 2] * 1000,
        "p99_ms": waited[len(waited) * 99 // 100] * 1000,
        "until_all_per_second": len(waited) / (asker.last_at - began),
        "client_cpu": (time.process_time() - used) / (asker.last_at - began),
    }


def main() -> None:
    """Print the measurement as JSON."""
    servers, file, rate, seconds = sys.argv[1:]
    measured = uvloop.run(run(servers, read_requests(Path(file)), float(rate), float(seconds)))
    sys.stdout.write(json.dumps(measured))


if __name__ == "__main__":
    main()
