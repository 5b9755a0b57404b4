"""A process that ends, or loses its server, at any single command loses nothing and repeats nothing.

And the same strikes and the same audit find each of three planted bugs, so that their silence means something.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionLost

from lienthong.adapters.card_layout import CardFact
from lienthong.adapters.projection import Before, Projection, Span
from lienthong.adapters.projection_layout import DIGEST_MODULUS
from lienthong.runtime.embedded import ServerSpec
from tests.support.audit_projection import audit_cards
from tests.support.card_facts import usual_card
from tests.support.mortality import HOWS, Fate, How, Strike, lived, mortal, strikes
from tests.support.projecting import Projecting

CELLS, BUCKETS, BATCH = 2, 4, 3
MakeProjection = Callable[[Redis], Projection]


def history() -> list[CardFact]:
    """Return facts of six cards: corrected, repeated, out of order, and with citizen IDs that they share."""
    first = [usual_card(f"00000{serial:05d}", citizen_ids=[f"0000000000{serial // 2:02d}"]) for serial in range(6)]
    corrected = [usual_card(f"00000{serial:05d}", 3) for serial in range(0, 6, 2)]
    late = [usual_card(f"00000{serial:05d}", 2, citizen_ids=["000000000099"]) for serial in range(3)]
    return [*first, *corrected, *late, *first[:2]]


def usual(redis: Redis) -> Projection:
    return Projection(redis, CELLS, buckets=BUCKETS)


async def findings(
    server: ServerSpec, redis: Redis, make: MakeProjection, strike: Strike | None
) -> tuple[int, set[str]]:
    """Project the history under a strike; return how many commands that took, and what the audit then finds."""
    await redis.flushall()
    fate = Fate(strike)
    log = Projecting(usual(redis), [[] for _ in range(CELLS)])
    log.publish(history())

    async def live() -> None:
        async with mortal(server.socket, fate) as client:
            projection = make(client)
            await projection.open()
            projecting = Projecting(projection, log.partitions)
            await projecting.restart()
            await projecting.project(BATCH)

    await lived(live)
    return fate.sent, {each.kind for each in await audit_cards(log.partitions, usual(redis))}


async def found_by_all(server: ServerSpec, redis: Redis, make: MakeProjection, hows: Sequence[How] = HOWS) -> set[str]:
    """Strike at every command in every way that is named; return all that the audit found."""
    commands, undisturbed = await findings(server, redis, make, None)
    assert undisturbed == set()
    found = [(await findings(server, redis, make, strike))[1] for strike in strikes(commands, hows)]
    return set().union(*found)


async def test_a_projector_that_ends_at_any_command_misses_no_card_and_applies_none_twice(
    projection_server: ServerSpec, projection_client: Redis
) -> None:
    assert await found_by_all(projection_server, projection_client, usual) == set()


class PositionBeforeData(Projection):
    """Moves the position, and then writes what it covers."""

    async def write(self, span: Span, before: Before, totals: tuple[int, int], records: Sequence[bytes]) -> None:
        await super().write(span, before, totals, [])
        await super().write(span, replace(before, position=span.next), totals, records)


class AppliesTwice(Projection):
    """Adds to what is stored, and does it again when the answer was lost, as redis-py does by default."""

    async def write(self, span: Span, before: Before, totals: tuple[int, int], records: Sequence[bytes]) -> None:
        try:
            await self._add(span, before, totals, records)
        except ConnectionLost:
            await self._add(span, before, totals, records)

    async def _add(self, span: Span, before: Before, totals: tuple[int, int], records: Sequence[bytes]) -> None:
        stored = await self.read_old(span.cell, [])
        facts = stored.facts + totals[0] - before.facts
        digest = (stored.digest + totals[1] - before.digest) % DIGEST_MODULUS
        await super().write(span, stored, (facts, digest), records)


def bug(kind: type[Projection]) -> MakeProjection:
    return lambda redis: kind(redis, CELLS, buckets=BUCKETS)


async def test_a_position_that_is_stored_before_its_data_is_found(
    projection_server: ServerSpec, projection_client: Redis
) -> None:
    found = await found_by_all(projection_server, projection_client, bug(PositionBeforeData), ["killed"])
    assert "card missing" in found


async def test_a_batch_that_is_applied_twice_is_found(projection_server: ServerSpec, projection_client: Redis) -> None:
    found = await found_by_all(projection_server, projection_client, bug(AppliesTwice), ["unanswered"])
    assert found == {"sums of a cell differ"}
