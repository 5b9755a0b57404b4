"""`lienthong dead-letters`: what could not be read, why, and once more into its stream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, NoReturn

import typer

from lienthong.adapters import dead_letters
from lienthong.adapters.dead_letters import DeadLetter, NotKept, WithoutKey
from lienthong.adapters.key_records import KeysAway, KeyStoreRefused
from lienthong.adapters.keys import open_keys
from lienthong.adapters.sealing import KeyDestroyed, SealBroken, Sealer
from lienthong.cli.console import fail, out, plain, print_json, say, table_of, warn
from lienthong.cli.options import AsJson, DataDir, settings_of
from lienthong.cli.service import Service, run, running_service
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.settings import Settings

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    help="""List, show and replay what could not be read.

    Xem và đưa lại những bản ghi không đọc được.
    """,
)

Letter = Annotated[str, typer.Argument(metavar="ID", help="the id that `list` shows")]


@app.command("list")
def list_letters(
    stream: Annotated[str | None, typer.Option("--stream", help="only of this stream, such as cards.v1")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List what was set aside, oldest first: where it stood and why, nothing of what it said.

    Liệt kê bản ghi lỗi.
    """
    found = run(_list(settings_of(data_dir=data_dir)))
    chosen = [letter for letter in found if stream in {None, letter.letter.origin.stream}]
    if as_json:
        print_json([letter.summary() for letter in chosen])
        return
    table = table_of("id", "recorded · lúc", "reason · lý do", "#bytes", "replayed · đã đưa lại")
    for letter in chosen:
        table.add_row(
            plain(letter.id),
            f"{letter.recorded_at:%Y-%m-%d %H:%M:%S}",
            plain(_reason(letter)),
            f"{letter.letter.size_bytes:,}",
            ", ".join(str(offset) for offset in letter.replayed_to) or "–",
        )
    if chosen:
        out.print(table)
    say(f"{len(chosen):,} dead letters · bản ghi lỗi")


@app.command()
def show(
    letter_id: Letter,
    original: Annotated[
        bool, typer.Option("--original", help="also print the original, which may be a person's data")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show one of them; its original only where it is asked for.

    Xem một bản ghi lỗi.
    """
    summary = run(_show(settings_of(data_dir=data_dir), letter_id, original=original))
    if as_json:
        print_json(summary)
        return
    for name, value in summary.items():
        out.print(f"{name}: {value}", soft_wrap=True, markup=False)


@app.command()
def replay(
    letter_id: Letter,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Append the original to its stream once more; the consumer judges it anew.

    Đưa bản ghi gốc trở lại luồng.
    """
    where = run(_replay(settings_of(data_dir=data_dir), letter_id))
    if as_json:
        print_json(where)
    else:
        say(
            f"{plain(letter_id)} stands at {where['stream']}/{where['partition']} offset {where['offset']} · đã đưa lại"
        )


async def _list(settings: Settings) -> list[DeadLetter]:
    async with running_service(settings) as service:
        return await dead_letters.letters(service.log)


async def _show(settings: Settings, letter_id: str, *, original: bool) -> dict[str, Any]:
    async with running_service(settings) as service:
        letter = await _found(service, letter_id)
        summary = letter.summary()
        if original:
            async with _sealer(service, settings) as sealer:
                value = dead_letters.original(letter, sealer)
            if not isinstance(value, bytes):
                _fail_without_original(value)
            summary["original"] = value.decode("utf-8", "backslashreplace")
        return summary


async def _replay(settings: Settings, letter_id: str) -> dict[str, Any]:
    async with running_service(settings) as service:
        letter = await _found(service, letter_id)
        if letter.replayed_to:
            warn(f"{letter_id} was replayed before.")
        async with _sealer(service, settings) as sealer:
            done = await dead_letters.replay(letter, service.log, sealer, SystemClock())
        if isinstance(done, KeyDestroyed | NotKept | WithoutKey):
            _fail_without_original(done)
        return {"stream": letter.letter.origin.stream, "partition": done.partition, "offset": done.offset}


async def _found(service: Service, letter_id: str) -> DeadLetter:
    letter = await dead_letters.find(service.log, letter_id)
    if letter is None:
        fail(f"There is no dead letter {letter_id}, or it is no longer kept.", "lienthong dead-letters list")
    return letter


@asynccontextmanager
async def _sealer(service: Service, settings: Settings) -> AsyncIterator[Sealer]:
    try:
        keys = open_keys(settings, service.directory)
    except (KeyStoreRefused, KeysAway) as fault:
        fail(str(fault))
    try:
        yield Sealer(keys, SystemClock())
    except SealBroken as fault:
        fail(str(fault))
    finally:
        keys.close()


def _fail_without_original(why: KeyDestroyed | NotKept | WithoutKey) -> NoReturn:
    match why:
        case KeyDestroyed():
            fail("Its key was destroyed when its retention ended; nobody can read the original any more.")
        case NotKept(size_bytes=size, sha256=sha256):
            fail(f"The original was longer than what is kept: {size:,} bytes, SHA-256 {sha256}.")
        case WithoutKey():
            fail("The original does not say under which key it was published, so it cannot be replayed.")


def _reason(letter: DeadLetter) -> str:
    reason = letter.letter.reason
    return f"{reason.path} {reason.message}".strip()
