"""The follower against a subscriber that reads ahead, reads behind and is interrupted in every order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from lienthong.adapters.event_log import Bounds, Entry, Recreated, Trimmed
from lienthong.adapters.followers import Batch, Follower
from tests.support.clocks import SetClock

AT = datetime(2025, 8, 1, tzinfo=UTC)


@dataclass
class Partition:
    """A partition, and FastStream's group-less subscriber as it is: it moves on whatever its handler does."""

    end: int = 0
    first: int = 0
    last_id: int = 0

    def point(self, position: int) -> None:
        self.last_id = position

    def fetch(self, count: int) -> tuple[Entry, ...]:
        offsets = range(max(self.last_id, self.first), self.end)[:count]
        return tuple(Entry(offset=offset, key="k", value=b"") for offset in offsets)

    async def bring(self, entries: tuple[Entry, ...], follower: Follower) -> None:
        if entries:
            self.last_id = entries[-1].offset + 1
        await follower.take(entries)


@dataclass
class Store:
    """What the handler keeps: its position and every offset; how often it fails next, and where it seeks to then."""

    position: int = 0
    handled: list[int] = field(default_factory=list)
    right: bool = True
    failures: int = 0
    went_back_to: int | None = None
    seek: Callable[[int], None] = lambda _position: None

    async def take(self, batch: Batch) -> None:
        if self.went_back_to is not None:
            self.position, self.went_back_to = min(self.went_back_to, self.position), None
            self.seek(self.position)
            return
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        offsets = [entry.offset for entry in batch.entries]
        # Noted and not raised: what a handler raises is tried again, for ever.
        self.right = self.right and offsets == list(range(self.position, self.position + len(offsets)))
        self.handled += offsets
        self.position += len(offsets)


operations = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(2, 6)),
        st.tuples(st.just("read"), st.integers(1, 4)),
        st.tuples(st.just("seek"), st.integers(0, 6)),
        # A read that was under way when someone sought: its entries come after the seek.
        st.tuples(st.just("seek during a read"), st.integers(0, 6)),
        st.tuples(st.just("fail"), st.integers(1, 2)),
        # The handler finds that its store went back, and seeks by itself.
        st.tuples(st.just("go back"), st.integers(0, 6)),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=150)
@given(operations)
def test_in_whatever_order_it_is_read_sought_and_failed_the_handler_gets_every_entry_from_its_position(
    steps: list[tuple[str, int]],
) -> None:
    async def play() -> None:
        partition, store = Partition(), Store()
        follower = Follower("lookups.v1", 0, store.take, SetClock())
        setattr(follower, "_wait", no_pause)  # noqa: B010  # the pauses between attempts are not the subject
        follower.attach(partition.point)
        store.seek = follower.seek
        follower.seek(0)
        for step, number in steps:
            if step == "append":
                partition.end += number
            elif step == "fail":
                store.failures = number
            elif step == "go back":
                store.went_back_to = number
            elif step == "read":
                await partition.bring(partition.fetch(number), follower)
            else:
                entries = partition.fetch(3) if step == "seek during a read" else ()
                store.position = min(number, partition.end)
                follower.seek(store.position)
                await partition.bring(entries, follower)
            assert store.right
            assert follower.progress.position == store.position
        for _ in range(partition.end + 3):
            await partition.bring(partition.fetch(3), follower)
        assert store.right
        assert store.position == partition.end
        assert follower.progress.fault is None

    asyncio.run(play())


async def no_pause(_seconds: float) -> None:
    await asyncio.sleep(0)


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 10))
def test_a_position_outside_of_what_the_partition_holds_is_a_fault_and_one_inside_is_not(
    first: int, held: int, position: int
) -> None:
    follower = Follower("lookups.v1", 0, Store().take, SetClock())
    follower.seek(position)
    end = first + held
    fault = follower.observe(Bounds(first=first, end=end), AT)
    if position > end:
        assert fault == Recreated(position=position, end=end)
    elif position < first:
        assert fault == Trimmed(position=position, first=first)
    else:
        assert fault is None
        assert (follower.progress.caught_up_at == AT) == (position == end)


async def test_a_fault_is_told_until_it_was_heard_and_one_after_a_seek_is_told_again() -> None:
    follower = Follower("lookups.v1", 0, Store().take, SetClock())
    follower.seek(5)
    fault = follower.observe(Bounds(first=0, end=3), AT)
    assert fault is not None
    assert follower.observe(Bounds(first=0, end=3), AT) == fault
    follower.told(fault)
    assert follower.observe(Bounds(first=0, end=3), AT) is None
    follower.seek(4)
    assert follower.observe(Bounds(first=0, end=3), AT) == Recreated(position=4, end=3)


async def test_a_position_that_was_passed_while_the_end_was_asked_for_is_no_fault() -> None:
    follower = Follower("lookups.v1", 0, Store(position=3).take, SetClock())
    follower.seek(3)
    await follower.take((Entry(offset=3, key="k", value=b""),))
    assert follower.observe(Bounds(first=0, end=3), AT, stood=3) is None
    assert follower.progress.position == 4


async def test_nothing_is_handled_while_a_fault_stands_and_progress_is_none() -> None:
    store = Store(position=5)
    follower = Follower("lookups.v1", 0, store.take, SetClock())
    follower.seek(5)
    follower.observe(Bounds(first=0, end=3), AT)
    await follower.take((Entry(offset=5, key="k", value=b""),))
    assert store.handled == []
    assert follower.progress.fault == Recreated(position=5, end=3)
    assert follower.progress.caught_up_at is None
