"""What only the distributed log does, on real brokers."""

import dataclasses
import os
import zlib

import pytest
from aiokafka.admin import NewTopic

from lienthong.adapters.event_log import Entry, LogAway, UnknownStream, partition_of
from lienthong.adapters.kafka_client import BATCH_BYTES_MAX, KafkaConnection
from lienthong.adapters.kafka_log import KafkaLog, distributed_streams
from lienthong.runtime.distributed import DistributedSettings
from lienthong_schemas.streams import CARD_IMAGES, CARDS, LOOKUPS, REGISTER
from tests.support.distributed.kafka import administration
from tests.support.distributed.processes import free_ports
from tests.support.transports import KafkaTransport, produced, producing

NOBODY = "UNREADABLE-\xff".encode("latin-1")


async def test_no_key_value_or_header_keeps_the_rest_from_being_read(kafka: KafkaTransport) -> None:
    async with producing(kafka) as producer:
        for key, value in ((None, b"1"), (NOBODY, None), (b"k", NOBODY), (b"", b"")):
            await producer.send_and_wait(
                kafka.lookups, key=key, value=value, partition=0, headers=[("trace", NOBODY), ("trace", b"")]
            )
    assert await kafka.log.read(kafka.lookups, 0, 0, 9) == (
        Entry(offset=0, key="", value=b"1"),
        Entry(offset=1, key="UNREADABLE-\N{REPLACEMENT CHARACTER}", value=b""),
        Entry(offset=2, key="k", value=NOBODY),
        Entry(offset=3, key="", value=b""),
    )


async def test_our_partitions_are_those_that_a_producer_chooses_by_itself(kafka: KafkaTransport) -> None:
    keys = [f"00000{n * 1657 % 100_000:05}" for n in range(60)]
    async with producing(kafka) as producer:
        chosen = [(await producer.send_and_wait(kafka.cards, key=key.encode(), value=b"v")).partition for key in keys]
    assert chosen == [partition_of(key, 16) for key in keys]
    assert chosen != [zlib.crc32(key.encode()) % 16 for key in keys]
    assert [
        place.partition for place in await kafka.log.append_many(kafka.cards, [(key, b"v") for key in keys])
    ] == chosen


async def test_many_batches_of_a_partition_come_in_order_and_each_entry_knows_its_place(kafka: KafkaTransport) -> None:
    values = [n.to_bytes(4) + bytes(20_000) for n in range(4 * BATCH_BYTES_MAX // 20_000)]
    places = await kafka.log.append_many(kafka.lookups, [("k", value) for value in values])
    assert [place.offset for place in places] == list(range(len(values)))
    position, found = 0, list[bytes]()
    while isinstance(page := await kafka.log.read(kafka.lookups, 0, position, 40), tuple) and page:
        found += [entry.value for entry in page]
        position = page[-1].offset + 1
    assert found == values


async def test_where_a_batch_is_refused_a_beginning_of_what_was_given_is_there_and_the_log_goes_on(
    kafka: KafkaTransport,
) -> None:
    small, large = os.urandom(300_000), os.urandom(2_000_000)
    with pytest.raises(LogAway, match="MessageSizeTooLarge"):
        await kafka.log.append_many(kafka.lookups, [("k", value) for value in (small, small, small, large, small)])
    assert [entry.value for entry in await _entries(kafka)] == [small, small, small]
    assert (await kafka.log.append(kafka.lookups, "k", b"next")).offset == 3


async def test_an_image_of_eight_mebibytes_is_appended_and_read(kafka: KafkaTransport) -> None:
    async with administration(kafka.servers) as admin:
        name = f"images-{kafka.group}"
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs={"max.message.bytes": str(9 * 1024 * 1024)})])
    image = os.urandom(8 * 1024 * 1024)
    log = KafkaLog(kafka.connection, [dataclasses.replace(CARD_IMAGES, name=name, partitions=1)])
    assert (await log.append_many(name, [("k", image), ("k", b"small")]))[1].offset == 1
    read = await log.read(name, 0, 0, 4)
    assert isinstance(read, tuple)
    assert [entry.value for entry in read] == [image, b"small"]
    await log.aclose()


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_what_others_compressed_is_read(kafka: KafkaTransport, codec: str) -> None:
    async with producing(kafka, compression_type=codec) as producer:
        await produced(producer, kafka.lookups, [b"a" * 1000, b"b"])
    assert [entry.value for entry in await _entries(kafka)] == [b"a" * 1000, b"b"]


async def test_what_a_transaction_took_back_was_never_said_and_its_marks_are_no_entries(kafka: KafkaTransport) -> None:
    async with producing(kafka, transactional_id=kafka.group) as producer:
        async with producer.transaction():
            await produced(producer, kafka.lookups, [b"said"])
        await producer.begin_transaction()
        await produced(producer, kafka.lookups, [b"taken back"])
        await producer.abort_transaction()
        async with producer.transaction():
            await produced(producer, kafka.lookups, [b"said too"])
    entries = await _entries(kafka)
    assert [(entry.offset, entry.value) for entry in entries] == [(0, b"said"), (4, b"said too")]
    assert await kafka.log.read(kafka.lookups, 0, 5, 9) == ()


async def test_topics_are_checked_before_the_first_use_until_they_are_right(kafka: KafkaTransport) -> None:
    asked = 0

    async def check() -> None:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise UnknownStream(LOOKUPS.name)

    log = KafkaLog(kafka.connection, kafka.streams, check)
    with pytest.raises(UnknownStream):
        await log.append(kafka.lookups, "k", b"v")
    with pytest.raises(UnknownStream):
        await log.bounds(kafka.lookups)
    await log.append(kafka.lookups, "k", b"v")
    await log.bounds(kafka.lookups)
    assert asked == 3
    await log.aclose()


async def test_brokers_that_do_not_answer_are_a_log_that_is_away(kafka: KafkaTransport) -> None:
    (port,) = free_ports(1)
    nobody = DistributedSettings(kafka_servers=f"127.0.0.1:{port}")
    log = KafkaLog(KafkaConnection.of(nobody), kafka.streams)
    with pytest.raises(LogAway, match="KafkaConnectionError"):
        await log.append(kafka.lookups, "k", b"v")
    with pytest.raises(LogAway):
        await log.bounds(kafka.lookups)
    with pytest.raises(LogAway):
        await log.read(kafka.lookups, 0, 0, 5)
    await log.aclose()


def test_cards_have_the_partitions_that_the_installation_says_and_all_others_those_of_the_table() -> None:
    streams = {each.name: each for each in distributed_streams(DistributedSettings(card_partitions=48))}
    assert streams[CARDS.name].partitions == 48
    assert streams[LOOKUPS.name].partitions == LOOKUPS.partitions_distributed
    assert streams[REGISTER.name].partitions == 1


async def _entries(kafka: KafkaTransport) -> tuple[Entry, ...]:
    read = await kafka.log.read(kafka.lookups, 0, 0, 1000)
    assert isinstance(read, tuple)
    return read
