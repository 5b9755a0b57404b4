"""Consumer groups: who follows which partition, and the moments at which two do.

A member that is killed is missed after its session; one that is expelled goes on for a while without knowing it, as a
process does that was paused: a zombie, whose writes must do no harm.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from lienthong.adapters.event_log import Entry
from lienthong.adapters.followers import Follower, Handler, OnFault, Progress, Start, located
from lienthong.adapters.watching import WATCH_INTERVAL_S, Watch
from lienthong.runtime.clock import Clock
from lienthong.runtime.tasks import end
from tests.simulation.log import Place, SimulatedLog
from tests.simulation.loop import Life, living
from tests.simulation.weather import Weather

_SESSION_S: Final = 2.0
_REBALANCE_S: Final = 0.3
_ZOMBIE_S: Final = 6.0
#: Entries in one batch at most: small, so that there are many moments between two.
_BATCH_MAX: Final = 6


class Group:
    """One consumer group as the brokers see it."""

    def __init__(self, name: str, weather: Weather, zombies: float) -> None:
        self._name = name
        self._weather = weather
        self._zombies = zombies
        self._members: list[SimulatedReader] = []
        self._owners: dict[Place, SimulatedReader] = {}
        self._due = False

    def join(self, member: "SimulatedReader") -> None:
        """Take a member in."""
        self._members.append(member)
        self._soon()

    def leave(self, member: "SimulatedReader") -> None:
        """Let a member go that said so."""
        if member in self._members:
            self._members.remove(member)
            self._soon()

    def lost(self, life: Life) -> None:
        """Miss the members of a process that was killed, when their sessions have ended."""
        for member in [each for each in self._members if each.life is life]:
            self._weather.later(self._weather.chance.random() * _SESSION_S, self.leave, member)

    def expel(self) -> None:
        """Take its partitions from a member that lives and does not know it, and let it join again later."""
        if len(self._members) < 2:  # somebody has to take over
            return
        member = self._weather.chance.choice(self._members)
        self._weather.note(f"{self._name}: {member.life.name} expelled")
        self._members.remove(member)
        self._rebalance(late=member)
        self._weather.later(_ZOMBIE_S, self._again, member)

    def _again(self, member: "SimulatedReader") -> None:
        if not member.life.over and not member.left and member not in self._members:
            self.join(member)

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            self._weather.later(self._weather.chance.random() * _REBALANCE_S, self._rebalance)

    def _rebalance(self, late: "SimulatedReader | None" = None) -> None:
        """Deal the partitions out anew."""
        self._due = False
        chance = self._weather.chance
        places = sorted({place for member in self._members for place in member.places})
        chance.shuffle(places)
        owners = {place: self._members[at % len(self._members)] for at, place in enumerate(places)}
        for place, before in list(self._owners.items()):
            if owners.get(place) is not before:
                zombie = before is late or chance.random() < self._zombies
                self._weather.later(chance.random() * _ZOMBIE_S if zombie else 0.0, before.told, place)
        for place, after in owners.items():
            if self._owners.get(place) is not after or after is late:
                self._weather.later(chance.random() * _REBALANCE_S, after.told, place)
        for member in self._members:
            member.joined()
        self._owners = owners

    def owns(self, member: "SimulatedReader", place: Place) -> bool:
        """Tell whether a partition is a member's as the brokers see it."""
        return self._owners.get(place) is member


class _Following:
    """One partition of a member: its follower, and the task that follows while it is the member's."""

    def __init__(self, follower: Follower, start: Start) -> None:
        self.follower = follower
        self.start = start
        self.mine = False
        self.position: int | None = None
        self.stirred = asyncio.Event()
        self.strayed = False
        self.task: asyncio.Task[None] | None = None
        follower.attach(self._point)

    def _point(self, position: int) -> None:
        self.position = position
        self.stirred.set()


class SimulatedReader:
    """The reader of one process, over real followers."""

    def __init__(self, group: Group, log: SimulatedLog, weather: Weather, clock: Clock, on_fault: OnFault) -> None:
        self.reading = asyncio.Event()
        self.life = living()
        self.left = False
        self._group = group
        self._log = log
        self._weather = weather
        self._clock = clock
        self._watch = Watch(log, clock, on_fault)
        self._followings: dict[Place, _Following] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def places(self) -> Iterable[Place]:
        """The partitions that the member subscribed to."""
        return self._followings

    def subscribe(self, stream: str, partition: int, handler: Handler, start: Start) -> Follower:
        """Follow a partition while the group gives it."""
        follower = Follower(stream, partition, handler, self._clock)
        following = self._followings[stream, partition] = _Following(follower, start)
        self._log.held.listeners.setdefault((stream, partition), []).append(following.stirred.set)
        return follower

    def progress(self) -> list[Progress]:
        """Return how far each partition that is followed here has been handled."""
        return [each.follower.progress for each in self._followings.values() if each.mine]

    def start(self) -> "asyncio.Task[None]":
        """Join the group and watch."""
        self._group.join(self)
        self._task = asyncio.create_task(self._keep_watching())
        return self._task

    async def stop(self) -> None:
        """Leave the group."""
        self.left = True
        self._group.leave(self)
        for each in self._followings.values():
            each.mine = False
            each.follower.stop()
            each.stirred.set()
        tasks = [each.task for each in self._followings.values() if each.task is not None]
        await end(*tasks, *([] if self._task is None else [self._task]))

    def joined(self) -> None:
        """Hear that the group has dealt its partitions."""
        self._weather.loop.in_life(self.life, self.reading.set)

    def told(self, place: Place) -> None:
        """Hear, in the life of the process, of a change to a partition: whether it is its own from now on."""
        self._weather.loop.in_life(self.life, self._take, place)

    def _take(self, place: Place) -> None:
        following, mine = self._followings[place], self._group.owns(self, place)
        if self.left or not (mine or following.mine):
            return
        self._weather.note(f"{self.life.name}: {'gets' if mine else 'gives up'} {place[0]}/{place[1]}")
        following.mine = mine
        if mine:
            following.follower.stop()
            following.stirred.set()
            before = following.task
            following.task = asyncio.create_task(self._follow(following, before))
        else:
            following.follower.stop()
            following.stirred.set()

    async def _follow(self, following: _Following, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait([before])
        follower, me = following.follower, asyncio.current_task()
        position = await located(follower, following.start)
        if following.mine and following.task is me:
            follower.begin(position)
        while following.mine and following.task is me:
            following.stirred.clear()
            entries = await self._fetched(following)
            if entries:
                await follower.take(entries)
            else:
                await following.stirred.wait()

    async def _fetched(self, following: _Following) -> tuple[Entry, ...]:
        """Return what the broker sends: from where it was pointed to, and now and then from elsewhere."""
        follower, position, chance = following.follower, following.position, self._weather.chance
        entries = self._log.held.entries[follower.stream, follower.partition]
        if position is None or position >= len(entries):
            return ()
        await asyncio.sleep(chance.random() * 0.01)
        begin, strays = position, self._weather.climate.cut
        # What came before comes again; a gap comes once: asked again, the broker sends what it has.
        if strays and chance.random() < strays:
            ahead = 0 if following.strayed or position + 1 == len(entries) else 1
            begin = max(0, position + chance.randint(-3, ahead))
            following.strayed = begin > position
        return tuple(entries[begin : max(begin, position) + 1 + int(chance.random() * _BATCH_MAX)])

    async def _keep_watching(self) -> None:
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            mine = [each.follower for each in self._followings.values() if each.mine and each.follower.following]
            with suppress(OSError):
                await self._watch.look(mine)
