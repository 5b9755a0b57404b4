"""Names, finds and ends processes without ever touching a stranger that got a recycled process id."""

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

POLL_INTERVAL_S = 0.01
# A killed process is gone as soon as the kernel has torn it down; a large one needs a moment.
KILL_TIMEOUT_S = 10.0
# prctl(2): the signal that a process gets when the thread that forked it ends.
PR_SET_PDEATHSIG = 1

_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """A process id together with the start time that tells it from every later process of that id."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return the identity of the process that has `pid` now, None if there is none."""
        try:
            return cls(pid=pid, started_at=psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    @classmethod
    def recall(cls, file: Path) -> Self | None:
        """Read an identity that `remember` wrote, None if there is none or it was cut short."""
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            return cls(pid=int(kept["pid"]), started_at=float(kept["started_at"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember(self, file: Path) -> None:
        """Write the identity, whole or not at all."""
        draft = file.with_suffix(file.suffix + ".new")
        draft.write_text(json.dumps({"pid": self.pid, "started_at": self.started_at}), encoding="utf-8")
        draft.replace(file)


def alive(identity: ProcessIdentity) -> bool:
    """Say whether that very process still runs; a zombie has ended."""
    try:
        process = psutil.Process(identity.pid)
        return bool(process.create_time() == identity.started_at) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def command_line(identity: ProcessIdentity) -> list[str]:
    """Return the arguments the process was started with, empty if it has ended or is not ours to see."""
    try:
        return list(psutil.Process(identity.pid).cmdline())
    except psutil.Error:
        return []


def find(argument: str) -> ProcessIdentity | None:
    """Return a live process of this user that was started with exactly this argument, None if there is none."""
    for process in psutil.process_iter():
        identity = ProcessIdentity.of(process.pid)
        if identity is not None and argument in command_line(identity) and alive(identity):
            return identity
    return None


async def stop(identity: ProcessIdentity, timeout_s: float) -> None:
    """Ask a process that is no child of ours to end, end it after `timeout_s`, and return when it is gone."""
    for sign, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, KILL_TIMEOUT_S)):
        if not _signal(identity, sign) or await _came_true(lambda: not alive(identity), patience_s):
            return


async def stop_child(child: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Stop our own child likewise and reap it; its id cannot pass to a stranger before that."""
    for end, patience_s in ((child.terminate, timeout_s), (child.kill, KILL_TIMEOUT_S)):
        end()
        if await _came_true(lambda: child.poll() is not None, patience_s):
            return


def _signal(identity: ProcessIdentity, sign: signal.Signals) -> bool:
    """Signal that very process; psutil compares the start time once more right before it does."""
    try:
        process = psutil.Process(identity.pid)
        if process.create_time() != identity.started_at:
            return False
        process.send_signal(sign)
    except psutil.Error:
        return False
    return True


async def _came_true(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        await asyncio.sleep(POLL_INTERVAL_S)
    return False


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end the calling process when its parent ends; called between fork and exec.

    A parent that ended before the kernel was asked is noticed by the child having another one. Without prctl (not
    Linux) a child whose parent was killed lives on; a server is then found by its lock.
    """
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
