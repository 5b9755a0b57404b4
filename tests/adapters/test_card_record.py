"""A card fact's data and the domain's card: each direction undoes the other."""

from hypothesis import given

from lienthong.adapters.card_layout import CardFact
from lienthong.adapters.card_record import card_data, card_from, card_type
from lienthong.domain.card import Issuer, Sex
from lienthong_schemas.registry import model_of
from tests.support.card_facts import card_facts
from tests.support.messages import CARD


@given(card_facts())
def test_the_data_of_a_card_is_the_data_it_came_from(fact: CardFact) -> None:
    card = card_from(fact.data)
    assert card_data(card) == fact.data
    assert card_type(card) == fact.type
    assert card_from(card_data(card)) == card


@given(card_facts())
def test_the_data_of_a_card_is_valid(fact: CardFact) -> None:
    model = model_of(fact.type, 1)
    assert model is not None
    assert model.model_validate(card_data(card_from(fact.data))).model_dump(mode="json") == fact.data


def test_a_card_is_read_as_the_contract_writes_it() -> None:
    card = card_from(CARD)
    assert (card.number, card.revision, card.withdrawn) == ("0000012345", 3, None)
    assert card.holder.sex is Sex.FEMALE
    assert card.periods[0].issuer is Issuer.VSS
    assert str(card.periods[0].last_day()) == "2027-02-28"
