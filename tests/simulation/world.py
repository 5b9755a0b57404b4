"""One run: a world with its servers, processes, publishers and desks, what befalls them, and what must hold of it."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson
from pydantic import TypeAdapter
from redis.exceptions import RedisError

from lienthong.adapters.generations import FIRST
from lienthong.adapters.native import question_from
from lienthong.adapters.publishing import Draft, Published, Publisher
from lienthong.domain.answer import Outcome
from lienthong.lookup.answering import HttpAnswer, HttpDesk
from lienthong_schemas.questions import Question
from lienthong_schemas.streams import CARDS, LOOKUPS
from tests.simulation.ground import Grounds
from tests.simulation.keyspace_streams import Stream
from tests.simulation.log import Partitions, SimulatedLog
from tests.simulation.loop import Life, SimulatedLoop
from tests.simulation.processes import Process, answering, asked_of, counting, projecting
from tests.simulation.rebuilding import rebuilt
from tests.simulation.store import Shard, Store
from tests.simulation.weather import CALM, Climate, Server, Weather
from tests.simulation.witness import Witness
from tests.simulation.work import FACILITIES, CardHistory, Work, lookup_event, poison, presented, question
from tests.support.audit import Ledger

_FAULTS = (RedisError, OSError)
_QUESTION = TypeAdapter(Question)
#: How far behind the log an answer may be that denies: what `CardReader` promises, with what the clock rounds off.
_ABSENCE_BOUND_S = 5.0 + 0.01
#: A desk gives up this long after it asked; an answer takes a second at most.
_ANSWER_WITHIN_S = 1.1
_SETTLES_WITHIN_S = 90
_DENIALS = frozenset({Outcome.NOT_FOUND, Outcome.NOT_IN_FORCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a run is and how rough."""

    partitions: dict[str, int]
    shards: int
    projectors: int
    lookups: int
    seconds: float
    climate: Climate
    zombies: float
    named: bool
    monitors: int
    blows: int
    poison: float

    @classmethod
    def drawn(cls, chance: Random) -> "Shape":
        """Return the shape of one run."""
        return cls(
            partitions={
                CARDS.name: chance.randint(1, 3),
                LOOKUPS.name: chance.randint(1, 2),
                "decisions.v1": chance.randint(1, 2),
                "answers.v1": chance.randint(1, 2),
            },
            shards=chance.choice((1, 1, 2, 3)),
            projectors=chance.choice((1, 2, 2)),
            lookups=chance.choice((1, 2)),
            seconds=chance.uniform(4, 10),
            climate=Climate.drawn(chance),
            zombies=chance.choice((0.0, 0.3)),
            named=chance.random() < 0.5,
            # Counting in SQL takes half as long as all else together.
            monitors=chance.choice((0, 0, 0, 0, 0, 0, 1, 2)),
            blows=chance.choice((0, 1, 2, 3, 5)),
            poison=chance.choice((0.0, 0.1)),
        )


class World:
    """Everything of one run."""

    def __init__(self, loop: SimulatedLoop, chance: Random) -> None:
        self.shape = Shape.drawn(chance)
        self.work = Work.drawn(chance)
        self.chance = chance
        self.weather = Weather(loop, chance, self.shape.climate)
        self.weather.kill = self._kill
        self.partitions = Partitions(self.shape.partitions, loop.time)
        self.store = Store(self.weather, self.shape.shards)
        self.grounds = Grounds(self.weather, self.partitions, self.store)
        self.grounds.zombies, self.grounds.named = self.shape.zombies, self.shape.named
        self.log = SimulatedLog(self.partitions, self.weather)
        self.ledger = Ledger()
        self.violations: list[str] = []
        self.generation = FIRST
        #: Ids of decisions that a store lost before they were relayed, or of which it lost that it had them.
        self.lost_records: set[str] = set()
        #: Ids of decisions that were given to the spool, and of those that it said it keeps.
        self.offered: set[str] = set()
        self.spooled: set[str] = set()
        self.store_lost = False
        self.projectors = [self._process(f"projector{at}", projecting) for at in range(self.shape.projectors)]
        self.lookups = [self._process(f"lookup{at}", answering) for at in range(self.shape.lookups)]
        self.monitors = [self._process(f"monitor{at}", counting) for at in range(self.shape.monitors)]
        self._copies: list[tuple[Shard, dict[bytes, Any]]] = []

    @property
    def processes(self) -> list[Process]:
        """All processes."""
        return [*self.projectors, *self.lookups, *self.monitors]

    @property
    def servers(self) -> list[Server]:
        """All servers."""
        return [self.partitions, *self.store.shards]

    @property
    def now(self) -> float:
        """The seconds since the run began."""
        return self.weather.loop.time()

    async def live(self) -> None:
        """Let everything happen: work under faults, and then calm."""
        for process in self.processes:
            self.weather.later(self.chance.random(), process.start)
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(each) for each in self._works()]
        blows = loop.create_task(self._blows())
        watching = loop.create_task(Witness(self.store, self.partitions).watch())
        await asyncio.wait(tasks)
        await asyncio.wait([blows])
        for task in (*tasks, blows):
            task.result()
        if watching.done():
            self.violated(watching.result())
        watching.cancel()

    def calm(self) -> None:
        """End all faults."""
        self.weather.note("calm")
        self.weather.climate = CALM
        for server in self.servers:
            server.away = server.silent = False

    def went_back(self, before: dict[bytes, Any], after: dict[bytes, Any]) -> None:
        """Hear that a shard of the store lost something: its keys before and after."""
        self.store_lost = True
        self.lost_records |= lost_records(before, after)

    def violated(self, text: str) -> None:
        """Note something that must not happen."""
        self.weather.note(f"VIOLATION {text}")
        self.violations.append(text)

    def _process(self, name: str, main: Callable[[Grounds], Any]) -> Process:
        return Process(name, main(self.grounds), self.weather, self.violated)

    def _kill(self, life: Life) -> None:
        if life.over:
            return
        life.over = True
        for group in self.grounds.groups.values():
            group.lost(life)
        for process in self.processes:
            if process.life is life:
                process.killed()

    def _works(self) -> list[Coroutine[Any, Any, None]]:
        cards = [(card, at) for card in self.work.cards for at in range(len(card.revisions))]
        self.chance.shuffle(cards)
        halves = [cards[::2], cards[1::2]]
        return [
            *(self._publish_cards(half) for half in halves),
            self._publish_lookups(),
            *(self._publish_batches(at) for at in range(2)),
            *(self._ask() for _ in range(2)),
        ]

    async def _pause(self, parts: int) -> None:
        await asyncio.sleep(self.chance.random() * 2 * self.shape.seconds / max(1, parts))

    async def _acknowledged(self, stream: str, key: str, value: bytes) -> None:
        """Append until it is acknowledged, as publishers do."""
        while True:
            try:
                place = await self.log.append(stream, key, value)
            except _FAULTS:
                await asyncio.sleep(self.chance.random() * 0.5)
            else:
                self.ledger.appended(stream, [value], [place])
                return

    async def _publish_cards(self, cards: list[tuple[CardHistory, int]]) -> None:
        for card, at in cards:
            await self._pause(len(cards))
            value, _ = card.revisions[at]
            await self._acknowledged(CARDS.name, card.number, value)
            card.acknowledged_at.setdefault(at, self.now)
            if self.chance.random() < self.shape.poison:
                place = (CARDS.name, self.chance.randrange(self.shape.partitions[CARDS.name]))
                self.partitions.add(place, "", poison(self.chance, value))

    async def _publish_lookups(self) -> None:
        for serial in range(self.work.lookups):
            await self._pause(self.work.lookups)
            facility = self.chance.choice(FACILITIES)
            asked, _ = self._question(facility)
            value = lookup_event(serial, asked, facility, self.grounds.clock.now())
            for _ in range(1 + (self.chance.random() < 0.2)):
                await self._acknowledged(LOOKUPS.name, facility, value)
            if self.chance.random() < self.shape.poison:
                place = (LOOKUPS.name, self.chance.randrange(self.shape.partitions[LOOKUPS.name]))
                self.partitions.add(place, "", poison(self.chance, value))

    async def _publish_batches(self, mine: int) -> None:
        """Publish every second batch, on whatever base stands, as long as it takes."""
        publisher = Publisher(self.log, self.grounds.clock)
        for facts in self.work.batches[mine::2]:
            await self._pause(len(self.work.batches))
            while True:
                try:
                    base = (await publisher.register()).last_batch
                    done = await publisher.publish_batch(Draft(facts=facts, name=None, base=base), lambda _: None)
                except _FAULTS:
                    await asyncio.sleep(self.chance.random() * 0.5)
                    continue
                if isinstance(done, Published):
                    self.ledger.batches.add(done.batch_id)
                    break

    def _question(self, facility: str) -> tuple[bytes, CardHistory | None]:
        card = self.chance.choice([*self.work.cards, None]) if self.chance.random() < 0.9 else None
        return question(presented(self.chance, card, self.work.strangers), facility), card

    async def _ask(self) -> None:
        while self.now < self.shape.seconds:
            await asyncio.sleep(self.chance.random() * 0.7)
            asked, card = self._question(self.chance.choice(FACILITIES))
            await self.ask(self.chance.choice(self.lookups), asked, card)

    async def ask(self, process: Process, asked: bytes, card: CardHistory | None) -> Outcome | None:
        """Ask a desk and judge its answer; None where no answer came because the process was killed."""
        began = self.now

        async def work(desk: HttpDesk) -> HttpAnswer:
            return await desk.answer(question_from(_QUESTION.validate_json(asked), self.grounds.clock.now()), asked)

        try:
            answer = await asked_of(process, self.weather, work, _ANSWER_WITHIN_S)
        except TimeoutError:
            self.violated(f"no answer within {_ANSWER_WITHIN_S} s, asked at {began:.3f}")
            return None
        if answer is None:
            return None
        self.weather.note(f"{process.life.name}: answered {answer.outcome.value} about {card and card.number}")
        if not answer.store_away or decision_id(answer.body) in self.spooled:
            self.ledger.answered.add(decision_id(answer.body))
        if card is not None and answer.outcome in _DENIALS:
            self._judge(card, answer.outcome, began - _ABSENCE_BOUND_S)
        return answer.outcome

    def _judge(self, card: CardHistory, outcome: Outcome, moment: float) -> None:
        if outcome is Outcome.NOT_FOUND and card.known_since(moment):
            self.violated(f"{card.number} not found although acknowledged: {card.acknowledged_at}")
        if outcome is Outcome.NOT_IN_FORCE and card.in_force_since(moment):
            self.violated(f"{card.number} denied although in force: {card.acknowledged_at}")

    async def _blows(self) -> None:
        """Let larger things happen than a call that fails."""
        for _ in range(self.shape.blows):
            await self._pause(self.shape.blows)
            shard = self.chance.choice(self.store.shards)
            blow = self.chance.choice(
                (
                    *(self._outage, self._outage, self._flush, self._fail_over, self._restore),
                    *(self._kill_one, self._expel, self._rebuild),
                )
            )
            await blow(shard)

    async def _outage(self, shard: Shard) -> None:
        server = self.chance.choice((shard, self.partitions))
        kind = self.chance.choice(("away", "silent"))
        self.weather.note(f"{server.name}: {kind}")
        setattr(server, kind, True)
        if isinstance(server, Shard):
            server.drop()
        self._copies.append((shard, shard.keyspace.copied()))
        await asyncio.sleep(self.chance.random() * 3)
        setattr(server, kind, False)
        self.weather.note(f"{server.name}: back")

    async def _flush(self, shard: Shard) -> None:
        self.store.flush(shard)

    async def _fail_over(self, shard: Shard) -> None:
        self.store.fail_over(shard, self.chance.randint(1, 12))

    async def _restore(self, shard: Shard) -> None:
        """Put back a copy of a while ago, of everything or of some slots."""
        copied = shard.keyspace.copied()
        await asyncio.sleep(self.chance.random() * 4)
        slots = sorted({key.partition(b"}")[0] for key in (*copied, *shard.keyspace.keys)})
        taken = set(slots if self.chance.random() < 0.5 else self.chance.sample(slots, min(2, len(slots))))
        self.store.put_back(shard, copied, lambda key: key.partition(b"}")[0] in taken)

    async def _rebuild(self, _: Shard) -> None:
        self.weather.note(f"world: rebuilds beside generation {self.generation}")
        log, store = self.log, self.store.client()
        if await rebuilt(log, store, self.generation, self.grounds.clock.now()):
            self.generation += 1
            self.weather.note(f"world: switched to generation {self.generation}")

    async def _kill_one(self, _: Shard) -> None:
        self.weather.die(self.chance.choice(self.processes).life, "by a blow")

    async def _expel(self, _: Shard) -> None:
        with contextlib.suppress(IndexError):
            self.chance.choice([*self.grounds.groups.values()]).expel()


def decision_id(body: bytes) -> str:
    """Return the id of an answer."""
    return str(orjson.loads(body)["decision_id"])


def lost_records(before: dict[bytes, Any], after: dict[bytes, Any]) -> set[str]:
    """Return the ids of the events that an outbox held before its store went back, and holds no more."""
    ids = set()
    for key, held in before.items():
        if not isinstance(held, Stream) or not key.endswith(b"outbox"):
            continue
        now = after.get(key)
        kept = {tuple(fields) for _, fields in now.entries} if isinstance(now, Stream) else set()
        for _, fields in held.entries:
            if tuple(fields) not in kept:
                ids |= {
                    orjson.loads(value)["id"]
                    for name, value in zip(fields[::2], fields[1::2], strict=True)
                    if name.startswith(b"v")
                }
    return ids
