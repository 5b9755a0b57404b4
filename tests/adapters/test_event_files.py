from pathlib import Path
from typing import Any

import orjson
import pytest

from lienthong.adapters.event_files import FileLine, KeyedLine, read_events
from lienthong.adapters.registers import FactLine, LineFault
from lienthong.adapters.wire import RefusalCode
from lienthong_schemas.streams import CARDS, EVENT_BYTES_MAX, LOOKUPS
from tests.support.card_facts import usual_card
from tests.support.facts import annulled, commune, unit
from tests.support.projecting import card_event

UNIT = unit(commune("00001"))
CARD = card_event(usual_card("0000000001"))


def event(type_: str, data: Any, subject: str, **envelope: Any) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": "1",
            "type": type_,
            "source": "/tests",
            "subject": subject,
            "time": "2025-06-20T09:00:00+07:00",
            "data": data,
            **envelope,
        }
    )


def lookup(presented: Any) -> bytes:
    question = {"presented": presented, "facility_code": "01004", "clerk_id": "NV01"}
    return event("lookup.requested", {"question": question}, "01004")


def read(tmp_path: Path, content: bytes) -> list[FileLine]:
    file = tmp_path / "events.jsonl"
    file.write_bytes(content)
    return list(read_events(file))


def test_each_line_is_what_it_says(tmp_path: Path) -> None:
    annulment = annulled(UNIT)
    asked = lookup({"kind": "insurance_number", "number": "0000000001"})
    lines = [
        event(UNIT.type, UNIT.data, UNIT.id),
        b"  ",
        CARD,
        asked,
        event(annulment.type, annulment.data, annulment.id),
    ]
    fact, card, question, undone = read(tmp_path, b"\r\n".join(lines))
    assert isinstance(fact, FactLine)
    assert (fact.line, fact.fact) == (1, UNIT)
    assert card == KeyedLine(line=3, stream=CARDS.name, key="0000000001", value=CARD)
    assert question == KeyedLine(line=4, stream=LOOKUPS.name, key="01004", value=asked)
    assert isinstance(undone, FactLine)
    assert undone.fact == annulment


def test_a_card_whose_type_stands_last_is_read_all_the_same(tmp_path: Path) -> None:
    card = orjson.loads(CARD)
    moved = orjson.dumps({**{name: card[name] for name in card if name != "type"}, "type": card["type"]})
    (line,) = read(tmp_path, moved)
    assert isinstance(line, KeyedLine)
    assert line.key == "0000000001"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", RefusalCode.NOT_JSON),
        (b"\xff\xfe", RefusalCode.NOT_JSON),
        (b'"' + b"x" * EVENT_BYTES_MAX + b'"', RefusalCode.TOO_LARGE),
        (event("card.recorded", {"id": "1"}, "1"), RefusalCode.INVALID_DATA),
        (event(UNIT.type, UNIT.data, "another"), RefusalCode.WRONG_SUBJECT),
        (event(UNIT.type, UNIT.data, UNIT.id, batchid="0" * 64), RefusalCode.INVALID_ENVELOPE),
        (
            event("card.recorded", usual_card("0000000001").data, "0000000001", batchid="0" * 64),
            RefusalCode.INVALID_ENVELOPE,
        ),
        (event("generation.switched", {"generation": 2}, "2"), RefusalCode.WRONG_STREAM),
        (
            lookup({"kind": "card_image", "key_id": "card-images.v1/x/1", "sealed": "AAAA", "media_type": "image/png"}),
            RefusalCode.INVALID_DATA,
        ),
    ],
)
def test_a_line_that_may_not_be_published_is_a_fault_and_the_next_one_is_read(
    tmp_path: Path, line: bytes, code: RefusalCode
) -> None:
    fault, after = read(tmp_path, line + b"\n" + CARD + b"\n")
    assert isinstance(fault, LineFault)
    assert (fault.line, fault.refusal.code) == (1, code)
    assert isinstance(after, KeyedLine)
    assert after.line == 2
