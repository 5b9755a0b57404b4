"""Server programs under conditions that ours never asks for: a slow disk, another locale."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from lienthong.runtime.embedded import find_binary

VIETNAMESE = "vi_VN.UTF-8"
_SOURCE = Path(__file__).with_name("slow_fsync.c")


def missing(what: str) -> NoReturn:
    """Leave the test out for want of something on this machine; where everything is expected, fail it."""
    sentence = f"there is no {what} on this machine: run tests/support/system-packages.sh as root"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def slow_fsync(directory: Path, least_ms: int, most_ms: int) -> dict[str, str]:
    """Return the environment in which each fsync takes longer by a random time; the shim is compiled into `directory`.

    Without a C compiler the test is left out, or fails where CI is set.
    """
    library = directory / "slow_fsync.so"
    if not library.exists():
        compiler = shutil.which("cc")
        if compiler is None:
            missing("C compiler")
        draft = library.with_suffix(".new")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", draft, _SOURCE], check=True)  # noqa: S603  # the compiler is the PATH's, the source ours
        draft.replace(library)
    return {
        "LD_PRELOAD": str(library),
        "SLOW_FSYNC_LEAST_MS": str(least_ms),
        "SLOW_FSYNC_MOST_MS": str(most_ms),
    }


def vietnamese_locale() -> dict[str, str]:
    """Return the environment of a machine that is set up in Vietnamese; without that locale as `missing` says."""
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout  # noqa: S607  # a POSIX program
    if "vi_vn.utf8" not in known.lower().replace("utf-8", "utf8").split():
        missing(f"locale {VIETNAMESE}")
    return {"LC_ALL": VIETNAMESE, "LANG": VIETNAMESE}


def server_program(directory: Path, environment: Mapping[str, str]) -> Path:
    """Return a program that is the usual server in this environment, whatever environment it is started with."""
    program = directory / "valkey-server"
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    program.write_text(f'#!/bin/sh\n{exports}exec {shlex.quote(str(find_binary()))} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    return program
