"""`lienthong topics`: makes the topics of a distributed log, and says where they depart from what they must be."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

import typer

from lienthong.adapters.event_log import LogAway
from lienthong.adapters.kafka_admin import TlsFileRefused, TopicAdmin, TopicsRefused, refuse_unusable, topic_admin
from lienthong.adapters.kafka_topics import REPLICATION, Drift, Topic, drifts, topics
from lienthong.cli.console import OTHER, YES, fail, out, plain, print_json, say, say_faults_once, table_of, warn
from lienthong.cli.options import AsJson, settings_of
from lienthong.runtime.settings import Settings

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    help="""Make and check the topics of a distributed log.

    Tạo và kiểm tra các chủ đề Kafka.
    """,
)

Replication = Annotated[
    int, typer.Option("--replication", min=1, max=9, help="copies of every entry; 1 only for trying it out")
]
#: How long a start waits for the brokers' word on the topics; look-ups must not wait for brokers that are away.
_START_TIMEOUT_S = 5.0

Work = Callable[[TopicAdmin, Sequence[Topic]], Coroutine[Any, Any, dict[str, Any]]]


@app.command()
def create(replication: Replication = REPLICATION, as_json: AsJson = False) -> None:
    """Make the topics that are missing; those that are there stay as they are, and are checked.

    Tạo các chủ đề còn thiếu.

    Exit status: 0 where all topics are as they must be, 1 where one is not, 2 where the brokers refuse or are away.
    """
    _answer(_run(_create, replication), as_json=as_json)


@app.command()
def check(replication: Replication = REPLICATION, as_json: AsJson = False) -> None:
    """Say where the topics depart from what they must be, and what to do about it; nothing is changed.

    Kiểm tra các chủ đề.

    Exit status: 0 where all topics are as they must be, 1 where one is not, 2 where the brokers refuse or are away.
    """
    _answer(_run(_check, replication), as_json=as_json)


async def start_on_sound_topics(settings: Settings) -> None:
    """Raise TopicsUnusable where the brokers say that topics are missing or laid out otherwise, or TlsFileRefused.

    On other partitions than it believes in, a process would look for a card in a cell that never gets it. Brokers that
    are away say nothing, and an answer needs none: only a warning is written then.
    """
    if settings.kafka_servers is None:
        return
    say_faults_once()
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            await refuse_unusable(settings)
    except (LogAway, TimeoutError) as fault:
        warn(f"The topics of {settings.kafka_servers} were not checked ({str(fault) or type(fault).__name__}).")


async def _create(admin: TopicAdmin, wanted: Sequence[Topic]) -> dict[str, Any]:
    found = await admin.found(wanted)
    missing = [topic for topic in wanted if topic.name not in found]
    if missing:
        await admin.create(missing)
    made = {topic.name for topic in missing}
    # What was just made is not asked for again: another broker may not have heard of it yet.
    return _found(wanted, drifts([topic for topic in wanted if topic.name not in made], found), made)


async def _check(admin: TopicAdmin, wanted: Sequence[Topic]) -> dict[str, Any]:
    return _found(wanted, drifts(wanted, await admin.found(wanted)), set())


def _found(wanted: Sequence[Topic], departures: Sequence[Drift], made: set[str]) -> dict[str, Any]:
    return {
        "topics": [
            {
                "name": topic.name,
                "partitions": topic.partitions,
                "replication": topic.replication,
                "made": topic.name in made,
                "drift": [
                    {"what": each.what, "found": each.found, "wanted": each.wanted, "sentence": each.sentence}
                    for each in departures
                    if each.topic == topic.name
                ],
            }
            for topic in wanted
        ],
        "sound": not departures,
    }


def _run(work: Work, replication: int) -> dict[str, Any]:
    settings = settings_of()
    if settings.kafka_servers is None:
        fail("No brokers are named, and an embedded log needs no topics.", "Set LIENTHONG_KAFKA_SERVERS=HOST:PORT,…")
    say_faults_once()
    try:
        return asyncio.run(_asked(settings, work, replication))
    except TlsFileRefused as fault:
        fail(str(fault))
    except TopicsRefused as fault:
        fail(str(fault), "Correct what it says, and call this command again; it may be repeated.")
    except LogAway as fault:
        fail(
            f"The brokers {settings.kafka_servers} cannot be reached: {fault}.",
            "Start them, or correct LIENTHONG_KAFKA_….",
        )


async def _asked(settings: Settings, work: Work, replication: int) -> dict[str, Any]:
    async with topic_admin(settings) as admin:
        return await work(admin, topics(card_partitions=settings.card_partitions, replication=replication))


def _answer(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        _show(found)
    raise typer.Exit(YES if found["sound"] else OTHER)


def _show(found: dict[str, Any]) -> None:
    table = table_of("topic · chủ đề", "#partitions", "#replicas", "")
    for topic in found["topics"]:
        state = "[green]as it must be · đúng[/]"
        if topic["made"]:
            state = "[green]made · đã tạo[/]"
        elif topic["drift"]:
            state = "[red]departs · sai lệch[/]"
        table.add_row(topic["name"], str(topic["partitions"]), str(topic["replication"]), state)
    out.print(table)
    for topic in found["topics"]:
        for drift in topic["drift"]:
            say(f"[red]•[/] {plain(drift['sentence'])}")
