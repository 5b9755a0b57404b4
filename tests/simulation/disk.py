"""The files of the spool in memory, which outlive the processes that write them."""

from collections.abc import Collection, Sequence
from itertools import count
from pathlib import Path

from lienthong.adapters.spool_files import Spooled, record_of
from tests.simulation.loop import Life, living
from tests.simulation.weather import Weather


class Disk:
    """The spool's directory of one machine; its methods stand in for the functions of `spool_files`."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.files: dict[Path, MemoryFile] = {}
        self._serial = count()

    def created(self, directory: Path, owner: str) -> "MemorySegment":
        """Make an empty file."""
        path = directory / f"{owner}.{next(self._serial):06d}.spool"
        file = self.files[path] = MemoryFile()
        return MemorySegment(self, path, file)

    def adopted(self, _directory: Path, mine: Collection[Path]) -> list["MemorySegment"]:
        """Return the files that no living process holds."""
        free = [path for path, file in self.files.items() if path not in mine and (not file.holder or file.holder.over)]
        return [MemorySegment(self, path, self.files[path]) for path in sorted(free)]

    def bytes_in(self, _directory: Path) -> int:
        """Return how many bytes lie there."""
        return sum(len(file.content) for file in self.files.values())


class MemoryFile:
    """What a file holds, and the life that has locked it."""

    def __init__(self) -> None:
        self.content = b""
        self.holder: Life | None = None


class MemorySegment:
    """A file of the spool as one process holds it."""

    def __init__(self, disk: Disk, path: Path, file: MemoryFile) -> None:
        self.path = path
        self.damaged = 0
        self.torn = False
        self._disk = disk
        self._file = file
        self._at = 0
        self._read: list[Spooled] = []
        file.holder = living()

    @property
    def size(self) -> int:
        """The size of the file."""
        return len(self._file.content)

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines, or some bytes of them where the disk is full or the process is killed."""
        weather, content = self._disk.weather, b"".join(lines)
        drawn = weather.chance.random()
        if drawn < weather.climate.refused + weather.climate.killed:
            self._file.content += content[: int(weather.chance.random() * len(content))]
            if drawn < weather.climate.killed:
                weather.die(living(), "while it spooled")
            raise OSError
        self._file.content += content
        weather.note(f"{living().name}: spooled {len(lines)}")

    def peek(self, count: int) -> list[Spooled]:
        """Return the next records."""
        while not self._read and self._at < self.size:
            for line in self._file.content[self._at :].splitlines(keepends=True)[:count]:
                self._at += len(line)
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
        """Remove the file."""
        self._disk.files.pop(self.path, None)

    def close(self) -> None:
        """Let go of the file."""
        self._file.holder = None
