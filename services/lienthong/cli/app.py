"""Puts the commands together; each is imported when it is called, so that the program answers at once."""

import sys
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from lienthong.runtime.garbage import collect_seldom

_PACKAGE = "lienthong.cli"

_RUN = "Run · Chạy dịch vụ"
_ASK = "Ask · Tra cứu"
_PUBLISH = "Publish · Công bố"
_WATCH = "Watch · Theo dõi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A command as the list of commands shows it; `place` is where it is made, as MODULE:ATTRIBUTE.

    `en` and `vi` are the first two paragraphs of the command's own help.
    """

    place: str
    panel: str
    en: str
    vi: str

    def load(self) -> Any:
        """Import the command."""
        module, _, attribute = self.place.partition(":")
        return typer.main.get_command(getattr(import_module(f"{_PACKAGE}.{module}"), attribute))


COMMANDS = {
    "up": Listed(
        place="up:app",
        panel=_RUN,
        en="Run the whole service on this machine until it is stopped.",
        vi="Chạy toàn bộ dịch vụ trên máy này.",
    ),
    "demo": Listed(
        place="demo:app",
        panel=_RUN,
        en="Play the demonstration on the real register and generated cards.",
        vi="Trình diễn trên địa giới thật và thẻ giả lập.",
    ),
    "projector": Listed(
        place="processes:projector",
        panel=_RUN,
        en="Run the process that projects cards and batches.",
        vi="Chạy tiến trình dựng dữ liệu tra cứu.",
    ),
    "lookup": Listed(
        place="processes:lookup",
        panel=_RUN,
        en="Run the process that answers look-ups.",
        vi="Chạy tiến trình trả lời tra cứu.",
    ),
    "monitor": Listed(
        place="processes:monitor",
        panel=_RUN,
        en="Run the process that counts what was answered.",
        vi="Chạy tiến trình đếm lượt tra cứu.",
    ),
    "check": Listed(
        place="check:app",
        panel=_ASK,
        en="Ask the running service about one card.",
        vi="Tra cứu một thẻ BHYT.",
    ),
    "resolve": Listed(
        place="resolve:app",
        panel=_ASK,
        en="Say what became of a printed unit or facility.",
        vi="Tra cứu sự kế tiếp của đơn vị hành chính, cơ sở khám chữa bệnh.",
    ),
    "publish": Listed(
        place="publish:app",
        panel=_PUBLISH,
        en="Publish facts: places, facilities, guidance, cards.",
        vi="Công bố dữ kiện: địa giới, cơ sở, văn bản, thẻ.",
    ),
    "generate": Listed(
        place="generate:app",
        panel=_PUBLISH,
        en="Invent cards and look-ups of no real person.",
        vi="Tạo thẻ và lượt tra cứu giả lập, không phải người thật.",
    ),
    "schemas": Listed(
        place="schemas:app",
        panel=_PUBLISH,
        en="Write out the contract of every message.",
        vi="Xuất lược đồ của mọi thông điệp.",
    ),
    "topics": Listed(
        place="topics:app",
        panel=_RUN,
        en="Make and check the topics of a distributed log.",
        vi="Tạo và kiểm tra các chủ đề Kafka.",
    ),
    "status": Listed(
        place="status:app",
        panel=_WATCH,
        en="Say what runs, how far it has read, and what stands in the register.",
        vi="Tình trạng dịch vụ và sổ đăng ký.",
    ),
    "volumes": Listed(
        place="volumes:app",
        panel=_WATCH,
        en="Count look-ups, following places through their succession.",
        vi="Đếm lượt tra cứu thẻ, theo dòng kế tiếp của từng nơi.",
    ),
    "rebuild": Listed(
        place="rebuild:app",
        panel=_WATCH,
        en="Fill the projection anew beside the one that answers, then switch to it.",
        vi="Dựng lại dữ liệu tra cứu bên cạnh bản đang dùng, rồi chuyển sang.",
    ),
    "digest": Listed(
        place="digest:app",
        panel=_WATCH,
        en="Print the digests of what stands, and how far it was read.",
        vi="In mã kiểm của sổ đăng ký và của thẻ.",
    ),
    "dead-letters": Listed(
        place="dead_letters:app",
        panel=_WATCH,
        en="List, show and replay what could not be read.",
        vi="Xem và đưa lại những bản ghi không đọc được.",
    ),
}


class LazyCommands(TyperGroup):
    """Lists commands from the table, and imports the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, listed in COMMANDS.items():
            self.commands[name] = TyperCommand(
                name=name, help=f"{listed.en} {listed.vi}", rich_help_panel=listed.panel, callback=None
            )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command as any group does, and replace what was listed by the command itself."""
        name, listed, rest = super().resolve_command(ctx, args)
        if name is None or listed is None:
            return name, listed, rest
        command = COMMANDS[name].load()
        command.name = name
        return name, command, rest


app = typer.Typer(
    cls=LazyCommands,
    name="lienthong",
    help="Is this health-insurance card good, here, today, and why? Thẻ BHYT này có dùng được không, và vì sao?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"lienthong {metadata.version('lienthong')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=lambda asked: _version(asked=asked), is_eager=True)
    ] = False,
) -> None:
    """Carry what holds for every command."""


def main() -> None:
    """Run the command line; an interrupt from the keyboard ends it quietly with 130, as shells expect."""
    collect_seldom()
    try:
        app(prog_name="lienthong")
    except KeyboardInterrupt:
        sys.exit(130)
