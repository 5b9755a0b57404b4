"""Lays out the data directory and holds it for one parent process at a time."""

import hashlib
import os
import stat
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lienthong.runtime.processes import ProcessIdentity, alive

# What the directories contain may change with a release; a release refuses what it does not know.
LAYOUT_VERSION = "1"
# The path of a unix socket has to fit into 108 bytes with its final zero (unix(7)); some of them are kept free.
SOCKET_PATH_BYTES_MAX = 100
SHORT_ROOT = Path("/tmp")  # noqa: S108  # the directory made below it is refused unless it is ours alone
DIRECTORIES = ("log", "projection", "run", "keys", "history")


class DataDirectoryRefused(Exception):
    """The data directory cannot be used; the text says why and what to do."""


class InUse(DataDirectoryRefused):
    """Another instance holds the directory; `pid` is its process id where it could be read."""

    def __init__(self, root: Path, pid: int | None) -> None:
        self.pid = pid
        who = "another process" if pid is None else f"process {pid}"
        super().__init__(f"Lien Thong already runs on {root} ({who}); stop it first, or choose another --data-dir.")


class OtherVersion(DataDirectoryRefused):
    """The directory was written by a release with another layout."""

    def __init__(self, root: Path, found: str) -> None:
        super().__init__(
            f"{root} has layout {found!r} and this release knows {LAYOUT_VERSION!r}; "
            "use the release that wrote it, or choose another --data-dir."
        )


class NotOurs(DataDirectoryRefused):
    """Others could read or replace what is to be kept in a directory, or it cannot be written to."""

    def __init__(self, directory: Path, why: str) -> None:
        super().__init__(f"{directory} cannot hold personal data: {why}; choose another --data-dir.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDirectory:
    """Where everything is kept: `log`, `projection`, `run`, `keys` and `history` below one root."""

    root: Path

    @property
    def log(self) -> Path:
        """The log server's append-only file."""
        return self.root / "log"

    @property
    def projection(self) -> Path:
        """The projection server's append-only file."""
        return self.root / "projection"

    @property
    def run(self) -> Path:
        """Sockets, locks, process ids and logs: nothing that a stopped service needs."""
        return self.root / "run"

    @property
    def keys(self) -> Path:
        """The period keys and the master key; keep them out of backups of the rest."""
        return self.root / "keys"

    @property
    def history(self) -> Path:
        """The monitor's counts and decisions."""
        return self.root / "history"

    def socket(self, name: str) -> Path:
        """Return the unix socket of a server, in a short directory of its own where the root's path is too long.

        Every process that knows the root comes to the same path.
        """
        path = self.run / f"{name}.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
            return path
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return SHORT_ROOT / f"lienthong-{os.getuid()}-{digest}" / f"{name}.sock"

    def prepare(self, *, without: Container[str] = ()) -> None:
        """Make the directories, `without` those of servers that are elsewhere. Raises OtherVersion and NotOurs.

        They are for this user alone. A root that is already there keeps its mode: it may hold other things than ours.
        """
        _make(self.root)
        ours = [self.root / name for name in DIRECTORIES if name not in without]
        for directory in (*ours, self.socket("log").parent):
            _make(directory)
            _make_private(directory)
        version = self.root / "VERSION"
        if not version.exists():
            version.write_text(LAYOUT_VERSION, encoding="utf-8")
        found = version.read_text(encoding="utf-8", errors="replace").strip()
        if found != LAYOUT_VERSION:
            raise OtherVersion(self.root, found)


def data_directory(root: Path) -> DataDirectory:
    """Return the data directory at `root`, whose path every process then writes in the same way."""
    return DataDirectory(root=root.expanduser().resolve())


@contextmanager
def held(directory: DataDirectory, *, without: Container[str] = ()) -> Iterator[None]:
    """Prepare the directory and keep it for this process; the kernel lets go of it however the process ends.

    Raises InUse, naming the process that holds it.
    """
    directory.prepare(without=without)
    holder = directory.run / "up.pid"
    lock = FileLock(directory.run / "up.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        known = ProcessIdentity.recall(holder)
        raise InUse(directory.root, known.pid if known is not None and alive(known) else None) from None
    try:
        this = ProcessIdentity.of(os.getpid())
        if this is not None:
            this.remember(holder)
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise NotOurs(directory, fault.strerror or type(fault).__name__) from fault


def _make_private(directory: Path) -> None:
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotOurs(directory, "it is no directory")
    if found.st_uid != os.getuid():
        raise NotOurs(directory, "it belongs to another user")
    directory.chmod(0o700)
