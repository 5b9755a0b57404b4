"""A shim that makes every fsync of a server slow: without one, tests that kill servers pass by luck.

A killed process leaves behind what it has written, synced or not. What it loses is what it acknowledged and had not
written yet, and a server that syncs every second holds its writes back while a slow sync is under way.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(const char *name, int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    const char *delay = getenv("SLOW_FSYNC_MS");
    if (delay) usleep(1000 * atoi(delay));
    return real(file);
}
int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
"""


def compiler() -> str | None:
    """Return the C compiler, None where the machine has none."""
    return shutil.which("cc")


def slow_fsync(directory: Path, delay_ms: int) -> Mapping[str, str]:
    """Build the shim in the directory and return the variables that slow a server started with them down."""
    source, library = directory / "slow_fsync.c", directory / "slow_fsync.so"
    if not library.exists():
        source.write_text(_SOURCE, encoding="ascii")
        command = [compiler() or "cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True, env=dict(os.environ))  # noqa: S603  # the compiler of this machine
    return {"LD_PRELOAD": str(library), "SLOW_FSYNC_MS": str(delay_ms)}
