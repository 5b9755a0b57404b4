"""A look-up finds what was projected, and says not found only where that is proved."""

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from lienthong.adapters.card_reader import ABSENCE_BOUND, CANDIDATES_MAX, CardReader
from lienthong.adapters.card_record import card_from
from lienthong.adapters.projection_reads import ProjectionReads
from lienthong.domain.answer import Finding, Found, Freshness, NoRecord, StoreFault
from tests.support.card_facts import usual_card
from tests.support.clocks import SetClock
from tests.support.projecting import Projecting
from tests.support.stores import calls_of

CELLS = 4
CARDS = [usual_card(f"00000{serial:05d}") for serial in range(60)]
ABSENT, ABSENT_CITIZEN = "0000099999", "000099999999"


class Setup:
    """A projection with some cards, caught up, and a reader that has seen nothing yet."""

    def __init__(self, projecting: Projecting) -> None:
        self.projecting = projecting
        self.clock = SetClock()
        self.reader = self.new_reader()

    def new_reader(self) -> CardReader:
        """Return the reader of a new look-up process."""
        return CardReader(ProjectionReads(self.projecting.projection.redis, self.clock, CELLS), self.clock)

    async def project(self) -> None:
        """Project everything and say so."""
        await self.projecting.project()
        await self.projecting.caught_up(self.clock.now())


@pytest.fixture
async def setup(store_client: Redis) -> Setup:
    made = Setup(await Projecting.of(store_client, CELLS))
    made.projecting.publish(CARDS)
    await made.project()
    return made


def freshness_of(finding: Finding) -> Freshness:
    assert isinstance(finding, Found | NoRecord)
    return finding.freshness


async def test_a_card_is_found_by_its_number_and_by_its_citizen_id(setup: Setup) -> None:
    for fact in CARDS[:10]:
        card = card_from(fact.data)
        for finding in (
            await setup.reader.by_number(card.number, 7),
            await setup.reader.by_citizen_id(card.citizen_ids[0], 7),
        ):
            assert isinstance(finding, Found)
            assert finding.cards == (card,)
            assert finding.freshness == Freshness(
                register_position=7, cards_caught_up_at=setup.clock.now(), complete=True
            )


async def test_what_is_not_there_is_proved_absent(setup: Setup) -> None:
    for finding in (await setup.reader.by_number(ABSENT, 0), await setup.reader.by_citizen_id(ABSENT_CITIZEN, 0)):
        assert isinstance(finding, NoRecord)
        assert finding.freshness.complete


async def test_reads_that_arrive_together_share_a_round_trip(setup: Setup) -> None:
    numbers = [fact.data["id"] for fact in CARDS]
    citizens = [fact.data["citizen_ids"][0] for fact in CARDS]
    before = await calls_of(setup.projecting.projection.redis, "fcall_ro")
    found = await asyncio.gather(
        *(setup.reader.by_number(number, 0) for number in numbers),
        *(setup.reader.by_citizen_id(citizen, 0) for citizen in citizens),
    )
    after = await calls_of(setup.projecting.projection.redis, "fcall_ro")
    assert [finding.cards[0].number for finding in found if isinstance(finding, Found)] == numbers + numbers
    assert after - before <= 3 * (CELLS + CELLS + 16)


async def test_a_cell_that_has_not_caught_up_for_longer_than_the_bound_proves_nothing(setup: Setup) -> None:
    setup.clock.advance(ABSENCE_BOUND)
    assert freshness_of(await setup.reader.by_number(ABSENT, 0)).complete
    setup.clock.advance(timedelta(milliseconds=1))
    assert not freshness_of(await setup.reader.by_number(ABSENT, 0)).complete
    assert not freshness_of(await setup.reader.by_citizen_id(ABSENT_CITIZEN, 0)).complete
    finding = await setup.reader.by_number(CARDS[0].data["id"], 0)
    assert isinstance(finding, Found)


async def test_an_empty_store_proves_nothing(setup: Setup) -> None:
    await setup.projecting.projection.redis.flushall()
    for reader in (setup.reader, setup.new_reader()):
        for finding in (await reader.by_number(ABSENT, 0), await reader.by_citizen_id(ABSENT_CITIZEN, 0)):
            assert isinstance(finding, NoRecord)
            assert finding.freshness == Freshness(register_position=0, cards_caught_up_at=None, complete=False)


async def test_a_cell_below_what_was_once_seen_of_it_proves_nothing(setup: Setup) -> None:
    redis, keys = setup.projecting.projection.redis, setup.projecting.projection.keys
    assert freshness_of(await setup.reader.by_number(ABSENT, 0)).complete
    for cell in range(CELLS):
        await redis.hincrby(keys.state(cell), "position", -1)
    assert not freshness_of(await setup.reader.by_number(ABSENT, 0)).complete


async def test_an_index_cell_that_lacks_one_position_proves_nothing_by_citizen_id(setup: Setup) -> None:
    redis, keys = setup.projecting.projection.redis, setup.projecting.projection.keys
    for cell in range(16):
        await redis.hincrby(keys.index_state(cell), "pos:2", -1)
    for reader in (setup.reader, setup.new_reader()):
        assert not freshness_of(await reader.by_citizen_id(ABSENT_CITIZEN, 0)).complete
        assert freshness_of(await reader.by_number(ABSENT, 0)).complete


async def test_every_card_of_a_citizen_is_found_and_none_that_no_longer_names_the_id(setup: Setup) -> None:
    shared = "000012121212"
    setup.projecting.publish(usual_card(f"000000{serial:04d}", 2, citizen_ids=[shared]) for serial in (1, 2, 3))
    setup.projecting.publish([usual_card("0000000002", 3, citizen_ids=[])])
    await setup.project()
    finding = await setup.reader.by_citizen_id(shared, 0)
    assert isinstance(finding, Found)
    assert sorted(card.number for card in finding.cards) == ["0000000001", "0000000003"]
    assert finding.freshness.complete


async def test_more_candidates_than_are_read_are_no_proof_of_anything(setup: Setup) -> None:
    shared = "000012121212"
    setup.projecting.publish(
        usual_card(f"00000{serial:05d}", 2, citizen_ids=[shared]) for serial in range(CANDIDATES_MAX + 1)
    )
    await setup.project()
    finding = await setup.reader.by_citizen_id(shared, 0)
    assert isinstance(finding, Found)
    assert len(finding.cards) == CANDIDATES_MAX
    assert not finding.freshness.complete


async def test_a_candidate_whose_card_is_about_to_be_written_is_not_denied(setup: Setup) -> None:
    number = CARDS[0].data["id"]
    projection = setup.projecting.projection
    for cell in range(CELLS):
        for bucket in range(projection.buckets):
            await projection.redis.hdel(projection.keys.bucket(cell, bucket), int(number).to_bytes(5))
    finding = await setup.reader.by_citizen_id(CARDS[0].data["citizen_ids"][0], 0)
    assert isinstance(finding, NoRecord)
    assert not finding.freshness.complete


async def test_a_damaged_record_is_a_fault_and_no_missing_card(setup: Setup) -> None:
    number = CARDS[0].data["id"]
    projection = setup.projecting.projection
    for damage in (b"\x7f", b""):
        for cell in range(CELLS):
            for bucket in range(projection.buckets):
                name, key = projection.keys.bucket(cell, bucket), int(number).to_bytes(5)
                if await projection.redis.hexists(name, key):
                    await projection.redis.hset(name, key, damage)
        assert await setup.reader.by_number(number, 3) == StoreFault(register_position=3)


async def test_a_reader_learns_how_many_buckets_a_cell_has(setup: Setup) -> None:
    # The cells have eight buckets each, the reader begins by thinking of 1024.
    assert setup.projecting.projection.buckets == 8
    findings = [await setup.new_reader().by_number(fact.data["id"], 0) for fact in CARDS[:5]]
    assert all(isinstance(finding, Found) for finding in findings)
