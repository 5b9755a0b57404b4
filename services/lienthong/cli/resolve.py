"""`lienthong resolve`: what became of a printed unit or facility, with the documents between."""

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Annotated, Any

import orjson
import typer

from lienthong.cli.console import YES, fail, out, plain, print_json, say, table_of
from lienthong.cli.options import AsJson, day_of
from lienthong.cli.sources import load_register
from lienthong.domain.facility import LEVEL, facility_reference
from lienthong.domain.succession import Reference
from lienthong.runtime.clock import SystemClock, vietnam_today

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    help="""Say what became of a printed unit or facility.

    Tra cứu sự kế tiếp của đơn vị hành chính, cơ sở khám chữa bệnh.

    Answers from the shipped sets, from your own event files (--data), or from a running service (--url).
    """,
)

#: A service on this machine answers in milliseconds; one that takes this long is away.
_HTTP_TIMEOUT_S = 5.0
_PARTS_MIN, _PARTS_MAX = 2, 3

_STATES = {
    "current": "[green]current · không đổi[/]",
    "succeeded": "[green]succeeded · có đơn vị kế tiếp[/]",
    "divided": "[yellow]divided · được chia, không tự chọn[/]",
    "ended": "[yellow]ended · đã kết thúc, chưa có đơn vị kế tiếp[/]",
    "ambiguous": "[yellow]ambiguous · mã thuộc nhiều thời kỳ[/]",
    "disputed": "[red]disputed · dữ kiện mâu thuẫn[/]",
    "unknown": "[red]unknown · chưa có dữ liệu[/]",
}

Answer = Callable[[Reference], dict[str, Any]]

CodeArgument = Annotated[
    str, typer.Argument(metavar="CODE", help="the printed code; - reads LEVEL CODE [RECORDED-ON] lines instead")
]
RecordedOn = Annotated[str | None, typer.Option("--recorded-on", help="the day the code was recorded, YYYY-MM-DD")]
On = Annotated[str | None, typer.Option("--on", help="the day to answer for; today in Vietnam if absent")]
Sources = Annotated[list[str] | None, typer.Option("--data", help="a shipped set or an event file; may be repeated")]
Url = Annotated[str | None, typer.Option("--url", help="ask a running service, such as http://127.0.0.1:8080")]


@app.command()
def unit(
    code: CodeArgument,
    level: Annotated[str, typer.Option("--level", help="the level of the code, such as commune")] = "commune",
    name: Annotated[str | None, typer.Option("--name", help="the printed name, where it is known")] = None,
    recorded_on: RecordedOn = None,
    on: On = None,
    data: Sources = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Resolve the code of a unit: commune, district, province, or any level of the data.

    Tra cứu mã đơn vị hành chính in trên thẻ.
    """
    default = day_of(recorded_on, "--recorded-on")
    _resolve(code, Reference(level=level, code=code, recorded_on=default, name=name), on, _Asked(data, url, as_json))


@app.command()
def facility(
    code: CodeArgument,
    recorded_on: RecordedOn = None,
    on: On = None,
    data: Sources = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Resolve the code of a facility; its successor comes from a document, never from its commune.

    Tra cứu mã cơ sở khám chữa bệnh.
    """
    default = day_of(recorded_on, "--recorded-on")
    _resolve(code, facility_reference(code, default), on, _Asked(data, url, as_json))


class _Asked:
    """Where to answer from, and how to print."""

    def __init__(self, data: list[str] | None, url: str | None, as_json: bool) -> None:
        self.data = data or []
        self.url = url
        self.as_json = as_json


def _resolve(code: str, given: Reference, on: str | None, asked: _Asked) -> None:
    answer = _answers(asked, day_of(on, "--on") or vietnam_today(SystemClock().now()))
    references: Iterable[Reference] = _references(given.recorded_on) if code == "-" else [given]
    for reference in references:
        found = answer(reference)
        if asked.as_json:
            print_json(found)
        else:
            _show(reference, found)
    raise typer.Exit(YES)


def _references(default: date | None) -> Iterator[Reference]:
    for number, line in enumerate(sys.stdin, start=1):
        parts = line.split()
        if not parts:
            continue
        if not _PARTS_MIN <= len(parts) <= _PARTS_MAX:
            fail(f"Line {number} of standard input is not LEVEL CODE [RECORDED-ON].")
        recorded_on = day_of(parts[2], f"RECORDED-ON of line {number}") if len(parts) == _PARTS_MAX else default
        yield Reference(level=parts[0], code=parts[1], recorded_on=recorded_on)


def _answers(asked: _Asked, on: date) -> Answer:
    if asked.url is not None:
        if asked.data:
            fail("--url asks a service, which has its own data.", "Leave out --data or --url.")
        return _service(asked.url, on)
    register = load_register(asked.data)

    def resolve(reference: Reference) -> dict[str, Any]:
        places = register.facilities if reference.level == LEVEL else register.territory
        found: dict[str, Any] = orjson.loads(orjson.dumps(places.resolve(reference, on)))
        return found

    return resolve


def _service(url: str, on: date) -> Answer:
    from lienthong.cli.http import get_json, http_client  # noqa: PLC0415  # reading data needs no client

    client = http_client(url, _HTTP_TIMEOUT_S)

    def ask(reference: Reference) -> dict[str, Any]:
        path = "/v1/facilities" if reference.level == LEVEL else f"/v1/units/{reference.level}"
        query = {"on": on.isoformat()}
        if reference.recorded_on is not None:
            query["recorded_on"] = reference.recorded_on.isoformat()
        if reference.name is not None:
            query["name"] = reference.name
        return get_json(client, f"{path}/{reference.code}", query)

    return ask


def _show(reference: Reference, found: dict[str, Any]) -> None:
    say(f"[bold]{plain(reference.level)} {plain(reference.code)}[/]: {_STATES[found['state']]}")
    table = table_of("code · mã", "name · tên", "province · tỉnh", "from · từ", "to · đến")
    for title, places in (("printed · in trên thẻ", found["printed"]), ("today · nay", found["candidates"])):
        if places:
            table.add_row("", f"[dim]{title}[/]")
        for place in places:
            table.add_row(*_cells(place))
    if table.row_count:
        out.print(table)
    for step in found["path"]:
        document = step["document"] or "document not known · văn bản chưa xác định"
        say(f" {step['effective_on']}  {plain(document)}  ({plain(step['id'])})")
    if found.get("illustrative"):
        say(" [bold red]MINH HỌA – không có giá trị pháp lý · ILLUSTRATIVE – no legal force[/]")


def _cells(place: dict[str, Any]) -> tuple[str, ...]:
    keys = ("code", "name", "province_code", "valid_from", "valid_to")
    return tuple("–" if place[key] is None else plain(place[key]) for key in keys)
