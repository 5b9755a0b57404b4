"""A packed card gives back the fact it was made of, byte for byte."""

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lienthong.adapters import card_codec
from lienthong.adapters.card_layout import AS_JSON, CardFact
from lienthong.adapters.card_record import card_from
from lienthong.domain import facts
from lienthong_schemas.cards import CardRecorded, CardWithdrawn
from tests.support.card_facts import card_facts, usual_card

NUMBER = "0000012345"


@given(card_facts())
def test_unpacking_undoes_packing(fact: CardFact) -> None:
    packed = card_codec.pack(fact)
    assert card_codec.unpack(fact.data["id"], packed) == fact
    assert card_codec.revision_of(packed) == fact.data["revision"]


@given(card_facts())
def test_the_canonical_bytes_of_a_packed_card_are_those_of_the_fact(fact: CardFact) -> None:
    again = card_codec.unpack(fact.data["id"], card_codec.pack(fact))
    assert card_codec.canonical(again) == rfc8785.dumps({"data": fact.data, "type": fact.type})
    assert card_codec.digest(again) == facts.fact(fact.type, fact.data).sha256


@given(card_facts())
def test_a_packed_card_reads_as_the_same_domain_card_as_its_data(fact: CardFact) -> None:
    assert card_codec.card(fact.data["id"], card_codec.pack(fact)) == card_from(fact.data)


@given(card_facts())
def test_the_drawn_facts_are_those_of_the_contract(fact: CardFact) -> None:
    model = CardWithdrawn if "withdrawn" in fact.data else CardRecorded
    assert model.model_validate(fact.data).id == fact.data["id"]


@given(card_facts(), card_facts())
def test_two_facts_are_packed_alike_only_if_they_are_equal(one: CardFact, other: CardFact) -> None:
    if one.data["id"] == other.data["id"]:
        assert (card_codec.pack(one) == card_codec.pack(other)) == (one == other)


def test_a_usual_card_takes_no_more_than_sixty_bytes() -> None:
    assert len(card_codec.pack(usual_card(NUMBER))) <= 60


@given(st.sampled_from(("illustrative", "x-later")), st.booleans())
def test_a_field_that_the_layout_does_not_know_is_kept(name: str, value: bool) -> None:  # noqa: FBT001  # drawn
    fact = usual_card(NUMBER, **{name: value})
    packed = card_codec.pack(fact)
    assert packed[0] == AS_JSON
    assert card_codec.unpack(NUMBER, packed) == fact


@pytest.mark.parametrize("packed", [b"", b"\x00", b"\x20\x01"])
def test_a_record_of_another_version_is_refused_by_name(packed: bytes) -> None:
    with pytest.raises(card_codec.UnreadableRecord):
        card_codec.unpack(NUMBER, packed)
    with pytest.raises(card_codec.UnreadableRecord):
        card_codec.card(NUMBER, packed)
