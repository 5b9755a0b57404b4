"""`lienthong digest`: the digests of what stands, by which two installations or two moments are compared."""

from typing import Annotated, Any

import typer

from lienthong.adapters.event_log import EventLog
from lienthong.adapters.publishing import Publisher
from lienthong.cli.console import OTHER, YES, out, print_json, say, table_of
from lienthong.cli.log_digest import CardsDigest, cards_of_log
from lienthong.cli.options import AsJson, DataDir, settings_of
from lienthong.cli.service import Service, run, running_service
from lienthong.domain.facts import DIGEST_MODULUS, digest_hex
from lienthong.domain.register import Register
from lienthong.runtime.clock import SystemClock
from lienthong_schemas.streams import CARDS, REGISTER

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def digest(
    from_log: Annotated[
        bool, typer.Option("--from-log", help="also work the cards' digest out from the log, and compare")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print the digests of what stands, and how far it was read.

    In mã kiểm của sổ đăng ký và của thẻ.

    A digest is the sum modulo 2^256 of the SHA-256 of each winning fact: of all of them (facts_digest), and without
    annulled ones (state_digest). The register's are taken from the log, the cards' from the projection. With
    --from-log the exit status is 1 where log and projection disagree.
    """
    found = run(_read(settings_of(data_dir=data_dir), from_log=from_log))
    if as_json:
        print_json(found)
    else:
        _show(found)
    raise typer.Exit(OTHER if found.get("agree") is False else YES)


async def _read(settings: Any, *, from_log: bool) -> dict[str, Any]:
    async with running_service(settings) as service:
        register = await Publisher(service.log, SystemClock()).register()
        projected, complete = await _projected(service)
        ends = await _ends(service.log)
        found: dict[str, Any] = {
            "register": _register_document(register),
            "cards": _cards_document(projected) | {"complete": complete},
            "positions": {REGISTER.name: [register.position], CARDS.name: list(projected.positions)},
            "log_ends": ends,
        }
        if from_log:
            logged = await cards_of_log(service.log, projected.positions)
            found["cards_from_log"] = _cards_document(logged)
            found["agree"] = (logged.facts, logged.digest) == (projected.facts, projected.digest)
        return found


async def _projected(service: Service) -> tuple[CardsDigest, bool]:
    states = await service.projection.states()
    summed = CardsDigest(
        facts=sum(state.facts for state in states),
        digest=sum(state.digest for state in states) % DIGEST_MODULUS,
        positions=tuple(state.position or 0 for state in states),
    )
    return summed, all(state.complete for state in states)


async def _ends(log: EventLog) -> dict[str, list[int]]:
    return {
        stream.name: [bounds.end for bounds in (await log.bounds(stream.name)).values()] for stream in (REGISTER, CARDS)
    }


def _register_document(register: Register) -> dict[str, Any]:
    return {
        "state_digest": digest_hex(register.state_digest),
        "facts_digest": digest_hex(register.facts_digest),
        "facts": len(register.facts.winners),
        "position": register.position,
        "last_batch": register.last_batch,
    }


def _cards_document(cards: CardsDigest) -> dict[str, Any]:
    """Return both digests of cards, which are one: a card is withdrawn by a whole record and never annulled."""
    return {"state_digest": digest_hex(cards.digest), "facts_digest": digest_hex(cards.digest), "facts": cards.facts}


def _show(found: dict[str, Any]) -> None:
    table = table_of("", "#facts · dữ kiện", "state_digest", "facts_digest")
    names = (("register · sổ đăng ký", "register"), ("cards · thẻ", "cards"), ("cards, from the log", "cards_from_log"))
    for title, name in names:
        if name in found:
            row = found[name]
            table.add_row(title, f"{row['facts']:,}", row["state_digest"], row["facts_digest"])
    out.print(table)
    behind = sum(found["log_ends"][CARDS.name]) - sum(found["positions"][CARDS.name])
    say(f" register position {found['register']['position']:,}; cards {behind:,} behind the log")
    if "agree" in found:
        say(" [green]log and projection agree[/]" if found["agree"] else " [bold red]log and projection disagree[/]")
