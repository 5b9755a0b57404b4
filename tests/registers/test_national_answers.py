"""The national reorganisation changes what answers say, and no outcome: every card of 100,000, before and after."""

from collections import Counter
from datetime import UTC, date, datetime

import pytest

from lienthong.adapters.card_record import card_from
from lienthong.adapters.generated_places import shipped_places
from lienthong.adapters.generator import CardPlan, cards
from lienthong.adapters.registers import facts_of, named
from lienthong.domain.answer import Decision, Found, Freshness
from lienthong.domain.card import Card
from lienthong.domain.decision import decide
from lienthong.domain.question import NumberPresented, PresentedKind, Question
from lienthong.domain.register import Register

CARDS = 100_000
ON = date(2025, 7, 2)
NOW = datetime(2025, 7, 2, 2, tzinfo=UTC)


def register_with(register: Register, *names: str) -> Register:
    for name in names:
        known = named(name)
        assert known is not None
        register = register.with_facts(facts_of(known))
    return register


def answer(card: Card, register: Register) -> Decision:
    presented = NumberPresented(kind=PresentedKind.INSURANCE_NUMBER, number=card.number, printed=card.number)
    question = Question(presented=presented, facility_code="01004", clerk_id="NV01", on=ON)
    freshness = Freshness(register_position=1, cards_caught_up_at=NOW, complete=True)
    found = Found(cards=(card,), freshness=freshness)
    return decide(question, found, register, decision_id="01980000-0000-7000-8000-000000000000", decided_at=NOW)


@pytest.mark.timeout(600)
def test_no_outcome_of_a_hundred_thousand_cards_changes_with_the_national_reorganisation() -> None:
    before = register_with(Register.empty(), "vn-tables", "vn-before-2025-07-01", "vn-hanoi-facilities")
    after = register_with(before, "vn-2025-07-01")
    outcomes: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for generated in cards(CardPlan(seed=20250701, places=shipped_places()), CARDS):
        card = card_from(generated.data)
        old, new = answer(card, before), answer(card, after)
        assert new.outcome is old.outcome
        outcomes[new.outcome.value] += 1
        if new.address is not None:
            states[new.address.state.value] += 1
    assert outcomes.total() == CARDS
    # The cards would show it if the reorganisation had not been looked at, or had been looked at alone.
    assert outcomes["eligible"] > CARDS // 2
    assert states["succeeded"] > CARDS // 2
    assert states["divided"] > CARDS // 100
