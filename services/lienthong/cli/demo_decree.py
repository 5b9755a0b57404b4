"""Step two of the demonstration: the national reorganisation, tried on every card first, then published."""

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Final

import httpx
from rich.text import Text

from lienthong.adapters.publishing import Draft, Overtaken, Published
from lienthong.adapters.registers import facts_of, shipped
from lienthong.cli.demo_questions import DAY_AFTER
from lienthong.cli.demo_service import PATIENCE_S, DemoService, Impatient
from lienthong.cli.demo_store import Holdings, compare, holdings
from lienthong.cli.demo_words import DIM, Page, count_en, count_vi, seconds_en, seconds_vi
from lienthong.cli.sample import Comparison
from lienthong.domain.facts import Fact
from lienthong.domain.gate import GateReport

DECREE: Final = "vn-2025-07-01"
_LEVELS: Final = (
    ("province", "tỉnh, thành phố", "provinces"),
    ("district", "huyện", "districts"),
    ("commune", "xã, phường", "communes"),
)
#: A unit whose answer tells that the decree counts: the commune printed on the first card.
_WITNESS: Final = "/v1/units/commune/00004"
#: Often enough to tell hundredths of a second, seldom enough to take nothing from the service.
_WITNESS_POLL_S: Final = 0.02


class Refused(Exception):
    """The gate or another publisher came in the way of a shipped set."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} was not published: {why}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """A published batch, and how long after its seal was on disk an answer over HTTP first had it."""

    published: Published
    after_s: float


async def bring_in(service: DemoService, name: str) -> Published:
    """Publish a shipped set through the gate. Raises Refused."""
    facts = await asyncio.to_thread(_facts, name)
    return await _published(service, name, facts, await service.publisher.check(facts))


async def decree(service: DemoService, page: Page, compare_until: float) -> None:
    """1. Check the reorganisation and answer for the cards on both maps; 2. publish it, and see what was written."""
    # 1
    facts = await asyncio.to_thread(_facts, DECREE)
    report = await service.publisher.check(facts)
    before = await service.publisher.register()
    held = await holdings(service.projection, service.log)
    assert report.summary.on is not None, "a reorganisation has a day"  # noqa: S101  # an invariant of the shipped set
    comparison = Comparison(before=before, after=report.register, on=report.summary.on)
    took_s = await asyncio.to_thread(compare, held, comparison, compare_until)
    _show_trial(page, report, comparison, took_s)
    # 2
    in_force = await _put_in_force(service, report, facts)
    _show_published(page, in_force, held, await holdings(service.projection, service.log))


def _facts(name: str) -> tuple[Fact, ...]:
    return tuple(facts_of(shipped()[name]))


async def _put_in_force(service: DemoService, report: GateReport, facts: tuple[Fact, ...]) -> InForce:
    """Publish, asking about the witness all the while, as desks do."""
    given_up = threading.Event()
    # In a thread of its own: the publisher folds the register here too, and answers come before it is done.
    watching = asyncio.create_task(asyncio.to_thread(_first_answer_at, service.lookup_url, given_up))
    try:
        published = await _published(service, DECREE, facts, report)
        seen_at = await watching
    finally:
        given_up.set()
        await asyncio.gather(watching, return_exceptions=True)
    return InForce(published=published, after_s=max(0.0, seen_at - published.sealed_at.timestamp()))


def _first_answer_at(url: str, given_up: threading.Event) -> float:
    """Return the time of the first answer over HTTP that has the decree. Raises Impatient."""
    deadline = time.monotonic() + PATIENCE_S
    query = {"recorded_on": "2023-03-01", "on": DAY_AFTER}
    with httpx.Client(base_url=url, trust_env=False) as client:
        while time.monotonic() < deadline and not given_up.wait(_WITNESS_POLL_S):
            if client.get(_WITNESS, params=query).json()["state"] == "succeeded":
                return time.time()
    missing = "no answer has the published decree"
    raise Impatient(missing)


async def _published(service: DemoService, name: str, facts: tuple[Fact, ...], report: GateReport) -> Published:
    if not report.passed:
        raise Refused(name, report.faults[0].en)
    draft = Draft(facts=facts, name=name, base=report.base)
    done = await service.publisher.publish_batch(draft, _silently)
    if isinstance(done, Overtaken):
        raise Refused(name, "another batch came first")
    return done


def _silently(_count: int) -> None:
    """Show no progress: it takes less than a second."""


def _show_trial(page: Page, report: GateReport, comparison: Comparison, took_s: float) -> None:
    page.say(
        f"Chạy thử, chưa ghi gì (lienthong publish {DECREE} --dry-run):",
        f"A dry run, nothing is written (lienthong publish {DECREE} --dry-run):",
    )
    page.line()
    summary = report.summary
    changes = [
        _row(vi, en, " → ", summary.units_before.get(level, 0), summary.units_after.get(level, 0))
        for level, vi, en in _LEVELS
    ]
    page.rows(
        *changes,
        _row("xã bị chia, không tự chọn", "divided communes, none chosen", "", len(summary.divided)),
        _row("trạm y tế chưa rõ nơi kế tiếp", "stations without a successor", "", len(summary.without_successor_after)),
        widths=(None, 14, 14),
    )
    page.line()
    page.say(
        f"Trả lời thử từng thẻ trên cả hai bản đồ, trước và sau, mất {seconds_vi(took_s)}:",
        f"Cards answered for on both maps, before and after, in {seconds_en(took_s)}:",
    )
    page.line()
    asked = (comparison.cards,) if comparison.cards == comparison.of_cards else (comparison.cards, comparison.of_cards)
    page.rows(
        _row("thẻ đã hỏi", "cards asked about", " / ", *asked),
        _row("câu trả lời nêu tên xã hôm nay", "answers naming today's", "", comparison.come["address_succeeded"]),
        _row("câu trả lời nêu nhiều xã có thể", "answers naming several", "", comparison.come["address_divided"]),
        _row("KẾT LUẬN THAY ĐỔI", "OUTCOMES THAT CHANGE", "", comparison.changed.total(), style="bold"),
        widths=(None, 14, 14),
    )


def _show_published(page: Page, in_force: InForce, before: Holdings, after: Holdings) -> None:
    written = after.written_since(before)
    untouched = after.positions == before.positions and after.events == before.events
    facts, cards, size = in_force.published.count, len(after.records), after.size_bytes
    page.line()
    page.say(
        f"Công bố {count_vi(facts)} dữ kiện: có hiệu lực trong câu trả lời sau {seconds_vi(in_force.after_s)}.",
        f"{count_en(facts)} facts published: in force in answers after {seconds_en(in_force.after_s)}.",
        "✓",
    )
    page.say(
        f"Số byte thẻ phải ghi lại: {count_vi(written)} "
        f"(so từng byte của {count_vi(cards)} bản ghi, {count_vi(size)} byte).",
        f"Card bytes written: {count_en(written)} (all {count_en(cards)} records compared, {count_en(size)} bytes).",
        "✓" if untouched and not written else "✗",
    )


def _row(vi: str, en: str, joined_by: str, *counts: int, style: str = "") -> tuple[Text, Text, Text]:
    """Return a label and a number, which is repeated where the two languages write it differently."""
    written_vi, written_en = (joined_by.join(map(write, counts)) for write in (count_vi, count_en))
    label = Text(vi, style).append(f" · {en}", f"{style} {DIM}".strip())
    return label, Text(written_vi, style), Text("" if written_en == written_vi else written_en, DIM)
