"""`kill -9` of everything, of either server and of each process, at random moments of a campaign, loses nothing.

LIENTHONG_KILL_CYCLES says how often (20), LIENTHONG_KILL_SEED repeats the kills of a run that failed.
"""

import os
import random
import secrets
from pathlib import Path

import pytest

from tests.support.campaign import DECK, Campaign
from tests.support.campaign_work import work
from tests.support.real_service import real_service
from tests.support.server_programs import server_program, slow_fsync

CYCLES = int(os.environ.get("LIENTHONG_KILL_CYCLES", "20"))
SEED = os.environ.get("LIENTHONG_KILL_SEED", secrets.token_hex(4))
#: Kills of one campaign: so many moments of its work, and a new data directory for the next ones.
KILLS_A_CAMPAIGN = 10
#: What each fsync takes longer in every second campaign: that of a busy disk that spins.
SLOW_MS = (0, 12)

pytestmark = [pytest.mark.kill, pytest.mark.timeout(900)]


def dealt(cycles: int) -> list[str]:
    """Return what to kill: whole decks, shuffled, so that each kind has its share."""
    chance = random.Random(SEED)  # noqa: S311  # a seed, so that a failure can be had again
    kills: list[str] = []
    while len(kills) < cycles:
        deck = list(DECK)
        chance.shuffle(deck)
        kills += deck
    return kills[:cycles]


def campaigns() -> list[tuple[int, list[str]]]:
    kills = dealt(CYCLES)
    return list(enumerate(kills[at : at + KILLS_A_CAMPAIGN] for at in range(0, len(kills), KILLS_A_CAMPAIGN)))


@pytest.mark.parametrize(
    ("number", "kills"), campaigns(), ids=lambda value: str(value) if isinstance(value, int) else ""
)
async def test_no_kill_loses_or_repeats_anything(number: int, kills: list[str], tmp_path: Path) -> None:
    print(f"LIENTHONG_KILL_SEED={SEED} LIENTHONG_KILL_CYCLES={CYCLES}: campaign {number} kills {', '.join(kills)}")  # noqa: T201  # how to have a failure again
    environment = {}
    if number % 2:
        slow = slow_fsync(tmp_path, *SLOW_MS)
        environment = {**slow, "LIENTHONG_SERVER_BINARY": str(server_program(tmp_path, slow))}
    async with real_service(environment) as service:
        await service.start()
        campaign = Campaign(service, work(cards=20_000, lookups=1_000, batches=8), f"{SEED}/{number}")
        await campaign.run(kills)
        assert await campaign.audit() == []
