"""`lienthong generate`: invented cards and look-ups, always the same ones for the same seed."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from lienthong.adapters.generated_lookups import LookupPlan, lookup_line, lookups
from lienthong.adapters.generated_places import shipped_places
from lienthong.adapters.generator import PREFIXES, CardPlan, GeneratedCard, card_line, cards
from lienthong.cli.console import fail, plain, progress_bar, say, warn
from lienthong.cli.options import DataDir, settings_of
from lienthong.runtime.settings import Settings
from lienthong_schemas.streams import CARDS, LOOKUPS

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    help="""Invent cards and look-ups of no real person.

    Tạo thẻ và lượt tra cứu giả lập, không phải người thật.

    Numbers begin with a reserved prefix that is never issued; places are real old codes of the shipped registers.
    """,
)

#: Lines written or sent between two steps of the progress bar.
_STEP = 1_000

Seed = Annotated[int, typer.Option("--seed", help="the same seed gives the same, on any machine")]
Out = Annotated[Path | None, typer.Option("--out", help="an event file to write; - is standard output")]
Publish = Annotated[bool, typer.Option("--publish", help="send straight to the service that runs on --data-dir")]

_STDOUT = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Generated events of one stream, and their count; `lines` makes them anew, as lines of a file with their keys."""

    stream: str
    count: int
    lines: Callable[[], Iterable[tuple[str, bytes]]]


@app.command("cards")
def generate_cards(
    count: Annotated[int, typer.Option("--count", min=1, help="how many")] = 1_000,
    seed: Seed = 1,
    out: Out = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="also draw a screenshot of each card into this directory")
    ] = None,
    publish: Publish = False,
    data_dir: DataDir = None,
) -> None:
    """Invent cards, the demonstration's before all others.

    Tạo thẻ giả lập.

    Up to 100,000 numbers begin with 00000; larger counts use 0000 and 000, which are as little issued.
    """
    _refuse_nowhere(out, images, publish=publish)
    plan = _card_plan(count, seed)
    made = Made(
        stream=CARDS.name,
        count=count,
        lines=lambda: ((card.data["id"], card_line(plan, card)) for card in cards(plan, count)),
    )
    _deliver(made, out, settings_of(data_dir=data_dir) if publish else None)
    if images is not None:
        _draw(cards(plan, count), count, images)


@app.command("lookups")
def generate_lookups(
    count: Annotated[int, typer.Option("--count", min=1, help="how many")] = 1_000,
    card_count: Annotated[int, typer.Option("--cards", min=1, help="ask about so many cards of the same seed")] = 1_000,
    seed: Seed = 1,
    out: Out = None,
    publish: Publish = False,
    data_dir: DataDir = None,
) -> None:
    """Invent look-ups that desks would make about generated cards, as events.

    Tạo lượt tra cứu giả lập.
    """
    _refuse_nowhere(out, None, publish=publish)
    plan = LookupPlan(cards=_card_plan(card_count, seed), card_count=card_count)
    made = Made(
        stream=LOOKUPS.name,
        count=count,
        lines=lambda: ((each.question["facility_code"], lookup_line(each)) for each in lookups(plan, count)),
    )
    _deliver(made, out, settings_of(data_dir=data_dir) if publish else None)


def _refuse_nowhere(out: Path | None, images: Path | None, *, publish: bool) -> None:
    if out is None and images is None and not publish:
        fail("Say where they go.", "--out FILE (or -), --images DIR, or --publish to the running service.")


def _card_plan(count: int, seed: int) -> CardPlan:
    """Return the plan whose prefix has room for so many, the narrowest there is."""
    plans = [CardPlan(seed=seed, places=shipped_places(), prefix=prefix) for prefix in PREFIXES]
    fitting = next((plan for plan in plans if count <= plan.capacity), None)
    if fitting is None:
        most = max(plan.capacity for plan in plans)
        fail(f"There is room for {most:,} numbers that are never issued, not for {count:,}.", "Lower the count.")
    return fitting


def _deliver(made: Made, out: Path | None, settings: Settings | None) -> None:
    if out is not None:
        _write(made, out)
    if settings is not None:
        from lienthong.cli.sending import send  # noqa: PLC0415  # a file needs no service

        send(settings, made.stream, made.lines(), made.count)


def _write(made: Made, out: Path) -> None:
    try:
        with _opened(out) as file, progress_bar(f"writing {out.name}", made.count) as bar:
            for number, (_, line) in enumerate(made.lines(), start=1):
                file.write(line)
                if number % _STEP == 0:
                    bar.advance(_STEP)
    except BrokenPipeError:
        _leave_quietly()
    except OSError as fault:
        fail(f"{out} cannot be written: {fault.strerror or fault}.", "Choose another --out.")
    if out != _STDOUT:
        say(f"{made.count:,} events written to {plain(out)} · đã ghi {made.count:,} sự kiện")


@contextmanager
def _opened(out: Path) -> Iterator[BinaryIO]:
    """Give the file to write: one with a name appears whole or not at all."""
    if out == _STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def _leave_quietly() -> None:
    """End as a program does whose reader has gone; nothing more may be written to it, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(1)


def _draw(generated: Iterable[GeneratedCard], count: int, directory: Path) -> None:
    from lienthong.cli.drawing import draw_into  # noqa: PLC0415  # a picture needs libraries that nothing else does

    try:
        directory.mkdir(parents=True, exist_ok=True)
        with progress_bar("drawing screenshots", count) as bar:
            left_out = draw_into(directory, generated, bar.advance)
    except OSError as fault:
        fail(f"{directory} cannot be written: {fault.strerror or fault}.", "Choose another --images.")
    if left_out:
        warn(f"{left_out:,} cards have more in their QR than a screen shows, and were not drawn.")
    say(f"{count - left_out:,} screenshots drawn into {plain(directory)} · đã vẽ {count - left_out:,} ảnh")
