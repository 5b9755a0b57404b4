"""Bytes become a validated event or a refusal, whatever the bytes."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.adapters.wire import Event, Outgoing, Refusal, RefusalCode, decode, encode
from lienthong.domain.facts import fact
from lienthong_schemas.dead_letters import Reason
from lienthong_schemas.streams import BY_NAME, CARD_IMAGES, CARDS, EVENT_BYTES_MAX, LOOKUPS, REGISTER, STREAMS
from tests.support.messages import CARD, EXAMPLES, PRESENTED, QUESTION, UNIT, document_of, event_of, subject_of
from tests.support.mutations import mutated

HIDDEN = "0000099999"


def refusal(value: bytes, stream: str | None = None) -> tuple[RefusalCode, str]:
    judged = decode(value, None if stream is None else BY_NAME[stream])
    assert isinstance(judged, Refusal)
    return judged.code, judged.path


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_every_example_is_read_on_its_stream_with_its_data_as_it_came(event_type: str) -> None:
    streams = [stream for stream in STREAMS if event_type in stream.types and stream is not CARD_IMAGES]
    event = decode(event_of(event_type, EXAMPLES[event_type]), streams[0])
    assert isinstance(event, Event)
    assert (event.type, event.version, event.data) == (event_type, 1, EXAMPLES[event_type])
    assert event.envelope.subject == subject_of(event_type, EXAMPLES[event_type])


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_what_is_written_is_read_again(event_type: str) -> None:
    data = EXAMPLES[event_type]
    outgoing = Outgoing(
        id="5e0c",
        type=event_type,
        source="/registers/test",
        subject=subject_of(event_type, data),
        time=datetime(2025, 6, 20, 2, tzinfo=UTC),
        data=data,
        batch_id="9f" * 32 if event_type.startswith("territory.") else None,
    )
    event = decode(encode(outgoing))
    assert isinstance(event, Event)
    assert (event.data, event.envelope.batchid) == (data, outgoing.batch_id)
    assert event.envelope.dataschema == f"urn:lienthong:{event_type}:1"


def test_writing_a_type_without_a_model_or_a_time_without_an_offset_is_a_fault() -> None:
    event = Outgoing(
        id="1",
        type="generation.switched",
        source="/test",
        subject="2",
        time=datetime(2025, 7, 1, tzinfo=UTC),
        data={"generation": 2},
    )
    with pytest.raises(ValueError, match="no model"):
        encode(replace(event, type="card.renamed"))
    with pytest.raises(ValueError, match="no offset"):
        encode(replace(event, time=event.time.replace(tzinfo=None)))


def test_the_fact_of_an_event_is_its_data_and_never_its_envelope() -> None:
    early, late = (
        decode(event_of("territory.unit_recorded", UNIT, id=id_, time=f"2025-06-2{id_}T00:00:00Z")) for id_ in "12"
    )
    assert isinstance(early, Event)
    assert isinstance(late, Event)
    assert fact(early.type, early.data).sha256 == fact(late.type, late.data).sha256


OUTBOX = {"outboxcell": "lookups.v1-0", "outboxepoch": "5e0c", "outboxseq": 1}
ENVELOPES: dict[str, tuple[dict[str, Any], tuple[RefusalCode, str] | None]] = {
    "the newest version by name": ({"dataschema": "urn:lienthong:card.recorded:1"}, None),
    "the outbox's place": (OUTBOX, None),
    "another version of CloudEvents": ({"specversion": "0.3"}, (RefusalCode.INVALID_ENVELOPE, "specversion")),
    "a time without an offset": ({"time": "2025-06-20T09:00:00"}, (RefusalCode.INVALID_ENVELOPE, "time")),
    "an unknown attribute": ({"traceparent": "00"}, (RefusalCode.INVALID_ENVELOPE, "?")),
    "a sequence as text": (OUTBOX | {"outboxseq": "1"}, (RefusalCode.INVALID_ENVELOPE, "outboxseq")),
    "a batch that is no digest": ({"batchid": "1"}, (RefusalCode.INVALID_ENVELOPE, "batchid")),
    "a source with a space": ({"source": "a b"}, (RefusalCode.INVALID_ENVELOPE, "source")),
    "another subject": ({"subject": HIDDEN}, (RefusalCode.WRONG_SUBJECT, "subject")),
    "an unknown type": ({"type": "card.renamed"}, (RefusalCode.UNKNOWN_TYPE, "type")),
    "a type that is a number": ({"type": 1}, (RefusalCode.INVALID_ENVELOPE, "type")),
    "an unknown version": (
        {"dataschema": "urn:lienthong:card.recorded:2"},
        (RefusalCode.UNKNOWN_VERSION, "dataschema"),
    ),
    "the version of another type": (
        {"dataschema": "urn:lienthong:card.withdrawn:1"},
        (RefusalCode.UNKNOWN_VERSION, "dataschema"),
    ),
    "data of another type": ({"type": "card.withdrawn"}, (RefusalCode.INVALID_DATA, "data.withdrawn")),
    "data that is a list": ({"data": [CARD]}, (RefusalCode.INVALID_DATA, "data")),
    "a fraction": ({"data": CARD | {"revision": 3.0}}, (RefusalCode.INVALID_DATA, "data.revision")),
    "a fault inside": (
        {"data": CARD | {"periods": [CARD["periods"][0] | {"number": HIDDEN + "x"}]}},
        (RefusalCode.INVALID_DATA, "data.periods[0].number"),
    ),
    "an unknown field inside": ({"data": CARD | {HIDDEN: 1}}, (RefusalCode.INVALID_DATA, "data.?")),
}


@pytest.mark.parametrize(("attributes", "expected"), ENVELOPES.values(), ids=ENVELOPES.keys())
def test_an_envelope_is_judged_with_the_path_of_its_fault(
    attributes: dict[str, Any], expected: tuple[RefusalCode, str] | None
) -> None:
    value = event_of("card.recorded", CARD, **attributes)
    if expected is None:
        assert isinstance(decode(value, CARDS), Event)
    else:
        assert refusal(value, "cards.v1") == expected


@pytest.mark.parametrize("missing", ["specversion", "id", "type", "source", "subject", "time"])
def test_each_required_attribute_is_required(missing: str) -> None:
    document = document_of("card.recorded", CARD)
    del document[missing]
    assert refusal(orjson.dumps(document)) == (RefusalCode.INVALID_ENVELOPE, missing)


BYTES: dict[str, tuple[bytes, RefusalCode]] = {
    "nothing": (b"", RefusalCode.NOT_JSON),
    "truncated": (event_of("card.recorded", CARD)[:-1], RefusalCode.NOT_JSON),
    "two events": (event_of("card.recorded", CARD) * 2, RefusalCode.NOT_JSON),
    "not UTF-8": (event_of("card.recorded", CARD).replace(b"00004", b"\xff\xfe000"), RefusalCode.NOT_JSON),
    "in UTF-16": (json.dumps(document_of("card.recorded", CARD)).encode("utf-16"), RefusalCode.NOT_JSON),
    "a lone surrogate": (event_of("card.recorded", CARD).replace(b"00004", b"\\ud800"), RefusalCode.NOT_JSON),
    "not a number": (event_of("card.recorded", CARD).replace(b":3", b":NaN"), RefusalCode.NOT_JSON),
    "nested too deep": (b'{"data":' + b"[" * 20_000 + b"]" * 20_000 + b"}", RefusalCode.NOT_JSON),
    "a number": (b"1", RefusalCode.NOT_AN_EVENT),
    "a list": (b"[]", RefusalCode.NOT_AN_EVENT),
    "null": (b"null", RefusalCode.NOT_AN_EVENT),
    "without data": (b'{"specversion":"1.0"}', RefusalCode.NOT_AN_EVENT),
    "ten million bytes": (b'"' + b"x" * 10_000_000 + b'"', RefusalCode.TOO_LARGE),
    "a byte too long": (event_of("card.recorded", CARD).ljust(EVENT_BYTES_MAX + 1), RefusalCode.TOO_LARGE),
}


@pytest.mark.parametrize(("value", "code"), BYTES.values(), ids=BYTES.keys())
def test_bytes_that_are_no_event_are_refused(value: bytes, code: RefusalCode) -> None:
    assert refusal(value, "cards.v1") == (code, "")


def test_an_event_of_exactly_the_limit_is_read() -> None:
    assert isinstance(decode(event_of("card.recorded", CARD).ljust(EVENT_BYTES_MAX), CARDS), Event)


def test_a_type_on_a_stream_that_does_not_carry_it_is_refused() -> None:
    assert refusal(event_of("card.recorded", CARD), "register.v1") == (RefusalCode.WRONG_STREAM, "type")
    assert isinstance(decode(event_of("territory.unit_recorded", UNIT), REGISTER), Event)


def test_images_travel_on_their_own_stream_and_nothing_else_does() -> None:
    image = {"question": QUESTION | {"presented": PRESENTED["card_image"]}}
    assert isinstance(decode(event_of("lookup.requested", image), CARD_IMAGES), Event)
    assert refusal(event_of("lookup.requested", image), "lookups.v1") == (RefusalCode.WRONG_STREAM, "type")
    text = event_of("lookup.requested", {"question": QUESTION})
    assert isinstance(decode(text, LOOKUPS), Event)
    assert refusal(text, "card-images.v1") == (RefusalCode.WRONG_STREAM, "type")


def test_an_image_event_may_be_as_large_as_an_image() -> None:
    sealed = PRESENTED["card_image"] | {"sealed": "A" * 6_990_508}
    value = event_of("lookup.requested", {"question": QUESTION | {"presented": sealed}})
    assert isinstance(decode(value, CARD_IMAGES), Event)
    assert refusal(value)[0] is RefusalCode.TOO_LARGE


def test_of_a_key_named_twice_the_last_counts() -> None:
    event = decode(event_of("card.recorded", CARD).replace(b'"revision":3', b'"revision":"x","revision":4'))
    assert isinstance(event, Event)
    assert event.data["revision"] == 4


def test_a_refusal_fits_a_dead_letter_and_repeats_nothing_of_the_input() -> None:
    faults = [
        event_of("card.recorded", CARD, **attributes)
        for attributes, expected in ENVELOPES.values()
        if expected is not None
    ]
    faults.append(event_of("lookup.requested", {"question": QUESTION | {"presented": {"kind": HIDDEN}}}))
    faults.append(event_of("table.recorded", EXAMPLES["table.recorded"] | {"rows": [{HIDDEN: 1}]}))
    for value in faults:
        judged = decode(value)
        assert isinstance(judged, Refusal)
        Reason(code=judged.code.value, message=judged.message, path=judged.path)
        assert HIDDEN not in judged.message + judged.path


@given(st.binary() | st.text().map(str.encode) | st.recursive(st.none(), st.lists).map(orjson.dumps))
def test_no_bytes_raise(value: bytes) -> None:
    assert isinstance(decode(value), Refusal)


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_no_departure_from_a_valid_event_raises(event_type: str, data: st.DataObject) -> None:
    value = data.draw(mutated(document_of(event_type, EXAMPLES[event_type])))
    judged = decode(value)
    if isinstance(judged, Event):
        assert judged.data == orjson.loads(value)["data"]
    else:
        Reason(code=judged.code.value, message=judged.message, path=judged.path)
