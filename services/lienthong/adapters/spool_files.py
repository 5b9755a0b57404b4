"""The files of the spool: one record a line with its checksum, locked by the process that writes or moves them."""

import fcntl
import os
import zlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import uuid_utils

from lienthong.adapters.outbox import Message

_SUFFIX: Final = ".spool"
_MODE: Final = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_CHECKSUM_DIGITS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """One decision that waits: the outbox cell that is to have it, its id (a UUIDv7), and its message."""

    cell: str
    decision_id: str
    message: Message


def line_of(record: Spooled) -> bytes:
    """Return the line of a record: CRC-32 in eight hexadecimal digits, a space, and JSON."""
    message = record.message
    fields = (record.cell, record.decision_id, message.stream, message.key, message.value.decode())
    content = orjson.dumps(fields)
    return b"%08x %b\n" % (zlib.crc32(content), content)


def record_of(line: bytes) -> Spooled | None:
    """Return the record of a line, None where it is not what was written."""
    content = line[_CHECKSUM_DIGITS + 1 : -1]
    if line != b"%08x %b\n" % (zlib.crc32(content), content):
        return None
    cell, decision_id, stream, key, value = orjson.loads(content)
    return Spooled(cell=cell, decision_id=decision_id, message=Message(stream=stream, key=key, value=value.encode()))


class Segment:
    """One file that this process holds, written at its end and read from its beginning."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = os.fstat(descriptor).st_size
        #: Lines that were not what was written, and whether the last one is cut short: the process died writing it.
        self.damaged = 0
        self.torn = False
        self._descriptor = descriptor
        self._reader = path.open("rb")
        self._read: list[Spooled] = []

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines to the disk. Raises OSError: then none of them is known to be there, and no more may follow."""
        content = b"".join(lines)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        os.fdatasync(self._descriptor)
        self.size += len(content)

    def peek(self, count: int) -> list[Spooled]:
        """Return the next records, the same ones until `advance` was called; empty where all was read."""
        while not self._read and (lines := [line for _ in range(count) if (line := self._reader.readline())]):
            for line in lines:
                record = record_of(line)
                if record is not None:
                    self._read.append(record)
                elif line.endswith(b"\n"):
                    self.damaged += 1
                else:
                    self.torn = True
        return self._read

    def advance(self) -> None:
        """Pass over the records that `peek` returned."""
        self._read = []

    def remove(self) -> None:
        """Remove the file and let go of it."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file, for another process to take."""
        self._reader.close()
        os.close(self._descriptor)


def created(directory: Path, owner: str) -> Segment:
    """Make an empty file of this process's, its name on the disk, readable by this user alone. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        path = directory / f"{owner}.{uuid_utils.uuid7()}{_SUFFIX}"
        descriptor = os.open(path, _MODE | os.O_CREAT | os.O_EXCL, 0o600)
        if _locked(path, descriptor):
            try:
                _sync(directory)
            except BaseException:
                os.close(descriptor)
                raise
            return Segment(path, descriptor)


def adopted(directory: Path, mine: Collection[Path]) -> list[Segment]:
    """Return the files that no living process holds, the oldest first; they are held from now on."""
    found = []
    for path in sorted(directory.glob(f"*{_SUFFIX}"), key=lambda each: each.stem.rpartition(".")[2]):
        if path in mine:
            continue
        # One that was moved meanwhile, or is another user's, is left alone.
        with suppress(OSError):
            descriptor = os.open(path, _MODE)
            if _locked(path, descriptor):
                found.append(Segment(path, descriptor))
    return found


def bytes_in(directory: Path) -> int:
    """Return how many bytes of records lie in a directory."""
    total = 0
    for path in directory.glob(f"*{_SUFFIX}"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _locked(path: Path, descriptor: int) -> bool:
    """Lock an open file, unless another process has; one that was removed meanwhile is nobody's. Closes it if not."""
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return True
    os.close(descriptor)
    return False


def _sync(directory: Path) -> None:
    """Bring a new name to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
