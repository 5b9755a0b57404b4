"""`lienthong check`: one question to the running service; what was presented never stands in the list of processes."""

import sys
from pathlib import Path
from typing import Annotated, Any

import httpx
import orjson
import typer

from lienthong.cli import verdict
from lienthong.cli.console import FAULT, OTHER, YES, fail, print_json
from lienthong.cli.http import fail_refused, http_client, json_of, request
from lienthong.cli.options import LOOKUP_URL, AsJson
from lienthong.domain.births import parse_birth

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

#: The service answers within a second, and an image within its own deadline of two.
_TIMEOUT_S = 10.0
_PATH = "/v1/eligibility"
_IMAGE_BYTES_MAX = 5 * 1024 * 1024
_QUESTION_BYTES_MAX = 65_536
#: A QR text has separators; everything that is typed is digits and letters.
_QR_SEPARATOR = "|"
_MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


@app.command()
def check(
    facility: Annotated[str | None, typer.Option("--facility", help="code of the asking facility")] = None,
    clerk: Annotated[str | None, typer.Option("--clerk", help="who asks")] = None,
    on: Annotated[str | None, typer.Option("--on", help="service day, YYYY-MM-DD; today if absent")] = None,
    admitted_on: Annotated[str | None, typer.Option("--admitted-on", help="day on which treatment began")] = None,
    visit: Annotated[str | None, typer.Option("--visit", help="outpatient, inpatient or emergency")] = None,
    no_card: Annotated[
        str | None, typer.Option("--no-card", help="why none is shown: child, reissue, emergency")
    ] = None,
    image: Annotated[Path | None, typer.Option("--image", help="a screenshot of the card: PNG, JPEG or WebP")] = None,
    url: Annotated[str, typer.Option("--url", help="the look-up service")] = LOOKUP_URL,
    as_json: AsJson = False,
) -> None:
    """Ask the running service about one card.

    Tra cứu một thẻ BHYT.

    With --facility and --clerk the card's number, or the text of its QR code or of a citizen ID's, is asked for, or
    read from standard input: the number on the first line, then, if known, the name and the birth date. With --json
    alone one whole question is read from standard input as JSON. Exit status: 0 eligible, 1 any other outcome, 2 a
    fault.
    """
    visit_of = {"facility_code": facility, "clerk_id": clerk, "on": on, "admitted_on": admitted_on, "visit_kind": visit}
    given = {name: value for name, value in visit_of.items() if value is not None}
    client = http_client(url, _TIMEOUT_S)
    if image is not None:
        _require_asker(given)
        response = _send_image(client, image, given)
    elif as_json and not given and no_card is None:
        body = sys.stdin.buffer.read(_QUESTION_BYTES_MAX + 1)
        response = _send(client, body)
    else:
        _require_asker(given)
        response = _send(client, orjson.dumps(given | (_no_card(no_card) if no_card else _presented())))
    _conclude(response, as_json=as_json)


def _require_asker(given: dict[str, str]) -> None:
    if "facility_code" not in given or "clerk_id" not in given:
        fail(
            "Every question says which facility and which clerk ask.",
            "Give --facility and --clerk, or a whole question as JSON with --json.",
        )


def _no_card(reason: str) -> dict[str, Any]:
    return {"presented": {"kind": "no_card", "reason": reason}}


def _presented() -> dict[str, Any]:
    """Return what is presented, and the holder where it was told, from a prompt or from standard input."""
    text, name, birth = _prompted() if sys.stdin.isatty() else _piped()
    if not text:
        fail("There is no number on standard input.", "Write it on the first line, or the text of the QR code.")
    kind = {"kind": "card_qr", "text": text} if _QR_SEPARATOR in text else {"kind": "insurance_number", "number": text}
    # A card prints 17/05/1962; what cannot be read goes to the service as it was typed, which says what is wrong.
    holder = {"name": name or None, "birth": parse_birth(birth) or birth or None} if name or birth else None
    return {"presented": kind, "holder": holder}


def _piped() -> tuple[str, str, str]:
    lines = [*sys.stdin.read(_QUESTION_BYTES_MAX).splitlines(), "", "", ""]
    return lines[0].strip(), lines[1].strip(), lines[2].strip()


def _prompted() -> tuple[str, str, str]:
    text = typer.prompt("Number or QR text · Số thẻ, số căn cước hoặc mã QR", default="", show_default=False, err=True)
    name = typer.prompt("Name, Enter if unknown · Họ tên", default="", show_default=False, err=True)
    birth = typer.prompt(
        "Birth date DD/MM/YYYY or a year, Enter if unknown · Ngày sinh", default="", show_default=False, err=True
    )
    return text.strip(), name.strip(), birth.strip()


def _send(client: httpx.Client, body: bytes) -> httpx.Response:
    if len(body) > _QUESTION_BYTES_MAX:
        fail(f"A question is at most {_QUESTION_BYTES_MAX} bytes long.", "Send a card's image with --image.")
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        fail("Standard input is no JSON.", "Write one question, as messages describe it: lienthong schemas export DIR")
    return request(client, "POST", _PATH, content=body, headers={"content-type": "application/json"})


def _send_image(client: httpx.Client, image: Path, given: dict[str, str]) -> httpx.Response:
    try:
        content = image.read_bytes() if image.stat().st_size <= _IMAGE_BYTES_MAX else None
    except OSError as fault:
        fail(f"{image} cannot be read: {fault.strerror or fault}.", "Name a PNG, JPEG or WebP file.")
    if content is None:
        fail(f"{image} is larger than {_IMAGE_BYTES_MAX // 1024 // 1024} MiB.", "Send a screenshot of the card.")
    # The file's own name may be a person's, so it stays here.
    media_type = _MEDIA_TYPES.get(image.suffix.lower(), "application/octet-stream")
    return request(client, "POST", f"{_PATH}/image", data=given, files={"image": ("card", content, media_type)})


def _conclude(response: httpx.Response, *, as_json: bool) -> None:
    answered = json_of(response)
    if "outcome" not in answered:
        if as_json:
            print_json(answered)
            raise typer.Exit(FAULT)
        fail_refused(response, answered)
    if as_json:
        print_json(answered)
    else:
        verdict.show(answered)
    raise typer.Exit(YES if answered["outcome"] == "eligible" else OTHER)
