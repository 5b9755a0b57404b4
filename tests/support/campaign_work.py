"""What a campaign publishes and asks: generated cards with corrections and repeats, look-ups, batches of a register."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import orjson

from lienthong.adapters.generated_lookups import GeneratedLookup, LookupPlan, lookup, lookup_line
from lienthong.adapters.generated_places import shipped_places
from lienthong.adapters.generator import CardPlan, GeneratedCard, card, card_line
from lienthong.domain.facts import Fact
from lienthong.runtime.clock import SystemClock
from tests.support.facts import commune, facility, reorganised, unit

Keyed = tuple[str, bytes]

#: One in ten cards is corrected and one in twenty published twice, all in a random order.
_CORRECTED_EACH, _REPEATED_EACH = 10, 20
_ASKED_AGAIN_EACH = 9
_UNITS_A_BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Events by their keys, batches in the order in which they must stand, and look-ups with their right outcomes."""

    cards: Sequence[Keyed]
    lookups: Sequence[Keyed]
    batches: Sequence[tuple[Fact, ...]]
    questions: Sequence[GeneratedLookup]

    @property
    def numbers(self) -> list[str]:
        """Return the insurance numbers of all cards."""
        return sorted({key for key, _ in self.cards})


@cache
def work(cards: int, lookups: int, batches: int, questions: int = 100) -> Work:
    """Return the same work whenever it is asked for: `cards` people, and look-ups about them."""
    plan = CardPlan(seed=7, places=shipped_places())
    generated = [card(plan, index) for index in range(cards)]
    generated += [_corrected(plan, index) for index in range(0, cards, _CORRECTED_EACH)]
    generated += generated[::_REPEATED_EACH]
    random.Random(7).shuffle(generated)  # noqa: S311  # the same order each time, guarding nothing
    asked = [lookup(LookupPlan(cards=plan, card_count=cards), index) for index in range(lookups + questions)]
    return Work(
        cards=[(each.data["id"], card_line(plan, each).rstrip()) for each in generated],
        lookups=_repeated([(each.question["facility_code"], asked_now(each)) for each in asked[:lookups]]),
        batches=[_batch(number) for number in range(batches)],
        questions=asked[lookups:],
    )


def _corrected(plan: CardPlan, index: int) -> GeneratedCard:
    """Return the next revision of a card, at another address: the one change that changes no outcome."""
    before, moved = card(plan, index), card(plan, index, revision=2)
    return replace(before, data={**before.data, "revision": 2, "address": moved.data["address"]})


def _batch(number: int) -> tuple[Fact, ...]:
    """Return one batch: new units, a station, and from the second one on the merger of two units of the one before."""
    codes = [f"7{number:02d}{index:02d}" for index in range(_UNITS_A_BATCH)]
    facts = [unit(commune(code)) for code in codes]
    facts.append(facility(f"79{number:03d}", commune=("commune", codes[0], "2020-01-01")))
    if number:
        day = f"2024-{number % 12 + 1:02d}-01"
        merged = [commune(f"7{number - 1:02d}{index:02d}") for index in range(2)]
        facts.append(unit(merged[0], day, name=f"Merged {number}"))
        facts.append(reorganised(day, [(each, merged[0], "whole") for each in merged], merged))
    return tuple(facts)


def _repeated(events: Sequence[Keyed]) -> list[Keyed]:
    """Return the events, and some of them once more, soon after."""
    repeated = []
    for at, each in enumerate(events):
        repeated.append(each)
        if at % _ASKED_AGAIN_EACH == _ASKED_AGAIN_EACH - 1:
            repeated.append(events[at - _ASKED_AGAIN_EACH // 2])
    return repeated


def asked_now(asked: GeneratedLookup) -> bytes:
    """Return a generated look-up as an event of this moment: one of last year would be let go before it is read."""
    return orjson.dumps({**orjson.loads(lookup_line(asked)), "time": SystemClock().now().isoformat()})


def question_json(asked: GeneratedLookup) -> bytes:
    """Return a generated look-up as a desk posts it."""
    return orjson.dumps(asked.question)
