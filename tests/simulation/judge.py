"""What must hold of a run once its faults have ended: it settles, and nothing is lost, double or wrong."""

import asyncio
from collections import Counter
from typing import Any

import orjson

from lienthong.adapters.generations import FIRST
from lienthong.adapters.history import VolumeFilter
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_layout import CellState
from lienthong.adapters.register_log import RegisterReader
from lienthong.adapters.register_mirror import RegisterMirror
from lienthong.domain.answer import Outcome
from lienthong_schemas.streams import CARDS, DECISIONS, LOOKUPS
from tests.simulation.ground import BUCKETS
from tests.simulation.keyspace_streams import Stream
from tests.simulation.work import CardHistory, question
from tests.simulation.world import World
from tests.support.audit import Finding, lost, read_stream
from tests.support.audit_lookups import audit_lookups
from tests.support.audit_projection import audit_cards, audit_register

#: How long a run may take to settle after its faults have ended, in seconds.
_SETTLES_WITHIN_S = 60
#: A process that was killed is started again and has its partitions within this time, in seconds.
_CALM_FOR_S = 3.0
_LOOK_EVERY_S = 1.0
#: The share of cards that are asked for by their numbers in the end.
_BY_NUMBER = 0.7
#: How often a desk that cannot tell is asked again, a second later each time.
_ASKED_AGAIN = 15


#: What may be there twice, with one id, of a look-up whose answer was lost by its store and not by its relay.
_MADE_AGAIN = frozenset({"decision given twice", "answer given twice"})


class Judge:
    """Looks at a world whose faults have ended."""

    def __init__(self, world: World) -> None:
        self._world = world
        # The ids of the decisions in the log, and how far each partition was read for them.
        self._decided: set[str] = set()
        self._read: dict[int, int] = {}
        self._register = RegisterReader(world.log)
        self._mirror = RegisterMirror(world.store.client(), world.generation)
        self._projection = Projection(
            world.store.client(), world.shape.partitions[CARDS.name], world.generation, BUCKETS
        )

    async def settled(self) -> bool:
        """Return whether everything has come to rest within a minute."""
        began = self._world.now
        calm_since = began
        waits: list[str] = []
        while self._world.now - began < _SETTLES_WITHIN_S:
            await asyncio.sleep(_LOOK_EVERY_S)
            waits = await self._waiting()
            if waits:
                calm_since = self._world.now
            elif self._world.now - calm_since >= _CALM_FOR_S:
                return True
        self._world.violated(f"did not settle: {'; '.join(waits)}")
        return False

    async def audit(self) -> None:
        """Note every disagreement between what was acknowledged, what the log holds, and what was made of it."""
        world = self._world
        log, ledger = world.log, world.ledger
        cards = await read_stream(log, CARDS.name)
        lookups = await read_stream(log, LOOKUPS.name)
        found = [*lost(ledger, CARDS.name, cards), *lost(ledger, LOOKUPS.name, lookups)]
        found += await audit_cards(cards, self._projection)
        found += await audit_register(log, world.store.client(), ledger, world.generation)
        # What was answered over HTTP and lost with its store before it was relayed is lost, as is said.
        ledger.answered -= world.lost_records
        world.lost_records |= world.offered if world.store_lost else set()
        found += await audit_lookups(log, ledger)
        if world.monitors:
            found += self._miscounted()
        for each in found:
            # One whose store went back while it was being relayed, or moved from the spool, comes again under its id.
            if each.kind not in _MADE_AGAIN or each.where not in world.lost_records:
                world.violated(f"{each.kind}: {each.where}")
        await self._ask_all()

    def _miscounted(self) -> list[Finding]:
        """Compare what was counted with the distinct decisions of the log, those that were made again among them."""
        distinct: dict[tuple[str, str], dict[str, Any]] = {}
        for (stream, _), entries in self._world.partitions.entries.items():
            for entry in entries if stream == DECISIONS.name else ():
                event = orjson.loads(entry.value)
                again = event["outboxepoch"] if event["id"] in self._world.lost_records else ""
                distinct[event["id"], again] = event["data"]
        wanted = Counter((data["facility_code"], data["channel"], data["outcome"]) for data in distinct.values())
        counted: Counter[tuple[str, str, str]] = Counter()
        for row in self._world.grounds.history.by_facility(VolumeFilter()):
            counted[row.code, row.channel, row.outcome] += row.lookups
        return [
            Finding("decisions miscounted", f"{key}: {counted[key]} for {wanted[key]}")
            for key in sorted(counted | wanted)
            if counted[key] != wanted[key]
        ]

    async def _ask_all(self) -> None:
        """Ask about every card, and about somebody who has none, at one process or another."""
        world = self._world
        for card in world.work.cards:
            if world.chance.random() < _BY_NUMBER:
                wanted = Outcome.ELIGIBLE if card.revisions[-1][1] else Outcome.NOT_IN_FORCE
                await self._ask({"kind": "insurance_number", "number": card.number}, card, wanted)
            else:
                await self._ask({"kind": "citizen_id", "number": card.citizen_ids[0]}, card, None)
        await self._ask({"kind": "insurance_number", "number": world.work.strangers[0]}, None, Outcome.NOT_FOUND)

    async def _ask(self, shown: dict[str, Any], card: CardHistory | None, wanted: Outcome | None) -> None:
        process = self._world.chance.choice(self._world.lookups)
        outcome: Outcome | None = Outcome.CANNOT_TELL
        for _ in range(_ASKED_AGAIN):
            outcome = await self._world.ask(process, question(shown, "01004"), card)
            if outcome not in {None, Outcome.CANNOT_TELL}:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        if outcome in {None, Outcome.CANNOT_TELL} or (wanted is not None and outcome is not wanted):
            self._world.violated(f"in calm {process.name} answers {outcome} about {shown['number']}, not {wanted}")

    async def _waiting(self) -> list[str]:
        """Return what has not come to rest."""
        world, entries = self._world, self._world.partitions.entries
        waits = [f"{each.name} does not run" for each in world.lookups if each.desk is None]
        states = await self._projection.states()
        for cell, state in enumerate(states):
            waits += self._lag(cell, state, len(entries[CARDS.name, cell]))
        for index, positions in enumerate(await self._projection.index_positions()):
            behind = [cell for cell, position in enumerate(positions) if position != len(entries[CARDS.name, cell])]
            waits += [f"index {index} is behind in {behind}"] if behind else []
        outboxes = {
            key: held
            for shard in world.store.shards
            for key, held in shard.keyspace.keys.items()
            if key.endswith(b"outbox") and isinstance(held, Stream)
        }
        waits += [f"{key.decode()} holds {len(held.entries)}" for key, held in outboxes.items() if held.entries]
        waits += self._uncounted()
        waits += [f"{path.name} is spooled" for path, file in world.grounds.disk.files.items() if file.content]
        # The mirror has the switches of generations too.
        wanted = len((await self._register.refresh()).batches) + world.generation - FIRST
        mirrored = (await self._mirror.stands()).entries
        waits += [f"the mirror has {mirrored} of {wanted} entries"] if mirrored != wanted else []
        return waits + self._unanswered()

    def _lag(self, cell: int, state: CellState, end: int) -> list[str]:
        lags = [f"cell {cell} stands at {state.position} of {end}"] if state.position != end else []
        return lags + ([f"cell {cell} is incomplete"] if not state.complete else [])

    def _uncounted(self) -> list[str]:
        """Return the partitions of decisions that the monitor has not counted to their ends."""
        world = self._world
        if not world.monitors:
            return []
        counted = world.grounds.history.positions(DECISIONS.name)
        return [
            f"decisions {partition} are counted to {counted.get(partition, 0)} of {len(entries)}"
            for (stream, partition), entries in world.partitions.entries.items()
            if stream == DECISIONS.name and counted.get(partition, 0) != len(entries)
        ]

    def _unanswered(self) -> list[str]:
        """Return the look-ups by event whose decision the log does not hold yet."""
        world = self._world
        for (stream, partition), entries in world.partitions.entries.items():
            if stream == DECISIONS.name:
                read = self._read.get(partition, 0)
                self._decided.update(orjson.loads(entry.value)["id"] for entry in entries[read:])
                self._read[partition] = len(entries)
        missing = set(world.ledger.lookups.values()) - self._decided
        return [f"{len(missing)} look-ups are not answered"] if missing else []
