"""`lienthong up`: the servers that are not elsewhere and three processes on this machine, as one service."""

import asyncio
import socket
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from lienthong.adapters.kafka_admin import TlsFileRefused, TopicsUnusable
from lienthong.cli.console import err, fail, plain, print_json, say, warn
from lienthong.cli.options import AsJson, DataDir, settings_of
from lienthong.cli.topics import start_on_sound_topics
from lienthong.runtime import supervisor
from lienthong.runtime.addresses import addresses
from lienthong.runtime.children import Announce, Announcement, ChildRefused
from lienthong.runtime.datadir import DataDirectory, DataDirectoryRefused, data_directory
from lienthong.runtime.embedded import ServerFault
from lienthong.runtime.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

#: Lines of a process's own account that are shown when it could not run.
_LAST_LINES = 3
_LAST_BYTES = 4_096

_WORDS = {
    "started": "started · đã khởi động",
    "adopted": "adopted, it was still running · tiếp nhận máy chủ đang chạy",
    "replaced": "replaced one that did not answer · thay máy chủ không trả lời",
    "ready": "ready · sẵn sàng",
    "ended": "ended · đã dừng đột ngột",
    "restarting": "starting again · khởi động lại",
    "stopped": "stopped · đã dừng",
}


@app.command()
def up(
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option("--host", help="address to listen on; 127.0.0.1 if absent")] = None,
    port: Annotated[int | None, typer.Option("--port", help="port of look-ups; 8080 if absent")] = None,
    monitor_port: Annotated[int | None, typer.Option("--monitor-port", help="port of volumes; 8081 if absent")] = None,
    insecure_listen: Annotated[
        bool, typer.Option("--insecure-listen", help="listen on any address, although nobody is asked who they are")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole service on this machine until it is stopped.

    Chạy toàn bộ dịch vụ trên máy này.

    Two Valkey servers (log and projection), unless settings say that they are elsewhere, the projector, the look-up
    service and the monitor, on one data directory. Ctrl+C or SIGTERM stops it cleanly; what was acknowledged survives
    any end.
    """
    settings = settings_of(
        data_dir=data_dir,
        host=host,
        lookup_port=port,
        monitor_port=monitor_port,
        insecure_listen=insecure_listen or None,
    )
    settings = _with_logs_where_they_are_read(settings)
    directory = data_directory(settings.data_dir)
    if not as_json:
        say(f"[bold]Lien Thong {version('lienthong')}[/] · {plain(directory.root)}")
    _say_what_is_elsewhere(settings, as_json=as_json)
    _warn_of_open_ports(settings)
    _refuse_taken_ports(settings)
    try:
        asyncio.run(start_on_sound_topics(settings))
        asyncio.run(supervisor.up(settings, _announcer(settings, directory, as_json=as_json)))
    except (DataDirectoryRefused, ServerFault, TopicsUnusable, TlsFileRefused) as fault:
        fail(str(fault))
    except ChildRefused as fault:
        _show_account(settings, directory, fault.name)
        fail(str(fault), "Correct what it says, and start again.")


def _with_logs_where_they_are_read(settings: Settings) -> Settings:
    """Keep the processes' logs out of a terminal, where people read; anywhere else they go to standard error."""
    if "log_to" in settings.model_fields_set or not sys.stderr.isatty():
        return settings
    return settings.model_copy(update={"log_to": "files"})


def _say_what_is_elsewhere(settings: Settings, *, as_json: bool) -> None:
    elsewhere = {name: address for name, address in addresses(settings).items() if address is not None}
    if as_json and elsewhere:
        print_json({"name": "service", "event": "connecting", "addresses": elsewhere})
    elif not as_json:
        for name, address in elsewhere.items():
            say(f"  {name:<11} elsewhere · ở máy khác  {plain(address)}")


def _warn_of_open_ports(settings: Settings) -> None:
    if settings.insecure_listen:
        warn(
            f"--insecure-listen: whoever reaches {settings.host} can look cards up, for nothing asks them who they are."
        )


def _refuse_taken_ports(settings: Settings) -> None:
    """Say in one sentence what a process would otherwise find out after everything else was started."""
    for port, option in ((settings.lookup_port, "--port"), (settings.monitor_port, "--monitor-port")):
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        try:
            socket.create_server((settings.host, port), family=family).close()
        except OSError as fault:
            fail(
                f"{settings.host}:{port} cannot be listened on ({fault.strerror or fault}).",
                f"Stop what listens there, or choose another {option}.",
            )


def _announcer(settings: Settings, directory: DataDirectory, *, as_json: bool) -> Announce:
    if as_json:
        return lambda heard: print_json({"name": heard.name, "event": heard.event, **heard.facts})

    def announce(heard: Announcement) -> None:
        if heard.name == "service":
            _say_service(heard, settings, directory)
        elif heard.event in {"ended", "restarting"}:
            warn(f"{heard.name} {_WORDS[heard.event]} {_detail(heard)}".rstrip())
        elif heard.event != "started" or heard.name in supervisor.SERVERS:
            say(f"  {heard.name:<11} {_WORDS[heard.event]} {_detail(heard)}".rstrip())

    return announce


def _detail(heard: Announcement) -> str:
    if "pid" in heard.facts:
        return f"(pid {heard.facts['pid']})"
    if "fault" in heard.facts:
        return f"({heard.facts['fault']})"
    return str(heard.facts.get("url", ""))


def _say_service(heard: Announcement, settings: Settings, directory: DataDirectory) -> None:
    if heard.event != "ready":
        say("Stopped. Nothing that was acknowledged is lost. · Đã dừng, không mất dữ liệu đã xác nhận.")
        return
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lookup, monitor = f"http://{host}:{settings.lookup_port}", f"http://{host}:{settings.monitor_port}"
    seconds = heard.facts["seconds"]
    say(f"[bold green]Ready in {seconds} s[/] · sẵn sàng sau {seconds} giây")
    say(f"  look-ups · tra cứu      {lookup}  (description · mô tả: {lookup}/docs)")
    say(f"  volumes · lượt tra cứu  {monitor}  (description · mô tả: {monitor}/docs)")
    if settings.log_to == "files":
        say(f"  logs · nhật ký          {plain(directory.run)}/*-process.log")
    say("  stop · dừng             Ctrl+C")


def _show_account(settings: Settings, directory: DataDirectory, name: str) -> None:
    """Show the last lines that a process wrote into its file; elsewhere they stand on standard error already."""
    account = Path(directory.run / f"{name}-process.log")
    if settings.log_to != "files" or not account.exists():
        return
    text = account.read_bytes()[-_LAST_BYTES:].decode("utf-8", "replace")
    for line in text.splitlines()[-_LAST_LINES:]:
        err.print(f"  {name}: {line}", soft_wrap=True, markup=False)
