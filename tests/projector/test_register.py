"""Batches that a seal makes count reach every look-up, in their order, whatever happens to the mirror meanwhile."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from lienthong.adapters.event_log import Bounds
from lienthong.adapters.followers import Batch, Follower
from lienthong.adapters.projection_servers import load_functions
from lienthong.adapters.register_feed import RegisterFeed
from lienthong.adapters.register_mirror import FIRST, MirrorEntry, MirrorMoved, RegisterMirror
from lienthong.adapters.wire import Refusal, RefusalCode
from lienthong.domain.facts import digest_of
from lienthong.domain.register import Register
from lienthong.projector.register import RegisterProjector
from tests.support.clocks import SetClock
from tests.support.projecting import entries
from tests.support.sealing_batches import batch, event, unit

FIRST_UNITS = [unit("00001", "Phường Một"), unit("00002", "Phường Hai")]
SECOND_UNITS = [unit("00002", "Phường Hai", 2), unit("00003", "Phường Ba")]
THIRD_UNITS = [unit("00004", "Phường Bốn")]
WINNERS = [FIRST_UNITS[0], *SECOND_UNITS]


class Publishing:
    """A register's stream in memory, its projector, and the look-up that follows the mirror."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.clock = SetClock()
        self.mirror = RegisterMirror(redis)
        self.feed = RegisterFeed(redis, self.clock)
        self.values: list[bytes] = []
        self.set_aside: list[tuple[int, Refusal]] = []
        self.restart()

    def restart(self) -> None:
        """Begin as a new projector would."""
        self.projector = RegisterProjector(self.mirror, self._aside, self.clock)
        self.follower = Follower("register.v1", 0, self.projector.handle, self.clock)
        self.projector.follow(self.follower)
        self.follower.seek(0)

    async def publish(self, values: Sequence[bytes]) -> None:
        """Append to the stream and project it."""
        self.values += values
        await self.project()

    async def project(self) -> None:
        """Read the stream to its end, and say so."""
        while (position := self.follower.progress.position or 0) < len(self.values):
            await self.follower.take(entries(self.values, position, 2))
        self.follower.observe(Bounds(first=0, end=len(self.values)), self.clock.now())
        await self.projector.watch()

    async def followed(self) -> Register:
        """Return the register as the look-up has it after its next read."""
        await self.feed.refresh()
        return self.feed.register

    async def _aside(self, batch: Batch, at: int, refusal: Refusal, _attempts: int = 1) -> None:
        self.set_aside.append((batch.entries[at].offset, refusal))


@pytest.fixture
async def publishing(projection_client: Redis) -> Publishing:
    await load_functions(projection_client)
    made = Publishing(projection_client)
    base, first = batch(FIRST_UNITS, None)
    _, second = batch(SECOND_UNITS, base)
    await made.publish([*first, *second])
    return made


async def test_accepted_batches_are_folded_by_look_ups(publishing: Publishing) -> None:
    register = await publishing.followed()
    assert register.facts_digest == digest_of(WINNERS)
    assert register.position == len(publishing.values)
    assert publishing.feed.complete


async def test_a_new_batch_is_in_force_with_the_next_read(publishing: Publishing) -> None:
    await publishing.followed()
    base = publishing.feed.register.last_batch
    await publishing.publish(batch(THIRD_UNITS, base)[1])
    register = await publishing.followed()
    assert register.facts_digest == digest_of([*WINNERS, *THIRD_UNITS])


async def test_facts_without_a_seal_stay_inert(publishing: Publishing) -> None:
    position = (await publishing.followed()).position
    await publishing.publish(batch(THIRD_UNITS, publishing.feed.register.last_batch)[1][:-1])
    assert (await publishing.followed()).position == position


async def test_of_two_seals_on_one_base_the_first_stands(publishing: Publishing) -> None:
    base = (await publishing.followed()).last_batch
    other = [unit("00005", "Phường Năm")]
    await publishing.publish([*batch(THIRD_UNITS, base)[1], *batch(other, base)[1]])
    register = await publishing.followed()
    assert register.facts_digest == digest_of([*WINNERS, *THIRD_UNITS])
    await publishing.publish(batch(other, register.last_batch)[1])
    assert (await publishing.followed()).facts_digest == digest_of([*WINNERS, *THIRD_UNITS, *other])


@pytest.mark.parametrize("seal", [{"count": 2}, {"base": None}], ids=["other facts", "other base"])
async def test_a_seal_that_does_not_fit_is_refused(publishing: Publishing, seal: dict[str, object]) -> None:
    register = await publishing.followed()
    await publishing.publish(batch(THIRD_UNITS, register.last_batch, **seal)[1])
    assert (await publishing.followed()).position == register.position


async def test_what_cannot_be_read_is_set_aside_and_the_stream_goes_on(publishing: Publishing) -> None:
    base = (await publishing.followed()).last_batch
    start = len(publishing.values)
    without_batch = event(THIRD_UNITS[0].type, THIRD_UNITS[0].data, THIRD_UNITS[0].id)
    await publishing.publish([b"\xff", *batch(THIRD_UNITS, base)[1], without_batch])
    assert [(offset - start, refusal.code) for offset, refusal in publishing.set_aside] == [
        (0, RefusalCode.NOT_JSON),
        (3, RefusalCode.INVALID_ENVELOPE),
    ]
    assert (await publishing.followed()).facts_digest == digest_of([*WINNERS, *THIRD_UNITS])


async def test_a_projector_that_starts_again_appends_nothing_twice(publishing: Publishing) -> None:
    before = await publishing.mirror.read_all()
    publishing.restart()
    await publishing.project()
    assert await publishing.mirror.read_all() == before


async def test_a_flushed_mirror_is_said_and_written_again(publishing: Publishing) -> None:
    register = await publishing.followed()
    await publishing.redis.flushall()
    await publishing.feed.refresh()
    assert not publishing.feed.complete
    assert publishing.feed.register is register
    await publishing.projector.watch()
    assert (await publishing.followed()).facts_digest == register.facts_digest
    assert publishing.feed.complete


async def test_an_older_copy_of_the_mirror_is_said_and_written_up(publishing: Publishing) -> None:
    copy = {key: await publishing.redis.dump(key) for key in await publishing.redis.keys("*register*")}
    base = (await publishing.followed()).last_batch
    await publishing.publish(batch(THIRD_UNITS, base)[1])
    register = await publishing.followed()
    for key, dump in copy.items():
        assert dump is not None
        await publishing.redis.restore(key, 0, dump, replace=True)
    await publishing.feed.refresh()
    assert not publishing.feed.complete
    assert publishing.feed.register is register
    await publishing.projector.watch()
    assert (await publishing.followed()).facts_digest == register.facts_digest
    assert publishing.feed.complete


async def test_an_entry_that_is_missing_is_never_passed_over(publishing: Publishing) -> None:
    await publishing.followed()
    _, last = await publishing.mirror.read_all()
    later = f"0-{last.position + 5}"
    fields = {"prev": f"0-{last.position + 3}", "batch_id": last.batch_id, "batch": last.batch}
    await publishing.redis.xadd("{1.register}batches", fields, id=later)  # type: ignore[arg-type]  # text and bytes
    await publishing.feed.refresh()
    assert not publishing.feed.complete
    await publishing.feed.refresh()
    assert not publishing.feed.complete
    assert publishing.feed.register.position == last.position


async def test_an_unreadable_entry_is_never_passed_over(publishing: Publishing) -> None:
    register = await publishing.followed()
    (_, last) = await publishing.mirror.read_all()
    entry = MirrorEntry(position=last.position + 1, previous=last.id, batch_id="x", batch=b"no batch")
    await publishing.mirror.append(entry)
    await publishing.feed.refresh()
    assert not publishing.feed.complete
    assert publishing.feed.register is register


async def test_the_mirror_of_another_log_is_replaced(publishing: Publishing) -> None:
    other = RegisterMirror(publishing.redis)
    await other.clear()
    foreign = [
        MirrorEntry(position=position, previous=before, batch_id="f", batch=b"")
        for before, position in ((FIRST, 3), ("0-3", 6), ("0-6", 9))
    ]
    for entry in foreign:
        await other.append(entry)
    publishing.restart()
    await publishing.project()
    assert (await publishing.followed()).facts_digest == digest_of(WINNERS)


@pytest.mark.parametrize("told", [True, False], ids=["and knows it", "and does not know it"])
async def test_a_projector_that_lost_the_stream_to_another_leaves_the_mirror_alone(
    publishing: Publishing, *, told: bool
) -> None:
    lost, follower = publishing.projector, publishing.follower
    publishing.restart()
    publishing.clock.advance(timedelta(seconds=1))
    await publishing.publish(batch(THIRD_UNITS, (await publishing.followed()).last_batch)[1])
    written = await publishing.mirror.read_all()
    if told:
        follower.stop()
    for _ in range(3):
        await lost.watch()
    assert await publishing.mirror.read_all() == written


async def test_two_writers_append_to_one_mirror_only_in_turn(publishing: Publishing) -> None:
    before = await publishing.mirror.read_all()
    with pytest.raises(MirrorMoved):
        await publishing.mirror.append(before[0])
    assert await publishing.mirror.read_all() == before


async def test_a_mirror_that_was_never_filled_is_not_complete(projection_client: Redis) -> None:
    feed = RegisterFeed(projection_client, SetClock())
    await feed.refresh()
    assert not feed.complete
    assert feed.register.position == 0


async def test_a_feed_that_runs_takes_a_new_batch_by_itself(publishing: Publishing) -> None:
    publishing.feed.start()
    while publishing.feed.register.position < len(publishing.values):
        await publishing.feed.changed()
    await publishing.publish(batch(THIRD_UNITS, publishing.feed.register.last_batch)[1])
    while publishing.feed.register.position < len(publishing.values):
        await publishing.feed.changed()
    assert publishing.feed.register.facts_digest == digest_of([*WINNERS, *THIRD_UNITS])
    await publishing.feed.stop()
