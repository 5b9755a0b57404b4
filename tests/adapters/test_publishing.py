from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from lienthong.adapters.event_log import Appended, EventLog
from lienthong.adapters.publishing import Draft, Overtaken, Published, Publisher
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.domain.annulment import AnnulmentFault, AnnulmentRefused
from lienthong.domain.facts import Fact
from lienthong.domain.gate_faults import FaultCode
from lienthong_schemas.streams import CARDS, REGISTER
from tests.support.card_facts import usual_card
from tests.support.clocks import SetClock
from tests.support.facts import commune, reorganised, revised, unit
from tests.support.projecting import card_event

OLD, NEW = unit(commune("00001")), unit(commune("00002"), "2025-07-01")
MERGER = reorganised("2025-07-01", [(commune("00001"), commune("00002"), "whole")], [commune("00001")])


def nobody_listens(_more: int) -> None:
    """Take how many were acknowledged, and do nothing with it."""


async def publish(publisher: Publisher, *facts: Fact, name: str | None = None) -> Published | Overtaken:
    report = await publisher.check(facts)
    assert report.passed, report.faults
    return await publisher.publish_batch(Draft(facts=facts, name=name, base=report.base), nobody_listens)


@dataclass
class CrashingLog:
    """Hands on to a log until so many entries of a stream were written, and then fails as a server that dies does."""

    log: EventLog
    left: int

    async def append_many(self, stream: str, items: Sequence[tuple[str, bytes]]) -> list[Appended]:
        taken = items[: self.left]
        appended = await self.log.append_many(stream, taken)
        self.left -= len(taken)
        if len(taken) < len(items):
            raise RedisConnectionError
        return appended

    async def append(self, stream: str, key: str, value: bytes) -> Appended:
        (appended,) = await self.append_many(stream, [(key, value)])
        return appended

    def __getattr__(self, name: str) -> object:
        return getattr(self.log, name)


def crashing(client: Redis, after: int) -> Publisher:
    log: EventLog = CrashingLog(ValkeyLog(client), after)  # type: ignore[assignment]  # stands in for the log
    return Publisher(log, SetClock())


@pytest.fixture
def publisher(log_client: Redis) -> Publisher:
    return Publisher(ValkeyLog(log_client), SetClock())


async def test_a_batch_stands_once_its_seal_does(publisher: Publisher) -> None:
    heard: list[int] = []
    report = await publisher.check((OLD,))
    done = await publisher.publish_batch(Draft(facts=(OLD,), name="before", base=report.base), heard.append)
    assert isinstance(done, Published)
    assert (done.position, done.count, done.name, done.batch_id) == (2, 1, "before", report.batch_id)
    assert heard == [1]
    register = await publisher.register()
    assert (register.position, register.last_batch) == (2, report.batch_id)
    assert register.facts_digest == report.register.facts_digest


async def test_another_reader_of_the_log_comes_to_the_same_register(publisher: Publisher, log_client: Redis) -> None:
    await publish(publisher, OLD)
    await publish(publisher, NEW, MERGER)
    other = await Publisher(ValkeyLog(log_client), SetClock()).register()
    mine = await publisher.register()
    assert (other.position, other.facts_digest, other.last_batch) == (mine.position, mine.facts_digest, mine.last_batch)


async def test_a_batch_published_before_is_recognised(publisher: Publisher) -> None:
    first = await publish(publisher, OLD)
    assert isinstance(first, Published)
    report = await publisher.check((OLD,))
    assert [fault.code for fault in report.faults] == [FaultCode.ALREADY_ACCEPTED]
    again = await publisher.publish_batch(Draft(facts=(OLD,), name=None, base=None), nobody_listens)
    assert isinstance(again, Published)
    assert again.position == first.position


async def test_of_two_publishers_on_one_base_the_first_seal_stands(publisher: Publisher, log_client: Redis) -> None:
    rival = Publisher(ValkeyLog(log_client), SetClock())
    mine, theirs = await publisher.check((OLD,)), await rival.check((NEW,))
    assert mine.base is theirs.base is None
    won = await rival.publish_batch(Draft(facts=(NEW,), name=None, base=None), nobody_listens)
    lost = await publisher.publish_batch(Draft(facts=(OLD,), name=None, base=None), nobody_listens)
    assert isinstance(won, Published)
    assert lost == Overtaken(batch_id=mine.batch_id, won=theirs.batch_id)
    assert (await publisher.register()).facts.winners.keys() == {NEW.key}


async def test_a_publisher_that_was_overtaken_publishes_on_the_new_base(
    publisher: Publisher, log_client: Redis
) -> None:
    rival = Publisher(ValkeyLog(log_client), SetClock())
    await publisher.check((OLD,))
    await publish(rival, NEW)
    assert isinstance(
        await publisher.publish_batch(Draft(facts=(OLD,), name=None, base=None), nobody_listens), Overtaken
    )
    assert isinstance(await publish(publisher, OLD), Published)
    assert (await rival.register()).facts.winners.keys() == {OLD.key, NEW.key}


async def test_seals_that_were_both_written_on_one_base_leave_the_first(
    publisher: Publisher, log_client: Redis
) -> None:
    rival_log = ValkeyLog(log_client)
    rival, append = Publisher(rival_log, SetClock()), rival_log.append

    async def overtaken_append(stream: str, key: str, value: bytes) -> Appended:
        await publish(publisher, OLD)
        return await append(stream, key, value)

    rival_log.append = overtaken_append  # type: ignore[method-assign]  # the moment between looking and sealing
    lost = await rival.publish_batch(Draft(facts=(NEW,), name=None, base=None), nobody_listens)
    assert isinstance(lost, Overtaken)
    assert (await publisher.register()).facts.winners.keys() == {OLD.key}


@pytest.mark.parametrize("written", range(4))
async def test_a_publisher_that_crashes_anywhere_before_its_seal_leaves_nothing_and_can_repeat(
    publisher: Publisher, log_client: Redis, written: int
) -> None:
    facts = (OLD, NEW, MERGER)
    with pytest.raises(RedisConnectionError):
        await crashing(log_client, written).publish_batch(Draft(facts=facts, name=None, base=None), nobody_listens)
    assert (await publisher.register()).position == 0
    done = await publish(publisher, *facts)
    assert isinstance(done, Published)
    assert done.count == len(facts)
    entries = (await ValkeyLog(log_client).bounds(REGISTER.name))[0].end
    assert (await publisher.register()).position == entries == written + len(facts) + 1


async def test_a_publisher_that_crashes_after_its_seal_is_told_that_the_batch_stands(
    publisher: Publisher, log_client: Redis
) -> None:
    await crashing(log_client, 2).publish_batch(Draft(facts=(OLD,), name=None, base=None), nobody_listens)
    report = await publisher.check((OLD,))
    assert [fault.code for fault in report.faults] == [FaultCode.ALREADY_ACCEPTED]


async def test_a_batch_is_annulled_by_one_that_restores_what_stood_before(publisher: Publisher) -> None:
    await publish(publisher, OLD)
    renamed = revised(OLD, name="Phường Khác")
    second = await publish(publisher, renamed, NEW, MERGER)
    undoing = await publisher.annulment(second.batch_id, "a mistake")
    assert isinstance(undoing, tuple)
    undone = await publish(publisher, *undoing)
    register = await publisher.register()
    assert register.facts.winners[OLD.key].data["name"] == OLD.data["name"]
    assert register.facts.winners[NEW.key].annulled

    again = await publisher.annulment(undone.batch_id, "the mistake was none")
    assert isinstance(again, tuple)
    await publish(publisher, *again)
    register = await publisher.register()
    assert register.facts.winners[OLD.key].data["name"] == "Phường Khác"
    assert not register.facts.winners[NEW.key].annulled


async def test_what_was_never_accepted_or_revised_later_is_not_annulled(publisher: Publisher) -> None:
    assert await publisher.annulment("0" * 64, "none") == AnnulmentRefused(
        batch_id="0" * 64, reason=AnnulmentFault.NOT_ACCEPTED
    )
    first = await publish(publisher, OLD)
    await publish(publisher, revised(OLD, name="Phường Khác"))
    refused = await publisher.annulment(first.batch_id, "too late")
    assert isinstance(refused, AnnulmentRefused)
    assert (refused.reason, refused.facts) == (AnnulmentFault.REVISED_LATER, (OLD.key,))


async def test_the_gate_of_the_log_refuses_without_writing(publisher: Publisher, log_client: Redis) -> None:
    report = await publisher.check((NEW, MERGER))
    assert [fault.code for fault in report.faults] == [FaultCode.PREDECESSOR_UNKNOWN]
    assert (await ValkeyLog(log_client).bounds(REGISTER.name))[0].end == 0


async def test_events_of_cards_are_written_under_their_numbers(publisher: Publisher, log_client: Redis) -> None:
    facts = [usual_card(f"00000{serial:05d}") for serial in range(1_500)]
    heard: list[int] = []
    total = await publisher.publish_events(
        CARDS.name, ((fact.data["id"], card_event(fact)) for fact in facts), heard.append
    )
    assert total == sum(heard) == len(facts)
    log = ValkeyLog(log_client)
    found = [
        entry
        for partition in range(CARDS.partitions)
        for entry in await log.read(CARDS.name, partition, 0, 500)  # type: ignore[union-attr]  # nothing was trimmed
    ]
    assert sorted(entry.key for entry in found) == [fact.data["id"] for fact in facts]
