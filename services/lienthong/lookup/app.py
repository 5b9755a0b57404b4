"""Puts the look-up process together: store, register, desks, outbox, relays, and the consumers of look-up events."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from lienthong.adapters.card_images import CardImageReader, ReaderLimits
from lienthong.adapters.card_reader import CardReader
from lienthong.adapters.dead_letters import DeadLetters
from lienthong.adapters.followers import Follower, Reader
from lienthong.adapters.ground import Ground, grounded
from lienthong.adapters.keys import PSEUDONYM, open_keys
from lienthong.adapters.outbox import OutboxCell, load_outbox_functions
from lienthong.adapters.outbox_layout import EVENT_STREAMS, all_cells, event_cell, http_cell
from lienthong.adapters.outbox_leases import Leases
from lienthong.adapters.projection_reads import ProjectionReads
from lienthong.adapters.register_feed import followed
from lienthong.adapters.sealed_images import SealedImageOpener
from lienthong.adapters.sealing import Sealer, keep_prepared
from lienthong.adapters.serving import serve
from lienthong.adapters.spool import Spool, spool_directory
from lienthong.lookup.answering import HttpDesk
from lienthong.lookup.desk import Desk
from lienthong.lookup.handlers import EventDesk, Intake, keep_looking
from lienthong.lookup.http import LookupParts, application
from lienthong.lookup.readiness import Readiness
from lienthong.lookup.record import Recorder
from lienthong.lookup.relaying import Relays
from lienthong.lookup.spooling import into_outbox, keep_moving
from lienthong.runtime.clock import Clock, SystemClock
from lienthong.runtime.settings import Settings
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import CARDS, DEAD_LETTERS, DECISIONS

NAME = "lookup"


@asynccontextmanager
async def running(settings: Settings, clock: Clock) -> AsyncIterator[LookupParts]:
    """Run the look-up service until the block ends; HTTP is its caller's."""
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(grounded(settings, clock))
        log, store = ground.log, ground.store
        keys = open_keys(settings, ground.directory)
        stack.callback(keys.close)
        sealer = Sealer(keys, clock)
        preparing = asyncio.create_task(keep_prepared(sealer, [DECISIONS.name, DEAD_LETTERS.name, PSEUDONYM.name]))
        stack.push_async_callback(end, preparing)
        await load_outbox_functions(store)
        images = await stack.enter_async_context(_image_reader(settings))
        reads = ProjectionReads(store, clock, log.partitions(CARDS.name))
        feed = await stack.enter_async_context(followed(store, clock, reads.move_to))
        desk = Desk(CardReader(reads, clock, timedelta(seconds=settings.absence_bound_s)), lambda: feed.register)
        recorder = Recorder(sealer)
        owner = settings.instance or secrets.token_hex(8)
        relays = Relays(store, log, Leases(store, owner), all_cells(log), clock)
        spool = Spool(spool_directory(ground.directory), owner)
        stack.push_async_callback(spool.close)
        intake = _intake(ground, sealer, images)
        reader, desks = _reader(ground, relays, lambda cell: EventDesk(desk, recorder, cell, intake))
        reading = reader.start()
        stack.push_async_callback(reader.stop)
        stack.push_async_callback(relays.stop)
        relaying = asyncio.create_task(relays.run(lambda: _followed(reader)))
        moving = asyncio.create_task(keep_moving(spool, into_outbox(store, relays.stored)))
        looking = asyncio.create_task(keep_looking(desks))
        stack.push_async_callback(end, relaying, moving, looking)
        name = http_cell(settings.instance)
        yield LookupParts(
            desk=HttpDesk(desk, recorder, OutboxCell(store, name, stored=relays.stored(name)), spool, clock),
            register=lambda: feed.register,
            images=images,
            work=[relaying, moving, looking, reading, preparing, feed.following],
            readiness=Readiness(
                store.ping,
                lambda: feed.complete,
                reader.progress,
                clock,
                lambda: [*relays.warnings(), *spool.warnings()],
            ),
            clock=clock,
        )


async def run(settings: Settings) -> None:
    """Run the look-up process until it is told to stop."""
    async with running(settings, SystemClock()) as parts:
        await serve(application(parts, settings), settings.host, settings.lookup_port, parts.work)


def _followed(reader: Reader) -> list[str]:
    """Return the cells that this process alone fills at this moment."""
    return [event_cell(progress.stream, progress.partition) for progress in reader.progress()]


def _reader(
    ground: Ground, relays: Relays, desk_of: Callable[[OutboxCell], EventDesk]
) -> tuple[Reader, Collection[EventDesk]]:
    """Return a reader of every partition of look-ups, and the desks behind them."""
    desks: dict[Follower, EventDesk] = {}
    reader = ground.reader(NAME, lambda follower, fault: desks[follower].pass_over(fault))
    for stream in EVENT_STREAMS:
        for partition in range(ground.log.partitions(stream)):
            cell = event_cell(stream, partition)
            events = desk_of(OutboxCell(ground.store, cell, stored=relays.stored(cell)))
            follower = reader.subscribe(stream, partition, events.handle, events.start)
            events.follow(follower)
            desks[follower] = events
    return reader, desks.values()


def _image_reader(settings: Settings) -> CardImageReader:
    return CardImageReader(
        ReaderLimits(
            bytes_max=settings.image_bytes_max,
            pixels_max=settings.image_pixels_max,
            deadline_s=settings.image_deadline_s,
        )
    )


def _intake(ground: Ground, sealer: Sealer, images: CardImageReader) -> Intake:
    letters = DeadLetters(ground.log, sealer, ground.clock, NAME)
    return Intake(
        set_aside=letters.set_aside,
        images=SealedImageOpener(sealer, images),
        log=ground.log,
        clock=ground.clock,
    )
