"""Check what a batch would make of one succession: each code it touches is looked at, before and behind."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise

from lienthong.domain.facts import Change, FactKey
from lienthong.domain.gate_faults import Fault, FaultCode, fault
from lienthong.domain.lineage import Succession
from lienthong.domain.succession import Extent, PlaceKey, PlaceVersion, Reorganisation
from lienthong.domain.timeline import Span, Timeline, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What a batch changed in one succession: the fact behind each code, and the content before and after.

    `reorganisations` maps a reorganisation's id to the fact that changed it.
    """

    codes: Mapping[PlaceKey, FactKey]
    versions: Sequence[tuple[PlaceVersion, FactKey]]
    dropped: Sequence[tuple[PlaceVersion, FactKey]]
    reorganisations: Mapping[str, tuple[Reorganisation, FactKey]]
    days: frozenset[date]


def touched(
    changes: Sequence[Change],
    families: tuple[str, str],
    version_of: Callable[[Mapping[str, object]], PlaceVersion],
    reorganisation_of: Callable[[Mapping[str, object]], Reorganisation],
) -> Touched:
    """Read what changes touch; `families` are those of the versions and of the reorganisations."""
    codes: dict[PlaceKey, FactKey] = {}
    versions: list[tuple[PlaceVersion, FactKey]] = []
    dropped: list[tuple[PlaceVersion, FactKey]] = []
    standing: dict[str, tuple[Reorganisation, FactKey]] = {}
    days: set[date | None] = set()
    for change in changes:
        for each in (change.before, change.after):
            if each is None or each.annulled:
                continue
            now = each is change.after
            if each.family == families[0]:
                version = version_of(each.data)
                codes[version.key] = each.key
                (versions if now else dropped).append((version, each.key))
                days.add(version.valid_from)
            elif each.family == families[1]:
                reorganisation = reorganisation_of(each.data)
                days.add(reorganisation.effective_on)
                for key in _named(reorganisation):
                    codes.setdefault(key, each.key)
                if now:
                    standing[reorganisation.id] = (reorganisation, each.key)
    known = frozenset(each for each in days if each is not None)
    return Touched(codes=codes, versions=versions, dropped=dropped, reorganisations=standing, days=known)


def succession_faults(timeline: Timeline, found: Touched) -> Iterator[Fault]:
    """Find what contradicts itself around each touched code: unknown ends of links, codes in use, whole and divided."""
    said: set[tuple[FaultCode, PlaceKey, date]] = set()
    for key, touching in found.codes.items():
        for code, day, reorganisation in _around(timeline, key):
            if (code, key, day) in said:
                continue
            said.add((code, key, day))
            _, cause = found.reorganisations.get(reorganisation or "", (None, touching))
            yield fault(code, cause, place=key, day=day)


def parent_faults(territory: Succession, found: Touched) -> Iterator[Fault]:
    """Find units whose parent is not declared, is below them, or goes without a successor while they stay."""
    for version, key in found.versions:
        if version.parent is None:
            continue
        if not _declared(territory.timeline, version):
            yield fault(FaultCode.PARENT_UNKNOWN, key, place=version.key, other=version.parent, day=_first(version))
        elif _above_itself(territory, version):
            yield fault(FaultCode.PARENT_CYCLE, key, place=version.key, other=version.parent)
    yield from _orphaned_by_withdrawal(territory.timeline, found)
    yield from _orphaned_by_end(territory.timeline, found)


def divided(timeline: Timeline, key: PlaceKey, day: date) -> bool:
    """Tell whether reorganisations of a day lead from a code to more than one place, itself included if it survives."""
    turns = [turn for turn in timeline.departures(key) if turn.day == day]
    spans = timeline.in_force_before(key, day)
    successors = {link.successor for turn in turns for link in turn.links}
    survives = any(span.closes != day for span in spans)
    return bool(spans) and len(successors | ({key} if survives else set())) > 1


def _around(timeline: Timeline, key: PlaceKey) -> Iterator[tuple[FaultCode, date, str | None]]:
    spans = timeline.spans(key)
    for turn in timeline.departures(key):
        if not timeline.in_force_before(key, turn.day):
            yield FaultCode.PREDECESSOR_UNKNOWN, turn.day, turn.reorganisation.id
    for turn in timeline.arrivals(key):
        if not timeline.in_force(key, turn.day):
            yield FaultCode.SUCCESSOR_UNKNOWN, turn.day, turn.reorganisation.id
    for earlier, later in pairwise(spans):
        ending = (turn for turn in timeline.departures(key) if turn.ends and earlier.starts < turn.day <= later.starts)
        if next(ending, None) is None:
            yield FaultCode.CODE_IN_USE, later.starts, None
    for day, together in groupby(timeline.departures(key), key=lambda turn: turn.day):
        turns = list(together)
        code = _whole_fault(timeline, key, day, turns)
        if code is not None:
            yield code, day, turns[-1].reorganisation.id


def _whole_fault(timeline: Timeline, key: PlaceKey, day: date, turns: list[Turn]) -> FaultCode | None:
    links = [link for turn in turns for link in turn.links]
    wholly = {link.successor for link in links if link.extent is Extent.WHOLE}
    if not wholly:
        return None
    if len({link.successor for link in links}) > 1:
        return FaultCode.WHOLE_DIVIDED
    stays = any(span.closes != day for span in timeline.in_force_before(key, day))
    becomes_point = any(link.continues_as_point_of for link in links)
    return FaultCode.WHOLE_SURVIVES if stays and not becomes_point and wholly != {key} else None


def parts_without_rest(timeline: Timeline, found: Touched) -> Iterator[Fault]:
    """Find codes that end with one part accounted for and nothing said of the rest: worth knowing, not refused."""
    for reorganisation, cause in found.reorganisations.values():
        for key in reorganisation.ends:
            turns = [turn for turn in timeline.departures(key) if turn.day == reorganisation.effective_on]
            links = [link for turn in turns for link in turn.links]
            if len({link.successor for link in links}) == 1 and all(link.extent is Extent.PART for link in links):
                yield fault(FaultCode.PART_WITHOUT_REST, cause, place=key, day=reorganisation.effective_on)


def _declared(timeline: Timeline, version: PlaceVersion) -> bool:
    spans = timeline.spans(version.parent) if version.parent else ()
    return bool(spans) and (version.valid_from is None or any(span.covers(version.valid_from) for span in spans))


def _above_itself(territory: Succession, version: PlaceVersion) -> bool:
    start = next(span for span in territory.timeline.spans(version.key) if span.version == version)
    passed: set[int] = set()
    above: Span | None = start
    while above is not None and id(above) not in passed:
        passed.add(id(above))
        above = territory.parent(above, above.starts, date.max)
    return above is start


def _orphaned_by_withdrawal(timeline: Timeline, found: Touched) -> Iterator[Fault]:
    """Find units on record whose parent a correction or an annulment took away."""
    fewer = {version.key: key for version, key in found.dropped}
    standing = {version for version, _ in found.versions}
    for span in timeline.all_spans() if fewer else ():
        parent = span.version.parent
        if parent in fewer and span.version not in standing and not _declared(timeline, span.version):
            day = _first(span.version)
            yield fault(FaultCode.PARENT_UNKNOWN, fewer[parent], place=span.version.key, other=parent, day=day)


def _orphaned_by_end(timeline: Timeline, found: Touched) -> Iterator[Fault]:
    """Find units that stay in force while their parent ends without a successor."""
    ended: dict[tuple[PlaceKey, date], FactKey] = {}
    for reorganisation, cause in found.reorganisations.values():
        day = reorganisation.effective_on
        for key in reorganisation.ends:
            linked = any(turn.links for turn in timeline.departures(key) if turn.day == day)
            if not linked and not timeline.in_force(key, day):
                ended[key, day] = cause
    days: dict[PlaceKey, list[date]] = {}
    for key, day in ended:
        days.setdefault(key, []).append(day)
    left: dict[tuple[PlaceKey, date], list[PlaceKey]] = {}
    for span in timeline.all_spans() if ended else ():
        parent = span.version.parent
        for day in days.get(parent, ()) if parent else ():
            if parent and span.covers(day) and span.starts < day:
                left.setdefault((parent, day), []).append(span.version.key)
    for (key, day), units in left.items():
        yield fault(FaultCode.LEFT_ORPHAN, ended[key, day], place=key, day=day, count=len(units), other=min(units))


def _first(version: PlaceVersion) -> object:
    return version.valid_from or "-"


def _named(reorganisation: Reorganisation) -> set[PlaceKey]:
    links = reorganisation.links
    return {link.predecessor for link in links} | {link.successor for link in links} | set(reorganisation.ends)
