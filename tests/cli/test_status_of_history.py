"""The status finds the counts wherever the settings say that they are, and begins none."""

from pathlib import Path

from lienthong.adapters.history import open_history
from lienthong.adapters.history_positions import Stretch
from lienthong.cli.status import _counted
from lienthong.runtime.datadir import data_directory
from lienthong.runtime.settings import load
from lienthong_schemas.streams import DECISIONS


def test_counts_of_a_server_are_found(tmp_path: Path, fresh_database: str) -> None:
    settings, directory = load(data_dir=tmp_path, history_url=fresh_database), data_directory(tmp_path)
    history = open_history(settings, directory)
    history.count(Stretch(stream=DECISIONS.name, partition=2, position=0, next=5), [])
    history.close()
    assert _counted(settings, directory) == {2: 5}
    assert list(tmp_path.iterdir()) == []


def test_a_history_that_is_away_or_never_was_has_no_counts(tmp_path: Path) -> None:
    away = load(data_dir=tmp_path, history_url="postgresql://u:p@127.0.0.1:1/n")
    assert _counted(away, data_directory(tmp_path)) is None
    assert _counted(load(data_dir=tmp_path), data_directory(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
