import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lienthong.cli.demo_ground import HOST, MARKER, NotADemonstration, ServersElsewhere, cleared, free_ports, removed
from lienthong.cli.demo_store import Holdings
from lienthong.cli.verdict import words
from lienthong.runtime.datadir import DataDirectory, InUse, data_directory, held
from lienthong.runtime.settings import Settings, load
from tests.support.servers import KillableServer, server_spec


@pytest.fixture
def directory() -> Iterator[DataDirectory]:
    with tempfile.TemporaryDirectory(prefix="lienthong-") as root:
        yield data_directory(Path(root) / "demo")


def settings(directory: DataDirectory) -> Settings:
    return load(data_dir=directory.root)


async def test_what_no_demonstration_has_made_is_left_alone(directory: DataDirectory) -> None:
    directory.root.mkdir()
    (directory.root / "cards.jsonl").write_text("somebody's", encoding="utf-8")
    with pytest.raises(NotADemonstration):
        await cleared(directory, settings(directory))
    assert (directory.root / "cards.jsonl").exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("kafka_servers", "kafka.example:9092"),
        ("projection_url", "redis://store.example"),
        ("history_url", "postgresql://db.example/history"),
        ("keys_url", "postgresql://db.example/keys"),
    ],
)
async def test_no_invented_card_comes_to_a_server_elsewhere(directory: DataDirectory, setting: str, value: str) -> None:
    with pytest.raises(ServersElsewhere, match=f"unset LIENTHONG_{setting.upper()}."):
        await cleared(directory, load(data_dir=directory.root, **{setting: value}))
    assert not directory.root.exists()


async def test_what_an_earlier_demonstration_left_is_removed(directory: DataDirectory) -> None:
    await cleared(directory, settings(directory))
    (directory.root / "log").mkdir()
    await cleared(directory, settings(directory))
    assert [path.name for path in directory.root.iterdir()] == [MARKER]


async def test_a_demonstration_that_is_playing_is_not_disturbed(directory: DataDirectory) -> None:
    await cleared(directory, settings(directory))
    with held(directory):
        with pytest.raises(InUse):
            await cleared(directory, settings(directory))
        assert (directory.root / "VERSION").exists()


async def test_a_server_whose_parent_was_killed_is_stopped_first(directory: DataDirectory) -> None:
    await cleared(directory, settings(directory))
    directory.prepare()
    orphan = KillableServer(server_spec(directory.root, "log"))
    await orphan.start()
    await cleared(directory, settings(directory))
    assert not orphan.alive()


async def test_nothing_is_left_at_the_end(directory: DataDirectory) -> None:
    await cleared(directory, settings(directory))
    removed(directory)
    assert not directory.root.exists()


def test_a_port_that_is_taken_gives_way_to_a_free_one() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        chosen = free_ports((port, port))
    assert port not in chosen
    assert len(set(chosen)) == 2


def test_a_free_port_is_taken_as_it_is() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    assert free_ports((port,)) == [port]


def test_every_byte_of_a_card_that_was_written_is_counted() -> None:
    def holding(**records: bytes) -> Holdings:
        return Holdings(
            records={key.encode(): packed for key, packed in records.items()}, positions=(len(records),), events=1
        )

    before = holding(a=b"one", b=b"two")
    assert before.written_since(before) == 0
    assert holding(a=b"one", b=b"other").written_since(before) == len(b"other")
    assert holding(a=b"one", b=b"two", c=b"new").written_since(before) == len(b"new")


def test_a_card_that_has_not_started_is_not_called_ended() -> None:
    not_started = words({"outcome": "not_in_force", "notices": [{"code": "not_started"}]})
    ended = words({"outcome": "not_in_force", "notices": [{"code": "ended"}]})
    assert (not_started.en, ended.en) == ("NOT STARTED", "NOT IN FORCE")
