"""A decision written out for a person: the verdict first, in Vietnamese and English, then why."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from rich.markup import escape
from rich.panel import Panel

from lienthong.cli.console import out, say


class Words(NamedTuple):
    """A verdict as a desk reads it: the colour it is shown in, and both languages."""

    colour: str
    vi: str
    en: str


#: Colour and words of each outcome; none of them says "refused".
_VERDICTS: Final = {
    "eligible": Words("green", "CÒN GIÁ TRỊ", "ELIGIBLE"),
    "check_papers": Words("yellow", "KIỂM TRA GIẤY TỜ", "CHECK PAPERS"),
    "identity_mismatch": Words("yellow", "KIỂM TRA GIẤY TỜ – chưa khớp họ tên, ngày sinh", "IDENTITY DOES NOT MATCH"),
    "not_in_force": Words("red", "KHÔNG CÒN HẠN", "NOT IN FORCE"),
    "not_found": Words("yellow", "KHÔNG THẤY TRONG DỮ LIỆU", "NOT FOUND"),
    "malformed": Words("yellow", "CHƯA ĐỌC ĐƯỢC – kiểm tra lại", "CANNOT BE READ"),
    "cannot_tell": Words("blue", "CHƯA TRA ĐƯỢC – VẪN TIẾP NHẬN", "CANNOT TELL – ADMIT"),
}
_NOT_STARTED: Final = Words("red", "CHƯA ĐẾN HẠN", "NOT STARTED")
_STATES: Final = {
    "current": "không đổi · unchanged",
    "succeeded": "nay là · now",
    "divided": "được chia về · divided among",
    "ended": "chưa có nơi kế tiếp · no successor on record",
    "ambiguous": "mã thuộc nhiều nơi · the code fits several",
    "disputed": "dữ kiện mâu thuẫn · facts disagree",
    "unknown": "chưa có dữ liệu · no data",
}
_PAYMENT: Final = {
    "contract_on_record": "có hợp đồng · contract on record",
    "continuing": "hợp đồng của cơ sở trước · a predecessor's contract",
    "none_on_record": "không ghi nhận hợp đồng · none on record",
    "unknown": "chưa rõ · unknown",
}


def words(decision: Mapping[str, Any]) -> Words:
    """Say the outcome of a decision, given as JSON; a card that has not started is not called ended."""
    if decision["outcome"] == "not_in_force" and any(each["code"] == "not_started" for each in decision["notices"]):
        return _NOT_STARTED
    return _VERDICTS[decision["outcome"]]


def show(decision: dict[str, Any]) -> None:
    """Write the decision, given as the JSON object that the service answers."""
    colour, vi, en = words(decision)
    out.print(Panel(f"[bold {colour}]{vi}[/]\n{en}", expand=False, border_style=colour, padding=(0, 3)))
    if decision["illustrative"]:
        say("[bold red]MINH HỌA – không có giá trị pháp lý · ILLUSTRATIVE – no legal force[/]")
    _line("ngày · on", decision["on"])
    if decision["card"] is not None:
        _show_card(decision["card"])
    _line("thanh toán đến · payable until", decision["payable_until"])
    _show_place("địa chỉ · address", decision["address"])
    _show_place("nơi đăng ký · registered place", decision["registered_place"])
    _line("tại đây · payment here", _PAYMENT[decision["payment_here"]])
    for notice in decision["notices"]:
        say(f" • {escape(notice['vi'])}")
        say(f"   [dim]{escape(notice['en'])}[/]")
    for step in decision["proof"]:
        document = step["document"] or "văn bản chưa xác định · document not known"
        _line("căn cứ · proof", f"{step['effective_on']} {document} [{step['id']}]")
    _show_freshness(decision)


def _show_card(card: dict[str, Any]) -> None:
    _line("thẻ · card", card["number"])
    if card["holder"] is not None:
        _line("họ tên · holder", f"{card['holder']['name']}, {card['holder']['birth']}")
    for title, period in (("giá trị · valid", card["period"]), ("thẻ mới · next", card["next_period"])):
        if period is None:
            continue
        share = "" if period["share_percent"] is None else f", {period['share_percent']} % (dự kiến · preliminary)"
        _line(title, f"{period['valid_from']} – {period['valid_to'] or '…'} {period['group'] or ''}{share}")


def _show_place(title: str, place: dict[str, Any] | None) -> None:
    if place is None:
        return
    printed = place["printed"]
    shown = "?" if printed is None else f"{printed['name']} ({printed['code']})"
    today = ", ".join(f"{each['name']} ({each['code']})" for each in place["today"])
    _line(title, f"{shown} · {_STATES[place['state']]} {today if place['state'] != 'current' else ''}".rstrip())


def _show_freshness(decision: dict[str, Any]) -> None:
    freshness = decision["freshness"]
    complete = "đủ · complete" if freshness["complete"] else "chưa đủ · not complete"
    until = freshness["cards_caught_up_at"] or "?"
    _line("dữ liệu đến · data as of", f"{until} ({complete}; register {freshness['register_position']})")
    _line("mã lượt · decision", decision["decision_id"])


def _line(title: str, text: str | None) -> None:
    if text:
        say(f" [dim]{title}:[/] {escape(text)}")
