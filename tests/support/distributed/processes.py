"""Server processes of a test: on ports of their own, ended with the test's process, killed and paused by id."""

import ctypes
import functools
import os
import random
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lienthong.runtime.processes import PR_SET_PDEATHSIG

LOOPBACK = "127.0.0.1"
# Below the range from which kernels take ports of outgoing connections, so that a server that was killed finds its own
# port free when it starts again.
_PORTS = range(20_000, 32_000)
#: A killed process is gone as soon as the kernel has torn it down; a JVM needs a moment.
GONE_TIMEOUT_S = 10.0
_LOG_LINES_SHOWN = 25

_prctl = getattr(ctypes.CDLL(None), "prctl", None)


class NotOnThisMachine(Exception):
    """A server cannot run here for want of what the text names."""


class ServerEnded(Exception):
    """A server ended while it should have started, or was not ready in time; the text shows its last words."""

    def __init__(self, server: "LocalServer") -> None:
        lines = server.log.read_text(encoding="utf-8", errors="replace").splitlines()
        super().__init__("\n".join([f"{server.name} is not ready; its last words:", *lines[-_LOG_LINES_SHOWN:]]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What runs: what we call it, its arguments, where its output goes, its environment, and the user it runs as.

    `last_signal` ends it when this process ends, however that happens.
    """

    name: str
    arguments: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    last_signal: signal.Signals = signal.SIGKILL


class LocalServer:
    """One server process, which may be started again after it has ended."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """What the server is called in messages."""
        return self._command.name

    @property
    def pid(self) -> int:
        """The id of the process that runs or ran last."""
        assert self._process is not None, "the server was never started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Tell whether the process has not ended; a paused one has not."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """The file that has what the server says."""
        return self._command.log

    def start(self) -> None:
        """Start the process; it must not run already."""
        assert not self.running, "the server runs already"
        command = self._command
        with command.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # the program was found by us
                command.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"LC_ALL": "C", **command.environment},
                # A place that the other user may be in.
                cwd=command.log.parent,
                user=command.user,
                group=command.user,
                extra_groups=[] if command.user else None,
                preexec_fn=functools.partial(_end_with, os.getpid(), command.last_signal),  # noqa: PLW1509  # one system call
            )

    def kill(self) -> None:
        """End the process with SIGKILL, paused or not, and return when it is gone."""
        self.end(signal.SIGKILL)

    def end(self, sign: signal.Signals) -> None:
        """Send `sign` if the process runs, and return when it is gone. Raises TimeoutExpired if it stays."""
        if self._process is not None:
            self._process.send_signal(sign)
            self._process.wait(GONE_TIMEOUT_S)

    def pause(self) -> None:
        """Let the process stand still with its connections open, as a machine does that hangs."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on; one that runs does not notice."""
        if self.running:
            os.kill(self.pid, signal.SIGCONT)


def _end_with(parent: int, sign: signal.Signals) -> None:
    """Ask the kernel to signal this process when its parent ends; called after fork and any change of user.

    A change of user would make the kernel forget it, and SIGTERM is not enough for servers that wait for each other.
    """
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, sign)
        if os.getppid() != parent:
            os._exit(1)


def free_ports(number: int) -> list[int]:
    """Return so many loopback ports that nobody listens on now and no outgoing connection takes."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(found) == number:
            break
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        found.append(port)
    return found


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections at a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def temporary_directory() -> Path:
    """Make a directory for one server's data with a short path; whoever made it removes it."""
    return Path(tempfile.mkdtemp(prefix="lienthong-"))
