"""`lienthong status`: what runs on a data directory, how far it has read, and what stands in the register."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import typer
from rich.table import Table

from lienthong.adapters.database_faults import DatabaseAway
from lienthong.adapters.dead_letters import letters
from lienthong.adapters.history import open_history
from lienthong.adapters.outbox import OutboxCell
from lienthong.adapters.outbox_backlog import backlog
from lienthong.adapters.outbox_layout import all_cells, event_cell
from lienthong.adapters.publishing import Publisher
from lienthong.adapters.spool import spool_directory, waiting_in
from lienthong.cli.console import OTHER, YES, out, plain, print_json, say, table_of
from lienthong.cli.options import AsJson, DataDir, settings_of
from lienthong.cli.service import Service, answers, fail_not_running, open_service, run
from lienthong.domain.register import Register
from lienthong.runtime.addresses import addresses
from lienthong.runtime.clock import VIETNAM, SystemClock
from lienthong.runtime.datadir import DataDirectory
from lienthong.runtime.processes import ProcessIdentity, alive
from lienthong.runtime.settings import Settings
from lienthong.runtime.supervisor import embedded_servers
from lienthong_schemas.streams import CARD_IMAGES, CARDS, DECISIONS, LOOKUPS, REGISTER, STREAMS

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Say what runs, how far it has read, and what stands in the register.

    Tình trạng dịch vụ và sổ đăng ký.

    Exit status: 0 where everything is read to its end, 1 where something lags or is away, 2 where nothing runs.
    """
    found = run(_read(settings_of(data_dir=data_dir)))
    if as_json:
        print_json(found)
    else:
        _show(found)
    raise typer.Exit(YES if found["sound"] else OTHER)


async def _read(settings: Settings) -> dict[str, Any]:
    async with open_service(settings) as service:
        if service is None:
            fail_not_running(settings)
        projection_answers = await answers(service.store.ping())
        register = await Publisher(service.log, SystemClock()).register()
        found: dict[str, Any] = {
            "data_dir": str(service.directory.root),
            "processes": _processes(service.directory, embedded_servers(settings)),
            "servers": {"log": True, "projection": projection_answers},
            "addresses": addresses(settings),
            "log_ends": {
                stream.name: sum(bounds.end for bounds in (await service.log.bounds(stream.name)).values())
                for stream in STREAMS
            },
            "register": _register(register),
            "cards": await _cards(service) if projection_answers else None,
            "register_mirror": await _mirror(service, register) if projection_answers else None,
            "decisions": await _decisions(service, settings),
            "dead_letters": len(await letters(service.log)),
            "outbox": await _outbox(service) if projection_answers else None,
            "spool": _spool(service.directory),
        }
        waiting = await _waiting(service) if projection_answers else None
    lookups = None if waiting is None else {"waiting": sum(waiting.values())}
    lag = _lag(found, waiting)
    # Counts may come later: no answer waits for them.
    read = all(behind == 0 for stream, behind in lag.items() if stream != DECISIONS.name)
    complete = found["cards"] is not None and found["cards"]["complete"]
    return found | {"lookups": lookups, "lag": lag, "sound": complete and read}


def _lag(found: dict[str, Any], waiting: dict[str, int] | None) -> dict[str, int | None]:
    """Return of each stream that is read how far its reader is behind, None where that cannot be told.

    In entries; of the register in batches, for facts without a seal are waited for by nobody.
    """
    cards, mirror, decisions = (found[name] for name in ("cards", "register_mirror", "decisions"))
    return {
        CARDS.name: None if cards is None else cards["lag"],
        REGISTER.name: None if mirror is None else mirror["lag_batches"],
        **{stream.name: None if waiting is None else waiting[stream.name] for stream in (LOOKUPS, CARD_IMAGES)},
        DECISIONS.name: None if decisions is None else decisions["lag"],
    }


def _processes(directory: DataDirectory, servers: Sequence[str]) -> dict[str, int | None]:
    """Return the process ids of the parent and of the servers that run here, None for one that does not run."""
    pids: dict[str, int | None] = {}
    for name in ("up", *servers):
        known = ProcessIdentity.recall(directory.run / f"{name}.pid")
        pids[name] = known.pid if known is not None and alive(known) else None
    return pids


def _register(register: Register) -> dict[str, Any]:
    return {
        "position": register.position,
        "facts": len(register.facts.winners),
        "illustrative": register.illustrative,
        "conflicts": len(register.facts.conflicts),
        "batches": [
            {"batch_id": each.batch_id, "name": each.name, "position": each.position, "count": len(each.facts)}
            for each in register.batches
        ],
    }


async def _cards(service: Service) -> dict[str, Any]:
    ends = await service.log.bounds(CARDS.name)
    states = await service.projection.states()
    moments = [state.caught_up_at_ms for state in states]
    known = [moment for moment in moments if moment is not None]
    since = min(known) if len(known) == len(states) else None
    return {
        "cards": sum(state.facts for state in states),
        "lag": sum(max(0, ends[cell].end - (state.position or 0)) for cell, state in enumerate(states)),
        "incomplete_cells": sum(not state.complete for state in states),
        "complete": all(state.complete for state in states),
        "caught_up_at": None if since is None else datetime.fromtimestamp(since / 1000, UTC).isoformat(),
    }


async def _waiting(service: Service) -> dict[str, int]:
    """Return how many look-ups of each stream came as events and are not answered yet."""
    waiting = {LOOKUPS.name: 0, CARD_IMAGES.name: 0}
    for stream in waiting:
        for partition, bounds in (await service.log.bounds(stream)).items():
            cell = OutboxCell(service.store, event_cell(stream, partition))
            waiting[stream] += max(0, bounds.end - max(bounds.first, await cell.source_position() or 0))
    return waiting


async def _mirror(service: Service, register: Register) -> dict[str, Any]:
    stands = await service.mirror.stands()
    return {
        "entries": stands.entries,
        "last": stands.last,
        "lag_batches": sum(each.position > int(stands.last.rpartition("-")[2]) for each in register.batches),
    }


async def _outbox(service: Service) -> dict[str, Any]:
    """Return how many decisions wait for the log, since when, and what is to be said of it."""
    found = await backlog(service.store, all_cells(service.log))
    return {
        "waiting": found.entries,
        "oldest_at": None if found.oldest_at is None else found.oldest_at.isoformat(),
        "alarm": found.alarm(datetime.now(UTC)),
    }


def _spool(directory: DataDirectory) -> dict[str, int]:
    """Return how many bytes of decisions wait on this machine for the store, and how many decisions were lost."""
    waiting, lost = waiting_in(spool_directory(directory))
    return {"bytes": waiting, "lost": lost}


async def _decisions(service: Service, settings: Settings) -> dict[str, int] | None:
    """Return how far the monitor has counted, None where it never ran or its history is away."""
    bounds = await service.log.bounds(DECISIONS.name)
    counted = await asyncio.to_thread(_counted, settings, service.directory)
    if counted is None:
        return None
    positions = {partition: counted.get(partition, 0) for partition in bounds}
    return {
        "counted": sum(positions.values()),
        "lag": sum(max(0, each.end - max(each.first, positions[partition])) for partition, each in bounds.items()),
    }


def _counted(settings: Settings, directory: DataDirectory) -> dict[int, int] | None:
    # Looking at a history must not begin one.
    if settings.history_url is None and not (directory.history / "history.sqlite").exists():
        return None
    try:
        with closing(open_history(settings, directory)) as history:
            return history.positions(DECISIONS.name)
    except DatabaseAway:
        return None


def _show(found: dict[str, Any]) -> None:
    say(f"[bold]{plain(found['data_dir'])}[/]")
    table = table_of("", "")
    for name, address in found["addresses"].items():
        if address is not None:
            table.add_row(name, f"elsewhere · ở máy khác: {plain(address)}")
    for name, pid in found["processes"].items():
        table.add_row(name, "[red]not running · không chạy[/]" if pid is None else f"running · đang chạy (pid {pid})")
    cards, register, decisions = found["cards"], found["register"], found["decisions"]
    if cards is None:
        table.add_row("cards · thẻ", "[red]the projection does not answer · không trả lời[/]")
    else:
        complete = "[green]complete · đủ[/]" if cards["complete"] else "[yellow]not complete · chưa đủ[/]"
        table.add_row("cards · thẻ", f"{cards['cards']:,}, {cards['lag']:,} behind · chậm, {complete}")
        table.add_row("data as of · dữ liệu đến", _local(cards["caught_up_at"]))
    counted = None if decisions is None else decisions["counted"]
    ends = found["log_ends"]
    table.add_row("decisions · lượt trả lời", f"{ends[DECISIONS.name]:,}, {_number(counted)} counted · đã đếm")
    if found["lookups"] is not None:
        table.add_row("look-ups by event · tra cứu qua sự kiện", f"{found['lookups']['waiting']:,} waiting · đang chờ")
    _show_outbox(table, found)
    letters_colour = "yellow" if found["dead_letters"] else "green"
    table.add_row("dead letters · bản ghi lỗi", f"[{letters_colour}]{found['dead_letters']:,}[/]")
    table.add_row("behind · chậm", ", ".join(f"{name} {_number(lag)}" for name, lag in found["lag"].items()))
    table.add_row("register · sổ đăng ký", f"{register['facts']:,} facts, position {register['position']:,}")
    if ends[REGISTER.name] > register["position"]:
        table.add_row("", f"{ends[REGISTER.name] - register['position']:,} facts without a seal count for nothing")
    out.print(table)
    _show_batches(found)


def _show_outbox(table: Table, found: dict[str, Any]) -> None:
    outbox, spool = found["outbox"], found["spool"]
    if outbox is not None:
        colour = "red" if outbox["alarm"] else "green"
        oldest = f", oldest · cũ nhất {_local(outbox['oldest_at'])}" if outbox["oldest_at"] else ""
        table.add_row("outbox · chờ ghi sổ", f"[{colour}]{outbox['waiting']:,} waiting · đang chờ[/]{oldest}")
    if spool["bytes"] or spool["lost"]:
        lost = f", [red]{spool['lost']:,} decisions lost · mất[/]" if spool["lost"] else ""
        table.add_row("spool · tạm giữ", f"{spool['bytes']:,} bytes waiting · đang chờ{lost}")


def _show_batches(found: dict[str, Any]) -> None:
    batches = found["register"]["batches"]
    if not batches:
        say(" No batch is published yet: lienthong publish vn-2025-07-01 · Chưa công bố gói nào.")
        return
    table = table_of("batch", "name · tên", "#facts", "#position · vị trí")
    for each in batches:
        table.add_row(each["batch_id"][:16], plain(each["name"] or "–"), f"{each['count']:,}", f"{each['position']:,}")
    out.print(table)
    if found["register"]["illustrative"]:
        say(" [bold red]MINH HỌA: the register holds invented facts · có dữ kiện minh họa[/]")


def _number(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _local(moment: str | None) -> str:
    if moment is None:
        return "–"
    return f"{datetime.fromisoformat(moment).astimezone(VIETNAM):%Y-%m-%d %H:%M:%S} (Asia/Ho_Chi_Minh)"
