"""Cards that a publisher of its own wrote to a real Kafka, projected."""

import zlib

from redis.asyncio import Redis

from lienthong.adapters.event_log import partition_of
from lienthong.adapters.followers import Batch
from lienthong.adapters.projection import Projection
from lienthong.adapters.wire import Refusal
from lienthong.projector.cards import CardCell
from tests.support.card_facts import usual_card
from tests.support.projecting import card_event
from tests.support.transports import KafkaTransport, producing
from tests.support.waiting import until_so

CELLS = 16


def crc32(number: str) -> int:
    """Return the partition that clients on librdkafka choose by default."""
    return zlib.crc32(number.encode()) % CELLS


async def test_a_card_in_the_partition_of_another_partitioner_is_set_aside_and_the_rest_is_projected(
    kafka: KafkaTransport, projection_client: Redis
) -> None:
    projection = Projection(projection_client, CELLS, buckets=8)
    await projection.open()
    refused = set[tuple[int, bytes, str]]()

    async def set_aside(batch: Batch, at: int, refusal: Refusal, attempts: int = 1) -> None:
        del attempts
        refused.add((batch.partition, batch.entries[at].value, refusal.message))

    reader = kafka.reader()
    for cell in [CardCell(cell, projection, set_aside) for cell in range(CELLS)]:
        cell.follow(reader.subscribe(kafka.cards, cell.cell, cell.handle, cell.start))
    cards = {f"00000{serial:05d}": card_event(usual_card(f"00000{serial:05d}")) for serial in range(60)}
    async with producing(kafka) as producer:
        for number, event in cards.items():
            await producer.send_and_wait(kafka.cards, key=number.encode(), value=event, partition=crc32(number))
    misplaced = {number for number in cards if crc32(number) != partition_of(number, CELLS)}
    assert 0 < len(misplaced) < len(cards)
    reader.start()

    async def all_read() -> bool:
        bounds = await kafka.log.bounds(kafka.cards)
        states = await projection.states()
        return all(state.position == bounds[cell].end for cell, state in enumerate(states))

    await until_so(all_read)
    assert {(partition, value) for partition, value, _ in refused} == {(crc32(n), cards[n]) for n in misplaced}
    assert all("murmur2" in message for _, _, message in refused)
    assert sum(state.facts for state in await projection.states()) == len(cards) - len(misplaced)
    # Published again as it should be, each card is there.
    await kafka.log.append_many(kafka.cards, list(cards.items()))
    await until_so(all_read)
    assert sum(state.facts for state in await projection.states()) == len(cards)
