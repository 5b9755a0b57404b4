"""What publishers publish and desks ask in a run: a few cards with their revisions, look-ups, batches of a register."""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

import orjson

from lienthong.adapters.card_layout import CardFact
from lienthong.domain.facts import Fact
from tests.support.card_facts import usual_card
from tests.support.facts import commune, unit
from tests.support.projecting import card_event

FACILITIES = ("01004", "79010", "48003")
_ENDED = "2024-12-31"


@dataclass
class CardHistory:
    """One card: its revisions, whether each is in force, and when each was first acknowledged (seconds of the run)."""

    number: str
    revisions: list[tuple[bytes, bool]]
    citizen_ids: list[str]
    acknowledged_at: dict[int, float] = field(default_factory=dict)

    def in_force_since(self, moment: float) -> bool:
        """Tell whether the card is known to be in force from the revisions acknowledged before a moment."""
        known = [at for at, when in self.acknowledged_at.items() if when <= moment]
        return bool(known) and all(in_force for _, in_force in self.revisions[max(known) :])

    def known_since(self, moment: float) -> bool:
        """Tell whether any revision was acknowledged before a moment."""
        return any(when <= moment for when in self.acknowledged_at.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """All of it; `strangers` are numbers that no card has."""

    cards: list[CardHistory]
    strangers: list[str]
    batches: list[tuple[Fact, ...]]
    lookups: int

    @classmethod
    def drawn(cls, chance: Random) -> "Work":
        """Return the work of one run."""
        count = chance.randint(4, 14)
        return cls(
            cards=[_card(chance, serial, count) for serial in range(1, count + 1)],
            strangers=[f"0000099{serial:03d}" for serial in range(3)],
            batches=[_batch(number) for number in range(chance.randint(0, 3))],
            lookups=chance.randint(3, 16),
        )


def _card(chance: Random, serial: int, count: int) -> CardHistory:
    number = f"00000{serial:05d}"
    shared = f"000{chance.randint(1, count):09d}"
    citizen_ids = [f"000{serial:09d}", *([shared] if chance.random() < 0.3 and shared[-5:] != number[-5:] else [])]
    revisions = []
    for revision in range(1, chance.choice((1, 1, 2, 3)) + 1):
        in_force = chance.random() < 0.7
        fact = usual_card(number, revision, citizen_ids=citizen_ids)
        if not in_force:
            fact.data["periods"][0]["valid_to"] = _ENDED
        if chance.random() < 0.15:
            # A record that is too long for a bucket has a key of its own.
            fact.data["address"]["detail"] = "Ngõ " * 31
            fact.data["holder"] = {**fact.data["holder"], "name": "Nguyễn Thị " * 11}
        revisions.append((_event(fact), in_force))
    return CardHistory(number, revisions, citizen_ids)


def _event(fact: CardFact) -> bytes:
    return card_event(fact)


def _batch(number: int) -> tuple[Fact, ...]:
    return tuple(unit(commune(f"7{number:02d}{index:02d}")) for index in range(2))


def question(presented: dict[str, Any], facility: str) -> bytes:
    """Return a question's JSON as a desk posts it."""
    return orjson.dumps(
        {
            "presented": presented,
            "facility_code": facility,
            "clerk_id": "NV01",
            "on": None,
            "admitted_on": None,
            "visit_kind": "outpatient",
            "holder": None,
        }
    )


def lookup_event(serial: int, asked: bytes, facility: str, at: datetime) -> bytes:
    """Return a look-up as an event of a moment."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"lookup-{serial}",
            "type": "lookup.requested",
            "source": "/tests",
            "subject": facility,
            "time": at.isoformat(),
            "data": {"question": orjson.loads(asked)},
        }
    )


def presented(chance: Random, card: CardHistory | None, strangers: list[str]) -> dict[str, Any]:
    """Return how a card is presented: by its number or by its holder's citizen ID."""
    if card is None:
        return {"kind": "insurance_number", "number": chance.choice(strangers)}
    if chance.random() < 0.4:
        return {"kind": "citizen_id", "number": card.citizen_ids[0]}
    return {"kind": "insurance_number", "number": card.number}


def poison(chance: Random, value: bytes) -> bytes:
    """Return what no reader can read."""
    return chance.choice((b"", value[: len(value) // 2], b"\xff" + value, b"[]", b'{"a":1}'))
