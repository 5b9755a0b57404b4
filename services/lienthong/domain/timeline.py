"""When each place version is in force: versions by code, with what each reorganisation does to and for that code."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, pairwise
from typing import Generic, NamedTuple, TypeVar

from lienthong.domain.succession import Link, PlaceKey, PlaceVersion, Reorganisation

_DAY = timedelta(days=1)


class Span(NamedTuple):
    """A version with its days: in force from `starts` (date.min where unknown) until before `closes`, None if open."""

    version: PlaceVersion
    starts: date
    closes: date | None

    def covers(self, day: date) -> bool:
        """Tell whether the version is in force on the day."""
        return self.starts <= day and (self.closes is None or day < self.closes)

    def covers_day_before(self, day: date) -> bool:
        """Tell whether the version is in force on the day before, which the first day of the calendar has not."""
        return self.starts < day and (self.closes is None or day <= self.closes)

    def last_day(self, horizon: date) -> date | None:
        """Return the last valid day as known by the horizon, None while nothing known ends it."""
        return None if self.closes is None or self.closes > horizon else self.closes - _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one reorganisation means to one code: the links from it or to it, and whether it ends its version."""

    day: date
    reorganisation: Reorganisation
    links: tuple[Link, ...]
    ends: bool = False


Item = TypeVar("Item")


class Replacement(NamedTuple, Generic[Item]):
    """A version or reorganisation before and after facts changed it; None where there is none."""

    before: Item | None
    after: Item | None


class EventDays:
    """The days on which anything starts or ends: what holds on one holds until the next."""

    __slots__ = ("days",)

    def __init__(self, days: Iterable[date] = ()) -> None:
        self.days = tuple(sorted({date.min, *days}))

    def joined(self, *others: Iterable[date]) -> "EventDays":
        """Return these days and others; a day on which nothing happens any more does no harm."""
        return EventDays({*self.days, *chain.from_iterable(others)})

    def latest(self, day: date) -> date:
        """Return the last of the days by a day: every answer about the one is the answer about the other."""
        return self.days[bisect_right(self.days, day) - 1]


class Timeline:
    """An immutable index of versions and reorganisations by level and code.

    What closes a version does not depend on the day asked about, only whether that day knows it: so spans are computed
    once, when a fact touches their code.
    """

    __slots__ = ("_arrivals", "_departures", "_spans", "days")

    def __init__(self) -> None:
        self.days = EventDays()
        self._spans: dict[PlaceKey, tuple[Span, ...]] = {}
        self._departures: dict[PlaceKey, tuple[Turn, ...]] = {}
        self._arrivals: dict[PlaceKey, tuple[Turn, ...]] = {}

    def revised(
        self, versions: Sequence[Replacement[PlaceVersion]], reorganisations: Sequence[Replacement[Reorganisation]]
    ) -> "Timeline":
        """Return the timeline with these versions and reorganisations replaced; costs what they touch, and a copy."""
        revised = Timeline()
        revised._departures = _returned(self._departures, reorganisations, _departures)
        revised._arrivals = _returned(self._arrivals, reorganisations, _arrivals)
        held: dict[PlaceKey, list[PlaceVersion]] = {}
        touched = {key for pair in reorganisations for each in pair if each is not None for key in _departures(each)}
        for key in touched | {each.key for pair in versions for each in pair if each is not None}:
            held[key] = [span.version for span in self._spans.get(key, ())]
        for before, after in versions:
            if before is not None and before in held[before.key]:
                held[before.key].remove(before)
            if after is not None:
                held[after.key].append(after)
        revised._spans = self._spans.copy()
        for key, kept in held.items():
            revised._spans[key] = _spans(kept, revised.departures(key))
        firsts = {starts(each) for _, each in versions if each is not None}
        revised.days = self.days.joined(firsts, {each.effective_on for _, each in reorganisations if each is not None})
        return revised

    def all_spans(self) -> Iterable[Span]:
        """Give every version that is on record, by no particular order."""
        return (span for spans in self._spans.values() for span in spans)

    def spans(self, key: PlaceKey) -> tuple[Span, ...]:
        """Return the versions of a code, the earliest first."""
        return self._spans.get(key, ())

    def in_force(self, key: PlaceKey, day: date) -> tuple[Span, ...]:
        """Return the version of a code in force on the day; more than one only where facts contradict each other."""
        return tuple(span for span in self._spans.get(key, ()) if span.covers(day))

    def in_force_before(self, key: PlaceKey, day: date) -> tuple[Span, ...]:
        """Return the version of a code in force on the day before."""
        return tuple(span for span in self._spans.get(key, ()) if span.covers_day_before(day))

    def departures(self, key: PlaceKey) -> tuple[Turn, ...]:
        """Return the reorganisations that name the code as a predecessor, in the order of their days."""
        return self._departures.get(key, ())

    def arrivals(self, key: PlaceKey) -> tuple[Turn, ...]:
        """Return the reorganisations that name the code as a successor, in the order of their days."""
        return self._arrivals.get(key, ())


def starts(version: PlaceVersion) -> date:
    """Return the first valid day, that of the calendar where it is unknown."""
    return version.valid_from or date.min


def _spans(versions: list[PlaceVersion], departures: tuple[Turn, ...]) -> tuple[Span, ...]:
    """Close each version by the first reorganisation that ends its code after it starts, or by the code's next one.

    Versions of one day (a contradiction) do not close each other: all of them stay, and make what meets them disputed.
    """
    versions = sorted(versions, key=_order)
    firsts = sorted({starts(version) for version in versions})
    following = dict(pairwise(firsts))
    spans = []
    for version in versions:
        first = starts(version)
        closings = [turn.day for turn in departures if turn.ends and turn.day > first][:1]
        if first in following:
            closings.append(following[first])
        spans.append(Span(version, first, min(closings, default=None)))
    return tuple(spans)


def _order(version: PlaceVersion) -> tuple[date, str, PlaceKey, bool]:
    return (starts(version), version.name, version.parent or PlaceKey("", ""), version.illustrative)


def _departures(reorganisation: Reorganisation) -> dict[PlaceKey, Turn]:
    return _turns(reorganisation, [(link.predecessor, link) for link in reorganisation.links], reorganisation.ends)


def _arrivals(reorganisation: Reorganisation) -> dict[PlaceKey, Turn]:
    return _turns(reorganisation, [(link.successor, link) for link in reorganisation.links], ())


def _turns(
    reorganisation: Reorganisation, links: list[tuple[PlaceKey, Link]], ends: tuple[PlaceKey, ...]
) -> dict[PlaceKey, Turn]:
    by_key: dict[PlaceKey, list[Link]] = defaultdict(list)
    for key, link in links:
        by_key[key].append(link)
    ending = frozenset(ends)
    for key in ending:
        by_key[key].extend(())
    return {
        key: Turn(
            day=reorganisation.effective_on, reorganisation=reorganisation, links=tuple(links), ends=key in ending
        )
        for key, links in by_key.items()
    }


def _returned(
    index: Mapping[PlaceKey, tuple[Turn, ...]],
    reorganisations: Sequence[Replacement[Reorganisation]],
    turns_of: Callable[[Reorganisation], Mapping[PlaceKey, Turn]],
) -> dict[PlaceKey, tuple[Turn, ...]]:
    """Return the index with the turns of reorganisations before a change replaced by those after it."""
    dropped = {pair.before.id for pair in reorganisations if pair.before is not None}
    touched: dict[PlaceKey, list[Turn]] = {}
    for pair in reorganisations:
        for key in turns_of(pair.before) if pair.before is not None else ():
            touched.setdefault(key, [])
        for key, turn in turns_of(pair.after).items() if pair.after is not None else ():
            touched.setdefault(key, []).append(turn)
    returned = dict(index)
    for key, added in touched.items():
        kept = [turn for turn in index.get(key, ()) if turn.reorganisation.id not in dropped]
        returned[key] = tuple(sorted(kept + added, key=lambda turn: (turn.day, turn.reorganisation.id)))
    return returned
