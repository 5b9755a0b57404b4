"""The least that a look-up can be: `python -m tests.bench.bare read|append SOCKET PORT`.

`read` answers each request with one HGET, those that arrive together in one pipeline. `append` answers after the same
HGET and an XADD of the request's body that is on disk, gathered in the same way. Served like the look-up service.
"""

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import uvloop
from redis.asyncio import Redis
from starlette.types import Receive, Scope, Send

from lienthong.adapters.coalescing import Coalescer
from lienthong.adapters.serving import serve
from lienthong.runtime import garbage
from lienthong.runtime.connection import connect

CARDS = "bench:cards"
RECORDS = "bench:records"
#: The stream is cut back to this many entries, so that rounds do not grow the server.
RECORDS_KEPT = 100_000
TIMEOUT_S = 5.0

_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]

Answer = Callable[[bytes, bytes], Awaitable[bytes]]


class Endpoint:
    """A plain ASGI application; the last part of the path names the card."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        message = await receive()
        body = await self._answer(scope["path"].rpartition("/")[2].encode(), message["body"])
        headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def answers(redis: Redis, *, append: bool) -> Answer:
    """Return what answers with the card alone, or with the card after its record is on disk."""

    async def get(fields: Sequence[bytes]) -> list[Any]:
        async with redis.pipeline(transaction=False) as pipeline:
            for each in fields:
                pipeline.hget(CARDS, each)
            return list(await pipeline.execute())

    async def add(bodies: Sequence[bytes]) -> list[Any]:
        async with redis.pipeline(transaction=False) as pipeline:
            for each in bodies:
                pipeline.execute_command("XADD", RECORDS, "MAXLEN", "~", RECORDS_KEPT, "*", "v", each)
            return list(await pipeline.execute())

    reads: Coalescer[bytes, bytes] = Coalescer(get, TIMEOUT_S)
    appends: Coalescer[bytes, Any] = Coalescer(add, TIMEOUT_S)

    async def read(card: bytes, _body: bytes) -> bytes:
        return await reads.ask(card)

    async def read_and_append(card: bytes, body: bytes) -> bytes:
        found = await reads.ask(card)
        await appends.ask(body)
        return found

    return read_and_append if append else read


async def run(mode: str, socket: str, port: str) -> None:
    """Serve until told to stop."""
    redis = connect(Path(socket))
    await serve(Endpoint(answers(redis, append=mode == "append")), "127.0.0.1", int(port))
    await redis.aclose()


if __name__ == "__main__":
    garbage.collect_seldom()
    uvloop.run(run(*sys.argv[1:]))
