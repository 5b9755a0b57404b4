"""The spool: decisions that the store could not take, kept in files of this machine until it can.

A file belongs to one process, which holds its lock for as long as it lives; what a dead process left is taken over by
any other on the machine. Files are only written at their end, and removed when all that is in them was moved: a crash
at any step leaves a file to be moved again, and who takes the records knows them by their ids. What is personal in a
record was sealed before it came here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple, Unpack

import structlog

from lienthong.adapters.spool_files import Segment, Spooled, adopted, bytes_in, created, line_of
from lienthong.runtime.datadir import DataDirectory

#: What one process may leave on the disk: some 110,000 decisions, an hour of look-ups at 30 a second.
SPOOL_BYTES_MAX: Final = 256 * 1024 * 1024
#: What may wait in memory for a disk that does not answer.
PENDING_BYTES_MAX: Final = 16 * 1024 * 1024
#: Records moved in one call: about half a megabyte.
MOVE_BATCH: Final = 200
#: How often decisions that are lost for good are told of while it goes on.
TELL_INTERVAL_S: Final = 10.0

#: The file that counts, for all processes of the machine, what was lost: a number a line.
_LOST: Final = "lost"

_log = structlog.stdlib.get_logger("lienthong.spool")
_T = TypeVar("_T")
_Given = TypeVarTuple("_Given")

Take = Callable[[str, Sequence[Spooled]], Awaitable[None]]


def spool_directory(directory: DataDirectory) -> Path:
    """Return where the processes of a data directory spool."""
    return directory.root / "spool"


class Spool:
    """The spool of one process; every file operation runs in one thread of its own, so a slow disk stops nobody."""

    def __init__(self, directory: Path, owner: str, *, bytes_max: int = SPOOL_BYTES_MAX) -> None:
        self._directory = directory
        self._owner = owner
        self._bytes_max = bytes_max
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._pending: list[tuple[bytes, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None
        # What follows is touched by the thread alone, the two counts of bytes by the loop alone.
        self._current: Segment | None = None
        self._others: list[Segment] = []
        self._pending_bytes = self._disk_bytes = 0
        self._untold, self._told_at = 0, -TELL_INTERVAL_S
        #: Decisions that this process could not keep.
        self.lost = 0

    @property
    def size_bytes(self) -> int:
        """How much is kept and not moved yet."""
        return self._pending_bytes + self._disk_bytes

    def warnings(self) -> list[str]:
        """Return what an operator should know of although desks are answered."""
        told = []
        if self.size_bytes:
            told.append(f"{self.size_bytes} bytes of decisions lie in the spool until the store takes them")
        if self.lost:
            told.append(f"{self.lost} decisions were lost: neither the store nor the spool could take them")
        return told

    async def keep(self, record: Spooled, within_s: float) -> bool:
        """Return whether the record was on the disk in time; one that was not may still come to it.

        One for which there is no room is counted as lost.
        """
        line = line_of(record)
        if self.size_bytes + len(line) > self._bytes_max or self._pending_bytes + len(line) > PENDING_BYTES_MAX:
            self._lose(1)
            return False
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending.append((line, future))
        self._pending_bytes += len(line)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="spool")
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await future
        return False

    async def move(self, take: Take) -> int:
        """Hand everything over, oldest file first and in order, and return how many records that were.

        `take` is given a cell and records of it, and raises where it cannot take them: they are given to it again at
        the next call. 1. Take over what dead processes left. 2. Hand records over. 3. Remove a file that was read to
        its end.
        """
        self._tell()
        moved = 0
        # 1
        found = await self._off(self._adopted)
        self._disk_bytes += sum(segment.size for segment in found)
        for segment in await self._off(self._segments):
            # 2
            while records := await self._off(segment.peek, MOVE_BATCH):
                for cell, group in groupby(records, key=lambda record: record.cell):
                    await take(cell, list(group))
                segment.advance()
                moved += len(records)
            # 3
            self._disk_bytes -= await self._off(self._removed, segment)
        return moved

    async def close(self) -> None:
        """Write what is pending, and let go of the files."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self._off(self._let_go)
        self._thread.shutdown()

    async def _off(self, call: Callable[[Unpack[_Given]], _T], *arguments: *_Given) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    async def _write(self) -> None:
        try:
            while self._pending:
                taken, self._pending = self._pending, []
                lines = [line for line, _ in taken]
                try:
                    self._disk_bytes += await self._off(self._append, lines)
                except OSError as fault:
                    _log.error("spool_not_written", fault=type(fault).__name__, errno=fault.errno)
                    self._lose(len(taken))
                    kept = False
                else:
                    kept = True
                self._pending_bytes -= sum(map(len, lines))
                for _, future in taken:
                    if not future.done():
                        future.set_result(kept)
        finally:
            self._writing = None

    def _lose(self, count: int) -> None:
        self.lost += count
        self._untold += count
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if self._untold and now - self._told_at >= TELL_INTERVAL_S:
            _log.critical("decisions_lost", count=self._untold, since_start=self.lost, bytes=self.size_bytes)
            self._thread.submit(_note_lost, self._directory, self._untold)
            self._untold, self._told_at = 0, now

    # What follows runs in the thread.

    def _append(self, lines: Sequence[bytes]) -> int:
        if self._current is None:
            self._current = created(self._directory, self._owner)
        segment = self._current
        try:
            segment.append(lines)
        except OSError:
            # What follows a line that is cut short would be damaged with it.
            self._others.append(segment)
            self._current = None
            raise
        return sum(map(len, lines))

    def _segments(self) -> list[Segment]:
        return [*self._others, *([] if self._current is None else [self._current])]

    def _adopted(self) -> list[Segment]:
        found = adopted(self._directory, [segment.path for segment in self._segments()])
        self._others = [*found, *self._others]
        return found

    def _removed(self, segment: Segment) -> int:
        """Remove a file and return its size, 0 where more was written to it since it was read."""
        if segment.peek(1):
            return 0
        size = segment.size
        if segment.torn or segment.damaged:
            _log.error("spool_damaged", torn=segment.torn, lines=segment.damaged)
        segment.remove()
        if segment is self._current:
            self._current = None
        else:
            self._others.remove(segment)
        return size

    def _let_go(self) -> None:
        for segment in self._segments():
            segment.close()


def waiting_in(directory: Path) -> tuple[int, int]:
    """Return how many bytes of decisions wait in the spools of this machine, and how many decisions were lost."""
    with suppress(FileNotFoundError):
        lost = sum(int(line) for line in (directory / _LOST).read_text(encoding="ascii").split())
        return bytes_in(directory), lost
    return bytes_in(directory), 0


def _note_lost(directory: Path, count: int) -> None:
    with suppress(OSError), (directory / _LOST).open("a", encoding="ascii") as counts:
        counts.write(f"{count}\n")
