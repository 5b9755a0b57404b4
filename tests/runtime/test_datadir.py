import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lienthong.runtime.datadir import (
    DIRECTORIES,
    SOCKET_PATH_BYTES_MAX,
    DataDirectoryRefused,
    InUse,
    NotOurs,
    OtherVersion,
    data_directory,
    held,
)


@pytest.fixture
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lienthong-") as directory:
        yield Path(directory).resolve() / "data"


def test_the_directories_are_made_for_this_user_alone(root: Path) -> None:
    with held(data_directory(root)):
        assert {path.name for path in root.iterdir() if path.is_dir()} == set(DIRECTORIES)
        assert {path.stat().st_mode & 0o777 for path in [root, *root.iterdir()] if path.is_dir()} == {0o700}


def test_a_root_that_was_there_keeps_its_mode_and_what_else_is_in_it(root: Path) -> None:
    root.mkdir()
    root.chmod(0o755)
    (root / "something").write_text("else")
    (root / "log").mkdir(mode=0o755)
    with held(data_directory(root)):
        assert root.stat().st_mode & 0o777 == 0o755
        assert (root / "log").stat().st_mode & 0o777 == 0o700
        assert (root / "something").read_text() == "else"


def test_a_second_holder_is_refused_by_the_pid_of_the_first_and_may_come_after_it(root: Path) -> None:
    directory = data_directory(root)
    with held(directory), pytest.raises(InUse) as refused, held(directory):
        pass
    assert refused.value.pid == os.getpid()
    assert str(refused.value) == (
        f"Lien Thong already runs on {root} (process {os.getpid()}); stop it first, or choose another --data-dir."
    )
    with held(directory):
        pass


def test_a_killed_holder_holds_nothing(root: Path) -> None:
    program = (
        "import os, pathlib, signal\n"
        "from lienthong.runtime.datadir import data_directory, held\n"
        f"with held(data_directory(pathlib.Path({str(root)!r}))): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], check=False)  # noqa: S603  # the program is written above
    assert killed.returncode == -9
    assert (root / "run" / "up.pid").exists()
    with held(data_directory(root)):
        pass


def test_a_directory_of_another_release_is_refused(root: Path) -> None:
    root.mkdir()
    (root / "VERSION").write_text("7\n")
    with pytest.raises(OtherVersion, match="layout '7'"):
        data_directory(root).prepare()


def test_a_file_in_the_place_of_a_directory_is_refused(root: Path) -> None:
    root.mkdir()
    (root / "keys").write_text("")
    with pytest.raises(NotOurs, match="keys cannot hold personal data"):
        data_directory(root).prepare()


def test_a_link_in_the_place_of_a_directory_is_refused(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    (root / "keys").symlink_to(tmp_path)
    with pytest.raises(DataDirectoryRefused, match="it is no directory"):
        data_directory(root).prepare()


def test_a_directory_of_another_user_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root.mkdir()
    monkeypatch.setattr("os.getuid", lambda: os.geteuid() + 1)
    with pytest.raises(NotOurs, match="another user"):
        data_directory(root).prepare()


@pytest.mark.parametrize("length", [10, 60, 200])
def test_every_socket_path_is_short_enough_and_the_same_for_every_process(root: Path, length: int) -> None:
    deep = root / ("ă" * (length // 2))
    directory = data_directory(deep)
    directory.prepare()
    sockets = [directory.socket(name) for name in ("log", "projection")]
    assert all(len(os.fsencode(socket)) <= SOCKET_PATH_BYTES_MAX for socket in sockets)
    assert sockets == [data_directory(deep).socket(name) for name in ("log", "projection")]
    assert sockets[0].parent.stat().st_mode & 0o777 == 0o700
    if not sockets[0].is_relative_to(root):
        sockets[0].parent.rmdir()


def test_two_roots_have_two_sockets(root: Path) -> None:
    names = {data_directory(root / ("a" * 150) / name).socket("log") for name in ("one", "two")}
    assert len(names) == 2


def test_a_relative_path_and_a_tilde_come_to_one_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("HOME", str(root))
    assert data_directory(Path("x")) == data_directory(Path("~/x")) == data_directory(root / "x")
