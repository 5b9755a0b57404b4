"""Where the demonstration runs: a directory of its own, cleared of an earlier one, and ports that nobody listens on."""

import contextlib
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lienthong.runtime import processes
from lienthong.runtime.addresses import addresses
from lienthong.runtime.datadir import DataDirectory, held
from lienthong.runtime.embedded import STOP_TIMEOUT_S, find_orphan
from lienthong.runtime.settings import PREFIX, Settings
from lienthong.runtime.supervisor import server_specs

#: The demonstration listens where nobody but this machine can ask.
HOST: Final = "127.0.0.1"
#: Tells a directory that may be emptied from one that holds somebody's data.
MARKER: Final = "DEMONSTRATION"
_SETTINGS: Final = {
    "log": "KAFKA_SERVERS",
    "projection": "PROJECTION_URL",
    "history": "HISTORY_URL",
    "keys": "KEYS_URL",
}
_MARKED: Final = "Invented cards; emptied by the next `lienthong demo`.\n"


class NotADemonstration(Exception):
    """The directory holds something that no demonstration has put there."""

    def __init__(self, root: Path) -> None:
        super().__init__(f"{root} is not empty and no demonstration made it, so it is left alone.")


class ServersElsewhere(Exception):
    """Settings name servers that the demonstration must not fill with invented cards."""

    def __init__(self, names: Sequence[str]) -> None:
        variables = ", ".join(f"{PREFIX}{_SETTINGS[name]}" for name in names)
        super().__init__(f"The demonstration invents cards, so it plays on servers of its own: unset {variables}.")


async def cleared(directory: DataDirectory, settings: Settings) -> None:
    """Make the directory an empty one of the demonstration.

    1. Leave alone what no demonstration has made, here and elsewhere. 2. Hold the directory, so that one which is
    playing is not disturbed, and stop servers whose parent was killed. 3. Remove everything, and mark the directory.

    Raises NotADemonstration, ServersElsewhere and DataDirectoryRefused.
    """
    root = directory.root
    # 1
    if elsewhere := [name for name, address in addresses(settings).items() if address is not None]:
        raise ServersElsewhere(elsewhere)
    if root.exists() and any(root.iterdir()) and not (root / MARKER).exists():
        raise NotADemonstration(root)
    # 2
    with held(directory):
        for spec in server_specs(directory, settings):
            orphan = find_orphan(spec)
            if orphan is not None:
                await processes.stop(orphan, STOP_TIMEOUT_S)
    # 3
    removed(directory)
    root.mkdir(mode=0o700, parents=True)
    (root / MARKER).write_text(_MARKED, encoding="utf-8")


def removed(directory: DataDirectory) -> None:
    """Remove everything of a demonstration that has ended, its sockets elsewhere included."""
    shutil.rmtree(directory.root)
    shutil.rmtree(directory.socket("log").parent, ignore_errors=True)


def free_ports(wanted: Sequence[int]) -> list[int]:
    """Return the wanted ports, and in place of each that is taken one that is free, no two the same."""
    with contextlib.ExitStack() as held_open:
        return [held_open.enter_context(_listening(port)).getsockname()[1] for port in wanted]


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError:
        return socket.create_server((HOST, 0))
