"""Puts the look-up process together: store, register, desks, outbox, relays, and the consumers of look-up events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from redis.asyncio import Redis

from lienthong.adapters.card_images import CardImageReader, ReaderLimits
from lienthong.adapters.card_reader import CardReader
from lienthong.adapters.dead_letters import DeadLetters
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.keys import KeyStore
from lienthong.adapters.outbox import OutboxCell, Relay, load_outbox_functions
from lienthong.adapters.projection_reads import ProjectionReads
from lienthong.adapters.register_feed import followed
from lienthong.adapters.sealed_images import SealedImageOpener
from lienthong.adapters.sealing import Sealer
from lienthong.adapters.serving import serve
from lienthong.adapters.streams import Follower, StreamReader
from lienthong.lookup.answering import HttpDesk
from lienthong.lookup.desk import Desk
from lienthong.lookup.handlers import EventDesk, Intake, answered_in
from lienthong.lookup.http import LookupParts, application
from lienthong.lookup.readiness import Readiness
from lienthong.lookup.record import Recorder
from lienthong.lookup.relaying import keep_relaying
from lienthong.runtime.clock import Clock, SystemClock
from lienthong.runtime.connection import connect
from lienthong.runtime.datadir import DataDirectory, data_directory
from lienthong.runtime.settings import Settings
from lienthong.runtime.tasks import end
from lienthong_schemas.streams import CARD_IMAGES, CARDS, LOOKUPS

NAME = "lookup"
HTTP_CELL = "http-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The connections and keys of one process."""

    log: EventLog
    projection: Redis
    sealer: Sealer
    clock: Clock


@asynccontextmanager
async def running(directory: DataDirectory, settings: Settings, clock: Clock) -> AsyncIterator[LookupParts]:
    """Run the look-up service on a data directory until the block ends; HTTP is its caller's."""
    async with AsyncExitStack() as stack:
        store = _connected(stack, directory, settings, clock)
        feed = await stack.enter_async_context(followed(directory.socket("projection"), clock))
        await load_outbox_functions(store.projection)
        images = await stack.enter_async_context(_image_reader(settings))
        reads = ProjectionReads(store.projection, clock, store.log.partitions(CARDS.name))
        cards = CardReader(reads, clock, timedelta(seconds=settings.absence_bound_s))
        desk = Desk(cards, lambda: feed.register)
        recorder = Recorder(store.sealer)
        cells = [HTTP_CELL]
        desks: dict[Follower, EventDesk] = {}
        reader = StreamReader(
            directory.socket("log"), store.log, clock, lambda follower, fault: desks[follower].pass_over(fault)
        )
        for stream in (LOOKUPS.name, CARD_IMAGES.name):
            for partition in range(store.log.partitions(stream)):
                cell = f"{stream}-{partition}"
                cells.append(cell)
                events = EventDesk(desk, recorder, OutboxCell(store.projection, cell), _intake(store, images))
                follower = reader.subscribe(stream, partition, events.handle, events.start)
                events.follow(follower)
                desks[follower] = events
        reading = reader.start()
        stack.push_async_callback(reader.stop)
        relays = [asyncio.create_task(keep_relaying(Relay(store.projection, store.log, cell))) for cell in cells]
        stack.push_async_callback(end, *relays)
        yield LookupParts(
            desk=HttpDesk(desk, recorder, OutboxCell(store.projection, HTTP_CELL), clock),
            register=lambda: feed.register,
            images=images,
            work=[*relays, reading, feed.following],
            readiness=Readiness(store.projection.ping, lambda: feed.complete, reader.progress, clock),
            clock=clock,
        )


async def run(settings: Settings) -> None:
    """Run the look-up process until it is told to stop."""
    clock = SystemClock()
    async with running(data_directory(settings.data_dir), settings, clock) as parts:
        await serve(application(parts, settings), settings.host, settings.lookup_port, parts.work)


def _connected(stack: AsyncExitStack, directory: DataDirectory, settings: Settings, clock: Clock) -> Store:
    log_client = connect(directory.socket("log"))
    stack.push_async_callback(log_client.aclose)
    projection = connect(directory.socket("projection"))
    stack.push_async_callback(projection.aclose)
    keys = KeyStore(directory.root / "keys", settings.master_key_bytes())
    stack.callback(keys.close)
    return Store(log=EventLog(log_client), projection=projection, sealer=Sealer(keys, clock), clock=clock)


def _image_reader(settings: Settings) -> CardImageReader:
    return CardImageReader(
        ReaderLimits(
            bytes_max=settings.image_bytes_max,
            pixels_max=settings.image_pixels_max,
            deadline_s=settings.image_deadline_s,
        )
    )


def _intake(store: Store, images: CardImageReader) -> Intake:
    letters = DeadLetters(store.log, store.sealer, store.clock, NAME)
    return Intake(
        set_aside=letters.set_aside,
        images=SealedImageOpener(store.sealer, images),
        answered=lambda: answered_in(store.log),
        clock=store.clock,
    )
