"""Decisions that the store could not take are kept in order, each once, whatever ends the process or its disk."""

import asyncio
import errno
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uuid_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lienthong.adapters import spool as spool_module
from lienthong.adapters import spool_files
from lienthong.adapters.outbox import Message
from lienthong.adapters.spool import Spool, waiting_in
from lienthong.adapters.spool_files import Spooled, line_of, record_of
from tests.support.mortality import Killed

#: A disk of a test machine takes its time now and then, and no test asks how long.
UNHURRIED_S = 30.0


def spooled(number: int, cell: str = "http-3") -> Spooled:
    message = Message(stream="decisions.v1", key=f"k{number}", value=f'{{"tên":"Đ","number":{number}}}'.encode())
    return Spooled(cell=cell, decision_id=str(uuid_utils.uuid7()), message=message)


class Taker:
    """Takes records as the outbox does: those that it knows are there already."""

    def __init__(self) -> None:
        self.taken: dict[str, Spooled] = {}
        self.calls: list[tuple[str, int]] = []
        self.away = False

    async def __call__(self, cell: str, records: Sequence[Spooled]) -> None:
        if self.away:
            raise ConnectionError
        self.calls.append((cell, len(records)))
        for record in records:
            self.taken.setdefault(record.decision_id, record)

    @property
    def records(self) -> list[Spooled]:
        return list(self.taken.values())


@asynccontextmanager
async def opened(directory: Path, owner: str = "one", **settings: Any) -> AsyncIterator[Spool]:
    spool = Spool(directory, owner, **settings)
    try:
        yield spool
    finally:
        await spool.close()


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.spool"))


async def keep_all(spool: Spool, records: Sequence[Spooled]) -> None:
    for record in records:
        assert await spool.keep(record, UNHURRIED_S)


async def test_what_is_kept_is_handed_over_in_order_and_its_file_removed(tmp_path: Path) -> None:
    records, take = [spooled(number) for number in range(450)], Taker()
    async with opened(tmp_path / "spool") as spool:
        await asyncio.gather(*(spool.keep(record, UNHURRIED_S) for record in records))
        assert await spool.move(take) == 450
        assert take.records == records
        assert (files(tmp_path / "spool"), spool.size_bytes) == ([], 0)


async def test_a_spool_that_was_never_needed_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool") as spool:
        assert await spool.move(Taker()) == 0
    assert not (tmp_path / "spool").exists()


async def test_others_cannot_read_what_is_kept(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    async with opened(directory) as spool:
        await keep_all(spool, [spooled(0)])
        (file,) = files(directory)
        assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(directory.stat().st_mode)) == (0o600, 0o700)


async def test_while_nobody_takes_records_they_stay_and_come_before_later_ones(tmp_path: Path) -> None:
    take, records = Taker(), [spooled(number) for number in range(6)]
    async with opened(tmp_path) as spool:
        take.away = True
        for record in records[:3]:
            await keep_all(spool, [record])
            with pytest.raises(ConnectionError):
                await spool.move(take)
        assert len(files(tmp_path)) == 1
        await keep_all(spool, records[3:])
        take.away = False
        await spool.move(take)
    assert take.records == records


async def test_each_record_goes_to_the_cell_that_it_was_for(tmp_path: Path) -> None:
    take = Taker()
    async with opened(tmp_path) as spool:
        await keep_all(spool, [spooled(0, "http-1"), spooled(1, "http-1"), spooled(2, "http-9")])
        await spool.move(take)
    assert take.calls == [("http-1", 2), ("http-9", 1)]


async def test_a_living_process_keeps_its_file_and_a_dead_ones_is_taken_over(tmp_path: Path) -> None:
    record, take = spooled(0), Taker()
    async with opened(tmp_path, "two") as other:
        async with opened(tmp_path, "one") as spool:
            await keep_all(spool, [record])
            assert await other.move(take) == 0
        assert await other.move(take) == 1
        assert other.size_bytes == 0
    assert (take.records, files(tmp_path)) == ([record], [])


async def test_what_does_not_fit_is_counted_and_said_and_the_rest_kept(tmp_path: Path) -> None:
    records, take = [spooled(number) for number in range(5)], Taker()
    room = sum(len(line_of(record)) for record in records[:2])
    async with opened(tmp_path, bytes_max=room) as spool:
        assert [await spool.keep(record, UNHURRIED_S) for record in records] == [True, True, False, False, False]
        assert spool.lost == 3
        assert any("3 decisions were lost" in warning for warning in spool.warnings())
        await spool.move(take)
        assert await spool.keep(records[4], UNHURRIED_S), "there is room again"
        await spool.move(take)
    assert take.records == [*records[:2], records[4]]
    assert waiting_in(tmp_path) == (0, 1), "the first loss is written down at once, the next ones together"


async def test_an_answer_does_not_wait_for_a_disk_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, take, record = threading.Event(), Taker(), spooled(0)
    sync = os.fdatasync

    def slow(descriptor: int) -> None:
        answers.wait(UNHURRIED_S)
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    async with opened(tmp_path) as spool:
        assert not await spool.keep(record, 0.01)
        answers.set()
        await spool.move(take)
    assert take.records == [record]


async def test_what_a_disk_refuses_is_counted_as_lost_and_the_next_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, refused, after = [spooled(0)], spooled(1), [spooled(2)]
    write, take = os.write, Taker()

    def full(descriptor: int, content: memoryview) -> int:
        write(descriptor, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    async with opened(tmp_path) as spool:
        await keep_all(spool, before)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            assert not await spool.keep(refused, UNHURRIED_S)
        await keep_all(spool, after)
        await spool.move(take)
        assert (spool.lost, files(tmp_path)) == (1, [])
    assert take.records == [*before, *after]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_a_file_that_was_cut_short_or_damaged_gives_every_record_that_is_whole(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    records, take = [spooled(number) for number in range(4)], Taker()
    async with opened(directory) as spool:
        await keep_all(spool, records)
    (file,) = files(directory)
    content, ends = file.read_bytes(), [0]
    for record in records:
        ends.append(ends[-1] + len(line_of(record)))
    cut = data.draw(st.integers(0, len(content)))
    struck = data.draw(st.none() | st.integers(0, len(content) - 1))
    left = bytearray(content[:cut])
    if struck is not None and struck < cut:
        left[struck] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(left)
    async with opened(directory) as spool:
        await spool.move(take)
    whole = [
        record
        for record, first, end in zip(records, ends, ends[1:], strict=False)
        if end <= cut and (struck is None or not first <= struck < end)
    ]
    assert [record for record in take.records if record in records] == take.records
    # A line end that was struck joins two lines, and the second is lost with the first.
    joined = struck is not None and struck + 1 in ends
    assert set(map(str, take.records)) <= set(map(str, whole))
    assert len(take.records) >= len(whole) - joined
    assert files(directory) == []


@given(st.text(), st.text(), st.text(), st.text())
def test_a_line_is_read_as_it_was_written_and_in_no_other_way(cell: str, stream: str, key: str, text: str) -> None:
    message = Message(stream=stream, key=key, value=text.encode())
    record = Spooled(cell=cell, decision_id=str(uuid_utils.uuid7()), message=message)
    line = line_of(record)
    assert record_of(line) == record
    assert line.count(b"\n") == 1
    assert record_of(line[:-1]) is None
    assert record_of(line[1:]) is None


STEPS: dict[str, tuple[Any, str]] = {
    "before it writes": (os, "write"),
    "before it is on the disk": (os, "fdatasync"),
    "before its name is on the disk": (spool_files, "_sync"),
    "before the file is removed": (Path, "unlink"),
}


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, at: int, *, after: bool) -> Iterator[None]:
    """End the process at the call number `at` of a function, before it or after it."""
    real: Callable[..., Any] = getattr(where, name)
    calls = iter(range(at))

    def struck(*arguments: Any, **named: Any) -> Any:
        if next(calls, None) is not None:
            return real(*arguments, **named)
        if after:
            real(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(where, name, struck)
        yield


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("at", [0, 1, 2])
async def test_a_process_that_ends_at_any_step_loses_nothing_that_it_said_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, at: int, *, after: bool
) -> None:
    take = Taker()
    kept: list[Spooled] = []
    spool = Spool(tmp_path, "one")
    with dying(monkeypatch, *STEPS[step], at, after=after):
        await lives(spool, take, kept)
    abandon(spool)
    async with opened(tmp_path, "two") as heir:
        await heir.move(take)
    assert {record.decision_id for record in kept} <= take.taken.keys()
    numbers = [record.message.key for record in take.records]
    assert numbers == sorted(numbers)
    assert files(tmp_path) == []


async def lives(spool: Spool, take: Taker, kept: list[Spooled]) -> None:
    """Keep and move by turns until the process has ended."""
    for number in range(6):
        record = spooled(number)
        if not await spool.keep(record, 0.2):
            return
        kept.append(record)
        if number % 2:
            try:
                await spool.move(take)
            except Killed:
                return


def abandon(spool: Spool) -> None:
    """Let go of what a process had, as the kernel does when it ends."""
    spool._thread.shutdown()
    for segment in spool._segments():
        segment.close()


async def test_what_is_lost_is_counted_for_all_processes_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "TELL_INTERVAL_S", 0.0)
    for owner in ("one", "two"):
        async with opened(tmp_path, owner, bytes_max=200) as spool:
            await spool.keep(spooled(0), UNHURRIED_S)
            for number in range(3):
                assert not await spool.keep(spooled(number), UNHURRIED_S)
    size, lost = waiting_in(tmp_path)
    assert size > 0
    assert lost == 6
