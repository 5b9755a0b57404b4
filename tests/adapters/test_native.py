"""Questions from their message, decisions to JSON and back: the same shape as the published schema."""

from datetime import UTC, date, datetime

import orjson
import pytest
from hypothesis import given

from lienthong.adapters.native import decode_decision, encode_decision, question_from
from lienthong.domain.answer import Finding
from lienthong.domain.facts import Fact
from lienthong.domain.question import (
    CitizenPresented,
    Identity,
    Malformed,
    NoCardReason,
    NothingPresented,
    NumberPresented,
    PresentedKind,
    Question,
    VisitKind,
)
from lienthong_schemas.decisions import Decision as DecisionMessage
from lienthong_schemas.questions import Question as QuestionMessage
from tests.support.desk import CITIZEN_ID, NOW, NUMBER, PRINTED, answer, card, found, period, question, scanned
from tests.support.desk_strategies import findings, questions, rules
from tests.support.facts import register_of
from tests.support.histories import wild_facts
from tests.support.small_map import BEFORE, DIVIDED, MERGED, STATION

LATE_EVENING = datetime(2025, 7, 31, 17, 30, tzinfo=UTC)  # half past midnight of 1 August in Vietnam


def asked(presented: dict[str, object], **other: object) -> Question:
    """Read a question from its JSON, as it comes over the wire."""
    body = orjson.dumps({"presented": presented, "facility_code": "01004", "clerk_id": "NV01"} | other)
    return question_from(QuestionMessage.model_validate_json(body), LATE_EVENING)


@given(questions, findings, wild_facts, rules)
def test_every_decision_is_written_as_the_schema_has_it_and_read_back_the_same(
    asking: Question, finding: Finding, facts: list[Fact], more: list[Fact]
) -> None:
    decision = answer(asking, finding, register_of(*facts, *more))
    content = encode_decision(decision)
    assert decode_decision(content) == decision
    written = DecisionMessage.model_validate_json(content).model_dump(mode="json")
    assert written == orjson.loads(content)


def test_the_fields_stand_in_the_order_of_the_schema() -> None:
    full = card(period(place=("01C51", "2023-03-01")), address=("commune", "00004", "2023-03-01"))
    decision = answer(question(scanned()), found(full), register_of(*BEFORE, *MERGED, *DIVIDED, STATION))
    written = orjson.loads(encode_decision(decision))
    assert list(written) == list(DecisionMessage.model_fields)
    assert written["address"]["today"][0]["name"] == "Phường Ba Đình"
    assert written["decided_at"] == "2025-08-01T02:00:00Z"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"outcome":"eligible"}'])
def test_what_is_no_decision_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        decode_decision(content)


def test_a_question_without_a_day_means_today_in_vietnam() -> None:
    plain = asked({"kind": "insurance_number", "number": NUMBER})
    assert plain == Question(
        presented=NumberPresented(kind=PresentedKind.INSURANCE_NUMBER, number=NUMBER, printed=NUMBER),
        facility_code="01004",
        clerk_id="NV01",
        on=date(2025, 8, 1),
    )


def test_days_visit_and_what_the_desk_typed_are_taken_over() -> None:
    full = asked(
        {"kind": "insurance_number", "number": PRINTED},
        on="2025-08-03",
        admitted_on="2025-07-30",
        visit_kind="inpatient",
        holder={"name": "Nguyễn Thị Mẫu", "birth": "1962"},
    )
    assert (full.on, full.admitted_on) == (date(2025, 8, 3), date(2025, 7, 30))
    assert full.visit_kind is VisitKind.INPATIENT
    assert full.holder == Identity(name="Nguyễn Thị Mẫu", birth="1962")


def test_each_kind_is_read_by_its_reader() -> None:
    citizen = asked({"kind": "citizen_id", "number": CITIZEN_ID}).presented
    assert isinstance(citizen, CitizenPresented)
    chip = asked({"kind": "citizen_chip", "fields": {"number": CITIZEN_ID, "name": "Nguyễn Thị Mẫu"}}).presented
    assert isinstance(chip, CitizenPresented)
    assert chip.kind is PresentedKind.CITIZEN_CHIP
    assert isinstance(asked({"kind": "card_qr", "text": "?"}).presented, Malformed)
    assert isinstance(asked({"kind": "citizen_qr", "text": "?"}).presented, Malformed)
    assert asked({"kind": "no_card", "reason": "child"}).presented == NothingPresented(reason=NoCardReason.CHILD)


def test_a_card_image_is_read_before_its_question_is_asked() -> None:
    message = QuestionMessage.model_validate(
        {
            "presented": {"kind": "card_image", "key_id": "k1", "sealed": "AAAA", "media_type": "image/png"},
            "facility_code": "01004",
            "clerk_id": "NV01",
        }
    )
    with pytest.raises(ValueError, match="read before"):
        question_from(message, NOW)
    read = scanned()
    assert question_from(message, NOW, read).presented == read
