"""What holds of every history of places, lawful or not."""

import random
from datetime import date
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from lienthong.domain.annulment import AnnulmentRefused, annul_batch
from lienthong.domain.facility import facility_reference
from lienthong.domain.facts import Fact, FactSet
from lienthong.domain.gate import check
from lienthong.domain.register import Register
from lienthong.domain.succession import PlaceKey, Reference, Resolution, State
from tests.support.facts import published, register_of
from tests.support.histories import History, days_of_histories, lawful_histories, wild_facts

_DAYS = (date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 5), date(2020, 1, 9), date(2020, 3, 1))
_CODES = ("00001", "00002", "00003")
_any_days = st.dates(date(2019, 12, 25), date(2020, 2, 1))


def everything(register: Register) -> list[Resolution]:
    """Resolve every code of the wild facts on every day, however recorded."""
    found = []
    for on, recorded_on in product(_DAYS, (None, *_DAYS)):
        for level, code in product(("commune", "province"), _CODES):
            found.append(register.territory.resolve(Reference(level=level, code=code, recorded_on=recorded_on), on))
        found.extend(
            register.facilities.resolve(facility_reference(code, recorded_on), on) for code in ("01C51", "01C52", "01X")
        )
    return found


@given(st.one_of(lawful_histories().map(lambda history: history.facts), wild_facts), st.randoms(use_true_random=False))
def test_any_order_any_repetition_and_any_batches_give_the_same_register(
    facts: list[Fact], chance: random.Random
) -> None:
    at_once = register_of(*facts)
    shuffled = facts + chance.choices(facts, k=len(facts)) if facts else []
    chance.shuffle(shuffled)
    piecewise = Register.empty()
    while shuffled:
        cut = chance.randint(1, len(shuffled))
        piece, shuffled = shuffled[:cut], shuffled[cut:]
        piecewise = piecewise.with_facts(piece)
    assert piecewise.state_digest == at_once.state_digest
    assert piecewise.facts_digest == at_once.facts_digest
    assert piecewise.illustrative_count == at_once.illustrative_count
    assert everything(piecewise) == everything(at_once)


@given(lawful_histories(), days_of_histories, days_of_histories)
def test_a_lawful_history_resolves_to_what_became_of_each_code(history: History, one: date, other: date) -> None:
    recorded_on, on = sorted((one, other))
    register = register_of(*history.facts)
    for code in history.alive_on(recorded_on):
        fate = history.successors(code, recorded_on, on)
        resolution = register.territory.resolve(Reference(level="commune", code=code, recorded_on=recorded_on), on)
        assert {place.code for place in resolution.candidates} == fate.codes
        assert resolution.state == fate.state
        assert all(place.valid_to is None for place in resolution.candidates)


@given(lawful_histories())
def test_the_gate_passes_a_lawful_history_day_by_day(history: History) -> None:
    register = Register.empty()
    for facts in history.batches:
        report = check(register, facts)
        assert report.faults == ()
        register = published(register, *facts)
    last = max(history.alive)
    assert register.territory.count(last).get("commune", 0) == len(history.alive[last])


@given(st.one_of(lawful_histories().map(lambda history: history.facts), wild_facts), days_of_histories)
def test_a_day_before_a_reorganisation_does_not_know_of_it(facts: list[Fact], on: date) -> None:
    whole = register_of(*facts)
    winners = FactSet()
    for each in facts:
        winners.add(each)
    told_by_then = [
        each
        for each in winners.winners.values()
        if (each.data.get("effective_on") or each.data.get("valid_from") or "") <= on.isoformat()
    ]
    known = register_of(*told_by_then)
    for level, code in product(("commune", "province"), _CODES):
        for recorded_on in (None, *(day for day in _DAYS if day <= on)):
            reference = Reference(level=level, code=code, recorded_on=recorded_on)
            assert whole.territory.resolve(reference, on) == known.territory.resolve(reference, on)


@given(st.one_of(lawful_histories().map(lambda history: history.facts), wild_facts), st.lists(_any_days, min_size=4))
def test_a_kept_answer_is_the_answer_that_would_be_found_again(facts: list[Fact], days: list[date]) -> None:
    register = register_of(*facts)
    for on, recorded_on, code in product(days, (None, *days), _CODES[:2]):
        reference = Reference(level="commune", code=code, recorded_on=recorded_on)
        assert register.territory.resolve(reference, on) == register.territory._resolve(reference, on)
    for on, recorded_on in product(days, (None, *days)):
        reference = facility_reference("01C51", recorded_on)
        assert register.facilities.resolve(reference, on) == register.facilities._resolve(reference, on)


@given(wild_facts, days_of_histories)
def test_nothing_raises_and_nothing_loops_whatever_the_facts_say(facts: list[Fact], on: date) -> None:
    register = register_of(*facts)
    for resolution in everything(register):
        assert (resolution.state is State.UNKNOWN) == (not resolution.printed)
    for level, code in product(("commune", "province"), _CODES):
        named = Reference(level=level, code=code, recorded_on=on, name="Xã B")
        register.territory.resolve(named, on)
        register.territory.stands_alone(named, on)
        register.territory.predecessors(PlaceKey(level, code), on)
    for code in ("01C51", "01C52", "01X"):
        register.facilities.payment_here(code, on)
        register.facilities.lacks_successor(facility_reference(code), on)
        register.facilities.record(code, on)
    register.facilities.without_successor(on)
    assert check(Register.empty(), facts).summary is not None


@given(lawful_histories(), wild_facts)
def test_annulling_the_last_batch_restores_every_answer_and_annulling_that_brings_them_back(
    history: History, wild: list[Fact]
) -> None:
    before = register_of(*history.facts)
    after = published(before, *wild) if wild else before
    undone = annul_batch(after, after.last_batch or "", "mistaken")
    if isinstance(undone, AnnulmentRefused) or after is before:
        return
    restored = published(after, *undone)
    assert everything(restored) == everything(before)
    again = annul_batch(restored, restored.last_batch or "", "not mistaken after all")
    assert not isinstance(again, AnnulmentRefused)
    assert everything(published(restored, *again)) == everything(after)
