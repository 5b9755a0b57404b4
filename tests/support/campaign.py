"""Publishes to a real service and asks it, while what it is made of is killed; then audits all that it did.

The moments of the kills are amounts of work done, drawn from a seed, and not times: a slow machine meets the same ones.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import chain
from typing import Any, Protocol

import httpx
from redis.exceptions import RedisError

from lienthong.adapters.dead_letters import letters
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.ground import Ground, grounded
from lienthong.adapters.history import open_history
from lienthong.adapters.projection import Projection
from lienthong.adapters.publishing import Publisher
from lienthong.adapters.register_log import RegisterReader
from lienthong.adapters.wire import Refusal, decode
from lienthong.domain.facts import DIGEST_MODULUS, FactSet
from lienthong.runtime.backoff import Backoff
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.settings import Settings
from lienthong_schemas.streams import BY_NAME, CARDS, DECISIONS, LOOKUPS
from tests.support.audit import Finding, Ledger, lost, read_stream
from tests.support.audit_lookups import audit_lookups, audit_volumes
from tests.support.audit_projection import audit_cards, audit_register, fold_cards
from tests.support.campaign_work import Keyed, Work, question_json
from tests.support.outstanding import outstanding
from tests.support.poison import spoilt
from tests.support.publishing import published
from tests.support.real_service import EVERYTHING, PARENT, READY_DEADLINE_S
from tests.support.waiting import until_so

#: What is killed: of twenty kills each kind has its share.
DECK = (
    *(EVERYTHING,) * 5,
    *(PARENT,) * 2,
    *("log",) * 4,
    *("projection",) * 4,
    *("projector",) * 2,
    *("lookup",) * 2,
    "monitor",
)
#: Between two kills nothing may move for as long as a process may take to start again.
_MOVES_WITHIN_S = 2 * READY_DEADLINE_S
_SETTLES_WITHIN_S = 3 * READY_DEADLINE_S
_CARDS_A_CALL, _LOOKUPS_A_CALL = 100, 20
#: A desk asks every so often, so that asking does not take the processor from those who are to be watched.
_ASKS_EVERY_S = 0.02
CANNOT_TELL = "cannot_tell"
#: How often a question is asked whose answer may be late, for as long as a busy machine may keep a cell waiting.
_ASKS_MAX = 500

_FAULTS = (RedisError, OSError)
_again = Backoff(first_s=0.02, most_s=0.5, faults=_FAULTS)


class Struck(Protocol):
    """A service that a campaign works with and strikes at."""

    @property
    def settings(self) -> Settings:
        """How to reach its servers."""
        ...

    def http(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        """Connect to the look-up service as a desk does; each connection may meet another process."""
        ...

    def accounts(self) -> dict[str, list[str]]:
        """Return the last lines that each process wrote."""
        ...

    async def strike(self, kind: str, chance: random.Random) -> None:
        """Do to it what the kind says."""
        ...


class Campaign:
    """One service and the work it is given."""

    def __init__(self, service: Struck, work: Work, seed: str) -> None:
        self.ledger = Ledger()
        self.findings: list[Finding] = []
        self._service = service
        self._work = work
        self._chance = random.Random(seed)  # noqa: S311  # a seed, so that a failure can be had again
        self._acknowledged = self._seen = 0

    async def run(self, kills: Sequence[str], *, asking: bool = True) -> None:
        """Give the service its work and strike at moments of it; return when all of it is done.

        Without `asking` nobody asks over HTTP: what only the projection holds may be taken away then.
        """
        async with grounded(self._service.settings, SystemClock()) as ground:
            async with asyncio.TaskGroup() as group:
                desk = group.create_task(self._ask() if asking else asyncio.sleep(0))
                working = [group.create_task(each) for each in self._publishing(ground.log)]
                for moment, kind in zip(self._moments(len(kills)), kills, strict=True):
                    await self._within(ground, lambda due=moment: self._has_moved(due, ground), _MOVES_WITHIN_S)  # type: ignore[misc]  # mypy has no type for a default
                    await self._service.strike(kind, self._chance)
                await asyncio.wait(working)
                await self._settled(ground)
                desk.cancel()
            await self._settled(ground)

    def _moments(self, kills: int) -> list[int]:
        """Return how much is to be done before each kill."""
        # Each card is acknowledged and projected; a look-up that is acknowledged twice is decided once.
        total = 2 * len(self._work.cards) + len(self._work.lookups)
        return sorted(self._chance.randrange(total) for _ in range(kills))

    async def audit(self) -> list[Finding]:
        """Return everything that is not as it must be."""
        async with grounded(self._service.settings, SystemClock()) as ground:
            log, projection = ground.log, _projection(ground)
            await projection.open()
            cards = await read_stream(log, CARDS.name)
            lookups = await read_stream(log, LOOKUPS.name)
            found = [*self.findings, *lost(self.ledger, CARDS.name, cards), *lost(self.ledger, LOOKUPS.name, lookups)]
            found += await audit_cards(cards, projection)
            found += await self._audit_undisturbed(log, projection)
            found += await audit_register(log, ground.store, self.ledger)
            found += await audit_lookups(log, self.ledger)
            history = open_history(ground.settings, ground.directory)
            found += await audit_volumes(log, history)
            history.close()
            found += await self._audit_letters(log)
        return found + await self._audit_answers()

    async def _audit_letters(self, log: EventLog) -> list[Finding]:
        """Compare what was set aside with the poison that the log holds: each copy of it has its letter."""
        origins = [each.letter.origin for each in await letters(log)]
        aside = {(origin.stream, origin.partition, origin.position) for origin in origins}
        poison = {
            (stream.name, partition, offset)
            for stream in (CARDS, LOOKUPS)
            for partition, values in enumerate(await read_stream(log, stream.name))
            for offset, value in enumerate(values)
            if isinstance(decode(value, stream), Refusal)
        }
        return [Finding("dead letters differ from the poison", str(place)) for place in sorted(aside ^ poison)]

    async def _audit_undisturbed(self, log: EventLog, projection: Projection) -> list[Finding]:
        """Compare the digests with those of the facts as they were made, before any of them was published."""
        cards, states = fold_cards([value for _, value in self._work.cards]), await projection.states()
        found = []
        if sum(state.digest for state in states) % DIGEST_MODULUS != cards.facts_digest:
            found.append(Finding("digest of the cards differs from an undisturbed one", str(len(cards.winners))))
        facts, register = FactSet(), await RegisterReader(log).refresh()
        for each in chain.from_iterable(self._work.batches):
            facts.add(each)
        if (register.state_digest, register.facts_digest) != (facts.state_digest, facts.facts_digest):
            found.append(Finding("digests of the register differ from undisturbed ones", str(len(facts.winners))))
        return found

    async def _audit_answers(self) -> list[Finding]:
        """Ask what has a known answer; a service that cannot tell for a moment is asked again, as a desk would."""
        found = []
        async with self._service.http() as http:
            for asked in self._work.questions:
                outcome = CANNOT_TELL
                for _ in range(_ASKS_MAX):
                    answer = await http.post("/v1/eligibility", content=question_json(asked), headers=_JSON)
                    outcome = answer.json().get("outcome")
                    if outcome != CANNOT_TELL:
                        break
                    await asyncio.sleep(_ASKS_EVERY_S)
                if outcome != asked.expected:
                    found.append(Finding("answer is wrong", f"{asked.id}: {outcome}, {asked.expected}"))
        return found

    def _publishing(self, log: EventLog) -> list[Coroutine[Any, Any, None]]:
        return [
            self._append(log, CARDS.name, self._work.cards, _CARDS_A_CALL),
            self._append(log, LOOKUPS.name, self._work.lookups, _LOOKUPS_A_CALL),
            self._publish(log),
        ]

    async def _append(self, log: EventLog, stream: str, events: Sequence[Keyed], size: int) -> None:
        """Append events with poison in each call, those of a failed call again: what was acknowledged is noted."""
        for start in range(0, len(events), size):
            chunk = list(events[start : start + size])
            chunk.insert(self._chance.randrange(len(chunk) + 1), self._poison(stream, self._chance.choice(chunk)))
            places = await _again.run(lambda chunk=chunk: log.append_many(stream, chunk))  # type: ignore[misc]  # as above
            self.ledger.appended(stream, [value for _, value in chunk], places)
            self._acknowledged += len(chunk)

    def _poison(self, stream: str, event: Keyed) -> Keyed:
        """Return the event spoilt in some way, under its own key."""
        key, value = event
        ways = spoilt(value, BY_NAME[stream], self._chance)
        return key, ways[self._chance.choice([name for name in ways if name != "ten megabytes"])]

    async def _publish(self, log: EventLog) -> None:
        for facts in self._work.batches:
            publisher = Publisher(log, SystemClock())
            stands = await _again.run(lambda facts=facts, by=publisher: published(by, facts))  # type: ignore[misc]  # as above
            self.ledger.batches.add(stands.batch_id)

    async def _ask(self) -> None:
        """Ask about cards until it is enough; one that was found once is never said not to be there."""
        found: set[str] = set()
        numbers = self._work.numbers
        async with self._service.http() as http:
            while True:
                number = self._chance.choice(numbers if len(found) < len(numbers) // 2 else sorted(found))
                question = {"presented": {"kind": "insurance_number", "number": number}, **_DESK}
                try:
                    answer = await http.post("/v1/eligibility", json=question)
                except (httpx.TransportError, OSError):
                    await asyncio.sleep(_ASKS_EVERY_S)
                    continue
                self._heard(number, answer, found)
                await asyncio.sleep(_ASKS_EVERY_S)

    def _heard(self, number: str, answer: httpx.Response, found: set[str]) -> None:
        decision = answer.json()
        if answer.status_code == httpx.codes.OK:
            self.ledger.answered.add(decision["decision_id"])
        if decision["outcome"] == "not_found" and number in found:
            self.findings.append(Finding("card denied that was found before", number))
        elif decision["outcome"] not in {"not_found", CANNOT_TELL}:
            found.add(number)

    async def _has_moved(self, due: int, ground: Ground) -> bool:
        """Tell whether so much of the work is done: what was acknowledged, projected and decided, counted together."""
        with contextlib.suppress(*_FAULTS):
            states, decided = await _projection(ground).states(), await ground.log.bounds(DECISIONS.name)
            self._seen = sum(state.position or 0 for state in states) + sum(bounds.end for bounds in decided.values())
        return self._acknowledged + self._seen >= due

    async def _settled(self, ground: Ground) -> None:
        """Return when everything is projected, answered and counted."""

        async def is_settled() -> bool:
            return not await outstanding(ground)

        await self._within(ground, is_settled, _SETTLES_WITHIN_S)

    async def _within(self, ground: Ground, condition: Callable[[], Awaitable[bool]], deadline_s: float) -> None:
        """Return when the condition is true; at the deadline say what the service has not done, and what it says."""
        try:
            await until_so(condition, deadline_s)
        except TimeoutError as fault:
            raise StalledError(await outstanding(ground), self._service.accounts()) from fault


class StalledError(Exception):
    """The service does not go on with its work: what is left, and what its processes said last."""


def _projection(ground: Ground) -> Projection:
    return Projection(ground.store, ground.log.partitions(CARDS.name))


_JSON = {"content-type": "application/json"}
_DESK = {"facility_code": "01004", "clerk_id": "NV01"}
