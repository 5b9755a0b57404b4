"""An answer as a person reads it at a desk: its verdict in words, and a panel with what stands behind it."""

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lienthong.cli.demo_words import DIM, SILENT_SVG, day_vi, pair
from lienthong.cli.verdict import words

#: The picture is read on a page of documentation, beside text.
_PICTURE_WIDTH: Final = 92

Body = Mapping[str, Any]


def notice(body: Body, code: str) -> Text:
    """Return the notice of a code, or the first where there is none of it: what the clerk reads."""
    found = [each for each in body["notices"] if each["code"] == code] or body["notices"]
    return pair(found[0]["vi"], found[0]["en"]) if found else Text()


def places(found: Sequence[Body]) -> str:
    """Name places with their codes."""
    return ", ".join(_named(each) for each in found)


def panel(body: Body, notices: Sequence[str]) -> Panel:
    """Show an answer with the address printed and today's, the documents between, and the notices of these codes."""
    said = words(body)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=13, no_wrap=True)
    grid.add_column()
    for label, value in _rows(body, notices):
        grid.add_row(label, value)
    title = f"[bold {said.colour}]{said.vi} · {said.en}[/] · {day_vi(body['on'])}"
    return Panel(grid, title=title, title_align="left", border_style=said.colour, padding=(0, 1))


def picture(shown: RenderableType, file: Path) -> None:
    """Draw what a terminal shows as an SVG that fetches nothing from anywhere."""
    console = Console(record=True, width=_PICTURE_WIDTH, file=StringIO(), color_system="truecolor", force_terminal=True)
    console.print(shown)
    file.write_text(console.export_svg(title="lienthong", code_format=SILENT_SVG, unique_id="answer"), encoding="utf-8")


def _rows(body: Body, notices: Sequence[str]) -> list[tuple[Text, RenderableType]]:
    rows: list[tuple[Text, RenderableType]] = []
    if body["card"] is not None:
        rows.append((pair("Thẻ", "Card"), _card(body["card"])))
    address = body["address"]
    if address is not None and address["printed"] is not None:
        printed = address["printed"]
        until = f", đến · until {day_vi(printed['valid_to'])}" if printed["valid_to"] else ""
        rows.append((pair("In trên thẻ", "Printed"), Text(f"{_named(printed)}{until}")))
        rows.append((pair("Hôm nay", "Today"), _today(address["today"])))
    if body["proof"]:
        rows.append((pair("Căn cứ", "Proof"), _proof(body["proof"])))
    rows.extend((pair("Nói với quầy", "To the clerk"), notice(body, code)) for code in notices)
    return rows


def _card(card: Body) -> Text:
    holder, period = card["holder"], card["period"]
    who = "" if holder is None else f" · {holder['name']} · {day_vi(holder['birth'])}"
    text = Text(f"{card['number']}{who}")
    if period is None:
        return text
    last = "…" if period["valid_to"] is None else day_vi(period["valid_to"])
    share = "" if period["share_percent"] is None else f" · {period['share_percent']} % (dự kiến · preliminary)"
    return text.append(f"\n{day_vi(period['valid_from'])} – {last}{share}", DIM)


def _today(found: Sequence[Body]) -> Text:
    if len(found) == 1:
        return Text(_named(found[0]), "bold")
    text = Text(f"một trong {len(found)}, không tự chọn · one of {len(found)}, do not choose")
    for each in found:
        text.append(f"\n• {_named(each)}", "bold")
    return text


def _proof(steps: Sequence[Body]) -> Text:
    """Show each document with its day once, and of the facts that it is cited for the first, and how many more."""
    cited: dict[str, list[str]] = {}
    for step in steps:
        document = step["document"] or "văn bản chưa xác định · document not identified"
        cited.setdefault(f"{document}, {day_vi(step['effective_on'])}", []).append(step["id"])
    text = Text()
    for document, facts in cited.items():
        more = f" +{len(facts) - 1}" if len(facts) > 1 else ""
        text.append(f"\n{document}" if text else document).append(f"  {facts[0]}{more}", DIM)
    return text


def _named(place: Body) -> str:
    return f"{place['name']} ({place['code']})"
