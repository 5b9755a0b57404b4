"""Resolve what is printed to what exists: the one engine under territory and facilities."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from lienthong.domain.names import name_key
from lienthong.domain.succession import (
    Place,
    PlaceKey,
    PlaceVersion,
    Reference,
    Reorganisation,
    Resolution,
    State,
    Step,
)
from lienthong.domain.timeline import EventDays, Replacement, Span, Timeline
from lienthong.domain.walk import Walk, origins, walk

PROVINCE: Final = "province"

# Enough for every code of the country today; an answer takes about 1.5 kB.
_KEPT_ANSWERS_MAX: Final = 16_384


class KeptAnswers:
    """Answers of one snapshot, kept by the event days they hold from: cards recorded on a thousand days share one."""

    __slots__ = ("_answers", "_days")

    def __init__(self, days: EventDays) -> None:
        self._days = days
        self._answers: dict[tuple[str, str, str | None, date | None, date], Resolution] = {}

    def find(self, reference: Reference, on: date, resolve: Callable[[Reference, date], Resolution]) -> Resolution:
        """Return the kept answer to a reference, resolving it where there is none."""
        recorded_on = None if reference.recorded_on is None else self._days.latest(reference.recorded_on)
        key = (reference.level, reference.code, reference.name, recorded_on, self._days.latest(on))
        answer = self._answers.get(key)
        if answer is None:
            answer = resolve(reference, on)
            if len(self._answers) >= _KEPT_ANSWERS_MAX:
                self._answers.clear()
            self._answers[key] = answer
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Printed:
    """The versions that a reference may mean, and the day from which links apply to them."""

    spans: tuple[tuple[Span, date], ...]
    ambiguous: bool = False
    disputed: bool = False
    ended_before_recorded: bool = False


class Succession:
    """An immutable fold of versions and reorganisations; the levels and the shapes of codes are data to it.

    Total: contradictory facts make a resolution `disputed`, never an exception and never a loop.
    """

    __slots__ = ("_kept", "timeline")

    def __init__(self, versions: Iterable[PlaceVersion] = (), reorganisations: Iterable[Reorganisation] = ()) -> None:
        self.timeline = Timeline().revised(
            [Replacement(None, version) for version in versions],
            [Replacement(None, reorganisation) for reorganisation in reorganisations],
        )
        self._kept = KeptAnswers(self.timeline.days)

    def revised(
        self,
        versions: Sequence[Replacement[PlaceVersion]],
        reorganisations: Sequence[Replacement[Reorganisation]],
    ) -> "Succession":
        """Return the succession with these versions and reorganisations replaced; costs what they touch, and a copy."""
        revised = Succession()
        revised.timeline = self.timeline.revised(versions, reorganisations)
        revised._kept = KeptAnswers(revised.timeline.days)
        return revised

    def resolve(self, reference: Reference, on: date) -> Resolution:
        """Return what a printed place is on a day, by every reorganisation in force by then.

        The version meant is the one in force on `recorded_on`, or else the last one that ended before it. Links count
        from the day after it was recorded; what takes effect after both days is not known yet.
        """
        return self._kept.find(reference, on, self._resolve)

    def meant(self, reference: Reference, on: date) -> tuple[tuple[Span, date], ...]:
        """Return the versions that a reference may mean, each with the day after which links apply to it."""
        return self._printed(reference, on).spans

    def place(self, span: Span, as_of: date, horizon: date) -> Place:
        """Show a version as of a day: parent and province as they are then, the last day if known by the horizon."""
        above = self.parent(span, as_of, horizon)
        parent = span.version.parent
        return Place(
            level=span.version.level,
            code=span.version.code,
            name=span.version.name,
            parent_code=above.version.code if above else parent.code if parent else None,
            province_code=self._province_code(span, above, as_of, horizon),
            valid_from=span.version.valid_from,
            valid_to=span.last_day(horizon),
        )

    def count(self, on: date) -> dict[str, int]:
        """Count the versions in force on the day, by level."""
        counts: dict[str, int] = {}
        for span in self.timeline.all_spans():
            if span.covers(on):
                counts[span.version.level] = counts.get(span.version.level, 0) + 1
        return counts

    def predecessors(self, key: PlaceKey, on: date) -> tuple[Place, ...]:
        """Return every version, however far back, of which the version in force on the day got the whole or a part."""
        found = {
            id(origin): origin
            for span in self.timeline.in_force(key, on)
            for origin in origins(self.timeline, span, date.min, on)
        }
        return self._places(found.values(), on, on)

    def stands_alone(self, reference: Reference, on: date) -> bool:
        """Tell whether what is printed is one place on the day, into which nothing else went since it was recorded."""
        for span, since in self.meant(reference, on):
            found = walk(self.timeline, span, since, on)
            if found.dead or found.disputed or len(found.standing) != 1:
                return False
            place = found.standing[0]
            merged = [place, *origins(self.timeline, place, since, on)]
            # A place beside the printed one that was there already, or came from elsewhere, went into it too.
            if any(each is not span and (each.covers(since) or id(each) not in found.passed) for each in merged):
                return False
        return True

    def _resolve(self, reference: Reference, on: date) -> Resolution:
        printed = self._printed(reference, on)
        if not printed.spans:
            return Resolution(state=State.UNKNOWN, printed=(), candidates=(), path=())
        walks = [walk(self.timeline, span, since, on) for span, since in printed.spans]
        standing = {id(span): span for each in walks for span in each.standing}
        walked = {each.id: each for found in walks for each in found.reorganisations.values()}
        horizon = max(on, reference.recorded_on or on)
        meant = [span for span, _ in printed.spans]
        return Resolution(
            state=_state(printed, walks, len(standing)),
            printed=tuple(self.place(span, since, horizon) for span, since in printed.spans),
            candidates=self._places(standing.values(), on, horizon),
            path=tuple(_step(each) for each in sorted(walked.values(), key=lambda each: (each.effective_on, each.id))),
            ended_before_recorded=printed.ended_before_recorded,
            illustrative=any(each.illustrative for each in walked.values())
            or any(span.version.illustrative for span in [*meant, *standing.values()]),
        )

    def _printed(self, reference: Reference, on: date) -> _Printed:
        """Choose the versions a reference may mean, among those that start by the day recorded or asked about."""
        recorded_on = reference.recorded_on
        horizon = max(on, recorded_on or on)
        known = [span for span in self.timeline.spans(reference.key) if span.starts <= horizon]
        bearing = [span for span in known if _same_name(span, reference.name)]
        if recorded_on is None:
            meant = bearing or known
            firsts = {span.starts for span in meant}
            spans = tuple((span, span.starts) for span in meant)
            contradicted = bool(known) and not bearing
            return _Printed(spans=spans, ambiguous=len(firsts) > 1 or contradicted, disputed=len(spans) > len(firsts))
        meant = [span for span in known if span.covers(recorded_on)]
        ended = not meant
        if ended:
            past = [span for span in known if span.closes is not None and span.closes <= recorded_on]
            meant = [span for span in past if span.starts == past[-1].starts]
        others = [span for span in bearing if span not in meant] if reference.name is not None else []
        contradicted = bool(meant) and not any(span in bearing for span in meant)
        spans = tuple((span, _since(span, recorded_on)) for span in meant)
        if contradicted:
            spans += tuple((span, _since(span, recorded_on)) for span in others)
        return _Printed(
            spans=spans,
            ambiguous=contradicted,
            disputed=len(meant) > 1,
            ended_before_recorded=ended and bool(meant),
        )

    def _places(self, spans: Iterable[Span], on: date, horizon: date) -> tuple[Place, ...]:
        ordered = sorted(spans, key=lambda span: (span.version.key, span.starts, span.version.name))
        return tuple(self.place(span, on, horizon) for span in ordered)

    def parent(self, span: Span, as_of: date, horizon: date) -> Span | None:
        """Return the parent as it is on a day: the one in force when the version began, followed while it is one."""
        parent = span.version.parent
        if parent is None:
            return None
        known = [each for each in self.timeline.spans(parent) if each.starts <= horizon]
        began = [each for each in known if each.covers(span.starts)] or known[:1]
        if not began:
            return None
        above = began[0]
        since = max(span.starts, above.starts)
        if not any(since < turn.day <= as_of for turn in self.timeline.departures(parent)):
            return above
        found = walk(self.timeline, above, since, as_of)
        return found.standing[0] if len(found.standing) == 1 and not (found.dead or found.disputed) else above

    def _province_code(self, span: Span, above: Span | None, as_of: date, horizon: date) -> str | None:
        """Return the code of the nearest province at or above the version, else of the root, None in a circle."""
        passed: set[int] = set()
        while id(span) not in passed:
            passed.add(id(span))
            parent = span.version.parent
            if span.version.level == PROVINCE or parent is None:
                return span.version.code
            if above is None:
                return parent.code if parent.level == PROVINCE else None
            span, above = above, self.parent(above, as_of, horizon)
        return None


def _state(printed: _Printed, walks: list[Walk], standing: int) -> State:
    if printed.ambiguous:
        return State.AMBIGUOUS
    if printed.disputed or any(each.disputed for each in walks):
        return State.DISPUTED
    if standing == 0:
        return State.ENDED
    if standing > 1 or any(each.dead for each in walks):
        return State.DIVIDED
    return State.SUCCEEDED if any(each.reorganisations for each in walks) else State.CURRENT


def _same_name(span: Span, name: str | None) -> bool:
    return name is None or name_key(span.version.name) == name_key(name)


def _since(span: Span, recorded_on: date | None) -> date:
    """Return the day after which links count: when it was recorded, or the last day that it can have been."""
    if recorded_on is None or recorded_on < span.starts:
        return span.starts
    if span.closes is not None and span.closes <= recorded_on:
        return span.closes - timedelta(days=1)
    return recorded_on


def _step(reorganisation: Reorganisation) -> Step:
    document = reorganisation.document
    return Step(
        id=reorganisation.id,
        document=document.number if document else None,
        effective_on=reorganisation.effective_on,
    )
