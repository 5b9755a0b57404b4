"""Every example of the contract is accepted, and each small departure from it is refused."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from lienthong_schemas.decisions import Decision
from lienthong_schemas.questions import Question
from lienthong_schemas.registry import latest, messages, model_of
from lienthong_schemas.vocabulary import Message
from tests.support.messages import (
    CARD,
    DECISION,
    EXAMPLES,
    FACILITY,
    PRESENTED,
    QUESTION,
    REORGANISATION,
    UNIT,
    UNIT_OF_UNKNOWN_START,
    subject_of,
)

Change = Callable[[Any], None]


def model(event_type: str) -> type[Message]:
    found = model_of(event_type, latest(event_type) or 0)
    assert found is not None
    return found


def at(*path: str | int, put: Any) -> Change:
    def change(data: Any) -> None:
        for part in path[:-1]:
            data = data[part]
        data[path[-1]] = put

    return change


def without(*path: str | int) -> Change:
    def change(data: Any) -> None:
        for part in path[:-1]:
            data = data[part]
        del data[path[-1]]

    return change


def refused(event_type: str, data: Any) -> bool:
    try:
        model(event_type).model_validate(data)
    except ValidationError:
        return True
    return False


def test_there_is_an_example_of_every_message() -> None:
    assert set(EXAMPLES) == {event_type for event_type, _, _ in messages()}


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_every_example_is_accepted_and_written_out_again_as_it_was(event_type: str) -> None:
    message = model(event_type).model_validate(EXAMPLES[event_type])
    written = message.model_dump(mode="json", exclude_unset=True)
    assert written == EXAMPLES[event_type]
    assert message.expected_subject() in {None, subject_of(event_type, EXAMPLES[event_type])}


def test_a_unit_of_unknown_start_is_accepted() -> None:
    assert not refused("territory.unit_recorded", UNIT_OF_UNKNOWN_START)


@pytest.mark.parametrize("kind", PRESENTED)
def test_every_kind_of_presentation_is_accepted(kind: str) -> None:
    assert Question.model_validate(QUESTION | {"presented": PRESENTED[kind]}).presented.kind == kind


def test_a_question_needs_only_what_was_presented_the_facility_and_the_clerk() -> None:
    brief = {key: QUESTION[key] for key in ("presented", "facility_code", "clerk_id")}
    question = Question.model_validate(brief)
    assert (question.on, question.visit_kind, question.holder) == (None, "outpatient", None)


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_an_unknown_field_is_refused_at_every_depth(event_type: str) -> None:
    depths = 0

    def visit(value: Any) -> None:
        nonlocal depths
        if isinstance(value, dict) and value is not free:
            value["unknown"] = "field"
            assert refused(event_type, data)
            del value["unknown"]
            depths += 1
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            visit(part)

    data = deepcopy(EXAMPLES[event_type])
    rows = data.pop("rows", None)  # The columns of a table are data.
    free = data.get("table_versions")
    if rows is not None:
        data["rows"] = []
    visit(data)
    assert depths


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_a_fraction_a_number_for_a_text_and_an_overlong_text_are_refused_everywhere(event_type: str) -> None:
    data = deepcopy(EXAMPLES[event_type])

    def visit(holder: Any, key: Any) -> None:
        value = holder[key]
        wrong: tuple[Any, ...] = (1.5, 2.0)
        if isinstance(value, str) and not in_table(holder):
            wrong = (*wrong, 4, True, "x" * 10_000_000, "a\ud800", [])
        if isinstance(value, int) and not isinstance(value, bool) and not in_table(holder):
            wrong = (*wrong, str(value), value + 0.0, -1, 2**70, True)
        for each in wrong:
            holder[key] = each
            assert refused(event_type, data), (key, repr(each)[:40])
        holder[key] = value
        for part in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            visit(value, part)

    def in_table(holder: Any) -> bool:
        return any(holder is row or holder in row.values() for row in data.get("rows", ()))

    for key in list(data):
        visit(data, key)


@pytest.mark.parametrize("event_type", [name for name in EXAMPLES if not name.startswith(("lookup.", "card."))])
def test_a_field_that_is_not_declared_optional_may_not_be_absent(event_type: str) -> None:
    for key in EXAMPLES[event_type]:
        if key != "illustrative":
            assert refused(event_type, {k: v for k, v in EXAMPLES[event_type].items() if k != key})


CARD_CHANGES: dict[str, Change] = {
    "a number as a code": at("address", "code", put=4),
    "a code that is too long": at("address", "code", put="0" * 17),
    "a code with a space": at("address", "code", put="00 04"),
    "an empty code": at("periods", 0, "registered_place", "code", put=""),
    "nine digits": at("id", put="000001234"),
    "digits of another script": at("id", put="٠٠٠٠٠١٢٣٤٥"),
    "a line feed after the digits": at("id", put="0000012345\n"),
    "a citizen ID of eleven digits": at("citizen_ids", put=["00000123456"]),
    "a citizen ID twice": at("citizen_ids", put=["000001234567", "000001234567"]),
    "too many citizen IDs": at("citizen_ids", put=[f"0000012345{n:02}" for n in range(9)]),
    "an object for a list": at("citizen_ids", put={"000001234567": 1}),
    "too many periods": at("periods", put=CARD["periods"] * 33),
    "a day that does not exist": at("periods", 0, "valid_from", put="2023-02-29"),
    "a day in another shape": at("periods", 0, "valid_from", put="20230301"),
    "a day with a time": at("periods", 0, "valid_from", put="2023-03-01T00:00:00"),
    "a period that ends before it starts": at("periods", 0, "valid_to", put="2023-02-28"),
    "a dash for an open end": at("periods", 0, "valid_to", put="-"),
    "a number of 14 characters": at("periods", 0, "number", put="HC401000001234"),
    "a number with small letters": at("periods", 0, "number", put="hc4010000012345"),
    "a benefit level of 0": at("periods", 0, "benefit_level", put=0),
    "a benefit level as text": at("periods", 0, "benefit_level", put="4"),
    "an issuer that is not known": at("periods", 0, "issuer", put="bank"),
    "an end for an unknown reason": at("periods", 0, "ended", put={"on": "2024-01-01", "reason": "other"}),
    "a birth in a month that does not exist": at("holder", "birth", put="1962-13"),
    "a birth as the card prints it": at("holder", "birth", put="17/05/1962"),
    "a birth in the year 0": at("holder", "birth", put="0000"),
    "a name with a control character": at("holder", "name", put="Nguyễn\x00"),
    "a name written backwards": at("holder", "name", put="Nguyễn\u202eu"),
    "an empty name": at("holder", "name", put=""),
    "a sex as the card prints it": at("holder", "sex", put="Nữ"),
    "revision 0": at("revision", put=0),
    "a revision beyond 32 bits": at("revision", put=2**32),
    "a truth value for a revision": at("revision", put=True),
    "a withdrawal in a recorded card": at("withdrawn", put={"on": "2025-01-01", "reason": "error"}),
}


@pytest.mark.parametrize("change", CARD_CHANGES.values(), ids=CARD_CHANGES.keys())
def test_a_card_is_refused_for(change: Change) -> None:
    data = deepcopy(CARD)
    change(data)
    assert refused("card.recorded", data)


def test_every_key_of_a_card_is_required_even_where_nothing_is_known() -> None:
    def visit(value: Any) -> None:
        if isinstance(value, list):
            for each in value:
                visit(each)
        if isinstance(value, dict):
            for key in list(value):
                part = value.pop(key)
                assert refused("card.withdrawn", data), key
                value[key] = part
                visit(part)

    data = deepcopy(EXAMPLES["card.withdrawn"])
    visit(data)


@pytest.mark.parametrize("birth", ["1962", "1962-05", "1962-05-17", "2024-02-29"])
def test_a_birth_date_may_be_a_year_a_month_or_a_day(birth: str) -> None:
    assert not refused("card.recorded", CARD | {"holder": CARD["holder"] | {"birth": birth}})


def test_a_card_of_whose_holder_little_is_known_is_accepted() -> None:
    assert not refused("card.recorded", CARD | {"citizen_ids": [], "address": None, "periods": []})


WRONG_IDS: dict[str, tuple[str, dict[str, Any]]] = {
    "a unit of another code": ("territory.unit_recorded", UNIT | {"id": "commune/00005/2025-07-01"}),
    "a unit of another level": ("territory.unit_recorded", UNIT | {"id": "ward/00004/2025-07-01"}),
    "a unit of another day": ("territory.unit_recorded", UNIT | {"id": "commune/00004/-"}),
    "a facility of another code": ("facility.recorded", FACILITY | {"id": "01C52/-"}),
    "a facility of another day": ("facility.recorded", FACILITY | {"id": "01C51/2025-07-01"}),
    "a table of another name": ("table.recorded", EXAMPLES["table.recorded"] | {"id": "other/2009-07-01"}),
    "a table of another day": ("table.recorded", EXAMPLES["table.recorded"] | {"id": "benefit-levels/-"}),
    "a batch of another digest": ("batch.sealed", EXAMPLES["batch.sealed"] | {"digest": "0" * 64}),
}


@pytest.mark.parametrize(("event_type", "data"), WRONG_IDS.values(), ids=WRONG_IDS.keys())
def test_an_id_that_names_something_else_is_refused(event_type: str, data: dict[str, Any]) -> None:
    assert refused(event_type, data)


REGISTER_CHANGES: dict[str, tuple[str, Change]] = {
    "an extent between whole and part": ("territory.reorganised", at("links", 0, "extent", put="half")),
    "a link without successor": ("territory.reorganised", without("links", 0, "successor")),
    "a null hint": ("territory.reorganised", at("links", 1, "hint", put=None)),
    "an end named twice": ("territory.reorganised", at("ends", put=REORGANISATION["ends"] * 2)),
    "too many links": ("territory.reorganised", at("links", put=REORGANISATION["links"] * 201)),
    "a document that is a number": ("territory.reorganised", at("document", put="1656/NQ-UBTVQH15")),
    "a facility link by level": (
        "facility.reorganised",
        at("links", 0, "predecessor", put={"level": "commune", "code": "00004"}),
    ),
    "points beyond 100": ("facility.recorded", at("points", put=101)),
    "a kind of two words": ("facility.recorded", at("kind", put="commune station")),
    "a contract that ends before it starts": ("contract.recorded", at("valid_to", put="2025-06-30")),
    "a grade that nobody defined": ("guidance.recorded", at("grade", put="3")),
    "a rule in one language": ("guidance.recorded", without("rule", "en")),
    "a fraction in a table": ("table.recorded", at("rows", 0, "share_percent", put=0.8)),
    "a table in a table": ("table.recorded", at("rows", 0, "share_percent", put={"a": 1})),
    "an annulled card": ("fact.annulled", at("family", put="card")),
    "a digest in capitals": ("batch.sealed", at("base", put="9F" * 32)),
    "an empty batch": ("batch.sealed", at("count", put=0)),
    "generation 0": ("generation.switched", at("generation", put=0)),
}


@pytest.mark.parametrize(("event_type", "change"), REGISTER_CHANGES.values(), ids=REGISTER_CHANGES.keys())
def test_a_register_message_is_refused_for(event_type: str, change: Change) -> None:
    data = deepcopy(EXAMPLES[event_type])
    change(data)
    assert refused(event_type, data)


def test_a_reorganisation_that_neither_links_nor_ends_is_refused() -> None:
    assert refused("territory.reorganised", REORGANISATION | {"links": [], "ends": []})
    assert refused("facility.reorganised", EXAMPLES["facility.reorganised"] | {"links": [], "ends": []})


QUESTION_CHANGES: dict[str, Change] = {
    "no clerk": without("clerk_id"),
    "an empty clerk": at("clerk_id", put=""),
    "a clerk with a line feed": at("clerk_id", put="NV01\n"),
    "a clerk of 33 characters": at("clerk_id", put="N" * 33),
    "no facility": without("facility_code"),
    "a facility as a number": at("facility_code", put=1004),
    "a kind that is not known": at("presented", put={"kind": "passport", "number": "1"}),
    "no kind": at("presented", put={"number": "0000012345"}),
    "the fields of another kind": at("presented", put={"kind": "card_qr", "number": "0000012345"}),
    "an endless scan": at("presented", "text", put="x" * 4097),
    "a visit that is not known": at("visit_kind", put="remote"),
    "a day in another shape": at("on", put="01/08/2025"),
    "a reason the law does not know": at("presented", put={"kind": "no_card", "reason": "forgot"}),
    "an image that is not base64": at("presented", put=PRESENTED["card_image"] | {"sealed": "%%%"}),
    "an image of another kind": at("presented", put=PRESENTED["card_image"] | {"media_type": "image/heic"}),
}


@pytest.mark.parametrize("change", QUESTION_CHANGES.values(), ids=QUESTION_CHANGES.keys())
def test_a_question_is_refused_for(change: Change) -> None:
    data = deepcopy(QUESTION)
    change(data)
    with pytest.raises(ValidationError):
        Question.model_validate(data)


@pytest.mark.parametrize("scanned", ["\x00HC401\x00", "  ", "?", "a" * 4096])
def test_what_was_scanned_is_accepted_as_it_came_for_reading_it_is_answering(scanned: str) -> None:
    data = QUESTION | {"presented": {"kind": "card_qr", "text": scanned}}
    assert Question.model_validate(data).presented.kind == "card_qr"


DECISION_CHANGES: dict[str, Change] = {
    "a number that is not masked": at("card", "number", put="HC4010000012345"),
    "a number of which three characters are masked": at("card", "number", put="HC401***2345"),
    "an outcome that is not known": at("outcome", put="refused"),
    "a choice instead of a set": at("address", "today", put=DECISION["address"]["today"][0]),
    "a time without an offset": at("decided_at", put="2025-08-01T09:00:00"),
    "a moment that does not exist": at("decided_at", put="2025-08-01T24:01:00Z"),
    "a moment that is beyond the calendar in Vietnam": at("decided_at", put="9999-12-31T23:59:59Z"),
    "a moment that is before the calendar in Greenwich": at("decided_at", put="0001-01-01T00:00:00+14:00"),
    "an id that is no UUID": at("decision_id", put="0197"),
}


@pytest.mark.parametrize("change", DECISION_CHANGES.values(), ids=DECISION_CHANGES.keys())
def test_a_decision_is_refused_for(change: Change) -> None:
    data = deepcopy(DECISION)
    change(data)
    with pytest.raises(ValidationError):
        Decision.model_validate(data)


def test_a_message_does_not_change_once_it_is_read() -> None:
    message = model("generation.switched").model_validate({"generation": 2})
    with pytest.raises(ValidationError):
        message.generation = 3  # type: ignore[attr-defined] # the base class has no such field


def test_the_words_of_a_refusal_do_not_repeat_what_was_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        model("card.recorded").model_validate(CARD | {"id": "0000099999x"})
    assert "0000099999x" not in str(caught.value)
