"""Starts, talks to and ends one process that decodes pictures."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Final, Self

from lienthong.adapters.card_image_sight import Sight

WORKER_COMMAND: Final = (sys.executable, "-P", "-m", "lienthong.adapters.card_image_worker")

_REPLY_MAX_BYTES: Final = 1024 * 1024
_START_S: Final = 10.0  # A worker takes 0.15 s to start; on a machine that is only just booting, a multiple of that.
# The worker inherits only what an interpreter needs to find its libraries: no master key, no setting of ours.
_ENVIRONMENT_KEPT: Final = ("HOME", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH")


class WorkerFault(Exception):
    """A worker died over an image or answered nonsense: it ran out of memory or time, or a decoder broke."""


class WorkerProcess:
    """One reading process and the frames to and from it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None  # noqa: S101 (spawn asked for both pipes)
        assert process.stdout is not None  # noqa: S101 (spawn asked for both pipes)
        self._process = process
        self._input = process.stdin
        self._output = process.stdout
        self._ready = False
        self.images = 0

    @classmethod
    async def spawn(cls, command: Sequence[str]) -> Self:
        """Start the command with pipes and an environment of its own; raises OSError where the system refuses."""
        environment = {name: os.environ[name] for name in _ENVIRONMENT_KEPT if name in os.environ}
        pipe = asyncio.subprocess.PIPE
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=quiet, cwd="/", env={**environment, "LC_ALL": "C.UTF-8"}
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is known to have ended; the system may have killed it while it was idle."""
        return self._process.returncode is not None

    async def ready(self) -> bool:
        """Tell whether the worker has come up: it sends an empty sight once its libraries are loaded."""
        if not self._ready:
            with contextlib.suppress(TimeoutError, WorkerFault):
                async with asyncio.timeout(_START_S):
                    await self._receive()
                    self._ready = True
        return self._ready

    async def exchange(self, image: bytes) -> Sight:
        """Return what the worker saw; raises WorkerFault."""
        self.images += 1
        try:
            self._input.write(len(image).to_bytes(4))
            self._input.write(image)
            await self._input.drain()
        except ConnectionError as fault:
            raise WorkerFault from fault
        return await self._receive()

    async def _receive(self) -> Sight:
        try:
            size = int.from_bytes(await self._output.readexactly(4))
            if size > _REPLY_MAX_BYTES:
                raise WorkerFault
            return Sight.from_bytes(await self._output.readexactly(size))
        except (EOFError, ConnectionError, ValueError) as fault:
            raise WorkerFault from fault

    async def end(self, grace_s: float) -> None:
        """Close the input, which ends an idle worker, and kill what is still there after the grace."""
        self._input.close()
        try:
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
