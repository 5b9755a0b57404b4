"""A sample of answers before and after a batch: no outcome may change, and the notices that come are counted."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from lienthong.adapters.card_codec import UnreadableRecord, card
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_layout import insurance_number
from lienthong.cli.console import fail, out, progress_bar, say, table_of
from lienthong.domain.answer import Decision
from lienthong.domain.card import Card
from lienthong.domain.decision import Found, Freshness, decide
from lienthong.domain.question import NumberPresented, PresentedKind, Question
from lienthong.domain.register import Register

#: Cards that are answered for unless said otherwise: they take well under a second.
SAMPLE = 1_000
#: A facility that no register has, for cards without a registered place: it says nothing about the card.
_NOWHERE = "-"
_UNSTAMPED = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class Comparison:
    """What two registers answer about the same cards on one day."""

    before: Register
    after: Register
    on: date
    cards: int = 0
    of_cards: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    other_shares: int = 0
    come: Counter[str] = field(default_factory=Counter)
    go: Counter[str] = field(default_factory=Counter)

    def add(self, asked: Card) -> None:
        """Answer for one card from both registers."""
        first, then = (_answer(asked, register, self.on) for register in (self.before, self.after))
        self.cards += 1
        self.outcomes[first.outcome.value] += 1
        if first.outcome is not then.outcome:
            self.changed[first.outcome.value, then.outcome.value] += 1
        self.other_shares += _share(first) != _share(then)
        had, has = ({notice.code for notice in decision.notices} for decision in (first, then))
        self.come.update(has - had)
        self.go.update(had - has)

    def document(self) -> dict[str, Any]:
        """Return what was found as JSON values."""
        return {
            "cards": self.cards,
            "of_cards": self.of_cards,
            "on": self.on.isoformat(),
            "outcomes": dict(self.outcomes),
            "outcomes_changed": self.changed.total(),
            "shares_changed": self.other_shares,
            "notices_that_come": dict(self.come),
            "notices_that_go": dict(self.go),
        }


async def sampled(projection: Projection, comparison: Comparison, wanted: int) -> None:
    """Answer for `wanted` of the projected cards, spread over all cells; 0 means every card.

    Which bucket a card is in says nothing about it, so the first buckets of a cell are as good as any.
    """
    await projection.learn()
    facts = [state.facts for state in await projection.states()]
    total = comparison.of_cards = sum(facts)
    wanted = min(wanted or total, total)
    passed = 0
    with progress_bar("answers before and after", wanted) as bar:
        for cell, held in enumerate(facts):
            passed += held
            # So many from the cells up to this one, as their share of all cards has it.
            most = wanted * passed // max(total, 1) - comparison.cards
            await _answered(projection, cell, most, comparison)
            bar.advance(most)


async def _answered(projection: Projection, cell: int, most: int, comparison: Comparison) -> None:
    taken = 0
    async for one in _cards(projection, cell):
        if taken == most:
            break
        comparison.add(one)
        taken += 1


def show(comparison: Comparison) -> None:
    """Write for people what was found."""
    if not comparison.of_cards:
        say("  No cards are projected yet, so no answers were compared. · Chưa có thẻ để đối chiếu.")
        return
    changed = comparison.changed.total()
    colour = "red" if changed else "green"
    say(
        f"  [bold {colour}]{changed:,} of {comparison.cards:,} sampled outcomes change[/] "
        f"({comparison.of_cards:,} cards, answered for {comparison.on}) · "
        f"{changed:,}/{comparison.cards:,} kết luận thay đổi"
    )
    if comparison.come or comparison.go or comparison.other_shares:
        table = table_of("   notice · lưu ý", "#answers that get it", "#that lose it")
        for code in sorted({*comparison.come, *comparison.go}):
            table.add_row(f"   {code}", f"{comparison.come[code]:,}", f"{comparison.go[code]:,}")
        if comparison.other_shares:
            table.add_row("   (another share · mức hưởng khác)", f"{comparison.other_shares:,}", "")
        out.print(table)


def refuse_changed_outcomes(comparison: Comparison) -> None:
    """End the command where an outcome would change: no place, contract or table may turn a card into another."""
    if comparison.changed:
        (first, then), count = comparison.changed.most_common(1)[0]
        fail(
            f"{comparison.changed.total()} sampled outcomes would change ({count} from {first} to {then}).",
            "Nothing was published; an answer must not depend on the register. Report this as a fault of the program.",
        )


async def _cards(projection: Projection, cell: int) -> AsyncIterator[Card]:
    """Yield the readable cards of a cell, as far as they are asked for."""
    for first in projection.bucket_starts():
        for key, packed in await projection.records(cell, first):
            try:
                yield card(insurance_number(key), packed)
            except UnreadableRecord:
                continue


def _answer(asked: Card, register: Register, on: date) -> Decision:
    places = [period.registered_place for period in asked.periods if period.registered_place is not None]
    question = Question(
        presented=NumberPresented(kind=PresentedKind.INSURANCE_NUMBER, number=asked.number, printed=asked.number),
        facility_code=places[-1].code if places else _NOWHERE,
        clerk_id="sample",
        on=on,
    )
    freshness = Freshness(register_position=register.position, cards_caught_up_at=None, complete=True)
    finding = Found(cards=(asked,), freshness=freshness)
    return decide(question, finding, register, decision_id="sample", decided_at=_UNSTAMPED)


def _share(decision: Decision) -> int | None:
    period = None if decision.card is None else decision.card.period
    return None if period is None else period.share_percent
