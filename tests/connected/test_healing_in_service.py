"""A projection that goes back under the running service: no desk is told of a card that it is not there, until healed.

The projector is halted while the store is put back, so that desks meet what they would otherwise meet for milliseconds.
"""

import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from lienthong.adapters.ground import Ground as Connected
from lienthong.adapters.ground import grounded
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_layout import cell_of, index_cell_of, key_of
from lienthong.adapters.publishing import Publisher
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.domain.facts import Fact
from lienthong.runtime.clock import SystemClock
from lienthong_schemas.streams import CARDS
from tests.support.audit import Ledger, read_stream
from tests.support.audit_projection import audit_cards, audit_register, fold_cards
from tests.support.campaign_work import work
from tests.support.outstanding import outstanding
from tests.support.publishing import published
from tests.support.real_service import RealService, real_service
from tests.support.waiting import until_so

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

DESK = {"facility_code": "01004", "clerk_id": "NV01", "on": "2025-08-01"}
#: The cell of cards and the index cell that are lost alone, and a number and a citizen ID in them that nobody has.
CELL, INDEX_CELL = 5, 5
ABSENT = next(
    each for each in map("00000{:05d}".format, range(90_000, 99_999)) if cell_of(each, CARDS.partitions) == CELL
)
ABSENT_CITIZEN = next(
    each for each in map("000999{:06d}".format, range(999_999)) if index_cell_of(key_of(each)) == INDEX_CELL
)
SURE, UNSURE = "found", "cannot_tell"
Copy = dict[Any, Any]


@dataclass
class Ground:
    """A running service that holds all of the work, and a copy of its store from when it held half of it."""

    service: RealService
    connected: Connected
    near: Redis
    far: Redis
    http: httpx.AsyncClient
    older: Copy = field(default_factory=dict)
    digests: Sequence[int] = ()

    @property
    def projection(self) -> Projection:
        return Projection(self.far, CARDS.partitions)

    async def settled(self) -> None:
        """Wait until everything is projected."""

        async def is_settled() -> bool:
            return not await outstanding(self.connected)

        await until_so(is_settled, 60)

    async def ask(self, kind: str, number: str) -> str:
        """Ask about a number or a citizen ID; whatever is found of a card is `found`."""
        answer = await self.http.post("/v1/eligibility", json={"presented": {"kind": kind, "number": number}, **DESK})
        outcome: str = answer.json()["outcome"]
        return outcome if outcome in {"not_found", UNSURE} else SURE

    async def ask_all(self) -> Counter[str]:
        """Ask about a sample of the cards, by number and by citizen ID."""
        outcomes: Counter[str] = Counter()
        for number, citizen_id in SAMPLE:
            outcomes[await self.ask("insurance_number", number)] += 1
            outcomes[await self.ask("citizen_id", citizen_id)] += 1
        return outcomes

    async def absent(self) -> tuple[str, str]:
        """Ask about what nobody has, by a number and by a citizen ID."""
        return await self.ask("insurance_number", ABSENT), await self.ask("citizen_id", ABSENT_CITIZEN)

    async def is_said_of_nobody(self, lost: "Part") -> bool:
        """Tell whether no more is said of what nobody has than can be proved without a part of the store."""
        number, citizen = await self.absent()
        return (number == UNSURE or lost.proves_no_number) and (citizen == UNSURE or lost.proves_no_citizen)

    async def absence_is_proved(self) -> bool:
        """Tell whether a card that is nowhere is said not to be there, by its number and by its holder."""
        return await self.absent() == ("not_found", "not_found")

    async def stands(self) -> list[int]:
        """Return the digest of each cell."""
        return [state.digest for state in await self.projection.states()]

    async def findings(self) -> set[str]:
        """Audit cells, index and register."""
        log = ValkeyLog(self.near)
        found = await audit_cards(await read_stream(log, CARDS.name), self.projection)
        found += await audit_register(log, self.far, Ledger())
        return {each.kind for each in found}


WORK = work(cards=1_200, lookups=0, batches=3)
HALF = len(WORK.cards) // 2


def _sample() -> list[tuple[str, str]]:
    """Return the numbers and citizen IDs of some cards; every card of the sample is on record under both."""
    winners = fold_cards([value for _, value in WORK.cards]).winners
    facts: list[Fact] = [winners[key] for key in sorted(winners)][:: len(winners) // 60]
    return [(fact.id, fact.data["citizen_ids"][0]) for fact in facts]


SAMPLE = _sample()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def ground() -> AsyncIterator[Ground]:
    async with (
        real_service() as service,
        service.client("log") as near,
        service.client("projection") as far,
        service.http() as http,
        grounded(service.settings, SystemClock()) as connected,
    ):
        await service.start()
        made, log = Ground(service, connected, near, far, http), ValkeyLog(near)
        await published(Publisher(log, SystemClock()), WORK.batches[0])
        await log.append_many(CARDS.name, WORK.cards[:HALF])
        await made.settled()
        made.older = await copy_of(far)
        for facts in WORK.batches[1:]:
            await published(Publisher(log, SystemClock()), facts)
        await log.append_many(CARDS.name, WORK.cards[HALF:])
        await made.settled()
        made.digests = await made.stands()
        yield made


async def copy_of(redis: Redis) -> Copy:
    return {key: await redis.dump(key) for key in await redis.keys("*")}


async def put_back(redis: Redis, copy: Copy, chosen: Callable[[Any], bool]) -> None:
    """Replace the chosen keys by those of the copy, as restoring a backup does."""
    present = [key for key in await redis.keys("*") if chosen(key)]
    if present:
        await redis.delete(*present)
    for key, dump in copy.items():
        if chosen(key):
            await redis.restore(key, 0, dump, replace=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the store, by its keys, and what can be told of absence without it."""

    holds: Callable[[Any], bool]
    proves_no_number: bool = False
    proves_no_citizen: bool = False


LOST = {
    "everything": Part(holds=lambda _: True),
    "one cell of cards": Part(holds=lambda key: key.startswith(f"{{1.{CELL}}}".encode())),
    "one index cell": Part(holds=lambda key: key.startswith(f"{{1.i{INDEX_CELL}}}".encode()), proves_no_number=True),
    "the register": Part(
        holds=lambda key: key.startswith(b"{1.register}"), proves_no_number=True, proves_no_citizen=True
    ),
}


@pytest.mark.parametrize("part", LOST)
@pytest.mark.parametrize("how", ["flushed", "an older copy"])
async def test_no_card_is_denied_while_the_store_lacks_it(ground: Ground, part: str, how: str) -> None:
    lost = LOST[part]
    assert await ground.ask_all() == {SURE: 2 * len(SAMPLE)}
    await until_so(ground.absence_is_proved)
    assert ground.service.signal("projector", signal.SIGSTOP)
    try:
        await put_back(ground.far, ground.older if how == "an older copy" else {}, lost.holds)
        # That nobody has a citizen ID may be proved with states of the cells that were read half a second before.
        await until_so(lambda: ground.is_said_of_nobody(lost))
        halted = await ground.ask_all()
    finally:
        ground.service.signal("projector", signal.SIGCONT)
    assert halted["not_found"] == 0
    # Without its register the service still knows every card.
    assert (halted[UNSURE] > 0) == (part != "the register")
    while not await ground.absence_is_proved():
        assert (await ground.ask_all())["not_found"] == 0
    await ground.settled()
    assert await ground.ask_all() == {SURE: 2 * len(SAMPLE)}
    assert await ground.stands() == ground.digests
    assert await ground.findings() == set()
