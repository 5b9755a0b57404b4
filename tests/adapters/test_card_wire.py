"""The compiled reader of cards gives the contract's verdict on the same bytes, and the same values."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lienthong.adapters.card_codec import digest, fact_of, pack
from lienthong.adapters.card_layout import AS_JSON, RECORDED, WITHDRAWN, CardFact
from lienthong.adapters.card_wire import ReadCard, _accepted, decode_card, read_card
from lienthong.adapters.wire import Event, Refusal, RefusalCode, decode
from lienthong_schemas.streams import CARDS
from tests.support.card_facts import card_facts, usual_card
from tests.support.messages import CARD, EXAMPLES, document_of, event_of
from tests.support.mutations import mutated


def agree(value: bytes) -> CardFact | None:
    """Return the fact that both readers read; None where both refuse."""
    contract, compiled, card, fast = decode(value, CARDS), decode_card(value), read_card(value), _accepted(value)
    if isinstance(contract, Event):
        fact = CardFact(contract.type, contract.data)
        assert compiled == fact
        assert card == ReadCard(
            fact.data["id"], fact.data["revision"], fact.data["citizen_ids"], digest(fact), pack(fact)
        )
        assert fast is None or fact_of(fast[0]) == fact
        return fact
    assert fast is None
    assert compiled == card == contract
    return None


@given(card_facts())
def test_every_card_that_packs_compactly_is_accepted_by_the_compiled_reader_itself(fact: CardFact) -> None:
    value = event_of(*fact, dataschema=f"urn:lienthong:{fact.type}:1")
    assert (_accepted(value) is None) == (pack(fact)[0] == AS_JSON)
    assert agree(value) == fact


@settings(max_examples=1500)
@given(card_facts() | st.just(usual_card("0000012345")), st.data())
def test_departures_from_a_valid_card_are_judged_alike(fact: CardFact, data: st.DataObject) -> None:
    agree(data.draw(mutated(document_of(*fact))))


@given(st.binary())
def test_no_bytes_raise(value: bytes) -> None:
    assert agree(value) is None


WHOLE = event_of(RECORDED, CARD)
RARE: dict[str, bytes] = {
    "an attribute of a batch": event_of(RECORDED, CARD, batchid="9f" * 32),
    "a null schema": event_of(RECORDED, CARD, dataschema=None),
    "the newest version by name": event_of(RECORDED, CARD, dataschema="urn:lienthong:card.recorded:1"),
    "a key named twice": WHOLE.replace(b'"revision":3', b'"revision":"x","revision":4'),
    "another order of keys": orjson.dumps(document_of(RECORDED, CARD), option=orjson.OPT_SORT_KEYS),
    "spaces": orjson.dumps(document_of(RECORDED, CARD), option=orjson.OPT_INDENT_2),
    "the type last": orjson.dumps(dict(reversed(document_of(RECORDED, CARD).items()))),
}


@pytest.mark.parametrize("value", RARE.values(), ids=RARE.keys())
def test_a_valid_card_written_unusually_is_accepted(value: bytes) -> None:
    assert agree(value) is not None


def changed(**card: Any) -> bytes:
    return event_of(RECORDED, CARD | card)


WRONG: dict[str, bytes] = {
    "ten million bytes": WHOLE.ljust(10_000_000),
    "an unknown version": event_of(RECORDED, CARD, dataschema="urn:lienthong:card.recorded:2"),
    "the version of another type": event_of(RECORDED, CARD, dataschema="urn:lienthong:card.withdrawn:1"),
    "another subject": event_of(RECORDED, CARD, subject="0000054321"),
    "a register fact": event_of("territory.unit_recorded", EXAMPLES["territory.unit_recorded"]),
    "a withdrawal without its day": event_of(WITHDRAWN, CARD),
    "a withdrawal in a recorded card": event_of(RECORDED, EXAMPLES["card.withdrawn"]),
    "a lone surrogate": WHOLE.replace(b"00004", b"\\ud800"),
    "a line feed after a code": WHOLE.replace(b"00004", b"00004\\n"),
    "a line feed after the time": event_of(RECORDED, CARD, time="2025-06-20T09:00:00Z\n"),
    "a line feed after the number": changed(id="0000012345\n"),
    "a fraction": changed(revision=3.0),
    "the same citizen ID twice": changed(citizen_ids=["000001234567"] * 2),
    "a period that ends before it starts": changed(periods=[CARD["periods"][0] | {"valid_to": "2023-02-28"}]),
    "a birth that does not exist": changed(holder=CARD["holder"] | {"birth": "1962-02-30"}),
    "a name written backwards": changed(holder=CARD["holder"] | {"name": "a\u202eb"}),
    "a detail with a control character": changed(address=CARD["address"] | {"detail": "a\u0000b"}),
    "an event id with a control character": event_of(RECORDED, CARD, id="a\u0007b"),
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_card_is_refused_in_the_contracts_words(value: bytes) -> None:
    assert agree(value) is None


def test_a_refusal_says_where() -> None:
    judged = decode_card(changed(revision=0))
    assert isinstance(judged, Refusal)
    assert (judged.code, judged.path) == (RefusalCode.INVALID_DATA, "data.revision")
