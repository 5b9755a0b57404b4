"""Asks one HTTP server over kept connections as fast as it answers: `python -m tests.bench.load PORT FILE …`.

A process of its own, so that its time is not the server's. Each connection sends its next request when it has the
answer to the last one, as a desk does; requests come ready-made from a file, each with its length before it.
"""

import asyncio
import json
import struct
import sys
import time
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

LENGTH = struct.Struct(">I")
HEADER_END = b"\r\n\r\n"
CONTENT_LENGTH = b"content-length: "
#: A server that keeps a request this long has failed.
ANSWER_TIMEOUT_S = 10.0


def write_requests(file: Path, requests: list[bytes]) -> None:
    """Write requests for `read_requests`."""
    file.write_bytes(b"".join(LENGTH.pack(len(request)) + request for request in requests))


def read_requests(file: Path) -> list[bytes]:
    """Return the requests of a file."""
    content, requests, at = file.read_bytes(), [], 0
    while at < len(content):
        (length,) = LENGTH.unpack_from(content, at)
        at += LENGTH.size
        requests.append(content[at : at + length])
        at += length
    return requests


def request(path: str, body: bytes) -> bytes:
    """Return one HTTP/1.1 request on a kept connection."""
    kept = "Host: 127.0.0.1\r\nContent-Type: application/json"
    return f"POST {path} HTTP/1.1\r\n{kept}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One desk: one request under way at a time, until `end`."""

    def __init__(self, requests: list[bytes], first: int, end: float, done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._at = first
        self._end = end
        self._done = done
        self._buffer = b""
        self._sent_at = 0.0
        self.waited: list[float] = []
        self.refused = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The loop's own transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(HEADER_END)
        if head < 0:
            return
        at = self._buffer.find(CONTENT_LENGTH, 0, head)
        end = self._buffer.find(b"\r", at)
        length = int(self._buffer[at + len(CONTENT_LENGTH) : end])
        if len(self._buffer) < head + len(HEADER_END) + length:
            return
        now = time.perf_counter()
        self.waited.append(now - self._sent_at)
        self.refused += self._buffer[9:12] != b"200"
        self._buffer = b""
        if now < self._end:
            self._send()
        elif self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None) if exc is None else self._done.set_exception(exc)

    def _send(self) -> None:
        assert self._transport is not None
        request = self._requests[self._at % len(self._requests)]
        self._at += 1
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def _same(desk: Connection) -> Connection:
    return desk


async def drive(port: int, requests: list[bytes], connections: int, seconds: float) -> dict[str, float]:
    """Ask for some seconds; return answers a second, the median and the 99th percentile in ms, and what was not 200."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    desks: list[Connection] = []
    ended: list[asyncio.Future[None]] = []
    for number in range(connections):
        done = loop.create_future()
        first = number * len(requests) // connections
        desk = Connection(requests, first, began + seconds, done)
        await loop.create_connection(partial(_same, desk), "127.0.0.1", port)
        desks.append(desk)
        ended.append(done)
    async with asyncio.timeout(seconds + ANSWER_TIMEOUT_S):
        await asyncio.gather(*ended)
    took = time.perf_counter() - began
    waited = sorted(each for desk in desks for each in desk.waited)
    return {
        "per_second": len(waited) / took,
        "p50_ms": waited[len(waited) // 2] * 1000,
        "p99_ms": waited[len(waited) * 99 // 100] * 1000,
        "not_200": sum(desk.refused for desk in desks),
        "client_cpu": time.process_time() / took,
    }


def main() -> None:
    """Print the measurement as JSON."""
    port, file, connections, seconds = sys.argv[1:]
    measured = uvloop.run(drive(int(port), read_requests(Path(file)), int(connections), float(seconds)))
    sys.stdout.write(json.dumps(measured))


if __name__ == "__main__":
    main()
