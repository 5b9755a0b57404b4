"""A store that goes back under a running projector proves nothing missing until it is healed, and then agrees again."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from lienthong.adapters.card_layout import RECORDED, CardFact
from lienthong.adapters.card_reader import CardReader
from lienthong.adapters.event_log import partition_of
from lienthong.adapters.projection import Before, Overtaken, Projection, Span
from lienthong.adapters.projection_layout import INDEX_CELLS, index_cell_of, key_of, record_entry
from lienthong.adapters.projection_reads import ProjectionReads
from lienthong.adapters.wire import RefusalCode
from lienthong.domain.answer import Found, NoRecord
from tests.support.card_facts import usual_card
from tests.support.clocks import SetClock
from tests.support.projecting import Projecting

CELLS = 4
# So many that some buckets of a cell are made after the older copy was taken, and stay when it is put back over them.
BUCKETS = 64
ABSENT, ABSENT_CITIZEN = "0000099999", "000099999999"
LONG = "Ngõ " + "rất dài " * 15
Copy = dict[Any, Any]


def cards(first: int, last: int, revision: int = 1) -> list[CardFact]:
    """Return usual cards, each seventh with an address so long that its record has a key of its own."""
    made = []
    for serial in range(first, last):
        fact = usual_card(f"00000{serial:05d}", revision)
        if serial % 7 == 0:
            fact.data["address"] |= {"detail": LONG[:120]}
            fact.data["holder"] |= {"name": "Nguyễn " * 15 + str(revision)}
        made.append(fact)
    return made


async def copy_of(redis: Redis, pattern: str) -> Copy:
    """Return the dumps of the keys."""
    return {key: await redis.dump(key) for key in await redis.keys(pattern)}


async def put_back(redis: Redis, copy: Copy, pattern: str, *, whole: bool = True) -> None:
    """Replace the keys by the copy's; keys that it does not have stay, unless the copy is put back as a whole."""
    if whole and (present := await redis.keys(pattern)):
        await redis.delete(*present)
    for key, dump in copy.items():
        await redis.restore(key, 0, dump, replace=True)


class Running:
    """A projector and a look-up process that have run for a while, and an older copy of the store."""

    def __init__(self, projecting: Projecting, redis: Redis) -> None:
        self.projecting = projecting
        self.redis = redis
        self.clock = SetClock()
        self.reader = CardReader(ProjectionReads(redis, self.clock, CELLS), self.clock)
        self.older: Copy = {}
        self.digest = (0, 0)

    async def grow(self, published: Iterable[CardFact]) -> None:
        """Publish, project, and say that everything was read."""
        self.projecting.publish(published)
        await self.projecting.project()
        await self.projecting.caught_up(self.clock.now())

    async def proves_absence(self) -> tuple[bool, bool]:
        """Tell whether not found is proved, by number in every cell and by citizen ID in every index cell."""
        numbers = [await self.reader.by_number(f"000009{serial:04d}", 0) for serial in range(40)]
        citizens = [await self.reader.by_citizen_id(f"00009{serial:07d}", 0) for serial in range(60)]
        assert all(isinstance(finding, NoRecord) for finding in [*numbers, *citizens])
        return (
            all(finding.freshness.complete for finding in numbers if isinstance(finding, NoRecord)),
            all(finding.freshness.complete for finding in citizens if isinstance(finding, NoRecord)),
        )

    async def denials(self) -> int:
        """Count the cards of the log that a look-up would say are not found."""
        denied = 0
        for serial in range(200):
            for finding in (
                await self.reader.by_number(f"00000{serial:05d}", 0),
                await self.reader.by_citizen_id(f"00000{serial:07d}", 0),
            ):
                denied += isinstance(finding, NoRecord) and finding.freshness.complete
        return denied

    async def heal(self) -> None:
        """Watch, and read what the repair asks for, without saying yet that everything was read."""
        await self.projecting.watch()
        await self.projecting.project()

    async def caught_up(self) -> None:
        """Say that everything was read."""
        await self.projecting.caught_up(self.clock.now())


@pytest.fixture
async def running(projection_client: Redis) -> Running:
    made = Running(await Projecting.of(projection_client, CELLS, BUCKETS), projection_client)
    await made.grow(cards(0, 120))
    made.older = await copy_of(projection_client, "*")
    await made.grow([*cards(80, 200), *cards(0, 60, revision=2)])
    made.digest = await made.projecting.digest()
    assert made.digest[0] == 200
    assert await projection_client.keys("{1.*}r*")
    assert await made.proves_absence() == (True, True)
    return made


async def test_a_flushed_store_is_filled_again(running: Running, projection_client: Redis) -> None:
    await projection_client.flushall()
    assert await running.proves_absence() == (False, False)
    assert await running.denials() == 0
    await running.projecting.watch()
    assert await running.proves_absence() == (False, False)
    await running.projecting.project()
    assert await running.denials() == 0
    await running.caught_up()
    assert await running.proves_absence() == (True, True)
    assert await running.projecting.digest() == running.digest


async def test_a_flush_is_noticed_by_the_next_batch_too(running: Running, projection_client: Redis) -> None:
    await projection_client.flushall()
    await running.grow(cards(200, 203))
    await running.projecting.watch()
    await running.projecting.project()
    undisturbed = await fresh_digest(running, projection_client)
    assert await running.projecting.digest() == undisturbed


async def fresh_digest(running: Running, redis: Redis) -> tuple[int, int]:
    """Return the digest of the same log projected into an empty store, and put the store back."""
    copy = await copy_of(redis, "*")
    await redis.flushall()
    other = await Projecting.of(redis, CELLS, BUCKETS)
    other.partitions = running.projecting.partitions
    await other.project()
    digest = await other.digest()
    await put_back(redis, copy, "*")
    return digest


PARTS = {"everything": "*", "one cell of cards": "{1.2}*", "all index cells": "{1.i*}*", "one index cell": "{1.i5}*"}


@pytest.mark.parametrize("whole", [True, False], ids=["exactly", "over what is there"])
@pytest.mark.parametrize("part", PARTS)
async def test_an_older_copy_is_read_up_again(
    running: Running, projection_client: Redis, part: str, *, whole: bool
) -> None:
    pattern = PARTS[part]
    prefix = pattern.removesuffix("*").split("*", maxsplit=1)[0].encode()
    copy = {key: dump for key, dump in running.older.items() if key.startswith(prefix)}
    index_before = await index_of(projection_client)
    await put_back(projection_client, copy, pattern, whole=whole)
    by_number, by_citizen = await running.proves_absence()
    assert not by_citizen or part == "one cell of cards"
    assert by_number == ("index" in part)
    assert await running.denials() == 0
    await running.heal()
    assert await running.denials() == 0
    await running.caught_up()
    assert await running.proves_absence() == (True, True)
    assert await running.projecting.digest() == running.digest
    assert await index_of(projection_client) == index_before


async def index_of(redis: Redis) -> dict[Any, dict[Any, list[Any]]]:
    """Return every candidate of every index cell."""
    buckets: dict[Any, dict[Any, list[Any]]] = {}
    for name in await redis.keys("{1.i*}b*"):
        entries = await redis.hgetall(name)
        buckets[name] = {
            citizen: sorted(numbers[at : at + 5] for at in range(0, len(numbers), 5))
            for citizen, numbers in entries.items()
        }
    return buckets


async def test_a_projector_that_starts_on_an_older_copy_reads_on_from_it(
    running: Running, projection_client: Redis
) -> None:
    await put_back(projection_client, running.older, "*")
    await running.projecting.restart()
    assert running.projecting.cells[0].follower.progress.position
    assert await running.proves_absence() == (False, False)
    await running.projecting.project()
    await running.caught_up()
    assert await running.projecting.digest() == running.digest
    assert await running.proves_absence() == (True, True)


@pytest.mark.parametrize("damage", [b"", b"\x7f?"])
async def test_a_damaged_record_empties_its_cell_which_is_read_anew(
    running: Running, projection_client: Redis, damage: bytes
) -> None:
    key = key_of("0000000001")
    for name in await projection_client.keys("{1.[0-9]}b*"):
        if await projection_client.hexists(name, key):
            await projection_client.hset(name, key, damage)
    running.projecting.publish([usual_card("0000000001", 9)])
    await running.projecting.project()
    await running.caught_up()
    assert await running.projecting.digest() == await fresh_digest(running, projection_client)


async def test_a_writer_that_was_overtaken_writes_nothing(running: Running) -> None:
    projection = running.projecting.projection
    cell = partition_of("0000000001", CELLS)
    before = await projection.read_old(cell, [])
    running.projecting.publish([usual_card("0000000001", 5)])
    await running.projecting.project()
    digest = await running.projecting.digest()
    span = Span(cell=cell, first=before.position, next=before.position + 1)
    record = record_entry(key_of("0000000001"), b"zombie", projection.buckets, was_long=False)
    with pytest.raises(Overtaken):
        await projection.write(span, before, (1, 1), [record])
    assert await running.projecting.digest() == digest
    finding = await running.reader.by_number("0000000001", 0)
    assert isinstance(finding, Found)
    assert finding.cards[0].revision == 5


async def test_two_projectors_on_the_same_cells_apply_nothing_twice(running: Running, projection_client: Redis) -> None:
    other = Projecting(running.projecting.projection, running.projecting.partitions)
    await other.restart()
    for serial in range(300, 330):
        running.projecting.publish([usual_card(f"00000{serial:05d}")])
        for one in (running.projecting, other):
            await one.project(3)
            await one.watch()
    assert await running.projecting.digest() == await fresh_digest(running, projection_client)


POISON: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda value: value[: len(value) // 2],
    "bit-flipped": lambda value: bytes([value[0] ^ 1]) + value[1:],
    "not UTF-8": lambda value: value.replace(b"Nguy", b"\xff\xfe"),
    "wrong type": lambda value: value.replace(RECORDED.encode(), b"card.removed"),
    "ten megabytes": lambda _: b" " * 10_000_000,
    "another version": lambda value: value.replace(
        b'"source"', b'"dataschema":"urn:lienthong:card.recorded:9","source"'
    ),
}


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("poison", POISON)
async def test_what_cannot_be_read_is_set_aside_wherever_it_stands(
    projection_client: Redis, poison: str, position: int
) -> None:
    projecting = await Projecting.of(projection_client, 1)
    facts = cards(1, 5)
    projecting.publish(facts)
    (values,) = projecting.partitions
    values.insert(position, POISON[poison](values[0]))
    await projecting.project()
    assert [(partition, offset) for partition, offset, _ in projecting.set_aside] == [(0, position)]
    assert projecting.set_aside[0][2].code in RefusalCode
    assert (await projecting.digest())[0] == len(facts)
    assert projecting.cells[0].follower.progress.position == len(facts) + 1


async def test_a_card_in_another_partition_than_its_own_is_set_aside(projection_client: Redis) -> None:
    projecting = await Projecting.of(projection_client, CELLS)
    projecting.publish(cards(1, 2))
    own = partition_of("0000000001", CELLS)
    (value,) = projecting.partitions[own]
    projecting.publish_bytes((own + 1) % CELLS, value)
    await projecting.project()
    assert [refusal.code for _, _, refusal in projecting.set_aside] == [RefusalCode.WRONG_STREAM]
    assert (await projecting.digest())[0] == 1


class LosingAnswers(Projection):
    """A store that carries out every other write and then loses its answer."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, CELLS, buckets=BUCKETS)
        self.writes = 0

    async def write(self, span: Span, before: Before, totals: tuple[int, int], records: Sequence[bytes]) -> None:
        """Write as the store does, and fail afterwards every second time."""
        await super().write(span, before, totals, records)
        self.writes += 1
        if self.writes % 2:
            raise ConnectionError


async def test_an_answer_that_is_lost_loses_and_repeats_nothing(running: Running, projection_client: Redis) -> None:
    projection = LosingAnswers(projection_client)
    projecting = Projecting(projection, running.projecting.partitions)
    await projecting.restart()
    projecting.publish(cards(300, 330))
    await projecting.project(4)
    assert projection.writes > CELLS
    assert await projecting.digest() == await fresh_digest(running, projection_client)


def test_the_index_cells_of_the_tests_differ() -> None:
    assert len({index_cell_of(key_of(f"00009{serial:07d}")) for serial in range(60)}) == INDEX_CELLS
