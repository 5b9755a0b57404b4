"""`lienthong projector|lookup|monitor`: one process of the service, as `lienthong up` starts three of them."""

import sqlite3
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

import structlog
import typer
import uvloop
from redis.exceptions import RedisError

from lienthong.adapters.database_faults import DatabaseAway, DatabaseRefused
from lienthong.adapters.kafka_admin import TlsFileRefused, TopicsUnusable
from lienthong.adapters.key_records import KeysAway, KeyStoreRefused
from lienthong.adapters.projection_servers import ProjectionRefused
from lienthong.adapters.serving import AddressTaken
from lienthong.cli.console import fail, warn
from lienthong.cli.options import DataDir, settings_of
from lienthong.cli.topics import start_on_sound_topics
from lienthong.runtime import logging
from lienthong.runtime.datadir import DataDirectoryRefused, data_directory
from lienthong.runtime.settings import Settings
from lienthong.runtime.supervisor import embedded_servers, servers_elsewhere

#: What no second start can mend; `lienthong up` ends when a process ends with it.
_REFUSED = (
    KeyStoreRefused,
    DatabaseRefused,
    ProjectionRefused,
    AddressTaken,
    DataDirectoryRefused,
    TopicsUnusable,
    TlsFileRefused,
)
#: The servers may be there in a moment; `lienthong up` starts a process again that ends with this.
_AGAIN = 1

Process = Callable[[Settings], Coroutine[Any, Any, None]]

projector, lookup, monitor = (typer.Typer(add_completion=False, rich_markup_mode="markdown") for _ in range(3))


@projector.command("projector")
def run_projector(data_dir: DataDir = None) -> None:
    """Run the process that projects cards and batches.

    Chạy tiến trình dựng dữ liệu tra cứu.
    """
    _run("projector", settings_of(data_dir=data_dir))


@lookup.command("lookup")
def run_lookup(data_dir: DataDir = None) -> None:
    """Run the process that answers look-ups.

    Chạy tiến trình trả lời tra cứu.
    """
    _run("lookup", settings_of(data_dir=data_dir))


@monitor.command("monitor")
def run_monitor(data_dir: DataDir = None) -> None:
    """Run the process that counts what was answered.

    Chạy tiến trình đếm lượt tra cứu.
    """
    _run("monitor", settings_of(data_dir=data_dir))


def _run(name: str, settings: Settings) -> None:
    directory = data_directory(settings.data_dir)
    if not directory.root.exists() and embedded_servers(settings):
        fail(f"There is no data directory {directory.root}.", f"lienthong up --data-dir {directory.root} makes it.")
    logging.configure(settings.log_level, settings.log_format)
    process: Process = import_module(f"lienthong.{name}.app").run
    try:
        directory.prepare(without=servers_elsewhere(settings))
        uvloop.run(_on_sound_topics(process, settings))
    except _REFUSED as fault:
        fail(str(fault))
    except (DatabaseAway, KeysAway) as fault:
        # What a database says of itself tells a server that is away from a password that is wrong.
        warn(f"The {name} process ends: {fault}.")
        sys.exit(_AGAIN)
    except (RedisError, OSError, sqlite3.Error) as fault:
        warn(f"The {name} process ends: a server or a file is away ({type(fault).__name__}).")
        sys.exit(_AGAIN)
    except Exception as fault:  # noqa: BLE001 -- what a traceback would print of it may be a person
        structlog.stdlib.get_logger("lienthong").critical("process_ends", process=name, exc_info=fault)
        sys.exit(_AGAIN)


async def _on_sound_topics(process: Process, settings: Settings) -> None:
    await start_on_sound_topics(settings)
    await process(settings)
