"""Serves an ASGI application on one address until SIGINT or SIGTERM, and says when it listens."""

import asyncio
import signal
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp

from lienthong.runtime.children import say_ready
from lienthong.runtime.garbage import settle
from lienthong.runtime.settings import Settings

#: A page of another site may not reach a service on this machine under a name of its own (DNS rebinding).
LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]", "::1")
#: How long answers under way may take at a stop; the slowest one is an image's deadline.
GRACE_S: Final = 5
#: Connections that wait to be accepted: a hospital's desks at eight in the morning.
_BACKLOG: Final = 1024


class AddressTaken(Exception):
    """Another program listens on the address."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"Another program listens on {host}:{port}; stop it, or choose another port.")


class _Server(uvicorn.Server):
    """Announces readiness, and leaves signals to its caller, whose other work ends in order too."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell the parent so."""
        await super().startup(sockets)
        for listening in sockets or ():
            host, port = listening.getsockname()[:2]
            say_ready(url=f"http://{host}:{port}")

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave them alone."""
        yield


def keep_strangers_out(app: Starlette, settings: Settings) -> None:
    """Refuse, unless told to listen to others, what asks under a name that is not this machine's (DNS rebinding)."""
    if not settings.insecure_listen:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL_NAMES, settings.host])


async def serve(app: ASGIApp, host: str, port: int, work: Sequence[asyncio.Task[Any]] = ()) -> None:
    """Serve until a stop signal, then finish what is under way. Raises `AddressTaken`.

    `work` has the tasks without which serving would be a lie: where one ends, serving ends with its fault, and a
    process that starts again will do it.
    There is no access log: an address names what somebody asked about. The answer's own line in the log says enough.
    """
    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        # Nothing stands before it that could say who asks, and what does not ask is not believed.
        proxy_headers=False,
    )
    server = _Server(config)
    settle()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    serving = asyncio.create_task(server.serve(sockets=[_bound(host, port)]), name="serve")
    try:
        await asyncio.wait([serving, *work], return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await serving
    for task in work:
        if task.done():
            task.result()


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as fault:
        raise AddressTaken(host, port) from fault
