"""Stands between clients and a server, and does to their connections what networks do."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

from tests.support.distributed.processes import LOOPBACK, free_ports

_CHUNK_BYTES = 65_536


class Proxy:
    """Passes bytes between clients of `address` and a server on this machine; clients speak TLS where `tls` is given.

    What is held back is not lost: like the packets of a connection that still stands it arrives after `restore`.
    """

    def __init__(self, target: int, *, port: int | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.port = free_ports(1)[0] if port is None else port
        self._target = target
        self._tls = tls
        self._listening: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._delay_s = 0.0
        self._requests, self._answers = asyncio.Event(), asyncio.Event()

    @property
    def address(self) -> str:
        """Where clients connect: `HOST:PORT`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._open) // 2

    async def start(self) -> None:
        """Listen, and pass everything."""
        await self.restore()

    async def stop(self) -> None:
        """End all connections and listen no more."""
        await self.refuse()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def restore(self) -> None:
        """Pass everything at once again, what was held back first."""
        self._delay_s = 0.0
        self._requests.set()
        self._answers.set()
        if self._listening is None:
            self._listening = await asyncio.start_server(self._serve, LOOPBACK, self.port, ssl=self._tls)

    def cut(self) -> None:
        """End every connection without a word, as a machine does that starts anew; new ones are welcome."""
        for writer in list(self._open):
            writer.transport.abort()

    async def refuse(self) -> None:
        """End every connection and let nobody in, as a machine does whose server has ended."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        self.cut()
        # The loop gets to see that the connections are gone.
        await asyncio.sleep(0)

    def delay(self, seconds: float) -> None:
        """Pass everything later by so many seconds, each way."""
        self._delay_s = seconds

    def half_close(self) -> None:
        """Hold back the answers while what clients send still arrives."""
        self._answers.clear()

    def hang(self) -> None:
        """Hold back everything, both ways; connections stand and can be made."""
        self._requests.clear()
        self._answers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind_reader, behind_writer = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, behind_writer}
        self._open |= both
        pumps = {
            asyncio.create_task(self._pump(reader, behind_writer, self._requests)),
            asyncio.create_task(self._pump(behind_reader, writer, self._answers)),
        }
        self._pumps |= pumps
        try:
            await asyncio.wait(pumps)
        finally:
            self._pumps -= pumps
            self._open -= both
            for each in both:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await gate.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                writer.write(chunk)
                await writer.drain()
        # Where one side has ended, the other is told once what was on its way has arrived.
        writer.close()


@contextlib.asynccontextmanager
async def proxied(target: int, *, port: int | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy before a port of this machine while the block lasts."""
    proxy = Proxy(target, port=port, tls=tls)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
