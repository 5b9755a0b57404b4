"""Keeps child processes running: starts them, hears that they are ready, starts a crashed one again, stops them."""

import asyncio
import contextlib
import functools
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

from lienthong.runtime import processes
from lienthong.runtime.processes import ProcessIdentity

# A child that does not end by itself within this has lost nothing when it is killed: what it was doing is done again.
STOP_TIMEOUT_S = 8.0
# The pause before a crashed child starts again doubles up to the bound, and begins anew after a quiet while.
RESTART_FIRST_S = 0.2
RESTART_MOST_S = 10.0
QUIET_S = 30.0
# A process that ends with this refuses its settings or cannot do its work here; starting it again cannot help.
REFUSED_STATUS = 2

Event = Literal["started", "adopted", "replaced", "ready", "ended", "restarting", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Something that happened to a server or a process; `facts` are what it said of itself or how it ended."""

    name: str
    event: Event
    facts: Mapping[str, Any] = field(default_factory=dict)


Announce = Callable[[Announcement], None]


class ChildRefused(Exception):
    """A child ended with the status that says it cannot run here; it has written why itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The {name} process cannot run; its own message says why.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A process to keep running. Its standard error goes to `log_file`, or where ours goes if that is None.

    Its environment carries passwords, so it is never part of what is shown.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    log_file: Path | None = None


def say_ready(stream: TextIO | None = None, **facts: Any) -> None:
    """Tell the parent, as one line on standard output, that this process does its work from now on."""
    out = sys.stdout if stream is None else stream
    out.write(json.dumps({"ready": facts}) + "\n")
    out.flush()


class Child:
    """One child process and its restarts."""

    def __init__(self, spec: ChildSpec, announce: Announce) -> None:
        self.spec = spec
        self.ready = asyncio.Event()
        self._announce = announce
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while the child runs, else None."""
        return None if self._process is None else self._process.pid

    async def keep_running(self) -> None:
        """Run the child, and again whenever it ends, until cancelled; then stop it.

        Raises ChildRefused if it says that it cannot run here.
        """
        pause = RESTART_FIRST_S
        while True:
            began = time.monotonic()
            status = await self._run_once()
            self._announce(Announcement(name=self.spec.name, event="ended", facts={"status": status}))
            if status == REFUSED_STATUS:
                raise ChildRefused(self.spec.name)
            pause = RESTART_FIRST_S if time.monotonic() - began > QUIET_S else min(pause * 2, RESTART_MOST_S)
            jittered = pause * random.uniform(0.5, 1.0)  # noqa: S311  # spreads restarts, guards nothing
            self._announce(Announcement(name=self.spec.name, event="restarting", facts={"in_s": round(jittered, 2)}))
            await asyncio.sleep(jittered)

    async def _run_once(self) -> int:
        """Run the child to its end and return its status; a cancellation stops it first.

        It writes to a pipe of ours and not of asyncio's, which takes a process for running as long as its pipe is
        open: a process of its own may outlive it and keep that open.
        """
        readable, writable = os.pipe()
        try:
            process = await self._spawn(writable)
        finally:
            os.close(writable)
        self._process = process
        self._announce(Announcement(name=self.spec.name, event="started", facts={"pid": process.pid}))
        hearing = asyncio.create_task(self._hear(readable))
        try:
            return await process.wait()
        except asyncio.CancelledError:
            await self._stop(process)
            raise
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])
            self._process = None
            self.ready.clear()

    async def _spawn(self, output: int) -> asyncio.subprocess.Process:
        """Start the process with its own session, so that an interrupt typed at the terminal reaches us alone."""
        with contextlib.ExitStack() as stack:
            errors = None
            if self.spec.log_file is not None:
                errors = stack.enter_context(self.spec.log_file.open("ab"))
            return await asyncio.create_subprocess_exec(
                *self.spec.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=dict(self.spec.environment),
                start_new_session=True,
                preexec_fn=functools.partial(processes.die_with_parent, os.getpid()),
            )

    async def _hear(self, output: int) -> None:
        """Read what the child writes; a line that is no readiness line is dropped, so that none blocks the child."""
        reader = asyncio.StreamReader()
        pipe = os.fdopen(output, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while chunk := await _line(reader):
                facts = _readiness(chunk)
                if facts is not None:
                    self.ready.set()
                    self._announce(Announcement(name=self.spec.name, event="ready", facts=facts))
        finally:
            transport.close()

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        identity = ProcessIdentity.of(process.pid)
        if process.returncode is None and identity is not None:
            await processes.stop(identity, STOP_TIMEOUT_S)
        status = await process.wait()
        self._announce(Announcement(name=self.spec.name, event="stopped", facts={"status": status}))


async def _line(stream: asyncio.StreamReader) -> bytes:
    """Return the next line, or what there is of one that is too long to be ours."""
    try:
        return await stream.readline()
    except ValueError:
        return b"\n"


def _readiness(line: bytes) -> Mapping[str, Any] | None:
    try:
        facts = json.loads(line)["ready"]
    except (ValueError, KeyError, TypeError):
        return None
    return facts if isinstance(facts, dict) else None
