"""`lienthong demo`: plays what the service is for, on the real reorganisation and invented cards."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer
from redis.exceptions import RedisError
from rich.console import Console

from lienthong.adapters.demo_cards import DEMO_CARDS
from lienthong.cli.console import fail
from lienthong.cli.demo_decree import Refused
from lienthong.cli.demo_ground import HOST, NotADemonstration, ServersElsewhere, cleared, free_ports, removed
from lienthong.cli.demo_play import Play
from lienthong.cli.demo_service import Impatient, Interrupted, started, unless_stopped
from lienthong.cli.demo_words import Page, seconds_en, seconds_vi
from lienthong.cli.options import DataDir, settings_of
from lienthong.runtime.children import ChildRefused
from lienthong.runtime.datadir import DataDirectoryRefused, data_directory
from lienthong.runtime.embedded import ServerFault
from lienthong.runtime.settings import Settings

app = typer.Typer(add_completion=False)

#: What a shell calls a program that an interrupt has ended.
_INTERRUPTED = 130
#: Where nothing says how wide a terminal is, lines stay short enough for any.
_PIPE_WIDTH = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a call of the command asks for."""

    stay: bool
    cards: int
    picture: Path | None


@app.command()
def demo(
    stay: Annotated[bool, typer.Option("--stay", help="leave the service running until Ctrl+C or SIGTERM")] = False,
    cards: Annotated[
        int, typer.Option("--cards", min=len(DEMO_CARDS), max=100_000, help="how many cards are invented")
    ] = 100_000,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="draw the answer for a divided commune as an SVG")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Play the demonstration on the real register and generated cards.

    Trình diễn trên địa giới thật và thẻ giả lập.

    The service runs on a directory of its own, `demo` below the usual data directory. What an earlier demonstration
    left there is removed first, and everything again at the end, unless the service stays.
    """
    asked = Asked(stay=stay, cards=cards, picture=picture)
    usual = settings_of()
    ports = free_ports((usual.lookup_port, usual.monitor_port))
    settings = settings_of(
        data_dir=data_dir or usual.data_dir / "demo",
        host=HOST,
        insecure_listen=False,
        lookup_port=ports[0],
        monitor_port=ports[1],
        log_to="files",
    )
    try:
        asyncio.run(_demonstrate(settings, asked, (usual.lookup_port, usual.monitor_port)))
    except NotADemonstration as fault:
        fail(str(fault), "Choose another --data-dir.")
    except (DataDirectoryRefused, ServersElsewhere, ServerFault, Refused, Impatient) as fault:
        fail(str(fault))
    except ChildRefused as fault:
        fail(str(fault), f"{data_directory(settings.data_dir).run}/{fault.name}-process.log says why.")
    except (httpx.HTTPError, RedisError) as fault:
        fail(f"The service went away ({type(fault).__name__}).", "Play it again; the logs are in run/ of --data-dir.")
    except Interrupted:
        raise typer.Exit(_INTERRUPTED) from None


def _console() -> Console:
    """Write on standard output, no wider than a page."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def _open(page: Page, settings: Settings, wanted_ports: tuple[int, int]) -> None:
    page.line()
    page.line("  LIÊN THÔNG", "bold cyan")
    page.say(
        "Thẻ bảo hiểm y tế này, ở đây, hôm nay, có dùng được không, và vì sao?",
        "Is this health-insurance card good, here, today, and why?",
    )
    page.line()
    page.say(
        "Ngày 01/07/2025 bản đồ hành chính được vẽ lại: huyện không còn, phần lớn xã in trên thẻ đã đổi. "
        "Thẻ vẫn dùng được. Quầy tiếp đón phải thấy điều đó trong một giây, kèm căn cứ.",
        "On 1 July 2025 the map of Viet Nam was redrawn: districts are gone, most communes printed on cards have "
        "changed. The cards stay good. A check-in desk must see that within a second, with the document behind it.",
    )
    page.line()
    page.say(
        "MINH HỌA – không có giá trị pháp lý: địa danh và nghị quyết là thật, người và thẻ đều là giả lập.",
        "ILLUSTRATIVE – no legal force: places and resolutions are real, every person and every card is invented.",
    )
    for wanted, chosen in zip(wanted_ports, (settings.lookup_port, settings.monitor_port), strict=True):
        if chosen != wanted:
            page.say(f"Cổng {wanted} đang bận, dùng {chosen}.", f"Port {wanted} is taken, {chosen} is used.", "!")


async def _demonstrate(settings: Settings, asked: Asked, wanted_ports: tuple[int, int]) -> None:
    """1. Clear the directory; 2. start the service and play; 3. stay, or stop; 4. leave nothing invented behind."""
    directory = data_directory(settings.data_dir)
    began = time.monotonic()
    # 1
    await cleared(directory, settings)
    page = Page(_console())
    _open(page, settings, wanted_ports)
    try:
        # 2
        async with started(settings) as (service, serving):
            play = Play(service=service, page=page, cards=asked.cards, picture=asked.picture, began=began)
            await unless_stopped(play.steps(), serving)
            took_s = time.monotonic() - began
            page.line()
            page.say(f"Trình diễn xong sau {seconds_vi(took_s)}.", f"Played in {seconds_en(took_s)}.", "✓")
            # 3
            if asked.stay:
                page.say("Dịch vụ vẫn chạy. Dừng: Ctrl+C.", "The service stays up. Stop it: Ctrl+C.", "●")
                await serving
    finally:
        # 4
        if not asked.stay:
            removed(directory)
