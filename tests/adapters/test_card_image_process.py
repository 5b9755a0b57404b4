"""The reading processes: confined, killed when they hang, replaced when they die, and never the cause of a wait."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from lienthong.adapters.card_drawing import DrawStyle, draw_card
from lienthong.adapters.card_image_header import PIXELS_MAX
from lienthong.adapters.card_image_worker import memory_max_bytes
from lienthong.adapters.card_images import REFUSALS, CardImageReader, ReaderLimits, ReadPayload
from tests.support.pictures import card_text, chunk, png
from tests.support.waiting import until

CARD = draw_card(card_text(), DrawStyle(width=360, height=720))
SIGHT = b'{"texts": [], "unread": 0, "foreign": 0, "fault": null}'
READY = f"import os, sys, time; say = lambda body: os.write(1, len(body).to_bytes(4) + body); say({SIGHT!r}); "
PATIENT = ReaderLimits(workers=1, deadline_s=60)


def limits_of(behaviour: str, *, deadline_s: float = 60.0) -> ReaderLimits:
    """Return the limits of a reader whose worker says that it is ready and then behaves badly."""
    return ReaderLimits(workers=1, deadline_s=deadline_s, command=(sys.executable, "-c", READY + behaviour))


def status_kib(pid: int, name: str) -> int:
    """Return a figure of a process' memory in KiB, as the kernel keeps it."""
    return next(int(line.split()[1]) for line in kernel_file(pid, "status").splitlines() if line.startswith(f"{name}:"))


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended and was waited for."""
    return not Path(f"/proc/{pid}").exists()


def kernel_file(pid: int, name: str) -> str:
    """Return what the kernel says of a process."""
    return Path(f"/proc/{pid}/{name}").read_text()


async def test_a_worker_that_hangs_is_killed_at_the_deadline() -> None:
    async with CardImageReader(limits_of("time.sleep(600)", deadline_s=0.2)) as reader:
        [pid] = reader.pids
        assert await reader.read(CARD) == REFUSALS["image_too_slow"]
        assert is_gone(pid)
        assert reader.pids == frozenset()
        assert await reader.read(CARD) == REFUSALS["image_too_slow"]


async def test_a_stopped_worker_is_killed_and_the_next_image_is_read_by_another() -> None:
    async with CardImageReader(ReaderLimits(workers=1, deadline_s=2)) as reader:
        assert isinstance(await reader.read(CARD), ReadPayload)
        [pid] = reader.pids
        os.kill(pid, signal.SIGSTOP)
        assert await reader.read(CARD) == REFUSALS["image_too_slow"]
        assert is_gone(pid)
        assert isinstance(await reader.read(CARD), ReadPayload)


@pytest.mark.parametrize(
    "behaviour",
    [
        "sys.exit(1)",
        "sys.stdin.buffer.read(9); sys.exit(1)",
        "os.write(1, b'\\xff' * 9)",
        "os.write(1, b'\\0\\0\\0\\1{')",
    ],
)
async def test_a_worker_that_dies_or_babbles_costs_one_image(behaviour: str) -> None:
    async with CardImageReader(limits_of(behaviour)) as reader:
        [pid] = reader.pids
        assert await reader.read(CARD) == REFUSALS["image_unreadable"]
        assert is_gone(pid)


async def test_a_worker_killed_between_images_costs_none() -> None:
    async with CardImageReader(PATIENT) as reader:
        assert isinstance(await reader.read(CARD), ReadPayload)
        [pid] = reader.pids
        os.kill(pid, signal.SIGKILL)
        await until(lambda: all(worker.ended for worker in reader._workers))
        assert isinstance(await reader.read(CARD), ReadPayload)
        assert pid not in reader.pids


async def test_a_command_that_does_not_start_says_busy() -> None:
    async with CardImageReader(ReaderLimits(workers=1, command=(sys.executable, "-c", ""))) as reader:
        assert await reader.read(CARD) == REFUSALS["image_reader_busy"]
    without = CardImageReader(ReaderLimits(workers=1, command=("/nonexistent/worker",)))
    assert await without.read(CARD) == REFUSALS["image_reader_busy"]


async def test_more_images_than_may_wait_are_turned_away_at_once() -> None:
    limits = ReaderLimits(
        workers=1, waiting_max=1, waiting_s=0.1, deadline_s=1, command=limits_of("time.sleep(600)").command
    )
    async with CardImageReader(limits) as reader:
        readings = await asyncio.gather(*(reader.read(CARD) for _ in range(4)))
    codes = [getattr(reading, "code", "") for reading in readings]
    assert sorted(codes) == ["image_reader_busy"] * 3 + ["image_too_slow"]


async def test_a_caller_who_leaves_takes_the_worker_along_and_frees_its_place() -> None:
    async with CardImageReader(limits_of("time.sleep(600)")) as reader:
        [pid] = reader.pids
        reading = asyncio.create_task(reader.read(CARD))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert is_gone(pid)
        await reader.start()
        assert len(reader.pids) == 1


async def test_a_worker_is_replaced_after_its_share_of_images() -> None:
    async with CardImageReader(ReaderLimits(workers=1, deadline_s=60, images_per_worker=2)) as reader:
        pids = []
        for _ in range(4):
            assert isinstance(await reader.read(CARD), ReadPayload)
            pids.append(reader.pids)
    assert pids[0] != pids[2]
    assert pids[1] == pids[3] == frozenset()


async def test_workers_end_with_the_reader() -> None:
    async with CardImageReader(ReaderLimits(workers=2)) as reader:
        pids = reader.pids
        assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)
    assert reader.pids == frozenset()


async def test_a_worker_may_write_no_file_and_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIENTHONG_MASTER_KEY", "not for decoders")
    async with CardImageReader(PATIENT) as reader:
        assert isinstance(await reader.read(CARD), ReadPayload)
        [pid] = reader.pids
        limits = kernel_file(pid, "limits").splitlines()
        environment = kernel_file(pid, "environ")
    assert "LIENTHONG" not in environment
    hard = {line[:26].strip(): line[26:].split()[1] for line in limits}
    assert hard["Max file size"] == hard["Max core file size"] == "0"
    assert hard["Max address space"] == str(memory_max_bytes(PIXELS_MAX))


async def test_bombs_cost_the_worker_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CardImageReader, "_refusal_before_decoding", lambda *_: None)
    text = chunk(b"zTXt", b"Comment\x00\x00" + b"not deflate")
    async with CardImageReader(PATIENT) as reader:
        assert isinstance(await reader.read(CARD), ReadPayload)
        [pid] = reader.pids
        before = status_kib(pid, "VmHWM")
        assert await reader.read(png(12_000, 12_000)) == REFUSALS["image_too_many_pixels"]
        assert await reader.read(png(60_000, 60_000)[:5_000]) == REFUSALS["image_too_many_pixels"]
        await reader.read(png(100, 100, text))
        assert reader.pids == {pid}
        assert status_kib(pid, "VmHWM") - before < 16 * 1024


async def test_bombs_cost_this_process_little_memory() -> None:
    bomb = png(12_000, 12_000)
    reader = CardImageReader(PATIENT)
    before = status_kib(os.getpid(), "VmRSS")
    assert await reader.read(bomb) == REFUSALS["image_too_many_pixels"]
    assert status_kib(os.getpid(), "VmRSS") - before < 4 * 1024
    assert reader.pids == frozenset()
