"""The six steps of the demonstration, each shown from what the running service answers."""

import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from lienthong.adapters.demo_cards import DAI_MO, DEMO_CARDS
from lienthong.adapters.generated_places import shipped_places
from lienthong.adapters.generator import CardPlan, card_line, cards
from lienthong.cli.console import progress_bar
from lienthong.cli.demo_answer import notice, panel, picture, places
from lienthong.cli.demo_decree import bring_in, decree
from lienthong.cli.demo_questions import DAY_AFTER, DAY_BEFORE, DESK_DAY, same_card, visitors
from lienthong.cli.demo_service import Answer, DemoService, until
from lienthong.cli.demo_words import Page, count_en, count_vi, day_en, day_vi, pair, seconds_en, seconds_vi
from lienthong.cli.in_force import cards_in_force
from lienthong.cli.verdict import words
from lienthong_schemas.streams import CARDS

#: The same cards at every run.
SEED: Final = 2025
#: When cards are compared no longer, counted from the beginning: the whole is over within a minute.
_COMPARE_BY_S: Final = 42.0
#: What stands before the decree arrives.
_BEFORE: Final = ("vn-before-2025-07-01", "vn-hanoi-facilities", "vn-tables")
#: Day, verdict and place; or who asks, and what the desk is told.
_ROW: Final = (14, 14, None)
_TOLD_WIDTH: Final = 36
_TOLD: Final = (_TOLD_WIDTH, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """A demonstration: the service, where it prints, how many cards are generated, and where it draws, if anywhere.

    `began` is when it began on the monotonic clock.
    """

    service: DemoService
    page: Page
    cards: int
    picture: Path | None
    began: float

    async def steps(self) -> None:
        """Get ready, and play the steps one after another."""
        await self._get_ready()
        await self._before_the_decree()
        self.page.heading(2, "Nghị quyết đến: chạy thử, rồi công bố", "The resolutions arrive: tried, then published")
        await decree(self.service, self.page, self.began + _COMPARE_BY_S)
        await self._after_the_decree()
        await self._others_at_the_desk()
        await self._store_away()
        await self._look_around()

    async def _get_ready(self) -> None:
        page, service = self.page, self.service
        page.line()
        page.say(
            f"Dịch vụ chạy sau {seconds_vi(service.started_in_s)}: hai máy chủ, ba tiến trình, không cần cài gì thêm.",
            f"Service up in {seconds_en(service.started_in_s)}: two servers, three processes, nothing else to install.",
            "✓",
        )
        began = time.monotonic()
        published = [await bring_in(service, name) for name in _BEFORE]
        facts, took_s = sum(each.count for each in published), time.monotonic() - began
        page.say(
            f"Bản đồ trước sáp nhập, các cơ sở của Hà Nội, bảng mức hưởng: "
            f"{count_vi(facts)} dữ kiện, {seconds_vi(took_s)}.",
            f"The map before the merger, Hà Nội's facilities, benefit tables: "
            f"{count_en(facts)} facts, {seconds_en(took_s)}.",
            "✓",
        )
        began = time.monotonic()
        await self._publish_cards()
        await self._until_answered_from(published[-1].position)
        took_s = time.monotonic() - began
        page.say(
            f"{count_vi(self.cards)} thẻ giả lập, mang mã xã và mã cơ sở thật trước sáp nhập: {seconds_vi(took_s)}.",
            f"{count_en(self.cards)} invented cards with real codes of places before the merger: {seconds_en(took_s)}.",
            "✓",
        )

    async def _publish_cards(self) -> None:
        plan = CardPlan(seed=SEED, places=shipped_places())
        events = ((each.data["id"], card_line(plan, each).rstrip()) for each in cards(plan, self.cards))
        with progress_bar("cards being published", self.cards) as bar:
            await self.service.publisher.publish_events(CARDS.name, events, bar.advance)

        async def projected() -> bool:
            return await cards_in_force(self.service.log, self.service.projection)

        await until(projected, "the cards are not projected")

    async def _until_answered_from(self, position: int) -> None:
        """Wait until desks are answered from the register as it was published."""

        async def answered() -> bool:
            answer = await self.service.ask(same_card(DAY_BEFORE))
            return int(answer.body["freshness"]["register_position"]) >= position

        await until(answered, "the register is not in the answers")

    async def _before_the_decree(self) -> None:
        self.page.heading(
            1,
            "Một thẻ in năm 2023, trước khi nghị quyết nào vào sổ",
            "A card printed in 2023, before any resolution is on record",
        )
        rows = []
        for day, vi, en in (
            (DAY_BEFORE, "", ""),
            (DAY_AFTER, "; sổ chưa có sắp xếp nào", "; no reorganisation is on record yet"),
        ):
            answer = await self.service.ask(same_card(day))
            rows.append((pair(day_vi(day), day_en(day)), _verdict(answer), _address(answer, vi, en)))
        self.page.rows(*rows, widths=_ROW, apart=True)

    async def _after_the_decree(self) -> None:
        self.page.heading(3, "Cùng thẻ ấy, cùng ngày ấy, hỏi lại", "The same card, the same day, asked again")
        answer = await self.service.ask(same_card(DAY_AFTER))
        self.page.show(panel(answer.body, ["address_succeeded"]))
        earlier = await self.service.ask(same_card(DAY_BEFORE))
        self.page.line()
        self.page.rows(
            (
                pair(day_vi(DAY_BEFORE), day_en(DAY_BEFORE)),
                _verdict(earlier),
                _address(earlier, "; hôm ấy chưa đổi", "; nothing had changed by then"),
            ),
            widths=_ROW,
        )
        self.page.line()
        self.page.say(
            f"Trả lời sau {answer.took_ms:.0f} ms. Thẻ giữ mã đã in và ngày ghi; nơi chốn giữ sự kế tiếp; "
            "hai thứ chỉ gặp nhau lúc hỏi.",
            f"Answered in {answer.took_ms:.0f} ms. The card keeps its printed codes and their day, places keep their "
            "succession; the two meet when the question is asked.",
        )

    async def _others_at_the_desk(self) -> None:
        self.page.heading(
            4,
            f"Những người khác ở quầy, ngày {day_vi(DESK_DAY)}",
            f"Others at the desk, on {day_en(DESK_DAY)}",
        )
        rows = []
        for visitor in visitors():
            answer = await self.service.ask(visitor.question)
            if self.picture is not None and answer.body["address"] and answer.body["address"]["state"] == "divided":
                picture(panel(answer.body, ["address_divided"]), self.picture)
            said = notice(answer.body, visitor.notice)
            if visitor.notice == "place_without_successor":
                said = (await self._what_became_of_its_commune(answer)).append("\n").append_text(said)
            rows.append((_told(answer, visitor.vi, visitor.en), said))
        self.page.rows(*rows, widths=_TOLD, apart=True)

    async def _what_became_of_its_commune(self, answer: Answer) -> Text:
        """Say why a station has no successor on record: only a document names one, and its commune is no longer one."""
        code = answer.body["registered_place"]["printed"]["parent_code"]
        unit = await self.service.get(
            f"{self.service.lookup_url}/v1/units/commune/{code}", recorded_on=DAY_BEFORE, on=DESK_DAY
        )
        printed, today = places(unit["printed"]), places(unit["candidates"])
        return pair(f"{printed} nay là {today}.", f"{printed} is now {today}.")

    async def _store_away(self) -> None:
        self.page.heading(5, "Kho dữ liệu ngừng trả lời giữa giờ khám", "The store stops answering in opening hours")
        with self.service.store_stopped():
            answer = await self.service.ask(same_card(DAY_AFTER))
        began = time.monotonic()
        again = answer

        async def recovered() -> bool:
            nonlocal again
            again = await self.service.ask(same_card(DAY_AFTER))
            return again.outcome != "cannot_tell"

        await until(recovered, "the store is not answered from again")
        waited_s, back_s = answer.took_ms / 1000, time.monotonic() - began
        self.page.rows(
            (
                _told(answer, f"trả lời sau {seconds_vi(waited_s)}", f"answered in {seconds_en(waited_s)}"),
                notice(answer.body, "cannot_tell"),
            ),
            (
                _told(again, f"{seconds_vi(back_s)} sau khi kho trở lại", f"{seconds_en(back_s)} after it came back"),
                _address(again),
            ),
            widths=_TOLD,
            apart=True,
        )
        self.page.line()
        self.page.say(
            f"HTTP {answer.status}, hỏi lại sau {answer.retry_after_s} giây. Quầy ghi số thẻ, tiếp nhận, rồi hỏi lại.",
            f"HTTP {answer.status}, ask again after {answer.retry_after_s} s. The desk notes the number and admits.",
        )

    async def _look_around(self) -> None:
        page, service = self.page, self.service
        page.heading(6, "Mời xem tiếp", "Look around")

        volumes: dict[str, Any] = {}

        async def counted() -> bool:
            nonlocal volumes
            volumes = await service.get(f"{service.monitor_url}/v1/volumes", by="outcome")
            return bool(volumes["lookups"] >= len(service.outcomes))

        await until(counted, "the look-ups are not counted")
        page.rows(
            (pair("tra cứu", "look-ups"), Text(f"{service.lookup_url}/docs")),
            (
                pair("lượt tra cứu", "volumes"),
                Text(f"{service.monitor_url}/v1/volumes?by=outcome").append(
                    f"\n{volumes['lookups']} lượt đã đếm · look-ups counted so far", "dim"
                ),
            ),
            widths=(14, None),
        )
        page.line()
        page.say("Ba lệnh để thử trong một cửa sổ khác:", "Three commands to try in another window:")
        for command in self._commands():
            page.line()
            page.line(command, "bold")

    def _commands(self) -> list[str]:
        """Return three commands that can be copied; their lines are short enough for any terminal."""
        program = _program()
        holder = DEMO_CARDS[DAI_MO]["holder"]
        typed = f"{DAI_MO}\\n{holder['name']}\\n{holder['birth']}\\n"
        lookup, monitor = f"--url {self.service.lookup_url}", f"--url {self.service.monitor_url}"
        return [
            f"printf '{typed}' |\n  {program} check \\\n    --facility 01004 --clerk NV01 --on {DESK_DAY} {lookup}",
            f"{program} resolve unit \\\n    --level commune 00004 --recorded-on 2023-05-01 {lookup}",
            f"{program} volumes \\\n    --by commune {monitor}",
        ]


def _verdict(answer: Answer) -> Text:
    said = words(answer.body)
    return pair(said.vi, said.en, f"bold {said.colour}")


def _told(answer: Answer, vi: str, en: str) -> Text:
    """Put a verdict over what it is the verdict of."""
    return _verdict(answer).append("\n").append_text(pair(vi, en))


def _address(answer: Answer, vi: str = "", en: str = "") -> Text:
    address = answer.body["address"]
    if address is None:
        return Text()
    if address["state"] == "current":
        return pair(f"{places(address['today'])}, như in trên thẻ{vi}", f"as printed{en}")
    printed, today = places([address["printed"]]), places(address["today"])
    return pair(f"{printed} nay là {today}", f"{printed} is now {today}")


def _program() -> str:
    """Return how this program was called, as a shell reads it, so that a command can be copied."""
    called = Path(sys.argv[0])
    if called.name != "lienthong":
        return shlex.join([sys.executable, "-m", "lienthong"])
    here = Path.cwd()
    near = called.relative_to(here) if called.is_absolute() and called.is_relative_to(here) else called
    return shlex.quote(str(near))
