"""Generated cards: invented people with real codes of places, each card a function of a seed and its number alone.

The distribution, in thousandths of all cards; *in the window* is from 28 June to 31 August 2025, in which no card but
an ending one changes how it stands:
- 700 plain: one period, in force in the window · 120 with one to three earlier periods · 6 with 14 to 25 of them, so
  that some records are longer than 255 bytes packed · 30 open, without a last day · 4 a child's
- 25 reissued (portal code 003: the earlier period ended early) · 20 renewed (004: the next card is already on record)
- 15 ending in the window · 32 ended before it · 8 ended before it and starting again after it · 20 not started
- 8 moved, rejoined or reissued with nothing after it · 8 stopped or reduced · 4 withdrawn, each before the window

Of all cards 2 % are the armed forces' (1.2 defence, 0.8 public security). Half of the addresses are in Hà Nội, half
anywhere; 1 % are null, 0.5 % a code of an earlier wave that no register has, 1 % have no day of recording. Registered
places are the facilities given; 2 % are null, 1 % one that no register has. Two in five printed numbers have 15
characters. One person in 500 has the citizen ID of the card before, as somebody with two cards has; one in 100 has two
citizen IDs. The first cards of every plan are the demonstration's.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from lienthong.adapters.demo_cards import DEMO_CARDS, DEMO_KINDS, FIRST_DEMO_NUMBER
from lienthong.adapters.generated_periods import WINDOW_FIRST, CardKind, Data, generated_periods
from lienthong.adapters.invented_people import Dice, holder, iso_day, weighted

RESERVED_PREFIX: Final = "00000"
PREFIXES: Final = (RESERVED_PREFIX, "0000", "000")
SOURCE: Final = "/generated/cards"

_NUMBER_DIGITS: Final = 10
_FIRST_DEMO: Final = int(FIRST_DEMO_NUMBER)
_ID_BYTES: Final = 16
_CITIZEN_SPACE: Final = 10**9
_CITIZEN_STEP: Final = 387_420_489  # 3^18 has no factor in common with 10^9: no two numbers come to the same one
_SECOND_CITIZEN_ID: Final = 500_000_003
_RECORDED_AT: Final = "2025-06-30T08:00:00+07:00"
_RECORDED_LAST: Final = WINDOW_FIRST + 2  # 30 June 2025

_KINDS: Final = weighted(
    {
        CardKind.PLAIN: 700,
        CardKind.HISTORY: 120,
        CardKind.LONG_HISTORY: 6,
        CardKind.OPEN: 30,
        CardKind.CHILD: 4,
        CardKind.REISSUED: 25,
        CardKind.RENEWED: 20,
        CardKind.ENDING: 15,
        CardKind.ENDED: 32,
        CardKind.GAP: 8,
        CardKind.NOT_STARTED: 20,
        CardKind.MOVED: 8,
        CardKind.STOPPED: 8,
        CardKind.WITHDRAWN: 4,
    }
)
_DETAILS: Final = ("Ngõ", "Tổ", "Thôn", "Xóm", "Số nhà", "Khu phố")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Codes to draw from: communes before 1 July 2025, those of Hà Nội among them, and facilities of Hà Nội."""

    communes: tuple[str, ...]
    hanoi_communes: tuple[str, ...]
    facilities: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPlan:
    """What generated cards depend on; the same plan gives the same card for the same index, on any machine.

    `prefix` begins every insurance number: `00000` leaves room for 100,000 cards, `000` for ten million. Nobody is ever
    given such a number; ValueError for any other prefix.
    """

    seed: int
    places: Places
    prefix: str = RESERVED_PREFIX

    def __post_init__(self) -> None:
        if self.prefix not in PREFIXES:
            message = f"generated numbers begin with {', '.join(PREFIXES)}: {self.prefix!r} is not reserved"
            raise ValueError(message)

    @property
    def capacity(self) -> int:
        """Return how many numbers begin with the prefix."""
        return int(10 ** (_NUMBER_DIGITS - len(self.prefix)))

    def number(self, index: int) -> str:
        """Return the insurance number of the card at an index from 0; IndexError where the prefix has no room."""
        if not 0 <= index < self.capacity:
            message = f"{self.capacity} numbers begin with {self.prefix}: there is no card {index + 1}"
            raise IndexError(message)
        if index < len(DEMO_CARDS):
            return f"{_FIRST_DEMO + index:010d}"
        before_them = index - len(DEMO_CARDS)
        return f"{before_them if before_them < _FIRST_DEMO else index:010d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedCard:
    """One card fact and how it stands; `type` is `card.recorded` or `card.withdrawn`."""

    type: str
    data: Data
    kind: CardKind


def card(plan: CardPlan, index: int, revision: int = 1) -> GeneratedCard:
    """Return the card at an index; a higher revision keeps the person and draws address and periods anew."""
    number = plan.number(index)
    demonstration = DEMO_CARDS.get(number)
    if demonstration is not None:
        return _of_the_demonstration(demonstration, revision)
    person = Dice(plan.seed, number)
    dice = Dice(plan.seed, f"{number}/{revision}")
    kind = person.of(_KINDS)
    data: Data = {
        "id": number,
        "revision": revision,
        "holder": holder(person),
        "citizen_ids": _citizen_ids(plan, index, person),
        "address": _address(plan.places, dice),
        "periods": generated_periods(kind, number, plan.places.facilities, dice),
    }
    if kind is CardKind.CHILD:
        data["holder"]["birth"] = iso_day(WINDOW_FIRST - 1000 - person.below(1000))
    if kind is not CardKind.WITHDRAWN:
        return GeneratedCard(type="card.recorded", data=data, kind=kind)
    data["withdrawn"] = {"on": iso_day(WINDOW_FIRST - 1 - dice.below(200)), "reason": "withdrawn"}
    return GeneratedCard(type="card.withdrawn", data=data, kind=kind)


def cards(plan: CardPlan, count: int) -> Iterator[GeneratedCard]:
    """Give the first `count` cards of a plan, the demonstration's before all others; IndexError beyond its capacity."""
    return (card(plan, index) for index in range(count))


def card_lines(plan: CardPlan, count: int) -> Iterator[bytes]:
    """Give the first `count` cards of a plan as lines of an event file, each with its end."""
    return (card_line(plan, generated) for generated in cards(plan, count))


def card_line(plan: CardPlan, generated: GeneratedCard) -> bytes:
    """Return one card as a CloudEvent on a line; the event's id tells nothing of the number, for ids are logged."""
    number = generated.data["id"]
    named = f"{plan.seed}/{number}/{generated.data['revision']}".encode()
    event = {
        "specversion": "1.0",
        "id": hashlib.blake2b(named, digest_size=_ID_BYTES).hexdigest(),
        "type": generated.type,
        "source": SOURCE,
        "subject": number,
        "time": _RECORDED_AT,
        "dataschema": f"urn:lienthong:{generated.type}:1",
        "data": generated.data,
    }
    return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)


def _of_the_demonstration(record: Mapping[str, Any], revision: int) -> GeneratedCard:
    kind = "card.withdrawn" if "withdrawn" in record else "card.recorded"
    return GeneratedCard(type=kind, data={**record, "revision": revision}, kind=DEMO_KINDS[record["id"]])


def _citizen_ids(plan: CardPlan, index: int, person: Dice) -> list[str]:
    shared, second = person.below(500) == 0, person.below(100) == 0
    owner = int(plan.number(index - 1 if shared and index > len(DEMO_CARDS) else index))
    first = owner * _CITIZEN_STEP % _CITIZEN_SPACE
    both = [first, (first + _SECOND_CITIZEN_ID) % _CITIZEN_SPACE] if second else [first]
    return [f"000{serial:09d}" for serial in both]


def _address(places: Places, dice: Dice) -> Data | None:
    lot = dice.below(1000)
    code = dice.of(places.hanoi_communes if dice.below(2) else places.communes)
    recorded_on: str | None = iso_day(_RECORDED_LAST - dice.below(3500))
    if lot < 10:  # noqa: PLR2004 -- the shares are those of the module's first lines
        return None
    if lot < 15:  # noqa: PLR2004 -- as above
        code = f"99{dice.below(1000):03d}"
    elif lot < 25:  # noqa: PLR2004 -- as above
        recorded_on = None
    detail = f"{dice.of(_DETAILS)} {dice.below(250) + 1}" if dice.below(4) == 0 else None
    return {"level": "commune", "code": code, "recorded_on": recorded_on, "detail": detail}
