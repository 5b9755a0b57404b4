"""Starts, adopts and stops the Valkey servers that hold the log and the projection on one machine."""

import asyncio
import contextlib
import fcntl
import functools
import os
import subprocess
import time
from pathlib import Path
from typing import Literal

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lienthong.runtime import processes
from lienthong.runtime.processes import ProcessIdentity
from lienthong.runtime.server_spec import (
    DataClaimed,
    NoServerProgram,
    ServerFault,
    ServerSilent,
    ServerSpec,
    find_binary,
)

__all__ = [
    "DataClaimed",
    "EmbeddedServer",
    "NoServerProgram",
    "ServerFault",
    "ServerSilent",
    "ServerSpec",
    "find_binary",
    "find_orphan",
]

# A server answers within 0.1 s of its start, if only that it is loading its file: a second for about 200 MB.
START_TIMEOUT_S = 10.0
LOAD_TIMEOUT_S = 300.0
# With `appendfsync always` nothing is left to flush, so a server that has not gone by now never will by asking.
STOP_TIMEOUT_S = 10.0
POLL_INTERVAL_S = 0.01
PING_TIMEOUT_S = 2.0
LOG_FILE_BYTES_MAX = 4 * 1024 * 1024

Start = Literal["started", "adopted", "replaced"]


class EmbeddedServer:
    """One server process, ours or one that outlived the parent that started it."""

    def __init__(self, spec: ServerSpec) -> None:
        self.spec = spec
        self._identity: ProcessIdentity | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while a server is known, else None."""
        return None if self._identity is None else self._identity.pid

    def alive(self) -> bool:
        """Say whether the process still runs; it may be loading and not answering yet."""
        if self._child is not None:
            return self._child.poll() is None
        return self._identity is not None and processes.alive(self._identity)

    async def start(self) -> Start:
        """Make the server answer: adopt one that lives, replace one that does not answer, else start one.

        1. Reap a child of ours that ended, and find the process that holds the claim on the data, if any.
        2. Adopt it if it answers, serves this directory and was started with this configuration.
        3. Otherwise stop it.
        4. Start a server that inherits the claim, remember who it is, and wait for its answer.

        Raises ServerSilent if the server ends or does not answer, DataClaimed if the directory stays in use.
        """
        if self._child is not None:
            self._child.poll()
        self._child, self._identity = None, find_orphan(self.spec)
        orphan = self._identity
        if orphan is not None and self._matches() and await self._answers(PING_TIMEOUT_S):
            orphan.remember(self.spec.identity_file)
            return "adopted"
        if orphan is not None:
            await processes.stop(orphan, STOP_TIMEOUT_S)
        self._spawn(await self._claim())
        if not await self._answers(START_TIMEOUT_S):
            await self.stop()
            raise ServerSilent(self.spec)
        return "started" if orphan is None else "replaced"

    async def stop(self) -> None:
        """Stop the server and wait until it is gone; nothing happens if it already is.

        SIGTERM makes a server flush and fsync its append-only file; SIGKILL follows if it does not end, and loses
        nothing that was acknowledged under `always`.
        """
        if self._child is not None:
            await processes.stop_child(self._child, STOP_TIMEOUT_S)
        elif self._identity is not None:
            await processes.stop(self._identity, STOP_TIMEOUT_S)
        self._identity = self._child = None
        self.spec.identity_file.unlink(missing_ok=True)

    def _matches(self) -> bool:
        try:
            return self.spec.configuration_file.read_text(encoding="utf-8") == self.spec.configuration()
        except OSError:
            return False

    async def _claim(self) -> int:
        """Lock the claim file and return its descriptor; a server that was just killed may need a moment."""
        descriptor = os.open(self.spec.claim_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise DataClaimed(self.spec) from None
                await asyncio.sleep(POLL_INTERVAL_S)
            else:
                return descriptor

    def _spawn(self, claim: int) -> None:
        """Start the process; it inherits the claim's descriptor and thereby the lock, and nothing else of ours.

        Its own session keeps an interrupt typed at the terminal from reaching it before its clients have ended.
        """
        spec = self.spec
        spec.configuration_file.write_text(spec.configuration(), encoding="utf-8")
        spec.socket.unlink(missing_ok=True)
        if spec.log_file.exists() and spec.log_file.stat().st_size > LOG_FILE_BYTES_MAX:
            spec.log_file.replace(spec.log_file.with_suffix(".log.1"))
        try:
            self._child = subprocess.Popen(  # noqa: S603  # see find_binary
                [find_binary(spec.binary), spec.configuration_file],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=spec.data,
                env={"LC_ALL": "C", **spec.environment},
                pass_fds=(claim,),
                start_new_session=True,
                preexec_fn=functools.partial(processes.die_with_parent, os.getpid()) if spec.die_with_parent else None,  # noqa: PLW1509  # one system call, bound before the fork
            )
        finally:
            os.close(claim)
        self._identity = ProcessIdentity.of(self._child.pid)
        if self._identity is not None:
            self._identity.remember(spec.identity_file)

    async def _answers(self, silence_s: float) -> bool:
        """Wait until the server serves our directory; give up when it ends, or says nothing for `silence_s`.

        One that loads its file answers that it does, for seconds where the file is large, and is waited for.
        """
        deadline = time.monotonic() + silence_s
        latest = time.monotonic() + LOAD_TIMEOUT_S
        while time.monotonic() < min(deadline, latest) and self.alive():
            state = await asyncio.to_thread(_ask, self.spec)
            if state == "serving":
                return True
            if state == "loading":
                deadline = time.monotonic() + silence_s
            await asyncio.sleep(POLL_INTERVAL_S)
        return False


def find_orphan(spec: ServerSpec) -> ProcessIdentity | None:
    """Return the live process that serves the spec's data, or None.

    The claim file decides whether there is one at all: its lock ends with the process, whatever ended it. Who it
    is comes from the remembered identity, or, if the parent died before writing it, from the process table. A
    remembered id that now belongs to a stranger is told apart by its start time and command line.
    """
    if not _claimed(spec):
        return None
    remembered = ProcessIdentity.recall(spec.identity_file)
    marker = str(spec.configuration_file)
    if remembered is not None and processes.alive(remembered) and marker in processes.command_line(remembered):
        return remembered
    return processes.find(marker)


def _claimed(spec: ServerSpec) -> bool:
    with contextlib.suppress(FileNotFoundError), spec.claim_file.open("r+b") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _ask(spec: ServerSpec) -> Literal["silent", "loading", "serving"]:
    """Ask over the socket; PING alone is refused during loading, and CONFIG alone says whose data is served."""
    once = Retry(NoBackoff(), 0)
    with redis.Redis(unix_socket_path=str(spec.socket), socket_timeout=PING_TIMEOUT_S, retry=once) as client:
        try:
            client.ping()
            answer = client.config_get("dir")
        except redis.BusyLoadingError:
            return "loading"
        except (redis.RedisError, OSError):
            return "silent"
    return "serving" if Path(answer["dir"]).resolve() == spec.data.resolve() else "silent"
