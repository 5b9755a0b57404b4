"""What benchmarks put into an installation: generated cards, and the shipped registers."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from lienthong.adapters.card_codec import digest
from lienthong.adapters.card_layout import CardFact
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.generated_places import shipped_places
from lienthong.adapters.generator import CardPlan, GeneratedCard, card, card_line, card_lines
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_layout import DIGEST_MODULUS
from lienthong.adapters.publishing import Draft, Published, Publisher
from lienthong.adapters.registers import facts_of, shipped
from lienthong.runtime.clock import SystemClock
from lienthong_schemas.streams import CARDS
from tests.bench.installation import Installation

SEED = 7
#: Cards generated before they are appended: the generator and the log take turns.
CHUNK = 2_000
#: A store that has not taken the cards by then never will.
PROJECTED_TIMEOUT_S = 300.0
POLL_INTERVAL_S = 0.02

#: Every tenth event is the other revision of a card this many cards back, so that no batch has both.
OTHER_REVISION_EVERY, OTHER_REVISION_BEHIND = 10, 20_000

REGISTERS = ("vn-before-2025-07-01", "vn-hanoi-facilities", "vn-tables")
REORGANISATION = "vn-2025-07-01"


def plan(count: int) -> CardPlan:
    """Return the plan of cards with the longest reserved prefix that leaves room for `count`."""
    plans = (CardPlan(seed=SEED, places=shipped_places(), prefix=prefix) for prefix in ("00000", "0000", "000"))
    return next(made for made in plans if made.capacity >= count)


def keyed_events(count: int) -> Iterator[list[tuple[str, bytes]]]:
    """Give the events of the first `count` cards with their keys, a chunk at a time."""
    chunk: list[tuple[str, bytes]] = []
    for line in card_lines(plan(count), count):
        chunk.append((orjson.loads(line)["subject"], line.rstrip()))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


@dataclass(slots=True, kw_only=True)
class Truth:
    """What a store must hold after the events that were given so far: the highest revision of each card.

    `highest` has them with their SHA-256; `citizen_ids` counts those of all events, `citizens` has each once.
    """

    highest: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    citizen_ids: int = 0
    citizens: set[str] = field(default_factory=set)

    def enter(self, generated: GeneratedCard) -> None:
        """Take one event."""
        data = generated.data
        offered = (data["revision"], digest(CardFact(generated.type, data)))
        self.highest[data["id"]] = max(offered, self.highest.get(data["id"], offered))
        self.citizen_ids += len(data["citizen_ids"])
        self.citizens.update(data["citizen_ids"])

    @property
    def cards(self) -> int:
        """How many cards there are."""
        return len(self.highest)

    @property
    def revisions(self) -> int:
        """The sum of their highest revisions."""
        return sum(revision for revision, _ in self.highest.values())

    @property
    def digest(self) -> int:
        """The sum of their SHA-256, as a projection has it."""
        return sum(int.from_bytes(sha256, "big") for _, sha256 in self.highest.values()) % DIGEST_MODULUS


def revised_events(events: int, truth: Truth) -> Iterator[list[tuple[str, bytes]]]:
    """Give so many events with their keys, a chunk at a time, and enter them into `truth`.

    Nine of ten are of a card that was not seen yet. The tenth is the other revision of one: its second after its
    first, or, of every other such card, its first after its second, which must change nothing.
    """
    made = plan(events)
    waiting: deque[tuple[int, int]] = deque()
    chunk: list[tuple[str, bytes]] = []
    fresh = 0
    for at in range(events):
        if (
            at % OTHER_REVISION_EVERY == OTHER_REVISION_EVERY - 1
            and waiting
            and fresh - waiting[0][0] > _behind(events)
        ):
            index, revision = waiting.popleft()
        else:
            index, revision = fresh, 2 if fresh % (2 * OTHER_REVISION_EVERY) == OTHER_REVISION_EVERY else 1
            if fresh % OTHER_REVISION_EVERY == 0:
                waiting.append((index, 3 - revision))
            fresh += 1
        generated = card(made, index, revision)
        truth.enter(generated)
        chunk.append((generated.data["id"], card_line(made, generated).rstrip()))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _behind(events: int) -> int:
    return min(OTHER_REVISION_BEHIND, events // OTHER_REVISION_EVERY)


async def publish_cards(log: EventLog, count: int) -> None:
    """Append the first `count` cards of the plan to the log."""
    for chunk in keyed_events(count):
        await log.append_many(CARDS.name, chunk)


async def projected(store: Installation, count: int) -> None:
    """Return when the projection has `count` cards and says that nothing is missing. Raises TimeoutError."""
    projection = Projection(store.projection, CARDS.partitions)
    end = time.monotonic() + PROJECTED_TIMEOUT_S
    while True:
        states = await projection.states()
        if sum(state.facts for state in states) >= count and all(state.complete for state in states):
            return
        if time.monotonic() > end:
            raise TimeoutError
        await asyncio.sleep(POLL_INTERVAL_S)


async def publish_set(log: EventLog, name: str) -> Published:
    """Publish a shipped set through the gate, as `lienthong publish` does."""
    publisher = Publisher(log, SystemClock())
    facts = facts_of(shipped()[name])
    report = await publisher.check(facts)
    assert report.passed, report.faults
    published = await publisher.publish_batch(Draft(facts=tuple(facts), name=name, base=report.base), lambda _: None)
    assert isinstance(published, Published)
    return published
