import random
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lienthong.domain.facts import FactSet, canonical, digest_of, fact
from tests.support.facts import annulled, commune, revised, unit
from tests.support.histories import lawful_histories, wild_facts

SAFE_INTEGER_MAX = 2**53 - 1

_texts = st.text(st.characters(codec="utf-8"))
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-SAFE_INTEGER_MAX, SAFE_INTEGER_MAX), _texts),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), inner)),
    max_leaves=12,
)
_data = st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), _values)


@given(_data)
def test_canonical_bytes_are_those_of_rfc_8785_and_of_orjson_with_sorted_keys(data: dict[str, Any]) -> None:
    whole: dict[str, Any] = {"type": "territory.unit_recorded", "data": data}
    assert canonical("territory.unit_recorded", data) == rfc8785.dumps(whole)
    assert canonical("territory.unit_recorded", data) == orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)


@given(st.one_of(lawful_histories().map(lambda history: history.facts), wild_facts), st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_same_winners_digests_and_conflicts(
    facts: list[Any], chance: random.Random
) -> None:
    shuffled = facts + chance.choices(facts, k=len(facts)) if facts else []
    chance.shuffle(shuffled)
    straight, other = FactSet(), FactSet()
    for each in facts:
        straight.add(each)
    for each in shuffled:
        other.add(each)
    assert straight.winners == other.winners
    assert straight.state_digest == other.state_digest
    assert straight.facts_digest == other.facts_digest
    assert straight.conflicts == other.conflicts


def test_digests_are_the_sums_of_the_winners_alone() -> None:
    first, second = unit(commune("00001")), unit(commune("00002"))
    facts = FactSet()
    for each in (first, second, annulled(second)):
        facts.add(each)
    assert facts.state_digest == digest_of([first])
    assert facts.facts_digest == digest_of([first, annulled(second)])


def test_a_higher_revision_wins_whenever_it_comes() -> None:
    old = unit(commune("00001"), name="Xã cũ")
    new = revised(old, name="Xã mới")
    facts = FactSet()
    facts.add(new)
    assert facts.add(old) is None
    assert facts.winners[old.key] is new
    assert facts.conflicts == ()


def test_of_two_contents_of_one_revision_the_greater_sha_256_wins_and_both_are_reported() -> None:
    one, other = unit(commune("00001"), name="Xã A"), unit(commune("00001"), name="Xã B")
    facts = FactSet()
    facts.add(one)
    facts.add(other)
    assert facts.winners[one.key].sha256 == max(one.sha256, other.sha256)
    (conflict,) = facts.conflicts
    assert conflict.sha256s == tuple(sorted((one.sha256, other.sha256)))


def test_a_conflict_is_settled_by_the_next_revision() -> None:
    one, other = unit(commune("00001"), name="Xã A"), unit(commune("00001"), name="Xã B")
    facts = FactSet()
    for each in (one, revised(one), other):
        facts.add(each)
    assert facts.conflicts == ()


def test_an_annulled_fact_is_revived_by_a_higher_revision() -> None:
    first = unit(commune("00001"))
    gone = annulled(first)
    back = revised(first, revision=3)
    facts = FactSet()
    for each in (back, gone, first):
        facts.add(each)
    assert facts.winners[first.key] is back
    assert facts.state_digest == facts.facts_digest == digest_of([back])


def test_an_annulment_competes_in_the_family_it_names() -> None:
    first = unit(commune("00001"))
    assert annulled(first).key == first.key


def test_a_copy_is_independent() -> None:
    facts = FactSet()
    facts.add(unit(commune("00001")))
    copy = facts.copy()
    copy.add(unit(commune("00002")))
    assert len(facts.winners) == 1
    assert facts.state_digest != copy.state_digest


def test_a_type_that_is_no_fact_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch\.sealed is not the type of a fact"):
        fact("batch.sealed", {"id": "x", "revision": 1})
