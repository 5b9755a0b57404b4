"""Look-ups as events: each answered once, in the log, with its decision; images only sealed."""

from typing import Any

import orjson
import pytest

from lienthong.adapters.card_drawing import DrawStyle, draw_card
from lienthong.adapters.demo_cards import DEMO_CARDS, TRUC_BACH
from lienthong.adapters.event_log import Entry
from lienthong.adapters.keys import keys_in
from lienthong.adapters.sealed_images import sealed_presented
from lienthong.adapters.sealing import Sealer
from lienthong.adapters.wire import Event, Outgoing, decode, encode
from lienthong.domain.question import Question
from lienthong.lookup.desk import Answered, Desk
from lienthong.lookup.handlers import ATTEMPTS_MAX
from lienthong.runtime.clock import SystemClock
from lienthong_schemas.lookups import LookupAnswered
from lienthong_schemas.streams import ANSWERS, CARD_IMAGES, DEAD_LETTERS, DECISIONS, LOOKUPS, Stream
from tests.support.presented import truc_bach_qr
from tests.support.service import DESK, Service, service  # noqa: F401 -- a fixture
from tests.support.waiting import until_so

ON = "2025-08-01"


def requested(lookup_id: str, presented: dict[str, object]) -> bytes:
    return encode(
        Outgoing(
            id=lookup_id,
            type="lookup.requested",
            source="/tests/his",
            subject=DESK["facility_code"],
            time=SystemClock().now(),
            data={"question": {"presented": presented, "on": ON, **DESK}},
        )
    )


async def entries(service: Service, stream: Stream) -> list[Entry]:  # noqa: F811 -- as the fixture
    found: list[Entry] = []
    for partition, bounds in (await service.log.bounds(stream.name)).items():
        read = await service.log.read(stream.name, partition, bounds.first, 1_000)
        assert isinstance(read, tuple)
        found.extend(read)
    return found


async def answers(service: Service) -> dict[str, LookupAnswered]:  # noqa: F811 -- as the fixture
    found = {}
    for entry in await entries(service, ANSWERS):
        event = decode(entry.value, ANSWERS)
        assert isinstance(event, Event)
        assert isinstance(event.message, LookupAnswered)
        assert event.message.lookup_id not in found, "answered twice"
        found[event.message.lookup_id] = event.message
    return found


@pytest.fixture
async def filled(service: Service) -> Service:  # noqa: F811 -- the fixture of that name
    await service.publish_cards([DEMO_CARDS[TRUC_BACH]])
    return service


async def ask(service: Service, stream: Stream, *events: bytes) -> None:  # noqa: F811 -- as the fixture
    await service.log.append_many(stream.name, [(DESK["facility_code"], event) for event in events])


async def test_every_way_to_present_a_card_is_answered_with_a_decision(filled: Service) -> None:
    qr = truc_bach_qr()
    chip = {"number": "000001234567", "name": "Nguyễn Thị Mẫu", "birth": "1962-05-17"}
    await ask(
        filled,
        LOOKUPS,
        requested("by-number", {"kind": "insurance_number", "number": TRUC_BACH}),
        requested("by-card-qr", {"kind": "card_qr", "text": qr}),
        requested("by-chip", {"kind": "citizen_chip", "fields": chip}),
        requested("by-citizen-id", {"kind": "citizen_id", "number": "000001234567"}),
        requested("no-card", {"kind": "no_card", "reason": "reissue"}),
    )

    async def all_answered() -> bool:
        return len(await answers(filled)) == 5

    await until_so(all_answered)
    found = await answers(filled)
    assert {key: answer.decision.outcome for key, answer in found.items()} == {
        "by-number": "eligible",
        "by-card-qr": "eligible",
        "by-chip": "eligible",
        "by-citizen-id": "eligible",
        "no-card": "check_papers",
    }
    assert found["by-card-qr"].decision.card is not None
    assert found["by-card-qr"].decision.card.holder is not None
    decided = [decode(entry.value, DECISIONS) for entry in await entries(filled, DECISIONS)]
    ids = {event.envelope.id for event in decided if isinstance(event, Event)}
    assert {answer.decision.decision_id for answer in found.values()} <= ids


async def test_an_unreadable_look_up_is_set_aside_and_the_next_one_answered(filled: Service) -> None:
    good = requested("good", {"kind": "insurance_number", "number": TRUC_BACH})
    await ask(filled, LOOKUPS, b"\xff not json", good)

    async def answered() -> bool:
        return "good" in await answers(filled)

    await until_so(answered)
    (letter,) = await entries(filled, DEAD_LETTERS)
    assert orjson.loads(letter.value)["data"]["reason"]["code"] == "not_json"


async def test_a_look_up_that_nobody_can_answer_is_set_aside_and_the_next_one_answered(
    filled: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Desk.answer

    async def broken(desk: Desk, question: Question, *rest: Any) -> Answered:
        if question.clerk_id == "NV13":
            raise RuntimeError(TRUC_BACH)
        return await answer(desk, question, *rest)

    monkeypatch.setattr(Desk, "answer", broken)
    good: dict[str, object] = {"kind": "insurance_number", "number": TRUC_BACH}
    bad = requested("bad", good).replace(DESK["clerk_id"].encode(), b"NV13")
    await ask(filled, LOOKUPS, bad, requested("good", good))

    async def answered() -> bool:
        return "good" in await answers(filled)

    await until_so(answered)
    (letter,) = await entries(filled, DEAD_LETTERS)
    data = orjson.loads(letter.value)["data"]
    assert (data["reason"]["code"], data["attempts"]) == ("unanswerable", ATTEMPTS_MAX)


async def test_a_sealed_image_is_read_and_never_written_in_the_clear(filled: Service) -> None:
    keys = keys_in(filled.directory.keys)
    sealer = Sealer(keys, SystemClock())
    qr = truc_bach_qr()
    image = draw_card(qr, DrawStyle())
    await ask(filled, CARD_IMAGES, requested("image", dict(sealed_presented(sealer, image, "image/png"))))

    async def answered() -> bool:
        return "image" in await answers(filled)

    await until_so(answered)
    assert (await answers(filled))["image"].decision.outcome == "eligible"
    for stream in (CARD_IMAGES, DECISIONS, ANSWERS):
        for entry in await entries(filled, stream):
            assert image not in entry.value
            assert qr.encode() not in entry.value
    keys.close()


async def test_what_the_log_already_answered_is_not_answered_again_after_the_store_was_flushed(filled: Service) -> None:
    await ask(filled, LOOKUPS, requested("first", {"kind": "insurance_number", "number": TRUC_BACH}))

    async def answered(lookup_id: str) -> bool:
        return lookup_id in await answers(filled)

    await until_so(lambda: answered("first"))
    await filled.store.flushall()
    await filled.store.function_flush()
    await ask(filled, LOOKUPS, requested("second", {"kind": "insurance_number", "number": TRUC_BACH}))
    await until_so(lambda: answered("second"))
    # `answers` fails where any look-up has two.
    assert set(await answers(filled)) == {"first", "second"}
