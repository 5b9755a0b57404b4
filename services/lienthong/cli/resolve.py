"""`lienthong resolve`: what became of a printed unit or facility, with the documents between."""

import sys
from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated, Any

import httpx
import orjson
import typer
from rich.table import Table

from lienthong.cli.console import YES, fail, out, print_json
from lienthong.cli.data import load_register
from lienthong.domain.facility import LEVEL, facility_reference
from lienthong.domain.succession import Reference, Resolution
from lienthong.runtime.clock import SystemClock, vietnam_today

app = typer.Typer(help="What became of a printed unit or facility. Tra cứu sự kế tiếp của đơn vị, cơ sở.")

#: A service on this machine answers in milliseconds; one that takes this long is away.
_HTTP_TIMEOUT_S = 5.0
_PARTS_MIN, _PARTS_MAX = 2, 3

Answer = Callable[[Reference], dict[str, Any]]

CodeArgument = Annotated[str, typer.Argument(help="the printed code, or - to read LEVEL CODE [RECORDED-ON] lines")]
RecordedOn = Annotated[str | None, typer.Option("--recorded-on", help="the day the code was recorded (YYYY-MM-DD)")]
On = Annotated[str | None, typer.Option("--on", help="the day to answer for; today in Vietnam if absent")]
Data = Annotated[list[str] | None, typer.Option("--data", help="a shipped set or an event file; may be repeated")]
Url = Annotated[str | None, typer.Option("--url", help="ask a running service instead of reading data")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


@app.command()
def unit(
    code: CodeArgument,
    level: Annotated[str, typer.Option("--level", help="the level of the code, such as commune")] = "commune",
    name: Annotated[str | None, typer.Option("--name", help="the printed name, where it is known")] = None,
    recorded_on: RecordedOn = None,
    on: On = None,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Resolve the code of a unit: commune, district, province, or any level of the data."""
    day = _day(on, "--on") or vietnam_today(SystemClock().now())
    default = _day(recorded_on, "--recorded-on")
    answer = _answers(url, data or [], day)
    references = (
        _references(default) if code == "-" else [Reference(level=level, code=code, recorded_on=default, name=name)]
    )
    _print(references, answer, as_json=as_json)


@app.command()
def facility(
    code: CodeArgument,
    recorded_on: RecordedOn = None,
    on: On = None,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Resolve the code of a facility; its successor comes from a document, never from its commune."""
    day = _day(on, "--on") or vietnam_today(SystemClock().now())
    default = _day(recorded_on, "--recorded-on")
    answer = _answers(url, data or [], day)
    references = _references(default) if code == "-" else [facility_reference(code, default)]
    _print(references, answer, as_json=as_json)


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option} is a day as YYYY-MM-DD, not {text!r}.")


def _references(default: date | None) -> Iterator[Reference]:
    for number, line in enumerate(sys.stdin, start=1):
        parts = line.split()
        if not parts:
            continue
        if not _PARTS_MIN <= len(parts) <= _PARTS_MAX:
            fail(f"Line {number} of standard input is not LEVEL CODE [RECORDED-ON].")
        recorded_on = _day(parts[2], f"RECORDED-ON of line {number}") if len(parts) == _PARTS_MAX else default
        yield Reference(level=parts[0], code=parts[1], recorded_on=recorded_on)


def _answers(url: str | None, data: list[str], on: date) -> Answer:
    if url is not None:
        if data:
            fail("--url asks a service, which has its own data.", "Leave out --data or --url.")
        return _service(url, on)
    register = load_register(data)

    def resolve(reference: Reference) -> dict[str, Any]:
        places = register.facilities if reference.level == LEVEL else register.territory
        return _document(places.resolve(reference, on))

    return resolve


def _service(url: str, on: date) -> Answer:
    client = httpx.Client(base_url=url, timeout=_HTTP_TIMEOUT_S)

    def ask(reference: Reference) -> dict[str, Any]:
        path = "/v1/facilities" if reference.level == LEVEL else f"/v1/units/{reference.level}"
        query = {"on": on.isoformat(), "name": reference.name}
        if reference.recorded_on is not None:
            query["recorded_on"] = reference.recorded_on.isoformat()
        try:
            response = client.get(f"{path}/{reference.code}", params={k: v for k, v in query.items() if v is not None})
        except httpx.HTTPError as fault:
            fail(f"The service at {url} does not answer ({type(fault).__name__}).", "Start it: lienthong up")
        if response.status_code != httpx.codes.OK:
            fail(f"The service refused {reference.level} {reference.code} (HTTP {response.status_code}).")
        found: dict[str, Any] = response.json()
        return found

    return ask


def _document(resolution: Resolution) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(orjson.dumps(resolution))
    return document


def _print(references: Any, answer: Answer, *, as_json: bool) -> None:
    for reference in references:
        document = answer(reference)
        if as_json:
            print_json(document)
        else:
            _show(reference, document)
    raise typer.Exit(YES)


def _show(reference: Reference, document: dict[str, Any]) -> None:
    out.print(f"[bold]{reference.level} {reference.code}[/]: {document['state']}")
    table = Table(box=None, padding=(0, 2))
    for column in ("", "code", "name", "province", "from", "to"):
        table.add_column(column)
    for title, places in (("printed / in trên thẻ", document["printed"]), ("today / nay", document["candidates"])):
        for place in places:
            table.add_row(title, *_cells(place))
    out.print(table)
    for step in document["path"]:
        document_number = step["document"] or "văn bản chưa xác định / document not known"
        out.print(f"  {step['effective_on']}  {document_number}  ({step['id']})")


def _cells(place: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(place[key] or "–") for key in ("code", "name", "province_code", "valid_from", "valid_to"))
