"""A machine that is set up in Vietnamese changes nothing: neither what is stored nor what is answered."""

from pathlib import Path

from redis.asyncio import Redis

from lienthong.adapters.projection import Projection
from lienthong.runtime.connection import connect
from tests.support.audit_projection import audit_cards
from tests.support.campaign import Campaign
from tests.support.campaign_work import work
from tests.support.card_facts import usual_card
from tests.support.projecting import Projecting
from tests.support.real_service import PROCESSES, SERVERS, real_service
from tests.support.server_programs import server_program, vietnamese_locale
from tests.support.servers import OwnServer

CELLS, BUCKETS = 2, 4
#: Revisions of one to four bytes, in an order that no comparison of texts gives.
REVISIONS = (9, 10, 2, 255, 256, 100, 65_535, 65_536, 99, 2**32 - 1, 2**31)


async def orders_by_the_locale(redis: Redis) -> bool:
    """Tell whether a server's Lua compares texts by its locale: in Vietnamese `Z` comes after `a`."""
    return bool(await redis.eval("return 'Z' < 'a'", 0)) is False


async def test_cells_are_the_same_on_a_server_that_compares_texts_in_vietnamese(own_server: OwnServer) -> None:
    server = own_server("projection", environment=vietnamese_locale())
    await server.start()
    client = connect(server.spec.socket)
    assert await orders_by_the_locale(client)
    projecting = await Projecting.of(client, CELLS, BUCKETS)
    for revision in REVISIONS:
        projecting.publish(usual_card(f"00000{serial:05d}", revision) for serial in range(20))
        await projecting.project()
    assert await audit_cards(projecting.partitions, Projection(client, CELLS, buckets=BUCKETS)) == []
    await client.aclose()


async def test_the_service_is_the_same_on_a_machine_and_servers_in_vietnamese(tmp_path: Path) -> None:
    vietnamese = vietnamese_locale()
    program = server_program(tmp_path, vietnamese)
    async with real_service({**vietnamese, "LIENTHONG_SERVER_BINARY": str(program)}) as service:
        await service.start()
        for name in SERVERS:
            async with service.client(name) as client:
                assert await orders_by_the_locale(client)
        assert all(service.environment_of(name)["LC_ALL"] == vietnamese["LC_ALL"] for name in PROCESSES)
        campaign = Campaign(service, work(cards=1_500, lookups=150, batches=4), "locale")
        await campaign.run([])
        assert await campaign.audit() == []
