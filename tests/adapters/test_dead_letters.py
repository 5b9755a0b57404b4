import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from lienthong.adapters.dead_letters import (
    DeadLetter,
    DeadLetters,
    NotKept,
    WithoutKey,
    find,
    letters,
    original,
    replay,
)
from lienthong.adapters.event_log import Appended, Entry, partition_of
from lienthong.adapters.followers import Batch
from lienthong.adapters.keys import keys_in
from lienthong.adapters.sealing import KeyDestroyed, Sealer
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.adapters.wire import Refusal, RefusalCode, decode
from lienthong_schemas.streams import CARDS, DEAD_LETTERS
from tests.support.clocks import SetClock
from tests.support.messages import EXAMPLES, document_of

NUMBER = "0000012345"
REFUSAL = Refusal(code=RefusalCode.INVALID_DATA, message="is missing", path="data.periods[0].number")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def sealer(tmp_path: Path, clock: SetClock) -> Iterator[Sealer]:
    store = keys_in(tmp_path)
    yield Sealer(store, clock)
    store.close()


@pytest.fixture
def log(log_client: Redis) -> ValkeyLog:
    return ValkeyLog(log_client)


@pytest.fixture
def dead(log: ValkeyLog, sealer: Sealer, clock: SetClock) -> DeadLetters:
    return DeadLetters(log, sealer, clock, "projector")


def batch(*values: bytes, key: str = NUMBER) -> Batch:
    entries = tuple(Entry(offset=40 + n, key=key, value=value) for n, value in enumerate(values))
    return Batch(stream="cards.v1", partition=partition_of(NUMBER, CARDS.partitions), position=40, entries=entries)


async def only(log: ValkeyLog) -> DeadLetter:
    (letter,) = await letters(log)
    return letter


async def test_what_is_set_aside_is_listed_with_where_it_stood_and_why_and_opens_to_the_same_bytes(
    log: ValkeyLog, dead: DeadLetters, sealer: Sealer, clock: SetClock
) -> None:
    await dead.set_aside(batch(b"fine", b"\xff{broken"), 1, REFUSAL, attempts=3)
    letter = await only(log)
    assert letter.recorded_at == clock.now()
    summary = letter.summary()
    assert summary["id"] == f"projector:cards.v1/{batch().partition}/41"
    assert summary["origin"] == {"stream": "cards.v1", "partition": batch().partition, "position": 41}
    assert summary["reason"] == {"code": "invalid_data", "message": "is missing", "path": "data.periods[0].number"}
    assert (summary["attempts"], summary["size_bytes"], summary["original_kept"]) == (3, 8, True)
    assert original(letter, sealer) == b"\xff{broken"


async def test_neither_the_log_nor_the_list_shows_anything_of_the_original(
    log: ValkeyLog, log_client: Redis, dead: DeadLetters
) -> None:
    secret = b'{"holder": {"name": "Somebody Invented"}}'
    await dead.set_aside(batch(secret), 0, REFUSAL)
    assert "Invented" not in str(await log_client.xrange("dead-letters.v1/0"))
    assert NUMBER not in str((await only(log)).summary())


@pytest.mark.parametrize("value", [b"", b"\x00", os.urandom(65_536), b"x" * 65_536])
async def test_originals_up_to_the_bound_are_kept_and_their_event_fits_its_stream(
    log: ValkeyLog, dead: DeadLetters, sealer: Sealer, value: bytes
) -> None:
    await dead.set_aside(batch(value), 0, REFUSAL)
    assert original(await only(log), sealer) == value


async def test_of_a_longer_original_only_size_and_digest_are_kept(
    log: ValkeyLog, dead: DeadLetters, sealer: Sealer, clock: SetClock
) -> None:
    await dead.set_aside(batch(b"x" * 10_000_000), 0, REFUSAL)
    letter = await only(log)
    gone = original(letter, sealer)
    assert gone == NotKept(size_bytes=10_000_000, sha256=letter.letter.sha256)
    assert await replay(letter, log, sealer, clock) == gone
    assert await log.end("dead-letters.v1", 0) == 1


async def test_a_batch_that_comes_again_sets_aside_nothing_new(log: ValkeyLog, dead: DeadLetters) -> None:
    for _ in range(2):
        await dead.set_aside(batch(b"a", b"b"), 0, REFUSAL)
        await dead.set_aside(batch(b"a", b"b"), 1, REFUSAL)
    assert [letter.letter.origin.position for letter in await letters(log)] == [40, 41]


async def test_replaying_appends_the_same_bytes_under_the_same_key_and_says_so(
    log: ValkeyLog, dead: DeadLetters, sealer: Sealer, clock: SetClock
) -> None:
    await dead.set_aside(batch(b"\xff{broken"), 0, REFUSAL)
    partition = batch().partition
    for offset in range(2):
        assert await replay(await only(log), log, sealer, clock) == Appended(partition=partition, offset=offset)
    assert (await only(log)).replayed_to == (0, 1)
    assert await log.read("cards.v1", partition, 0, 9) == tuple(
        Entry(offset=offset, key=NUMBER, value=b"\xff{broken") for offset in range(2)
    )


@pytest.mark.parametrize("key", ["", "\x00", "x" * 200, "a\u2028b"])
async def test_an_original_without_a_usable_key_is_kept_but_replayed_only_if_it_names_one(
    log: ValkeyLog, dead: DeadLetters, sealer: Sealer, clock: SetClock, key: str
) -> None:
    document = document_of("card.recorded", EXAMPLES["card.recorded"])
    readable = orjson.dumps(document)
    assert not isinstance(decode(readable, CARDS), Refusal)
    await dead.set_aside(batch(b"unreadable", readable, key=key), 0, REFUSAL)
    await dead.set_aside(batch(b"unreadable", readable, key=key), 1, REFUSAL)
    first, second = await letters(log)
    assert first.subject == second.subject == "cards.v1"
    assert await replay(first, log, sealer, clock) == WithoutKey()
    again = await replay(second, log, sealer, clock)
    assert again == Appended(partition=partition_of(document["subject"], CARDS.partitions), offset=0)


async def test_after_ninety_days_nobody_can_read_an_original(
    log: ValkeyLog, dead: DeadLetters, sealer: Sealer, clock: SetClock
) -> None:
    await dead.set_aside(batch(b"x"), 0, REFUSAL)
    letter = await only(log)
    clock.advance(timedelta(days=91))
    gone = original(letter, sealer)
    assert isinstance(gone, KeyDestroyed)
    assert await replay(letter, log, sealer, clock) == gone
    assert await log.retain("dead-letters.v1", 0, since=clock.now() - timedelta(days=90), now=clock.now()) == 1
    assert await letters(log) == []


async def test_a_letter_is_found_by_its_id_and_an_unknown_one_is_not(log: ValkeyLog, dead: DeadLetters) -> None:
    await dead.set_aside(batch(b"x"), 0, REFUSAL)
    letter = await only(log)
    assert await find(log, letter.id) == letter
    assert await find(log, "projector:cards.v1/0/999") is None


async def test_what_is_no_dead_letter_in_their_stream_is_passed_over(log: ValkeyLog, dead: DeadLetters) -> None:
    await log.append(DEAD_LETTERS.name, "k", b"nonsense")
    await dead.set_aside(batch(b"x"), 0, REFUSAL)
    assert len(await letters(log)) == 1


async def test_many_letters_are_read_over_several_pages(log: ValkeyLog, dead: DeadLetters) -> None:
    many = batch(*[b"x"] * 300)
    for at in range(300):
        await dead.set_aside(many, at, REFUSAL)
    assert [letter.letter.origin.position for letter in await letters(log)] == list(range(40, 340))
