"""Card facts, whatever their order and whatever happens to the store, end in the same cells."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from structlog.testing import capture_logs

from lienthong.adapters import card_codec
from lienthong.adapters.card_layout import CardFact
from lienthong.domain import facts
from tests.support.card_facts import card_facts, usual_card
from tests.support.projecting import Projecting

few_numbers = st.integers(1, 6).map(lambda serial: f"00000{serial:05d}")
histories = st.lists(card_facts(few_numbers), max_size=30)
on_a_server = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def undisturbed(published: list[CardFact]) -> tuple[int, int]:
    """Return the count and digest that the domain gives the facts."""
    winners = facts.FactSet()
    for fact in published:
        winners.add(facts.fact(fact.type, fact.data))
    return len(winners.winners), winners.facts_digest


@on_a_server
@given(histories, st.randoms(use_true_random=False), st.integers(1, 9))
async def test_any_order_and_repetition_of_the_facts_gives_the_same_digest(
    projection_client: Redis, published: list[CardFact], chance: object, batch_size: int
) -> None:
    await projection_client.flushall()
    projecting = await Projecting.of(projection_client)
    shuffled = published + [fact for fact in published if chance.random() < 0.3]  # type: ignore[attr-defined]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    projecting.publish(shuffled)
    await projecting.project(batch_size)
    assert await projecting.digest() == undisturbed(published)


@on_a_server
@given(histories)
async def test_what_is_stored_is_the_winning_fact(projection_client: Redis, published: list[CardFact]) -> None:
    await projection_client.flushall()
    projecting = await Projecting.of(projection_client)
    projecting.publish(published)
    await projecting.project()
    winners = facts.FactSet()
    for fact in published:
        winners.add(facts.fact(fact.type, fact.data))
    stored = {}
    for cell in range(projecting.projection.cells):
        for first in projecting.projection.bucket_starts():
            for key, packed in await projecting.projection.records(cell, first):
                number = f"{int.from_bytes(key):010d}"
                stored["card", number] = card_codec.digest(card_codec.unpack(number, packed))
    assert stored == {key: winner.sha256 for key, winner in winners.winners.items()}


async def test_cells_read_again_from_the_start_change_nothing(projection_client: Redis) -> None:
    projecting = await Projecting.of(projection_client)
    projecting.publish(usual_card(f"00000{serial:05d}") for serial in range(100))
    await projecting.project()
    before = await projecting.digest()
    for cell in projecting.cells:
        cell.follower.seek(0)
    await projecting.project()
    assert await projecting.digest() == before


async def test_one_revision_with_other_bytes_is_reported_and_the_greater_digest_stands(
    projection_client: Redis,
) -> None:
    rivals = [usual_card("0000000001", citizen_ids=[f"00000000000{last}"]) for last in (1, 2, 3)]
    for order in (rivals, rivals[::-1]):
        for batch_size in (1, 3):
            await projection_client.flushall()
            projecting = await Projecting.of(projection_client)
            projecting.publish([usual_card("0000000002"), *order])
            with capture_logs() as lines:
                await projecting.project(batch_size)
            conflicts = [line for line in lines if line["event"] == "revision_conflict"]
            assert len(conflicts) == 2
            assert await projecting.digest() == undisturbed([usual_card("0000000002"), *rivals])
