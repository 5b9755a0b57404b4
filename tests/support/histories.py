"""Random histories of places: lawful ones with their expected successions, and any facts at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from hypothesis import strategies as st

from lienthong.domain.facts import Fact
from tests.support.facts import Unit, annulled, commune, facility, facility_reorganised, reorganised, revised, unit

START = date(2020, 1, 1)

_CODES = tuple(f"{number:05d}" for number in range(1, 13))
_DAYS = tuple(START + timedelta(days=number) for number in range(1, 25, 3))
_SHAPES = ("merge", "divide", "transfer", "rename", "recode", "absorb", "abolish", "establish")


@dataclass(slots=True, kw_only=True)
class History:
    """A lawful history: its facts day by day, and what each code alive the day before became on each day."""

    batches: list[list[Fact]] = field(default_factory=list)
    alive: dict[date, frozenset[str]] = field(default_factory=dict)
    became: dict[date, dict[str, frozenset[str]]] = field(default_factory=dict)

    @property
    def facts(self) -> list[Fact]:
        return [each for facts in self.batches for each in facts]

    def alive_on(self, day: date) -> frozenset[str]:
        return self.alive[max(each for each in self.alive if each <= day)]

    def successors(self, code: str, recorded_on: date, on: date) -> "Fate":
        """Follow a code by the model alone: every day after it was recorded and by the day asked about."""
        fate = Fate(codes=frozenset({code}), touched=False, partly_dead=False)
        for day in sorted(self.became):
            if recorded_on < day <= on:
                moved = self.became[day]
                fate = Fate(
                    codes=frozenset().union(*(moved.get(each, {each}) for each in fate.codes)),
                    touched=fate.touched or any(each in moved for each in fate.codes),
                    partly_dead=fate.partly_dead or any(not moved.get(each, {each}) for each in fate.codes),
                )
        return fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a code: the codes that stand, whether anything touched it, whether a branch of it ended."""

    codes: frozenset[str]
    touched: bool
    partly_dead: bool

    @property
    def state(self) -> str:
        if not self.codes:
            return "ended"
        if len(self.codes) > 1 or self.partly_dead:
            return "divided"
        return "succeeded" if self.touched else "current"


@st.composite
def lawful_histories(draw: st.DrawFn) -> History:
    """Draw a history of coherent reorganisations, several a day, with corrections and annulments beside them."""
    history = History()
    first = sorted(draw(st.sets(st.sampled_from(_CODES[:8]), min_size=2)))
    history.batches.append([unit(commune(code)) for code in first])
    history.alive[START] = frozenset(first)
    for day in draw(st.sets(st.sampled_from(_DAYS), max_size=5).map(sorted)):
        planned = _Day(day=day, alive=set(history.alive_on(day)))
        for _ in range(draw(st.integers(1, 3))):
            planned.apply(draw)
        if planned.facts:
            history.batches.append([told for each in planned.facts for told in draw(_as_told(each))])
            history.alive[day] = frozenset(planned.alive_after())
            history.became[day] = planned.became
    return history


@dataclass(slots=True, kw_only=True)
class _Day:
    """Reorganisations of one day over codes that none of the others of the day moves."""

    day: date
    alive: set[str]
    moved: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)
    became: dict[str, frozenset[str]] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    serial: int = 0

    def alive_after(self) -> set[str]:
        gone = {code for code, successors in self.became.items() if code not in successors}
        return (self.alive - gone) | self.new

    def apply(self, draw: st.DrawFn) -> None:
        shape = draw(st.sampled_from(_SHAPES))
        free = sorted(self.alive - self.moved)
        if shape == "establish":
            unused = sorted(set(_CODES) - self.alive - self.new)
            if unused:
                self._declare(draw(st.sampled_from(unused)))
            return
        wanted = {"merge": 2, "transfer": 2, "absorb": 2}.get(shape, 1)
        if len(free) < wanted:
            return
        chosen = draw(st.permutations(free))[:wanted]
        self.moved.update(chosen)
        getattr(self, f"_{shape}")(draw, chosen)

    def _merge(self, draw: st.DrawFn, chosen: list[str]) -> None:
        self._replace(dict.fromkeys(chosen, "whole"), [self._new_code(draw, chosen)])

    def _recode(self, draw: st.DrawFn, chosen: list[str]) -> None:
        self._replace({chosen[0]: "whole"}, [self._new_code(draw, chosen)])

    def _rename(self, _: st.DrawFn, chosen: list[str]) -> None:
        self._replace({chosen[0]: "whole"}, chosen)

    def _divide(self, draw: st.DrawFn, chosen: list[str]) -> None:
        first = self._new_code(draw, chosen)
        self.new.add(first)
        second = self._new_code(draw, chosen)
        self.new.discard(first)
        if first != second:
            self._replace({chosen[0]: "part"}, [first, second])

    def _transfer(self, _: st.DrawFn, chosen: list[str]) -> None:
        giver, taker = chosen
        self._tell([(commune(giver), commune(taker), "part")], [])
        self.became[giver] = frozenset({giver, taker})

    def _absorb(self, _: st.DrawFn, chosen: list[str]) -> None:
        given, taker = chosen
        self._tell([(commune(given), commune(taker), "whole")], [commune(given)])
        self.became[given] = frozenset({taker})

    def _abolish(self, _: st.DrawFn, chosen: list[str]) -> None:
        self._tell([], [commune(chosen[0])])
        self.became[chosen[0]] = frozenset()

    def _new_code(self, draw: st.DrawFn, chosen: list[str]) -> str:
        """Draw a code of the chosen, of a place that is gone, or a new one; never one that stays in use."""
        unused = (set(_CODES) - self.alive - self.new) | (set(chosen) - self.new)
        return draw(st.sampled_from(sorted(unused))) if unused else chosen[0]

    def _replace(self, predecessors: Mapping[str, str], successors: list[str]) -> None:
        for code in successors:
            self._declare(code)
        links = [(commune(old), commune(new), extent) for old, extent in predecessors.items() for new in successors]
        self._tell(links, [commune(old) for old in predecessors])
        for old in predecessors:
            self.became[old] = frozenset(successors)

    def _declare(self, code: str) -> None:
        self.new.add(code)
        self.facts.append(unit(commune(code), self.day.isoformat(), name=f"Xã {code} {self.day:%d/%m}"))

    def _tell(self, links: list[tuple[Unit, Unit, str]], ends: list[Unit]) -> None:
        self.serial += 1
        self.facts.append(reorganised(self.day.isoformat(), links, ends, id=f"{self.day}/{self.serial}"))


def _as_told(truth: Fact) -> st.SearchStrategy[list[Fact]]:
    """Tell a fact as it is, as the correction of a mistake, or beside another that is taken back."""
    mistake = (
        {"name": "Xã sai"} if "name" in truth.data else {"links": [], "ends": [{"level": "commune", "code": "99"}]}
    )
    wrong = revised(truth, **mistake, revision=1)
    right = revised(truth)
    spurious = reorganised("2020-01-02", [], [commune("00001")], id=f"spurious/{truth.id}")
    return st.sampled_from([[truth], [truth], [wrong, right], [truth, spurious, annulled(spurious)]])


_days = st.sampled_from(_DAYS[:5]).map(date.isoformat)
_maybe_days = st.one_of(st.none(), _days)
_WILD_UNITS = (("commune", "00001"), ("commune", "00002"), ("commune", "00003"), ("province", "00001"))
_units = st.sampled_from(_WILD_UNITS)
_extents = st.sampled_from(["whole", "part"])
_revisions = st.sampled_from([1, 1, 1, 2, 3])
_names = st.sampled_from(["Xã A", "xã a", "Xã B"])

_wild_units = st.builds(
    lambda place, day, parent, name, revision: unit(place, day, parent=parent, name=name, revision=revision),
    _units,
    _maybe_days,
    st.one_of(st.none(), _units),
    _names,
    _revisions,
)
_wild_reorganisations = st.builds(
    lambda day, links, ends, name, revision: reorganised(
        day, links, ends or [links[0][0]], id=f"wild/{name}", revision=revision
    ),
    _days,
    st.lists(st.tuples(_units, _units, _extents), min_size=1, max_size=4),
    st.lists(_units, max_size=2, unique=True),
    st.integers(0, 5),
    _revisions,
)
_facility_codes = st.sampled_from(["01C51", "01C52", "01X"])
_wild_facilities = st.builds(
    lambda code, day, place, recorded_on, revision: facility(
        code, day, commune=(*place, recorded_on) if place else None, revision=revision
    ),
    _facility_codes,
    _maybe_days,
    st.one_of(st.none(), _units),
    _maybe_days,
    _revisions,
)
_wild_facility_reorganisations = st.builds(
    lambda day, links, ends, point, revision: facility_reorganised(
        day, links, ends, continues_as_point_of=point, id=f"wild/{len(links)}", revision=revision
    ),
    _days,
    st.lists(st.tuples(_facility_codes, _facility_codes, _extents), min_size=1, max_size=3),
    st.lists(_facility_codes, max_size=2, unique=True),
    st.one_of(st.none(), _facility_codes),
    _revisions,
)

_declared = [unit(place) for place in _WILD_UNITS] + [facility(code) for code in ("01C51", "01C52")]
_wild = st.one_of(
    _wild_units,
    _wild_reorganisations,
    _wild_reorganisations,
    _wild_facilities,
    _wild_facility_reorganisations,
    _wild_units.map(annulled),
    _wild_reorganisations.map(annulled),
)

wild_facts = st.builds(
    lambda declared, others: declared + others,
    st.sampled_from([_declared, _declared, []]),
    st.lists(_wild, min_size=1, max_size=25),
)
"""Facts that pass validation and nothing more: contradictory, circular, without their neighbours, in any number."""

days_of_histories = st.sampled_from([START, *_DAYS, _DAYS[-1] + timedelta(days=30)])
codes_of_histories = st.sampled_from(_CODES)
