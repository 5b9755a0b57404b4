"""Sends commands to the servers of a cluster that they belong to, and again what a server proves not to have done.

A refusal is such a proof: the slot is elsewhere (MOVED, ASK) or only half there (TRYAGAIN), the cluster or the server
is not ready (CLUSTERDOWN, MASTERDOWN, LOADING, READONLY), or the server lacks the Functions, which are loaded there. A
connection that fails proves nothing: what writes is then never sent again, and its caller hears of the fault.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redis import exceptions

from lienthong.runtime.backoff import Backoff
from lienthong.runtime.cluster_nodes import ClusterNodes
from lienthong.runtime.linked import LinkedRedis
from lienthong.runtime.store_address import Address


class _NotYet(Exception):
    """Something is still to be answered, and another attempt after a pause may do it."""


#: Sends the commands at these places of a call to one server, and returns their answers, refusals among them.
Send = Callable[[LinkedRedis, Sequence[int], bool], Awaitable[list[Any]]]

#: Redirections that are followed without a pause: a slot that moves on meanwhile is followed, a circle is not.
REDIRECTIONS_MAX: Final = 4
#: Pauses before a refusal is the answer: about two seconds, in which a server loads or a slot's move ends.
PAUSES: Final = Backoff(first_s=0.01, most_s=0.3, attempts=16, faults=(_NotYet,))
#: How often a read is sent again after its connection failed.
REPEATS_MAX: Final = 2

_NO_FUNCTION = "Function not found"
_NOT_READY = (exceptions.ClusterDownError, exceptions.BusyLoadingError, exceptions.ReadOnlyError)
_FAULTS = (exceptions.RedisError, OSError)


@dataclass(slots=True, kw_only=True)
class _Trip:
    """A call under way: what was answered, and which of its places wait, some for a server that was named to them."""

    slots: Sequence[int]
    repeatable: Sequence[bool]
    send: Send
    answers: list[Any]
    waiting: list[int]
    asked: dict[int, Address] = field(default_factory=dict)
    taught: set[Address] = field(default_factory=set)
    repeats: int = 0
    refresh: bool = False
    pause: bool = False

    @classmethod
    def of(cls, slots: Sequence[int], repeatable: Sequence[bool], send: Send) -> "_Trip":
        """Return the trip at its beginning, when everything waits."""
        count = len(slots)
        return cls(slots=slots, repeatable=repeatable, send=send, answers=[None] * count, waiting=list(range(count)))


class ClusterSending:
    """The way of commands to a cluster's servers."""

    def __init__(self, nodes: ClusterNodes) -> None:
        self._nodes = nodes

    async def run(self, slots: Sequence[int], repeatable: Sequence[bool], send: Send) -> list[Any]:
        """Return an answer for each place of `slots`, in their order: the server's, its last refusal, or the fault.

        `repeatable` says of each place whether it may be sent again after a fault. Places of one call may be carried
        out in any order. Raises redis.ConnectionError where no server says who serves what.
        """
        try:
            if not self._nodes.known:
                await self._nodes.ready()
            owner = self._sole_owner(slots)
            if owner is None:
                return await self._travelled(_Trip.of(slots, repeatable, send))
            places = range(len(slots))
            outcome = await _outcome(send(self._nodes.client(owner), places, False))  # noqa: FBT003 -- `Send`
            if isinstance(outcome, list) and not any(isinstance(answer, Exception) for answer in outcome):
                # As it is nearly always: one server, and nothing to be made good.
                return outcome
            trip = _Trip.of(slots, repeatable, send)
            trip.waiting = []
            await self._taken(trip, owner, places, outcome)
            return await self._travelled(trip) if trip.waiting else trip.answers
        except asyncio.CancelledError:
            # A caller that no longer waits is the first sign of a server that stands still.
            self._nodes.suspect()
            raise

    def _sole_owner(self, slots: Sequence[int]) -> Address | None:
        """Return the server that is known to have all of the slots, None if there is no such one."""
        owner = self._nodes.owner(slots[0])
        for slot in slots:
            if self._nodes.owner(slot) != owner:
                return None
        return owner

    async def _travelled(self, trip: _Trip) -> list[Any]:
        """Send what waits until nothing does. Where the pauses are used up the last refusal is the answer."""
        try:
            await self._attempt(trip)
        except _NotYet:
            with contextlib.suppress(_NotYet):
                await PAUSES.run(lambda: self._attempt(trip))
        return trip.answers

    async def _attempt(self, trip: _Trip) -> None:
        """Send what waits, following redirections. Raises `_NotYet` where something waits for more than that."""
        for _ in range(REDIRECTIONS_MAX):
            if trip.refresh:
                await self._refreshed()
            trip.pause = trip.refresh = False
            groups = self._grouped(trip)
            outcomes = await self._sent(trip, groups)
            for ((address, _), places), outcome in zip(groups.items(), outcomes, strict=True):
                await self._taken(trip, address, places, outcome)
            if not trip.waiting:
                return
            if trip.pause:
                break
        trip.waiting.sort()
        raise _NotYet

    def _grouped(self, trip: _Trip) -> dict[tuple[Address, bool], list[int]]:
        """Return the places that wait by the server to send them to and whether to ask there, and let none wait."""
        groups: dict[tuple[Address, bool], list[int]] = {}
        waiting, trip.waiting = trip.waiting, []
        for place in waiting:
            address = trip.asked.pop(place, None)
            asking = address is not None
            if address is None:
                address = self._nodes.owner(trip.slots[place])
            if address is None:
                message = f"slot {trip.slots[place]} is served by nobody"
                trip.answers[place] = exceptions.ClusterDownError(message)
                trip.waiting.append(place)
                trip.pause = trip.refresh = True
            else:
                groups.setdefault((address, asking), []).append(place)
        return groups

    async def _sent(
        self, trip: _Trip, groups: dict[tuple[Address, bool], list[int]]
    ) -> Sequence[list[Any] | Exception]:
        """Send each group to its server, all at once, and return its answers or the fault of its connection."""
        sendings = [
            _outcome(trip.send(self._nodes.client(address), places, asking))
            for (address, asking), places in groups.items()
        ]
        # One server is the rule for a write, and needs no task.
        return [await sendings[0]] if len(sendings) == 1 else await asyncio.gather(*sendings)

    async def _taken(
        self, trip: _Trip, address: Address, places: Sequence[int], outcome: list[Any] | Exception
    ) -> None:
        if isinstance(outcome, Exception):
            self._failed(trip, places, outcome)
        else:
            await self._answered(trip, address, places, outcome)

    async def _answered(self, trip: _Trip, address: Address, places: Sequence[int], answers: Sequence[Any]) -> None:
        """Take a server's answers; places that it proves not to have dealt with wait on."""
        untaught: list[int] = []
        for place, answer in zip(places, answers, strict=True):
            trip.answers[place] = answer
            if not isinstance(answer, Exception):
                continue
            if isinstance(answer, exceptions.AskError):
                self._redirected(trip, address, place, answer)
            elif isinstance(answer, exceptions.TryAgainError):
                trip.waiting.append(place)
                trip.pause = True
            elif isinstance(answer, _NOT_READY):
                trip.waiting.append(place)
                trip.pause = trip.refresh = True
            elif _NO_FUNCTION in str(answer):
                untaught.append(place)
        if untaught and address not in trip.taught:
            trip.taught.add(address)
            if await self._taught(address):
                trip.waiting += untaught

    def _redirected(self, trip: _Trip, address: Address, place: int, answer: exceptions.AskError) -> None:
        # A server that does not know its own host means the one that it was reached by.
        named = Address(answer.host or address.host, answer.port)
        if isinstance(answer, exceptions.MovedError):
            self._nodes.moved(trip.slots[place], named)
        else:
            trip.asked[place] = named
        trip.waiting.append(place)

    def _failed(self, trip: _Trip, places: Sequence[int], fault: Exception) -> None:
        """Give the places the fault for an answer; reads wait on, if the connection failed and did not just linger."""
        self._nodes.suspect()
        again = isinstance(fault, exceptions.ConnectionError) and trip.repeats < REPEATS_MAX
        for place in places:
            trip.answers[place] = fault
            if again and trip.repeatable[place]:
                trip.waiting.append(place)
                trip.pause = trip.refresh = True
        trip.repeats += 1

    async def _taught(self, address: Address) -> bool:
        try:
            return await self._nodes.load_libraries(address)
        except _FAULTS:
            # What was missing is the answer then.
            return False

    async def _refreshed(self) -> None:
        with contextlib.suppress(*_FAULTS):
            await self._nodes.refresh()


async def _outcome(sending: Awaitable[list[Any]]) -> list[Any] | Exception:
    try:
        return await sending
    except _FAULTS as fault:
        return fault
