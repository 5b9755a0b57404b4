"""Projects the register's stream: facts wait for their seal, and each batch that a seal makes count goes to the mirror.

What stands is a matter of the whole stream, so it is read from its beginning at every start; the mirror is compared
with what was accepted then and once a second, and written up where it lacks something.
"""

import asyncio
from datetime import datetime

import structlog

from lienthong.adapters.dead_letters import SetAside
from lienthong.adapters.followers import Batch, Follower
from lienthong.adapters.register_codec import pack_batch
from lienthong.adapters.register_log import RegisterLog, Switch
from lienthong.adapters.register_mirror import FIRST, SWITCH, MirrorEntry, RegisterMirror
from lienthong.adapters.wire import Refusal
from lienthong.domain.seals import RefusedSeal, SealedBatch
from lienthong.runtime.clock import Clock

_log = structlog.stdlib.get_logger("lienthong.projector")


class RegisterProjector:
    """Judges seals and keeps the mirror."""

    def __init__(self, mirror: RegisterMirror, set_aside: SetAside, clock: Clock) -> None:
        self._mirror = mirror
        self._set_aside = set_aside
        self._clock = clock
        self._reading = RegisterLog()
        self._accepted: list[MirrorEntry] = []
        # Whether the entries that were in the mirror at the start have been found to be ours.
        self._verified = False
        # The last entry of a mirror that has more than was read here, and when that was first seen.
        self._ahead: tuple[str, datetime] | None = None
        self._turn = asyncio.Lock()
        self._follower: Follower | None = None

    def follow(self, follower: Follower) -> None:
        """Take the follower of the stream, which knows when all of it has been read."""
        self._follower = follower

    async def start(self) -> int:
        """Return where to read from: the beginning, whatever the mirror has."""
        return 0

    async def handle(self, batch: Batch) -> None:
        """Note the facts, judge the seals, and append what they made count. A batch may come again."""
        async with self._turn:
            accepted = len(self._accepted)
            for at, entry in enumerate(batch.entries):
                match self._reading.take(entry):
                    case SealedBatch() as taken:
                        await self._accept(taken)
                    case Switch() as taken:
                        self._switched(taken)
                    case RefusedSeal(seal=seal, reason=reason):
                        _log.warning("seal_refused", batch=seal.batch_id, reason=reason.value, position=seal.position)
                    case Refusal() as refusal:
                        await self._set_aside(batch, at, refusal)
            if len(self._accepted) > accepted:
                await self._write_up()

    async def watch(self) -> None:
        """Write up what the mirror lacks, and note how far the stream has been read.

        Where another process follows the stream it alone knows what the mirror should have.
        """
        progress = None if self._follower is None else self._follower.progress
        if progress is not None and progress.position is None:
            return
        async with self._turn:
            await self._write_up()
            if progress is not None and progress.caught_up_at is not None and progress.position is not None:
                await self._mirror.caught_up(progress.position, int(progress.caught_up_at.timestamp() * 1000))

    async def _accept(self, batch: SealedBatch) -> None:
        _log.info("batch_accepted", batch=batch.batch_id, facts=len(batch.facts), position=batch.position)
        packed = await asyncio.to_thread(pack_batch, batch)
        self._append(batch.position, batch.batch_id, packed)

    def _switched(self, switch: Switch) -> None:
        _log.info("generation_switched", generation=switch.generation, position=switch.position)
        self._append(switch.position, f"{SWITCH}{switch.generation}", b"")

    def _append(self, position: int, batch_id: str, packed: bytes) -> None:
        previous = self._accepted[-1].id if self._accepted else FIRST
        self._accepted.append(MirrorEntry(position=position, previous=previous, batch_id=batch_id, batch=packed))

    async def _write_up(self) -> None:
        """Append what was accepted and is not in the mirror.

        1. See how far the mirror reaches. Where it is ahead, wait until the stream has been read that far.
        2. If what it has is not of this stream, remove it.
        3. Append the rest.
        """
        stands = await self._mirror.stands()
        if stands.entries <= len(self._accepted):
            self._ahead = None
        elif not self._has_read_all_since(stands.last):
            return
        known = stands.entries
        if not await self._is_ours(known, stands.last):
            _log.error("mirror_of_another_log", entries=stands.entries)
            await self._mirror.clear()
            known = 0
        for entry in self._accepted[known:]:
            await self._mirror.append(entry)
        self._verified = True

    def _has_read_all_since(self, last: str) -> bool:
        """Tell whether the stream was read to its end after the mirror was first seen to end at `last`.

        Before that the mirror may have what another process has read, which this one has lost the stream to.
        """
        if self._ahead is None or self._ahead[0] != last:
            self._ahead = (last, self._clock.now())
        caught_up_at = None if self._follower is None else self._follower.progress.caught_up_at
        return caught_up_at is not None and caught_up_at >= self._ahead[1]

    async def _is_ours(self, known: int, last: str) -> bool:
        if known > len(self._accepted) or last != (self._accepted[known - 1].id if known else FIRST):
            return False
        if self._verified or not known:
            return True
        entries = await self._mirror.read_all()
        return [entry.batch_id for entry in entries] == [entry.batch_id for entry in self._accepted[:known]]
