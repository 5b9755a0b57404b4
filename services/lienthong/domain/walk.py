"""Follow a place version forward through every reorganisation that took part in its fate, and back to its origins."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby

from lienthong.domain.succession import Extent, PlaceKey, Reorganisation
from lienthong.domain.timeline import Span, Timeline, Turn


@dataclass(slots=True, kw_only=True)
class Walk:
    """Where versions led by a day: the versions that stand, the ones passed, and the reorganisations walked.

    `dead` tells that a branch ended without a successor on record, or that of a part nothing is recorded; `disputed`
    that a contradiction was met.
    """

    standing: list[Span] = field(default_factory=list)
    passed: dict[int, Span] = field(default_factory=dict)
    reorganisations: dict[str, Reorganisation] = field(default_factory=dict)
    dead: bool = False
    disputed: bool = False


def walk(timeline: Timeline, start: Span, since: date, until: date) -> Walk:
    """Walk every link after `since` and by `until`, both days; terminates, for each step leads to a later day.

    A version reached twice is followed from its earlier day, whose steps include those of the later one.
    """
    found = Walk()
    ahead: list[tuple[date, int, Span]] = [(since, 0, start)]
    pushed = 0
    while ahead:
        reached_on, _, span = heapq.heappop(ahead)
        if id(span) in found.passed:
            continue
        found.passed[id(span)] = span
        for day, successor in _leave(timeline, span, (reached_on, until), found):
            pushed += 1
            heapq.heappush(ahead, (day, pushed, successor))
    return found


def origins(timeline: Timeline, span: Span, since: date, until: date) -> list[Span]:
    """Return every version that led to this one by links after `since` and by `until`, itself left out."""
    reached_on = {id(span): until}
    found: dict[int, Span] = {}
    behind = [span]
    while behind:
        successor = behind.pop()
        for turn in timeline.arrivals(successor.version.key):
            if not (since < turn.day <= reached_on[id(successor)] and successor.covers(turn.day)):
                continue
            # What arrived on the day itself was no part of what its predecessors were the day before.
            left_on = turn.day - timedelta(days=1)
            for predecessor in _predecessors(timeline, turn):
                if predecessor is not span and reached_on.get(id(predecessor), date.min) < left_on:
                    reached_on[id(predecessor)] = left_on
                    found[id(predecessor)] = predecessor
                    behind.append(predecessor)
    return list(found.values())


def _predecessors(timeline: Timeline, turn: Turn) -> Iterator[Span]:
    return (each for link in turn.links for each in timeline.in_force_before(link.predecessor, turn.day))


def _leave(timeline: Timeline, span: Span, days: tuple[date, date], found: Walk) -> Iterator[tuple[date, Span]]:
    """Give the successors of one version day by day, and note in `found` what became of it itself."""
    since, until = days
    turns = (
        turn
        for turn in timeline.departures(span.version.key)
        if since < turn.day <= until and span.covers_day_before(turn.day)
    )
    for day, together in groupby(turns, key=lambda turn: turn.day):
        step = _Step(timeline, span, day, list(together))
        found.reorganisations.update((turn.reorganisation.id, turn.reorganisation) for turn in step.turns)
        found.disputed |= step.disputed
        yield from ((day, successor) for successor in step.successors)
        if step.gone:
            found.dead |= step.dead
            return
    if span.closes is not None and span.closes <= until:
        found.dead = True
    else:
        found.standing.append(span)


class _Step:
    """All reorganisations of one day that name one version, applied together."""

    __slots__ = ("dead", "disputed", "gone", "successors", "turns")

    def __init__(self, timeline: Timeline, span: Span, day: date, turns: list[Turn]) -> None:
        links = [link for turn in turns for link in turn.links]
        wholly = {link.successor for link in links if link.extent is Extent.WHOLE}
        codes = sorted({link.successor for link in links})
        in_force = {code: timeline.in_force(code, day) for code in codes}
        closed = span.closes == day
        # A former station that goes on as a service point leaves its registrations to its successor.
        becomes_point = any(link.extent is Extent.WHOLE and link.continues_as_point_of for link in links)
        self.turns = turns
        self.successors = [each for code in codes for each in in_force[code]]
        self.gone = closed or becomes_point
        # The remainder of a version that ended, of which only one part is recorded, must not pass for that part.
        self.dead = not wholly and len(codes) < 2  # noqa: PLR2004 -- two parts at least make a whole
        self.disputed = (
            any(len(each) != 1 for each in in_force.values())
            or (bool(wholly) and len(codes) > 1)
            or (not self.gone and _leaves_itself(wholly, span, in_force))
        )


def _leaves_itself(wholly: set[PlaceKey], span: Span, in_force: dict[PlaceKey, tuple[Span, ...]]) -> bool:
    """Tell whether the whole of a surviving version is said to have gone to another one."""
    return any(span is not successor for code in wholly for successor in in_force[code])
