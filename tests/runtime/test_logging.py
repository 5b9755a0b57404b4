import io
import json
import logging
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from lienthong.runtime.logging import WITHHELD, FrequentLog, canonical_line, configure, withhold
from lienthong_schemas.cards import CardRecorded

NUMBERS = ["0000012345", "000001234567", "HC4010000012345", "hc4010000012345"]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("debug", "json", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    logging.getLogger("uvicorn.access").disabled = False


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def masked(**event: Any) -> dict[str, Any]:
    return dict(withhold(None, "", event))


def test_a_line_is_json_with_its_time_level_and_logger(stream: io.StringIO) -> None:
    structlog.stdlib.get_logger("lienthong.test").info("started", port=8080)
    (line,) = lines(stream)
    assert line.pop("at").endswith("Z")
    assert line == {"event": "started", "level": "info", "logger": "lienthong.test", "port": 8080}


FREQUENT: dict[str, Any] = {
    "decision_id": "0197c3a1-5e0c-7000-8000-0000000000aa",
    "outcome": "eligible",
    "recorded": True,
    "ms": 1.25,
}


@pytest.mark.parametrize("other", [{}, {"facility": "0000012345"}, {"facility": None}, {"name": "Nguyễn Thị Mẫu"}])
def test_a_frequent_line_is_the_one_that_structlog_writes(stream: io.StringIO, other: dict[str, Any]) -> None:
    FrequentLog("lienthong.test").info("answered", **FREQUENT, **other)
    structlog.stdlib.get_logger("lienthong.test").info("answered", **FREQUENT, **other)
    frequent, usual = lines(stream)
    assert abs(datetime.fromisoformat(frequent.pop("at")) - datetime.fromisoformat(usual.pop("at"))).seconds < 5
    assert frequent == usual
    assert "0000012345" not in stream.getvalue()


def test_a_frequent_line_carries_bound_ids_and_obeys_the_level(stream: io.StringIO) -> None:
    log = FrequentLog("lienthong.test")
    with bound_contextvars(lookup_id="l-1"):
        log.info("answered")
    logging.getLogger().setLevel(logging.WARNING)
    log.info("answered")
    (line,) = lines(stream)
    assert line["lookup_id"] == "l-1"


def test_lines_of_libraries_pass_the_same_processors(stream: io.StringIO) -> None:
    logging.getLogger("some.library").warning("could not read %s", "0000012345")
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == (f"could not read {WITHHELD}", "warning")


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("form", ["{}", "card {}.", "/v1/cards/{}?x=1", '["{}"]', "{}|4e6775|", "a={},b={}"])
def test_a_card_shaped_number_is_masked_wherever_it_stands(number: str, form: str) -> None:
    text = form.format(number, number)
    event = masked(event=text, list=[text, (text,)], map={"inner": {"x": text}}, thing=ValueError(text))
    assert number not in str(event)
    assert WITHHELD in event["event"]


def test_a_number_that_is_no_text_is_masked_too() -> None:
    assert masked(n=10**9, m=-(10**11)) == {"n": WITHHELD, "m": WITHHELD}


@pytest.mark.parametrize("value", [0, 8080, 25113, 1.5, True, None, 12345678901, 1754013600123, "2025-08-01T09:00:00Z"])
def test_what_is_no_number_of_a_person_stays(value: Any) -> None:
    assert masked(x=value) == {"x": value}


@given(st.uuids())
def test_identifiers_of_decisions_stay_whole(identifier: uuid.UUID) -> None:
    assert masked(decision_id=str(identifier)) == {"decision_id": str(identifier)}


def test_a_uuid_that_ends_in_twelve_digits_stays_whole() -> None:
    identifier = "01970000-0000-7000-8000-123456789012"
    assert masked(decision_id=identifier) == {"decision_id": identifier}


@pytest.mark.parametrize("key", ["holder", "name", "birth", "citizen_ids", "address", "text", "Number", "clerk_id"])
def test_what_is_known_to_be_a_persons_is_withheld_whatever_it_looks_like(key: str) -> None:
    assert masked(**{key: "x"}) == {key: WITHHELD}
    assert masked(outer={"list": [{key: {"deep": 1}}]}) == {"outer": {"list": [{key: WITHHELD}]}}


def test_an_exception_is_its_type_and_where_it_passed_never_its_words(stream: io.StringIO) -> None:
    secret = "Nguyễn Thị Mẫu"  # noqa: S105  # an invented name

    def fail(holder: str) -> None:
        CardRecorded.model_validate({"holder": holder})

    log = structlog.stdlib.get_logger("lienthong.test")
    try:
        fail(secret)
    except ValueError:
        log.exception("refused")
        logging.getLogger("some.library").exception("refused")
    assert "Nguy" not in stream.getvalue()
    for line in lines(stream):
        assert line["fault"] == "ValidationError"
        assert any(place.endswith(" fail") for place in line["where"])


def test_the_console_form_keeps_the_same_silence(stream: io.StringIO) -> None:
    configure("info", "console", stream)
    try:
        raise ValueError("Nguyễn Thị Mẫu")  # noqa: EM101, TRY003, TRY301  # a message that must not be repeated
    except ValueError:
        structlog.stdlib.get_logger("lienthong.test").exception("refused", text="0000012345")
    assert "Nguy" not in stream.getvalue()
    assert "00000" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_one_canonical_line_says_what_became_of_a_message_and_lines_below_carry_its_ids(stream: io.StringIO) -> None:
    with canonical_line("lookup", lookup_id="a") as facts:
        structlog.stdlib.get_logger("lienthong.test").info("inner")
        facts["outcome"] = "eligible"
    inner, line = lines(stream)
    assert inner["lookup_id"] == line["lookup_id"] == "a"
    assert (line["event"], line["outcome"]) == ("lookup", "eligible")
    assert line["duration_ms"] >= 0
    structlog.stdlib.get_logger("lienthong.test").info("after")
    assert "lookup_id" not in lines(stream)[-1]


def test_a_message_that_failed_has_its_canonical_line_too(stream: io.StringIO) -> None:
    with pytest.raises(ConnectionError), canonical_line("lookup", lookup_id="a"):
        raise ConnectionError
    assert lines(stream)[0]["fault"] == "ConnectionError"


def test_bound_ids_are_on_every_line(stream: io.StringIO) -> None:
    with bound_contextvars(partition=7):
        logging.getLogger("some.library").info("x")
    assert lines(stream)[0]["partition"] == 7


def test_a_client_of_kafka_says_the_same_once_and_everybody_else_as_often_as_they_like(stream: io.StringIO) -> None:
    for node in range(3):
        logging.getLogger("aiokafka.client").error("Unable to connect to %s", node)
        logging.getLogger("aiokafka.client").error("Unable to ask %s", node)
        structlog.stdlib.get_logger("lienthong.test").info("seen")
    said = [line["event"] for line in lines(stream)]
    assert said == ["Unable to connect to 0", "Unable to ask 0", "seen", "seen", "seen"]


def test_urls_are_not_logged_and_the_level_holds(stream: io.StringIO) -> None:
    configure("warning", "json", stream)
    logging.getLogger("uvicorn.access").error("GET /x")
    structlog.stdlib.get_logger("lienthong.test").info("quiet")
    assert lines(stream) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # one stream for all examples is meant
@given(st.dictionaries(st.text(min_size=1, max_size=8), st.recursive(st.none() | st.text() | st.binary(), st.lists)))
def test_no_value_makes_a_line_fail(stream: io.StringIO, values: dict[str, Any]) -> None:
    stream.truncate(0)
    stream.seek(0)
    structlog.stdlib.get_logger("lienthong.test").info("x", values=values)
    assert len(lines(stream)) == 1
