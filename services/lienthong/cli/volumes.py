"""`lienthong volumes`: how many look-ups there were, asked of the running monitor."""

from typing import Annotated, Any

import typer

from lienthong.cli.console import out, plain, print_json, say, table_of
from lienthong.cli.http import get_json, http_client
from lienthong.cli.options import MONITOR_URL, AsJson

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

#: A year of a country's look-ups is totalled in seconds.
_TIMEOUT_S = 30.0


@app.command()
def volumes(
    by: Annotated[
        str,
        typer.Option("--by", help="total by day, minute, channel, outcome, facility, commune or province"),
    ] = "day",
    from_day: Annotated[str | None, typer.Option("--from", help="first day, YYYY-MM-DD, in Vietnam")] = None,
    to_day: Annotated[str | None, typer.Option("--to", help="last day, included")] = None,
    on: Annotated[str | None, typer.Option("--on", help="places as they are on this day; today if absent")] = None,
    facility: Annotated[str | None, typer.Option("--facility", help="of this facility and its predecessors")] = None,
    commune: Annotated[str | None, typer.Option("--commune", help="of cards of this commune or a predecessor")] = None,
    province: Annotated[str | None, typer.Option("--province", help="of cards whose place is in this province")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="how the card was presented")] = None,
    outcome: Annotated[str | None, typer.Option("--outcome", help="what was answered")] = None,
    url: Annotated[str, typer.Option("--url", help="the monitor")] = MONITOR_URL,
    as_json: AsJson = False,
) -> None:
    """Count look-ups, following places through their succession.

    Đếm lượt tra cứu thẻ, theo dòng kế tiếp của từng nơi.

    What was counted under a predecessor counts for its successor; what belongs to several stays apart.
    """
    query = {
        "by": by,
        "from": from_day,
        "to": to_day,
        "on": on,
        "facility": facility,
        "commune": commune,
        "province": province,
        "channel": channel,
        "outcome": outcome,
    }
    found = get_json(
        http_client(url, _TIMEOUT_S), "/v1/volumes", {name: value for name, value in query.items() if value is not None}
    )
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    days = f"{found['from'] or '…'} – {found['to'] or '…'}"
    say(f"[bold]{found['lookups']:,}[/] look-ups · lượt tra cứu ({days})")
    for title, rows in ((found["by"], found["rows"]), ("divided · được chia", found["divided"])):
        if not rows:
            continue
        placed = "code" in rows[0]
        table = table_of(title, *(("name · tên", "") if placed else ()), "#look-ups · lượt")
        for row in rows:
            table.add_row(*(_place(row) if placed else (str(row[found["by"]]),)), f"{row['lookups']:,}")
        out.print(table)
    say(f"[dim]{found['note_vi']}\n{found['note_en']}[/]")


def _place(row: dict[str, Any]) -> tuple[str, str, str]:
    return str(row["code"] or "–"), plain(row["name"] or ""), _lineage(row)


def _lineage(row: dict[str, Any]) -> str:
    """Write what a total is made of, or among whom it was divided."""
    among = row.get("divided_among") or ()
    if len(among) > 1:
        return f"→ {', '.join(among)}"
    parts = [each for each in row.get("includes") or () if each["code"] != row["code"]]
    if not parts:
        return ""
    every = row["includes"]
    return "= " + " + ".join(f"{each['code']} ({each['lookups']:,})" for each in every)
