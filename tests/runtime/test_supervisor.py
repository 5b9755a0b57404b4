import asyncio
import json
import os
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from lienthong.runtime.children import Announcement, ChildRefused, ChildSpec
from lienthong.runtime.connection import connect
from lienthong.runtime.datadir import InUse, data_directory
from lienthong.runtime.embedded import ServerFault, find_orphan
from lienthong.runtime.settings import Settings
from lienthong.runtime.supervisor import PROCESSES, child_specs, embedded_servers, server_specs, up
from tests.support.waiting import until

READY = "from lienthong.runtime.children import say_ready\nimport signal, sys, time\n"
OBEDIENT = READY + "say_ready(url='x')\nsignal.sigwait([signal.SIGTERM])"
STUBBORN = READY + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay_ready()\nwhile True: time.sleep(1)"

Starter = Callable[..., AbstractAsyncContextManager[list[Announcement]]]


def child(name: str, program: str) -> ChildSpec:
    return ChildSpec(name=name, command=[sys.executable, "-c", program], environment=dict(os.environ))


def pids(heard: list[Announcement], name: str) -> list[int]:
    return [said.facts["pid"] for said in heard if said.name == name and "pid" in said.facts]


def said(heard: list[Announcement], name: str, event: str) -> list[Any]:
    return [one.facts for one in heard if (one.name, one.event) == (name, event)]


def kept(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


@pytest.fixture
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lienthong-") as directory:
        yield Path(directory)


@pytest.fixture
def running(root: Path) -> Starter:
    @asynccontextmanager
    async def start(*children: ChildSpec, **elsewhere: Any) -> AsyncIterator[list[Announcement]]:
        heard: list[Announcement] = []
        stop = asyncio.Event()
        settings = Settings(data_dir=root, **elsewhere)
        service = asyncio.create_task(up(settings, heard.append, children=children, stop=stop))
        await until(lambda: service.done() or said(heard, "service", "ready"))
        if service.done():
            await service
        yield heard
        stop.set()
        await service

    return start


async def test_an_empty_directory_is_ready_in_under_five_seconds_and_stops_cleanly(running: Starter) -> None:
    began = time.monotonic()
    async with running(child("lookup", OBEDIENT), child("monitor", OBEDIENT)) as heard:
        assert time.monotonic() - began < 5
        assert said(heard, "lookup", "ready") == [{"url": "x"}]
        everyone = [pid for name in ("log", "projection", "lookup", "monitor") for pid in pids(heard, name)]
        assert len(everyone) == 4
    assert [one.name for one in heard if one.event == "stopped"][-3:] == ["log", "projection", "service"]
    assert not [pid for pid in everyone if psutil.pid_exists(pid)]


async def test_a_second_start_finds_what_the_first_one_kept(running: Starter, root: Path) -> None:
    for expected in (None, b"kept"):
        async with running():
            client = connect(data_directory(root).socket("log"))
            assert await client.get("k") == expected
            await client.set("k", b"kept")
            await client.aclose()


async def test_a_second_instance_is_refused_by_the_pid_of_the_first(running: Starter, root: Path) -> None:
    async with running():
        with pytest.raises(InUse, match=rf"process {os.getpid()}\).*--data-dir"):
            await up(Settings(data_dir=root), lambda _announcement: None, children=[])


async def test_a_crashed_process_is_started_again(running: Starter) -> None:
    async with running(child("lookup", OBEDIENT)) as heard:
        os.kill(pids(heard, "lookup")[0], signal.SIGKILL)
        await until(lambda: len(said(heard, "lookup", "ready")) == 2)
        assert said(heard, "lookup", "ended") == [{"status": -signal.SIGKILL}]


async def test_a_crashed_process_is_noticed_though_a_process_of_its_own_keeps_its_output_open(
    running: Starter, tmp_path: Path
) -> None:
    note = tmp_path / "grandchild"
    sleeper = "import subprocess, sys, pathlib\nworker = subprocess.Popen([sys.executable, '-c', "
    sleeper += "'import time; time.sleep(600)'])\n"
    sleeper += f"pathlib.Path({str(note)!r}).open('a').write(f'{{worker.pid}}\\n')\n"
    async with running(child("lookup", sleeper + OBEDIENT)) as heard:
        os.kill(pids(heard, "lookup")[0], signal.SIGKILL)
        await until(lambda: len(said(heard, "lookup", "ready")) == 2)
    for pid in note.read_text().split():
        os.kill(int(pid), signal.SIGKILL)


async def test_a_server_that_cannot_start_ends_the_service_and_leaves_nothing_running(
    running: Starter, root: Path
) -> None:
    (root / "log").mkdir()
    (root / "log" / "appendonlydir").write_text("not a directory")
    with pytest.raises(ServerFault, match=r"log server did not start"):
        async with running(child("lookup", OBEDIENT)):
            pass
    assert [find_orphan(spec) for spec in server_specs(data_directory(root), Settings(data_dir=root))] == [None, None]


async def test_a_process_that_says_it_cannot_run_ends_the_service(running: Starter) -> None:
    with pytest.raises(ChildRefused, match="lookup"):
        async with running(child("lookup", "raise SystemExit(2)"), child("monitor", OBEDIENT)):
            pass


async def test_a_killed_server_is_started_again_with_its_data(running: Starter, root: Path) -> None:
    async with running() as heard:
        client = connect(data_directory(root).socket("log"))
        await client.set("k", b"kept")
        await client.aclose()
        os.kill(pids(heard, "log")[0], signal.SIGKILL)
        await until(lambda: len(pids(heard, "log")) == 2)
        assert await client.get("k") == b"kept"
        await client.aclose()


async def test_a_process_that_ignores_its_signal_is_killed_within_the_bound(
    running: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lienthong.runtime.children.STOP_TIMEOUT_S", 0.2)
    async with running(child("lookup", STUBBORN)) as heard:
        began = time.monotonic()
    assert said(heard, "lookup", "stopped") == [{"status": -signal.SIGKILL}]
    assert time.monotonic() - began < 5


async def test_output_that_is_no_readiness_line_disturbs_nothing(running: Starter) -> None:
    noisy = "print('x' * 200_000)\nprint('{')\nprint('[1]')\nprint('{\"ready\": 3}', flush=True)\n" + OBEDIENT
    async with running(child("lookup", noisy)) as heard:
        assert said(heard, "lookup", "ready") == [{"url": "x"}]


@pytest.fixture
def parent(root: Path) -> Iterator[Callable[[], psutil.Popen]]:
    """Start a whole service in a process of its own, which may be killed."""
    program = textwrap.dedent(f"""
        import asyncio, json, os, sys
        from pathlib import Path
        from lienthong.runtime.children import ChildSpec
        from lienthong.runtime.settings import Settings
        from lienthong.runtime.supervisor import up
        child = ChildSpec(name="lookup", command=[sys.executable, "-c", {OBEDIENT!r}], environment=dict(os.environ))
        say = lambda one: print(json.dumps([one.name, one.event, dict(one.facts)]), flush=True)
        asyncio.run(up(Settings(data_dir=Path({str(root)!r})), say, children=[child]))
    """)
    started: list[psutil.Popen] = []

    def start() -> psutil.Popen:
        started.append(psutil.Popen([sys.executable, "-c", program], stdout=-1))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=20)
        process.stdout.close()
    for left in map(find_orphan, server_specs(data_directory(root), Settings(data_dir=root))):
        if left is not None:
            os.kill(left.pid, signal.SIGKILL)


def lines_until_ready(process: psutil.Popen) -> list[Announcement]:
    heard = []
    for line in process.stdout:
        name, event, facts = json.loads(line)
        heard.append(Announcement(name=name, event=event, facts=facts))
        if (name, event) == ("service", "ready"):
            return heard
    raise AssertionError


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_with_status_zero(parent: Callable[[], psutil.Popen], sign: signal.Signals) -> None:
    process = parent()
    heard = lines_until_ready(process)
    process.send_signal(sign)
    assert process.wait(timeout=10) == 0
    everyone = [pid for name in ("log", "projection", "lookup") for pid in pids(heard, name)]
    assert len(everyone) == 3
    assert not [pid for pid in everyone if psutil.pid_exists(pid)]


async def test_processes_die_with_a_killed_parent_and_its_servers_are_adopted(
    parent: Callable[[], psutil.Popen],
) -> None:
    process = parent()
    heard = lines_until_ready(process)
    process.kill()
    (lookup,) = pids(heard, "lookup")
    await until(lambda: not psutil.pid_exists(lookup))
    again = lines_until_ready(parent())
    assert [one.event for one in again if one.name in ("log", "projection")] == ["adopted", "adopted"]
    assert pids(again, "log") == pids(heard, "log")


def test_the_three_processes_get_the_settings_of_the_parent(root: Path) -> None:
    settings = Settings(data_dir=root, lookup_port=9999, log_to="files")
    specs = child_specs(data_directory(root), settings)
    assert tuple(spec.name for spec in specs) == PROCESSES
    assert specs[1].environment["LIENTHONG_LOOKUP_PORT"] == "9999"
    assert [spec.log_file and spec.log_file.parent for spec in specs] == [root.resolve() / "run"] * 3


def test_log_and_projection_are_two_servers_with_two_directories(root: Path) -> None:
    log, projection = server_specs(data_directory(root), Settings(data_dir=root))
    assert log.data != projection.data
    assert log.socket != projection.socket


KAFKA = {"kafka_servers": "kafka.example:9092"}
STORE = {"projection_url": "redis://store.example:6379"}


@pytest.mark.parametrize(
    ("elsewhere", "here"),
    [({}, ("log", "projection")), (KAFKA, ("projection",)), (STORE, ("log",)), (KAFKA | STORE, ())],
    ids=["nothing is elsewhere", "the log is", "the projection is", "both are"],
)
def test_only_the_servers_that_no_setting_says_are_elsewhere_run_here(
    root: Path, elsewhere: dict[str, Any], here: tuple[str, ...]
) -> None:
    settings = Settings(data_dir=root, **elsewhere)
    assert embedded_servers(settings) == here
    assert tuple(spec.name for spec in server_specs(data_directory(root), settings)) == here


async def test_a_log_elsewhere_leaves_the_projection_here(running: Starter, root: Path) -> None:
    async with running(child("lookup", OBEDIENT), **KAFKA) as heard:
        assert (len(pids(heard, "log")), len(pids(heard, "projection"))) == (0, 1)
    assert not (root / "log").exists()
    assert (root / "projection").is_dir()


async def test_without_a_server_of_its_own_the_service_is_its_processes(running: Starter, root: Path) -> None:
    async with running(child("lookup", OBEDIENT), **KAFKA, **STORE) as heard:
        assert {one.name for one in heard} == {"lookup", "service"}
        assert kept(root) == {"run", "keys", "history", "VERSION"}
    assert [one.name for one in heard if one.event == "stopped"] == ["lookup", "service"]


def test_what_a_process_is_given_shows_no_password(root: Path) -> None:
    settings = Settings(data_dir=root, projection_password="opensesame", history_url="postgresql://a:opensesame@b/c")  # type: ignore[arg-type]  # noqa: S106  # pydantic makes secrets of them; a test value
    specs = child_specs(data_directory(root), settings)
    assert all(spec.environment["LIENTHONG_PROJECTION_PASSWORD"] == "opensesame" for spec in specs)  # noqa: S105  # as above
    assert "opensesame" not in repr(specs)
