"""Puts the look-up process together: store, register, desks, outbox, relays, and the consumers of look-up events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from lienthong.adapters.card_images import CardImageReader, ReaderLimits
from lienthong.adapters.card_reader import CardReader
from lienthong.adapters.dead_letters import DeadLetters
from lienthong.adapters.followers import Follower
from lienthong.adapters.ground import Ground, grounded
from lienthong.adapters.keys import KeyStore
from lienthong.adapters.outbox import OutboxCell, Relay, load_outbox_functions
from lienthong.adapters.projection_reads import ProjectionReads
from lienthong.adapters.register_feed import followed
from lienthong.adapters.sealed_images import SealedImageOpener
from lienthong.adapters.sealing import Sealer
from lienthong.adapters.serving import serve
from lienthong.lookup.answering import HttpDesk
from lienthong.lookup.desk import Desk
from lienthong.lookup.handlers import EventDesk, Intake, answered_in
from lienthong.lookup.http import LookupParts, application
from lienthong.lookup.readiness import Readiness
from lienthong.lookup.record import Recorder
from lienthong.lookup.relaying import keep_relaying
from lienthong.runtime.clock import Clock, SystemClock
from lienthong.runtime.settings import Settings
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import CARD_IMAGES, CARDS, LOOKUPS

NAME = "lookup"
HTTP_CELL = "http-0"


@asynccontextmanager
async def running(settings: Settings, clock: Clock) -> AsyncIterator[LookupParts]:
    """Run the look-up service until the block ends; HTTP is its caller's."""
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(grounded(settings, clock))
        log, store = ground.log, ground.store
        keys = KeyStore(ground.directory.keys, settings.master_key_bytes())
        stack.callback(keys.close)
        sealer = Sealer(keys, clock)
        await load_outbox_functions(store)
        images = await stack.enter_async_context(_image_reader(settings))
        reads = ProjectionReads(store, clock, log.partitions(CARDS.name))
        feed = await stack.enter_async_context(followed(store, clock, reads.move_to))
        desk = Desk(CardReader(reads, clock, timedelta(seconds=settings.absence_bound_s)), lambda: feed.register)
        recorder = Recorder(sealer)
        cells = [HTTP_CELL]
        desks: dict[Follower, EventDesk] = {}
        reader = ground.reader(NAME, lambda follower, fault: desks[follower].pass_over(fault))
        intake = _intake(ground, sealer, images)
        for stream in (LOOKUPS.name, CARD_IMAGES.name):
            for partition in range(log.partitions(stream)):
                cell = f"{stream}-{partition}"
                cells.append(cell)
                events = EventDesk(desk, recorder, OutboxCell(store, cell), intake)
                follower = reader.subscribe(stream, partition, events.handle, events.start)
                events.follow(follower)
                desks[follower] = events
        reading = reader.start()
        stack.push_async_callback(reader.stop)
        relays = [asyncio.create_task(keep_relaying(Relay(store, log, cell))) for cell in cells]
        stack.push_async_callback(end, *relays)
        yield LookupParts(
            desk=HttpDesk(desk, recorder, OutboxCell(store, HTTP_CELL), clock),
            register=lambda: feed.register,
            images=images,
            work=[*relays, reading, feed.following],
            readiness=Readiness(store.ping, lambda: feed.complete, reader.progress, clock),
            clock=clock,
        )


async def run(settings: Settings) -> None:
    """Run the look-up process until it is told to stop."""
    async with running(settings, SystemClock()) as parts:
        await serve(application(parts, settings), settings.host, settings.lookup_port, parts.work)


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
        answered=lambda: answered_in(ground.log),
        clock=ground.clock,
    )
