import contextlib
import dataclasses
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from lienthong.runtime import embedded
from lienthong.runtime.connection import connect
from lienthong.runtime.embedded import (
    DataClaimed,
    EmbeddedServer,
    NoServerProgram,
    ServerSilent,
    ServerSpec,
    find_binary,
    find_orphan,
)
from lienthong.runtime.processes import ProcessIdentity, alive
from tests.support.servers import OwnServer, server_spec
from tests.support.waiting import until


def command(spec: ServerSpec, *arguments: str) -> object:
    with redis.Redis(unix_socket_path=str(spec.socket)) as client:
        return client.execute_command(*arguments)


@contextlib.contextmanager
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


@pytest.fixture
def orphan(own_server: OwnServer) -> Iterator[ServerSpec]:
    """The spec of a server whose parent was killed right after it answered."""
    spec = own_server("log").spec
    program = (
        "import asyncio, os, pathlib, signal\n"
        "from lienthong.runtime.embedded import EmbeddedServer, ServerSpec\n"
        f"spec = ServerSpec(name='log', data=pathlib.Path({str(spec.data)!r}), run=pathlib.Path({str(spec.run)!r}),"
        f" socket=pathlib.Path({str(spec.socket)!r}))\n"
        "asyncio.run(EmbeddedServer(spec).start())\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False)  # noqa: S603  # the program is written above
    yield dataclasses.replace(spec, die_with_parent=False)
    left = find_orphan(spec)
    if left is not None:
        os.kill(left.pid, signal.SIGKILL)


async def test_the_server_gets_the_c_locale_and_nothing_else_from_our_environment(
    own_server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LANG", "LC_COLLATE"):
        monkeypatch.setenv(name, "vi_VN.UTF-8")
    server = own_server("projection")
    await server.start()
    assert psutil.Process(server.pid).environ() == {"LC_ALL": "C"}


async def test_text_is_ordered_by_its_bytes_whatever_the_locale_of_the_machine(
    own_server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "vi_VN.UTF-8")
    server = own_server("projection")
    await server.start()
    words = ["Đà", "Da", "da", "Dz", "dz", "Ea", "â", "az", "Z", "a", "_", "0"]
    script = "local less = {} for i, a in ipairs(ARGV) do for j, b in ipairs(ARGV) do "
    script += "less[#less + 1] = (a < b) and 1 or 0 end end return less"
    assert command(server.spec, "EVAL", script, "0", *words) == [
        int(first.encode() < second.encode()) for first in words for second in words
    ]


async def test_the_server_is_configured_as_the_spec_says(own_server: OwnServer) -> None:
    server = own_server("projection")
    await server.start()
    client = connect(server.spec.socket)
    found = await client.config_get("*")
    wanted = {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "always",
        "aof-load-truncated": "yes",
        "hash-max-listpack-value": "255",
        "hash-max-listpack-entries": "128",
        "maxmemory": "0",
        "maxmemory-policy": "noeviction",
        "save": "",
        "databases": "1",
    }
    assert {name: found[name] for name in wanted} == wanted
    await client.aclose()


async def test_only_this_user_can_reach_the_socket_and_the_files(own_server: OwnServer) -> None:
    server = own_server("log")
    await server.start()
    assert server.spec.socket.stat().st_mode & 0o077 == 0
    assert server.spec.data.stat().st_mode & 0o077 == 0


async def test_it_starts_in_well_under_a_second_and_stops_without_a_trace(own_server: OwnServer) -> None:
    server = own_server("log")
    began = time.monotonic()
    assert await server.start() == "started"
    assert time.monotonic() - began < 1
    pid = server.pid
    assert pid is not None
    await server.stop()
    assert not psutil.pid_exists(pid)
    assert (server.alive(), server.pid, server.spec.identity_file.exists()) == (False, None, False)
    await server.stop()


async def test_a_path_with_spaces_quotes_and_accents_is_served(tmp_path: Path) -> None:
    server = EmbeddedServer(server_spec(tmp_path / 'Đà Nẵng "1" \\ x', "log"))
    short = dataclasses.replace(server.spec, socket=Path("/tmp") / f"lt-{os.getpid()}.sock")  # noqa: S108  # short
    server = EmbeddedServer(short)
    await server.start()
    assert command(short, "PING") is True
    await server.stop()
    short.socket.unlink(missing_ok=True)


async def test_an_orphan_that_answers_is_adopted_with_its_data(orphan: ServerSpec) -> None:
    command(orphan, "SET", "k", "kept")
    left = find_orphan(orphan)
    server = EmbeddedServer(orphan)
    assert await server.start() == "adopted"
    assert left is not None
    assert server.pid == left.pid
    assert server.alive()
    assert command(orphan, "GET", "k") == b"kept"
    await server.stop()
    assert not alive(left)


async def test_an_orphan_is_found_though_its_parent_died_before_noting_who_it_is(orphan: ServerSpec) -> None:
    left = find_orphan(orphan)
    orphan.identity_file.unlink()
    server = EmbeddedServer(orphan)
    assert await server.start() == "adopted"
    assert left is not None
    assert server.pid == left.pid
    assert ProcessIdentity.recall(orphan.identity_file) == left
    await server.stop()


async def test_an_orphan_that_does_not_answer_is_stopped_and_replaced(
    orphan: ServerSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "PING_TIMEOUT_S", 0.2)
    monkeypatch.setattr(embedded, "STOP_TIMEOUT_S", 0.5)
    command(orphan, "SET", "k", "kept")
    left = find_orphan(orphan)
    assert left is not None
    os.kill(left.pid, signal.SIGSTOP)
    server = EmbeddedServer(orphan)
    assert await server.start() == "replaced"
    assert server.pid != left.pid
    await until(lambda: not alive(left))
    assert command(orphan, "GET", "k") == b"kept"
    await server.stop()


async def test_an_orphan_with_another_configuration_is_replaced(orphan: ServerSpec) -> None:
    server = EmbeddedServer(dataclasses.replace(orphan, appendfsync="everysec"))
    assert await server.start() == "replaced"
    await server.stop()


async def test_a_remembered_pid_that_now_belongs_to_a_stranger_is_left_alone(own_server: OwnServer) -> None:
    server = own_server("log")
    await server.start()
    server.kill()
    with stranger() as other:
        known = ProcessIdentity.of(other.pid)
        assert known is not None
        for started_at in (known.started_at, known.started_at - 100):
            ProcessIdentity(pid=other.pid, started_at=started_at).remember(server.spec.identity_file)
            assert await server.start() == "started"
            server.kill()
        assert other.poll() is None


@pytest.mark.parametrize("content", ["", "{", "17", "[]", '{"pid": "x"}', '{"pid": 1}'])
async def test_a_damaged_pid_file_is_no_reason_not_to_start(own_server: OwnServer, content: str) -> None:
    server = own_server("log")
    server.spec.identity_file.write_text(content)
    assert await server.start() == "started"


async def test_data_that_a_stranger_claims_is_refused_in_one_sentence(
    own_server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STOP_TIMEOUT_S", 0.1)
    server = own_server("log")
    with server.spec.claim_file.open("wb") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        with pytest.raises(DataClaimed, match=r"log in use \(see .*log\.claim\); stop it first"):
            await server.start()


async def test_a_server_that_cannot_start_is_said_to_and_its_log_named(own_server: OwnServer) -> None:
    server = own_server("log")
    server.spec.data.rmdir()
    server.spec.data.mkdir()
    (server.spec.data / "appendonlydir").write_text("not a directory")
    with pytest.raises(ServerSilent, match=r"log server did not start; .*log\.log says why"):
        await server.start()
    assert server.pid is None


async def test_a_torn_tail_of_the_append_only_file_is_accepted(own_server: OwnServer) -> None:
    server = own_server("log")
    await server.start()
    for n in range(10):
        command(server.spec, "RPUSH", "list", str(n))
    server.kill()
    (increment,) = server.spec.data.glob("appendonlydir/*.incr.aof")
    os.truncate(increment, increment.stat().st_size - 5)
    await server.start()
    assert command(server.spec, "LRANGE", "list", "0", "-1") == [str(n).encode() for n in range(9)]


async def test_functions_and_data_survive_a_kill(own_server: OwnServer) -> None:
    server = own_server("projection")
    await server.start()
    library = "#!lua name=l\nserver.register_function('f', function() return 7 end)"
    command(server.spec, "FUNCTION", "LOAD", library)
    server.kill()
    assert not server.alive()
    assert await server.start() == "started"
    assert command(server.spec, "FCALL", "f", "0") == 7


async def test_a_server_is_started_when_it_has_loaded_its_data_and_not_before(own_server: OwnServer) -> None:
    server = own_server("log")
    await server.start()
    # Loading is slowed down from the second start on: a millisecond a key.
    for n in range(200):
        command(server.spec, "SET", f"k{n}", "x")
    server.kill()
    configuration = type(server.spec).configuration
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            type(server.spec),
            "configuration",
            lambda spec: configuration(spec) + "key-load-delay 5000\nloading-process-events-interval-bytes 1024\n",
        )
        assert await server.start() == "started"
    assert command(server.spec, "DBSIZE") == 200


async def test_two_starts_at_once_leave_one_server(own_server: OwnServer) -> None:
    first, second = own_server("log"), own_server("log")
    assert await first.start() == "started"
    assert await second.start() == "adopted"
    assert first.pid == second.pid


def test_a_program_that_is_no_server_is_refused() -> None:
    with pytest.raises(NoServerProgram, match="version 7 or newer at /bin/true"):
        find_binary(Path("/bin/true"))


def test_a_server_on_the_path_is_preferred_unless_it_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bundled = find_binary()
    for name, version in (("valkey-server", "6.2.1"), ("redis-server", "7.0.15")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho 'Server v={version} sha=0 bits=64'\n")
        program.chmod(0o755)
        assert find_binary() == (bundled if version.startswith("6") else program)


async def test_the_identity_is_written_whole(own_server: OwnServer) -> None:
    server = own_server("log")
    await server.start()
    kept = json.loads(server.spec.identity_file.read_text())
    assert kept["pid"] == server.pid
