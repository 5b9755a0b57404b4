"""Publishes to a real service and asks it, while what it is made of is killed; then audits all that it did.

The moments of the kills are amounts of work done, drawn from a seed, and not times: a slow machine meets the same ones.
"""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import chain
from typing import Any

import httpx
from redis.exceptions import RedisError

from lienthong.adapters.dead_letters import letters
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.history import History
from lienthong.adapters.projection import Projection
from lienthong.adapters.publishing import Publisher
from lienthong.adapters.register_log import RegisterReader
from lienthong.adapters.valkey_log import ValkeyLog
from lienthong.domain.facts import DIGEST_MODULUS, FactSet
from lienthong.runtime.backoff import Backoff
from lienthong.runtime.clock import SystemClock
from lienthong_schemas.streams import CARDS, DECISIONS, LOOKUPS
from tests.support.audit import Finding, Ledger, lost, read_stream
from tests.support.audit_lookups import audit_lookups, audit_volumes
from tests.support.audit_projection import audit_cards, audit_register, fold_cards
from tests.support.campaign_work import Keyed, Work, question_json
from tests.support.publishing import published
from tests.support.real_service import PROCESSES, READY_DEADLINE_S, SERVERS, UP, RealService
from tests.support.waiting import until, until_so

EVERYTHING, PARENT = "everything", "parent"
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

_FAULTS = (RedisError, OSError)
_again = Backoff(first_s=0.02, most_s=0.5, faults=_FAULTS)


class Campaign:
    """One service and the work it is given."""

    def __init__(self, service: RealService, work: Work, seed: str) -> None:
        self.ledger = Ledger()
        self.findings: list[Finding] = []
        self._service = service
        self._work = work
        self._chance = random.Random(seed)  # noqa: S311  # a seed, so that a failure can be had again
        self._acknowledged = self._seen = 0

    async def run(self, kills: Sequence[str]) -> None:
        """Give the service its work and strike at moments of it; return when all of it is done."""
        async with self._service.client("log") as near, self._service.client("projection") as far:
            log, projection = ValkeyLog(near), Projection(far, CARDS.partitions)
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(self._ask())
                working = [group.create_task(each) for each in self._publishing()]
                for moment, kind in zip(self._moments(len(kills)), kills, strict=True):
                    await self._within(lambda due=moment: self._has_moved(due, log, projection), _MOVES_WITHIN_S)  # type: ignore[misc]  # mypy has no type for a default
                    await self._strike(kind)
                await asyncio.wait(working)
                await self._settled()
                asking.cancel()
        await self._settled()

    def _moments(self, kills: int) -> list[int]:
        """Return how much is to be done before each kill."""
        # Each card is acknowledged and projected; a look-up that is acknowledged twice is decided once.
        total = 2 * len(self._work.cards) + len(self._work.lookups)
        return sorted(self._chance.randrange(total) for _ in range(kills))

    async def audit(self) -> list[Finding]:
        """Return everything that is not as it must be."""
        service, ledger = self._service, self.ledger
        async with service.client("log") as near, service.client("projection") as far:
            log, projection = ValkeyLog(near), Projection(far, CARDS.partitions)
            await projection.open()
            cards = await read_stream(log, CARDS.name)
            lookups = await read_stream(log, LOOKUPS.name)
            found = [*self.findings, *lost(ledger, CARDS.name, cards), *lost(ledger, LOOKUPS.name, lookups)]
            found += await audit_cards(cards, projection)
            found += await self._audit_undisturbed(log, projection)
            found += await audit_register(log, far, ledger)
            found += await audit_lookups(log, ledger)
            history = History.open(service.directory.history / "history.sqlite")
            found += await audit_volumes(log, history)
            history.close()
            found += [Finding("dead letter", letter.id) for letter in await letters(log)]
        return found + await self._audit_answers()

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
        """Ask what has a known answer."""
        found = []
        async with self._service.http() as http:
            for asked in self._work.questions:
                answer = await http.post("/v1/eligibility", content=question_json(asked), headers=_JSON)
                outcome = answer.json().get("outcome")
                if outcome != asked.expected:
                    found.append(Finding("answer is wrong", f"{asked.id}: {outcome}, {asked.expected}"))
        return found

    def _publishing(self) -> list[Coroutine[Any, Any, None]]:
        return [
            self._append(CARDS.name, self._work.cards, _CARDS_A_CALL),
            self._append(LOOKUPS.name, self._work.lookups, _LOOKUPS_A_CALL),
            self._publish(),
        ]

    async def _append(self, stream: str, events: Sequence[Keyed], size: int) -> None:
        """Append events, those of a failed call again: what was acknowledged is noted, and nothing else."""
        async with self._service.client("log") as client:
            log = ValkeyLog(client)
            for start in range(0, len(events), size):
                chunk = events[start : start + size]
                places = await _again.run(lambda chunk=chunk: log.append_many(stream, chunk))  # type: ignore[misc]  # as above
                self.ledger.appended(stream, [value for _, value in chunk], places)
                self._acknowledged += len(chunk)

    async def _publish(self) -> None:
        async with self._service.client("log") as client:
            for facts in self._work.batches:
                publisher = Publisher(ValkeyLog(client), SystemClock())
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
        elif decision["outcome"] not in {"not_found", "cannot_tell"}:
            found.add(number)

    async def _strike(self, kind: str) -> None:
        service = self._service
        if kind in {EVERYTHING, PARENT}:
            names = [UP, *PROCESSES, *SERVERS] if kind == EVERYTHING else [UP]
            self._chance.shuffle(names)
            for name in names:
                service.signal(name, signal.SIGKILL)
            await service.ended()
            await service.start()
        else:
            await until(lambda: service.signal(kind, signal.SIGKILL), READY_DEADLINE_S)

    async def _has_moved(self, due: int, log: EventLog, projection: Projection) -> bool:
        """Tell whether so much of the work is done: what was acknowledged, projected and decided, counted together."""
        with contextlib.suppress(*_FAULTS):
            states, decided = await projection.states(), await log.bounds(DECISIONS.name)
            self._seen = sum(state.position or 0 for state in states) + sum(bounds.end for bounds in decided.values())
        return self._acknowledged + self._seen >= due

    async def _settled(self) -> None:
        """Return when everything is projected, answered and counted."""
        await self._within(self._has_settled, _SETTLES_WITHIN_S)

    async def _within(self, condition: Callable[[], Awaitable[bool]], deadline_s: float) -> None:
        """Return when the condition is true; at the deadline say what the service has not done, and what it says."""
        try:
            await until_so(condition, deadline_s)
        except TimeoutError as fault:
            raise StalledError(await self._service.outstanding(), self._service.accounts()) from fault

    async def _has_settled(self) -> bool:
        return not await self._service.outstanding()


class StalledError(Exception):
    """The service does not go on with its work: what is left, and what its processes said last."""


_JSON = {"content-type": "application/json"}
_DESK = {"facility_code": "01004", "clerk_id": "NV01"}
