"""`lienthong publish`: register facts in batches that the gate lets through, cards and look-ups as they stand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from lienthong.adapters.event_files import KeyedLine, read_events
from lienthong.adapters.publishing import Draft, Overtaken, Published, Publisher
from lienthong.adapters.registers import LineFault
from lienthong.cli import gate, sample
from lienthong.cli.annul import annulment
from lienthong.cli.console import fail, plain, print_json, progress_bar, say, warn
from lienthong.cli.gate import Checked
from lienthong.cli.in_force import cards_in_force, register_in_force
from lienthong.cli.options import AsJson, DataDir, settings_of
from lienthong.cli.service import Service, fail_not_running, open_service, run
from lienthong.cli.sources import Source, load_sources
from lienthong.domain.register import Register
from lienthong.runtime.clock import SystemClock, vietnam_today
from lienthong.runtime.settings import Settings
from lienthong_schemas.streams import CARDS

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a call of the command asks for."""

    settings: Settings
    given: tuple[str, ...]
    annul: str | None
    reason: str | None
    dry_run: bool
    sample: int | None
    as_json: bool


@dataclass(kw_only=True)
class Outcome:
    """What a call did, as JSON prints it."""

    batches: list[dict[str, Any]] = field(default_factory=list)
    sample: dict[str, Any] | None = None
    events: dict[str, int] = field(default_factory=dict)


@app.command()
def publish(
    given: Annotated[
        list[str] | None, typer.Argument(metavar="FILE|NAME…", help="event files, or shipped sets by their names")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check and compare answers, and write nothing")] = False,
    annul: Annotated[
        str | None, typer.Option("--annul", help="undo an accepted batch: its id, the beginning of it, or its name")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="why it is annulled")] = None,
    illustrative: Annotated[
        bool, typer.Option("--illustrative", help="let invented facts in; every answer that uses one says so")
    ] = False,
    sample_size: Annotated[
        int, typer.Option("--sample", min=0, help="cards to answer for before and after; 0 for every card")
    ] = sample.SAMPLE,
    no_sample: Annotated[bool, typer.Option("--no-sample", help="compare no answers")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Publish facts: places, facilities, guidance, cards.

    Công bố dữ kiện: địa giới, cơ sở, văn bản, thẻ.

    Each file or set with register facts is one batch, checked whole before any of it is written; a named set brings
    in what it requires. Events of cards and look-ups are sent one by one. Repeating a call is harmless.
    """
    asked = Asked(
        settings=settings_of(data_dir=data_dir),
        given=tuple(given or ()),
        annul=annul,
        reason=reason,
        dry_run=dry_run,
        sample=None if no_sample else sample_size,
        as_json=as_json,
    )
    _refuse_unclear(asked)
    sources = load_sources(asked.given)
    if not illustrative:
        _refuse_illustrative(sources)
    run(_publish(asked, sources))


def _refuse_unclear(asked: Asked) -> None:
    if bool(asked.given) == (asked.annul is not None):
        fail("Name files or sets to publish, or one batch with --annul.", "lienthong publish --help shows both.")
    if asked.annul is not None and not (asked.reason or "").strip():
        fail("An annulment is a published fact and has a reason.", "Give it with --reason TEXT.")


def _refuse_illustrative(sources: Sequence[Source]) -> None:
    invented = [source.origin for source in sources if source.illustrative]
    if invented:
        fail(
            f"{', '.join(invented)} is invented for demonstrations and has no legal force.",
            "Publish it with --illustrative where that is what you want.",
        )


async def _publish(asked: Asked, sources: list[Source]) -> None:
    """1. Check everything; 2. compare answers; 3. write batches; 4. send events; 5. say what was done."""
    clock, outcome = SystemClock(), Outcome()
    async with open_service(asked.settings) as service:
        if service is None:
            if not asked.dry_run or asked.annul is not None:
                fail_not_running(asked.settings)
            _check_offline(asked, sources, outcome)
            return
        publisher = Publisher(service.log, clock)
        register = await publisher.register()
        if asked.annul is not None:
            sources = [await annulment(publisher, asked.annul, asked.reason or "")]
        # 1
        checked, after = gate.check_all(sources, register)
        _say_checked(checked, asked)
        # 2
        if asked.sample is not None and any(each.new for each in checked):
            outcome.sample = await _sampled(service, register, after, checked, asked)
        # 3
        if asked.dry_run:
            outcome.batches = [gate.document(each) for each in checked]
        else:
            outcome.batches = [await _write_batch(service, publisher, each, asked) for each in checked]
        # 4
        for source in sources:
            await _send_events(service, publisher, source, asked, outcome)
    # 5
    _conclude(asked, sources, outcome)


def _check_offline(asked: Asked, sources: list[Source], outcome: Outcome) -> None:
    checked, _ = gate.check_all(sources, Register.empty())
    _say_checked(checked, asked)
    outcome.batches = [gate.document(each) for each in checked]
    if not asked.as_json:
        say("  No service runs here: checked on an empty register, and no answers were compared.")
    _conclude(asked, sources, outcome)


def _say_checked(checked: list[Checked], asked: Asked) -> None:
    for each in checked:
        gate.refuse_faults(each, as_json=asked.as_json)
        if not asked.as_json:
            gate.show(each)


async def _sampled(
    service: Service, register: Register, after: Register, checked: Sequence[Checked], asked: Asked
) -> dict[str, Any]:
    days = [each.report.summary.on for each in checked if each.new and each.report.summary.on is not None]
    on = max(days, default=vietnam_today(SystemClock().now()))
    comparison = sample.Comparison(before=register, after=after, on=on)
    await sample.sampled(service.projection, comparison, asked.sample or 0)
    if not asked.as_json:
        sample.show(comparison)
    sample.refuse_changed_outcomes(comparison)
    return comparison.document()


async def _write_batch(service: Service, publisher: Publisher, checked: Checked, asked: Asked) -> dict[str, Any]:
    """Write one batch, and wait until answers have it."""
    document = gate.document(checked)
    if not checked.new:
        return document
    source, cards_before = checked.source, await service.projection.states()
    draft = Draft(facts=source.facts, name=source.name, base=checked.report.base)
    with progress_bar(f"publishing {source.origin}", checked.report.count) as bar:
        done = await publisher.publish_batch(draft, bar.advance)
    if isinstance(done, Overtaken):
        fail(
            f"Another batch was published while {source.origin} was checked; its facts count for nothing.",
            "Repeat the command: it is checked on what stands now.",
        )
    seconds = await register_in_force(service.mirror, done.position, done.sealed_at, SystemClock())
    untouched = [(state.position, state.facts, state.digest) for state in cards_before] == [
        (state.position, state.facts, state.digest) for state in await service.projection.states()
    ]
    if not asked.as_json:
        _say_published(done, source, seconds, cards=sum(state.facts for state in cards_before) if untouched else None)
    return document | {
        "state": "published",
        "position": done.position,
        "in_force_s": None if seconds is None else round(seconds, 3),
        "card_bytes_written": 0 if untouched else None,
    }


def _say_published(done: Published, source: Source, seconds: float | None, *, cards: int | None) -> None:
    if seconds is None:
        warn(f"{source.origin} is sealed at position {done.position}; it counts as soon as the projector runs.")
        return
    say(
        f"[bold green]{plain(source.origin)} in force in {seconds:.2f} s[/] (position {done.position}) · "
        f"có hiệu lực sau {seconds:.2f} giây"
    )
    if cards:
        say(
            f"  [bold]0 card bytes written[/]: the digest of {cards:,} cards is what it was · "
            "không ghi lại một byte thẻ nào"
        )


async def _send_events(service: Service, publisher: Publisher, source: Source, asked: Asked, outcome: Outcome) -> None:
    for stream, count in source.events:
        outcome.events[stream] = outcome.events.get(stream, 0) + count
        if asked.dry_run:
            continue
        with progress_bar(f"{source.origin} → {stream}", count) as bar:
            sent = await publisher.publish_events(stream, _keyed(Path(source.origin), stream), bar.advance)
        if sent != count:
            warn(f"{source.origin} changed while it was read: {count:,} events were checked and {sent:,} sent.")
        if stream == CARDS.name and not await cards_in_force(service.log, service.projection):
            warn("The cards are in the log; they are answered for as soon as the projector runs.")


def _keyed(path: Path, stream: str) -> Iterator[tuple[str, bytes]]:
    """Read a file that was found sound once more; a line that is no longer so ends the command."""
    for line in read_events(path):
        if isinstance(line, LineFault):
            fail(f"{path} changed while it was read: line {line.line} is no event.", "Repeat the command.")
        if isinstance(line, KeyedLine) and line.stream == stream:
            yield line.key, line.value


def _conclude(asked: Asked, sources: Sequence[Source], outcome: Outcome) -> None:
    if asked.as_json:
        print_json(
            {
                "dry_run": asked.dry_run,
                "batches": outcome.batches,
                "sample": outcome.sample,
                "events": outcome.events,
            }
        )
        return
    for stream, count in outcome.events.items():
        said = "would be sent" if asked.dry_run else "sent and acknowledged"
        say(f"[bold]{count:,}[/] events of {stream} {said}")
    if not outcome.batches and not outcome.events:
        say(f"There is nothing in {plain(', '.join(source.origin for source in sources))}. · Không có gì để công bố.")
    elif asked.dry_run:
        say("Dry run: nothing was written. · Chạy thử: chưa ghi gì.")
