"""The register as a look-up has it: folded from the mirror at start, and followed, so that a new decree counts at once.

An entry that does not follow the last one, or a mirror that is shorter than what was folded, is noticed and never
passed over: the register stays what it was and says that it is not complete, until the mirror can be read as a whole.
"""

import asyncio
import contextlib
import secrets
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from lienthong.adapters.generations import FIRST as GENERATION
from lienthong.adapters.generations import Generations
from lienthong.adapters.register_codec import unpack_batch
from lienthong.adapters.register_mirror import FIRST, MirrorEntry, MirrorState, RegisterMirror, chained
from lienthong.domain.register import BatchOutOfPlaceError, Register
from lienthong.runtime.clock import Clock
from lienthong.runtime.tasks import end

#: How long one read waits for a new entry; it wakes at once when one comes.
BLOCK_MS = 500
#: How long the register may go without hearing from the mirror before it says that it may lack something.
SILENCE_MAX = timedelta(seconds=5)
#: How often it is said which generation is read.
SAID_EVERY = timedelta(seconds=1)
#: How long a process waits for the register before it begins without one.
START_WAIT_S = 2.5
#: The pause after a fault or a gap: the projector looks once a second.
PAUSE_S = 0.25

_FAULTS = (RedisError, OSError, TimeoutError)
_UNREADABLE = (zlib.error, ValueError, KeyError, TypeError, BatchOutOfPlaceError)

_log = structlog.stdlib.get_logger("lienthong.register")


class RegisterFeed:
    """Follows the mirror of the generation that answers; `redis` should be a client that may wait longer than BLOCK_MS.

    `on_generation` hears of the generation that is followed, before the register of it is the one to use.
    """

    def __init__(self, redis: Redis, clock: Clock, on_generation: Callable[[int], None] = lambda _: None) -> None:
        self._redis = redis
        self._clock = clock
        self._on_generation = on_generation
        self._generations = Generations(redis)
        self._name = secrets.token_hex(8)
        self._generation = GENERATION
        self._mirror = RegisterMirror(redis, GENERATION)
        # The generation that was switched to, and the position of the switch, until its own mirror has reached it.
        self._next: tuple[int, int] | None = None
        self._register = Register.empty()
        self._last = FIRST
        self._entries = 0
        self._sound = False
        self._filled = False
        self._heard_at: datetime | None = None
        self._said_at: datetime | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def register(self) -> Register:
        """The register as of the last batch that was folded: a snapshot that never changes."""
        return self._register

    @property
    def complete(self) -> bool:
        """Whether every batch is folded, as far as was heard within SILENCE_MAX.

        A mirror that was never filled from the whole stream is not complete, although it may lack nothing.
        """
        heard = self._heard_at
        return self._sound and self._filled and heard is not None and self._clock.now() - heard <= SILENCE_MAX

    def start(self) -> None:
        """Begin to follow, in a task of the running loop."""
        self._task = asyncio.create_task(self._run(), name="follow-register")

    @property
    def following(self) -> asyncio.Task[None]:
        """The task that follows, which ends by a fault alone."""
        assert self._task is not None, "a feed is followed once it is started"  # noqa: S101 -- an invariant
        return self._task

    async def stop(self) -> None:
        """Stop following; the register stays what it is."""
        if self._task is not None:
            await end(self._task)
            self._task = None
            with contextlib.suppress(*_FAULTS):
                await self._generations.leaves(self._name)

    async def changed(self) -> None:
        """Return when the register, or whether it is sound, changes next."""
        await self._changed.wait()

    async def refresh(self, block_ms: int | None = None) -> None:
        """Take what is new in the mirror, or all of it after a gap. Raises redis.RedisError, OSError.

        1. Read what follows the last entry.
        2. If the mirror does not continue what was folded, read it from its beginning.
        3. Fold, in a thread, what was not folded before.
        4. Follow a switch to another generation once its mirror reaches as far, and say which one is read.
        """
        entries = await self._mirror.read_after(self._last, block_ms) if self._sound else []
        if not self._sound or not chained(entries, self._last) or not await self._continues(entries):
            await self._begin_anew()
        elif entries:
            await self._fold(self._register, self._entries, entries)
        if self._next is not None:
            await self._follow(*self._next)
        await self._say()
        if self._sound:
            self._heard_at = self._clock.now()

    async def _run(self) -> None:
        while True:
            try:
                await self.refresh(BLOCK_MS)
            except _FAULTS as fault:
                _log.warning("register_unreachable", fault=type(fault).__name__)
                await asyncio.sleep(PAUSE_S)
            else:
                if not self._sound:
                    await asyncio.sleep(PAUSE_S)

    async def _continues(self, entries: Sequence[MirrorEntry]) -> bool:
        """Tell whether the mirror holds what was folded and the entries after it."""
        stands = await self._stands()
        reaches = entries[-1].position if entries else self._register.position
        return stands.entries >= self._entries + len(entries) and _position(stands.last) >= reaches

    async def _follow(self, generation: int, position: int) -> None:
        """Read the mirror of another generation from here on, if it is filled and has the switch itself."""
        stands = await RegisterMirror(self._redis, generation).stands()
        if stands.caught_up_at_ms is not None and _position(stands.last) >= position:
            self._take_generation(generation)
            await self._begin_anew()

    def _take_generation(self, generation: int) -> None:
        _log.info("generation_followed", generation=generation, before=self._generation)
        self._next = None
        self._generation = generation
        self._mirror = RegisterMirror(self._redis, generation)
        self._said_at = None
        self._on_generation(generation)

    async def _say(self) -> None:
        """Say about once a second which generation is read here, and ask which one answers.

        A switch whose entry was never written here, because nobody writes this generation any more, is met so.
        """
        now = self._clock.now()
        if self._said_at is not None and abs(now - self._said_at) < SAID_EVERY:
            return
        await self._generations.reads(self._name, self._generation, now)
        self._said_at = now
        current = (await self._generations.plan()).current
        if current > self._generation and self._next is None:
            self._next = (current, self._register.position)

    async def _begin_anew(self) -> None:
        """Read the whole mirror, and take it if it is sound and lacks nothing that was folded.

        Whoever begins, or finds nothing where it read, looks first which generation answers by now.
        """
        current = (await self._generations.plan()).current
        if current > self._generation:
            self._take_generation(current)
        reaches = _position((await self._stands()).last)
        if reaches >= self._register.position:
            entries = await self._mirror.read_all()
            if chained(entries, FIRST) and (entries[-1].position if entries else 0) >= self._register.position:
                await self._fold(Register.empty(), 0, entries)
                return
        if self._sound:
            _log.error("register_gap", reaches=reaches, folded=self._register.position)
            self._tell(sound=False)

    async def _stands(self) -> MirrorState:
        stands = await self._mirror.stands()
        self._filled = stands.caught_up_at_ms is not None
        return stands

    async def _fold(self, register: Register, known: int, entries: Sequence[MirrorEntry]) -> None:
        """Fold the entries onto a register that `known` entries made."""
        try:
            folded = await asyncio.to_thread(_folded, register, entries)
        except _UNREADABLE as fault:
            _log.error("register_unreadable", fault=type(fault).__name__, reaches=entries[-1].position)
            self._tell(sound=False)
            return
        self._entries = known + len(entries)
        self._register = folded
        for entry in entries:
            if entry.generation is not None and entry.generation > self._generation:
                self._next = (entry.generation, entry.position)
        self._last = entries[-1].id if entries else FIRST
        self._heard_at = self._clock.now()
        self._tell(sound=True)

    def _tell(self, *, sound: bool) -> None:
        self._sound = sound
        self._changed.set()
        self._changed = asyncio.Event()


@asynccontextmanager
async def followed(
    redis: Redis, clock: Clock, on_generation: Callable[[int], None] = lambda _: None
) -> AsyncIterator[RegisterFeed]:
    """Follow the register of a projection while the block lasts, and tell of the generation that is followed.

    The block begins when the register is folded, or after `START_WAIT_S` without a store: desks are answered then too.
    """
    feed = RegisterFeed(redis, clock, on_generation)
    feed.start()
    try:
        for _ in range(int(START_WAIT_S / PAUSE_S)):
            if feed.complete:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(feed.changed(), PAUSE_S)
        yield feed
    finally:
        await feed.stop()


def _folded(register: Register, entries: Sequence[MirrorEntry]) -> Register:
    for entry in entries:
        if entry.generation is None:
            register = register.with_batch(unpack_batch(entry.batch, entry.position))
    return register


def _position(identifier: str) -> int:
    return int(identifier.partition("-")[2])
