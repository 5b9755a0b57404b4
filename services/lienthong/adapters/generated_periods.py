"""Generated coverage periods: one shape for each way in which a card can stand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Final

from lienthong.adapters.invented_people import Dice, iso_day, weighted

Data = dict[str, Any]

WINDOW_FIRST: Final = date(2025, 6, 28).toordinal()
WINDOW_LAST: Final = date(2025, 8, 31).toordinal()
_RECORDED_LAST: Final = "2025-06-30"

# Groups with the level of the 2024 tables; one that no table has, and one that is not on record.
_GROUPS: Final[Sequence[tuple[str | None, int | None]]] = weighted(
    {
        ("GD", 4): 30, ("DN", 4): 25, ("HS", 4): 14, ("HC", 4): 8, ("HT", 3): 6, ("SV", 4): 4, ("HN", 2): 3,
        ("BT", 2): 2, ("CN", 3): 2, ("CH", 4): 2, ("LH", 4): 1, ("CC", 1): 1, ("DT", 2): 1, ("ZZ", 4): 1,
        (None, None): 1,
    }
)  # fmt: skip
_FORCES_ONE_IN: Final = 50
_FORCES: Final = weighted({("defence", "QN"): 12, ("public_security", "CA"): 8})
_AREAS: Final = weighted({None: 12, "K1": 1, "K2": 1, "K3": 2})
_PRINTED_PROVINCES: Final = ("01", "01", "79", "48", "31")
_MOVED: Final = ("moved_out", "moved_within", "rejoined", "reissued")
_STOPPED: Final = ("stopped", "reduced")


class CardKind(StrEnum):
    """How a generated card stands in the window: from 28 June to 31 August 2025."""

    PLAIN = "plain"
    HISTORY = "history"
    LONG_HISTORY = "long_history"
    OPEN = "open"
    CHILD = "child"
    REISSUED = "reissued"
    RENEWED = "renewed"
    ENDING = "ending"
    ENDED = "ended"
    GAP = "gap"
    NOT_STARTED = "not_started"
    MOVED = "moved"
    STOPPED = "stopped"
    WITHDRAWN = "withdrawn"


def generated_periods(kind: CardKind, number: str, facilities: Sequence[str], dice: Dice) -> list[Data]:
    """Return the periods of a card of a kind as messages write them, the earliest first."""
    return _WRITERS[kind](_Writer(number, facilities, dice))


class _Writer:
    """Writes one card's periods: group, issuer and area are drawn once, the printed number anew for each card."""

    __slots__ = ("_area", "_facilities", "_group", "_issuer", "_level", "_number", "_printed", "dice")

    def __init__(self, number: str, facilities: Sequence[str], dice: Dice) -> None:
        self.dice = dice
        self._facilities = facilities
        self._number = number
        self._issuer, self._area = "vss", dice.of(_AREAS)
        self._group, self._level = dice.of(_GROUPS)
        if dice.below(_FORCES_ONE_IN) == 0:
            self._issuer, self._group = dice.of(_FORCES)
            self._level = 5
        self._printed = number
        self.print_anew()

    def print_anew(self) -> None:
        """Draw the number printed on the next card: two in five have 15 characters."""
        self._printed = self._number
        if self._level is not None and self.dice.below(5) < 2:  # noqa: PLR2004 -- the share of the docstring
            self._printed = f"{self._group}{self._level}{self.dice.of(_PRINTED_PROVINCES)}{self._number}"

    def period(self, first: int, last: int | None, ended: Data | None = None) -> Data:
        """Return one period between two days, both included."""
        return {
            "valid_from": iso_day(first),
            "valid_to": None if last is None else iso_day(last),
            "number": self._printed,
            "group": self._group,
            "benefit_level": self._level,
            "area": self._area,
            "issuer": self._issuer,
            "registered_place": self._place(min(iso_day(first), _RECORDED_LAST)),
            "five_years_on": iso_day(first + self.dice.below(1800)) if self.dice.below(3) else None,
            "ended": ended,
        }

    def _place(self, recorded_on: str) -> Data | None:
        """Return a registered place: 2 in 100 have none, 1 has one that no register knows."""
        lot = self.dice.below(100)
        if lot < 2:  # noqa: PLR2004 -- the share of the docstring
            return None
        unknown = lot == 2  # noqa: PLR2004 -- the share of the docstring
        code = f"99Z{self.dice.below(100):02d}" if unknown else self.dice.of(self._facilities)
        return {"code": code, "recorded_on": recorded_on}


def _started(dice: Dice) -> int:
    return WINDOW_FIRST - 1 - dice.below(900)


def _distant(dice: Dice) -> int:
    return WINDOW_LAST + 400 + dice.below(1500)


def _plain(writer: _Writer) -> list[Data]:
    return [writer.period(_started(writer.dice), _distant(writer.dice))]


def _open(writer: _Writer) -> list[Data]:
    return [writer.period(_started(writer.dice), None)]


def _ending(writer: _Writer) -> list[Data]:
    return [writer.period(_started(writer.dice), WINDOW_FIRST + 5 + writer.dice.below(40))]


def _history(writer: _Writer) -> list[Data]:
    return _with_earlier(writer, 1 + writer.dice.below(3), 180)


def _long_history(writer: _Writer) -> list[Data]:
    return _with_earlier(writer, 14 + writer.dice.below(12), 60)


def _with_earlier(writer: _Writer, earlier: int, days_min: int) -> list[Data]:
    first = _started(writer.dice)
    written = [writer.period(first, _distant(writer.dice))]
    for _ in range(earlier):
        last = first - 1 - (writer.dice.below(60) if writer.dice.below(4) == 0 else 0)
        first = last - days_min - writer.dice.below(3 * days_min)
        writer.print_anew()
        written.insert(0, writer.period(first, last))
    return written


def _reissued(writer: _Writer) -> list[Data]:
    again = _started(writer.dice)
    cut = {"on": iso_day(again - 1), "reason": "reissued"}
    earlier = writer.period(again - 100 - writer.dice.below(600), _distant(writer.dice), cut)
    writer.print_anew()
    return [earlier, writer.period(again, _distant(writer.dice))]


def _renewed(writer: _Writer) -> list[Data]:
    last = WINDOW_LAST + 1 + writer.dice.below(200)
    earlier = writer.period(_started(writer.dice), last)
    writer.print_anew()
    # Some new cards begin while the earlier one is still valid.
    early = writer.dice.below(30) if writer.dice.below(3) == 0 else 0
    following = max(last + 1 - early, WINDOW_LAST + 1)
    return [earlier, writer.period(following, following + 700)]


def _ended(writer: _Writer) -> list[Data]:
    last = WINDOW_FIRST - 1 - writer.dice.below(900)
    return [writer.period(last - 100 - writer.dice.below(900), last)]


def _not_started(writer: _Writer) -> list[Data]:
    first = WINDOW_LAST + 1 + writer.dice.below(400)
    return [writer.period(first, first + 364)]


def _gap(writer: _Writer) -> list[Data]:
    return [*_ended(writer), *_not_started(writer)]


def _moved(writer: _Writer) -> list[Data]:
    return _cut_short(writer, writer.dice.of(_MOVED))


def _stopped(writer: _Writer) -> list[Data]:
    return _cut_short(writer, writer.dice.of(_STOPPED))


def _cut_short(writer: _Writer, reason: str) -> list[Data]:
    on = WINDOW_FIRST - 1 - writer.dice.below(300)
    cut = {"on": iso_day(on), "reason": reason}
    return [writer.period(on - 30 - writer.dice.below(500), _distant(writer.dice), cut)]


_WRITERS: Final[Mapping[CardKind, Callable[[_Writer], list[Data]]]] = {
    CardKind.PLAIN: _plain,
    CardKind.HISTORY: _history,
    CardKind.LONG_HISTORY: _long_history,
    CardKind.OPEN: _open,
    CardKind.CHILD: _plain,
    CardKind.REISSUED: _reissued,
    CardKind.RENEWED: _renewed,
    CardKind.ENDING: _ending,
    CardKind.ENDED: _ended,
    CardKind.GAP: _gap,
    CardKind.NOT_STARTED: _not_started,
    CardKind.MOVED: _moved,
    CardKind.STOPPED: _stopped,
    CardKind.WITHDRAWN: _plain,
}
