"""Whatever is killed of a distributed installation, nothing that was acknowledged is lost, and nothing counts twice.

LIENTHONG_STRIKES says how often something is struck (6), LIENTHONG_STRIKES_SEED repeats the strikes of a run.
"""

import os
import random
import secrets

import pytest

from tests.support.campaign import Campaign
from tests.support.campaign_work import work
from tests.support.distributed.installation import (
    BROKER,
    FLUSH,
    LOOKUP,
    MONITOR,
    PRIMARY,
    PROJECTOR,
    SLOT,
    Servers,
    installed,
)
from tests.support.distributed.kafka import KafkaCluster
from tests.support.distributed.store_cluster import StoreCluster

STRIKES = int(os.environ.get("LIENTHONG_STRIKES", "7"))
SEED = os.environ.get("LIENTHONG_STRIKES_SEED", secrets.token_hex(4))
#: What is struck: every kind once in seven strikes, so that the smallest run meets them all.
DECK = (PROJECTOR, PROJECTOR, LOOKUP, MONITOR, BROKER, PRIMARY, SLOT)
STRIKES_A_CAMPAIGN = 14

pytestmark = [pytest.mark.kill, pytest.mark.timeout(900)]


def dealt() -> list[list[str]]:
    """Return what is struck in each campaign: whole decks, shuffled."""
    chance = random.Random(SEED)  # noqa: S311  # a seed, so that a failure can be had again
    strikes = [kind for _ in range(0, STRIKES, len(DECK)) for kind in chance.sample(DECK, len(DECK))][:STRIKES]
    return [strikes[at : at + STRIKES_A_CAMPAIGN] for at in range(0, STRIKES, STRIKES_A_CAMPAIGN)]


@pytest.mark.parametrize("strikes", dealt(), ids=lambda strikes: f"{len(strikes)}-strikes")
async def test_no_strike_loses_or_repeats_anything(
    strikes: list[str], kafka_cluster: KafkaCluster, empty_kafka: str, store_cluster: StoreCluster, fresh_database: str
) -> None:
    assert empty_kafka == kafka_cluster.servers, "what is killed has to be of this machine"
    print(f"LIENTHONG_STRIKES_SEED={SEED} LIENTHONG_STRIKES={STRIKES}: {', '.join(strikes)}")  # noqa: T201  # how to have a failure again
    servers = Servers(kafka=kafka_cluster, store=store_cluster, database=fresh_database)
    async with installed(servers, projector=3, lookup=2, monitor=2) as installation:
        await installation.start()
        campaign = Campaign(installation, work(cards=12_000, lookups=800, batches=6), SEED)
        await campaign.run(strikes)
        assert await campaign.audit() == []


async def test_a_flush_in_the_middle_of_load_ends_in_the_digest_of_the_log(
    kafka_cluster: KafkaCluster, empty_kafka: str, store_cluster: StoreCluster, fresh_database: str
) -> None:
    assert empty_kafka == kafka_cluster.servers, "what is flushed has to be of this machine"
    servers = Servers(kafka=kafka_cluster, store=store_cluster, database=fresh_database)
    async with installed(servers, projector=1, lookup=1, monitor=1) as installation:
        await installation.start()
        campaign = Campaign(installation, work(cards=6_000, lookups=200, batches=3), SEED)
        # Decisions that only the outbox holds go with the store; those on events are given again.
        await campaign.run([FLUSH], asking=False)
        assert await campaign.audit() == []
