"""What cannot be read, in every stream that is read: all of it in the dead letters, nothing else lost, no end to it."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from lienthong.adapters.card_drawing import DrawStyle, draw_card
from lienthong.adapters.dead_letters import NotKept, letters, original
from lienthong.adapters.demo_cards import DEMO_CARDS, TRUC_BACH
from lienthong.adapters.ground import grounded
from lienthong.adapters.keys import keys_in
from lienthong.adapters.projection import Projection
from lienthong.adapters.sealed_images import sealed_presented
from lienthong.adapters.sealing import Sealer
from lienthong.adapters.valkey_log import offset_of, stream_key
from lienthong.adapters.wire import Refusal, decode
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.connection import connect
from lienthong_schemas.streams import CARD_IMAGES, CARDS, DECISIONS, LOOKUPS, REGISTER, Stream
from tests.support.answering import FACILITY, lookup_event
from tests.support.audit import Ledger, read_stream
from tests.support.audit_lookups import audit_lookups, audit_volumes
from tests.support.audit_projection import audit_cards, audit_register
from tests.support.card_facts import usual_card
from tests.support.outstanding import outstanding
from tests.support.poison import spoilt
from tests.support.presented import truc_bach_qr
from tests.support.projecting import card_event
from tests.support.sealing_batches import batch, event
from tests.support.sealing_batches import unit as some_unit
from tests.support.service import Service, service  # noqa: F401 -- a fixture
from tests.support.waiting import until, until_so

SEED = 20250701
NOBODYS_BATCH = "f" * 64
Keyed = tuple[str, bytes]


@dataclass
class Ground:
    """A running service, what it acknowledged, and which entries must be set aside, with the code of the reason."""

    service: Service
    sealer: Sealer
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311  # the same each time
    ledger: Ledger = field(default_factory=Ledger)
    expected: dict[tuple[str, int, int], str] = field(default_factory=dict)
    bad: dict[tuple[str, int, int], bytes] = field(default_factory=dict)

    async def publish(
        self, stream: Stream, good: Sequence[Keyed], bad: Sequence[tuple[str, bytes, str | None]]
    ) -> None:
        """Append good events in their order, and bad ones (with the reason, if not the contract's) anywhere."""
        places = sorted(self.chance.randrange(len(good) + 1) for _ in bad)
        waiting = list(zip(places, bad, strict=True))
        for at, (key, value) in enumerate([*good, ("", b"")]):
            while waiting and waiting[0][0] == at:
                _, (bad_key, bad_value, reason) = waiting.pop(0)
                await self._append_bad(stream, bad_key, bad_value, reason)
            if at < len(good):
                appended = await self.service.log.append(stream.name, key, value)
                self.ledger.appended(stream.name, [value], [appended])

    async def _append_bad(self, stream: Stream, key: str, value: bytes, reason: str | None) -> None:
        appended = await self.service.log.append(stream.name, key, value)
        if reason is None:
            refusal = decode(value, stream)
            assert isinstance(refusal, Refusal), value[:200]
            reason = refusal.code.value
        place = (stream.name, appended.partition, appended.offset)
        self.expected[place], self.bad[place] = reason, value

    async def foreign(self, stream: Stream) -> None:
        """Append an entry that some other program wrote, without our fields."""
        client = connect(self.service.directory.socket("log"))
        identifier: Any = await client.xadd(stream_key(stream.name, 0), {"theirs": "1"}, id="0-*")
        await client.aclose()
        place = (stream.name, 0, offset_of(identifier))
        self.expected[place], self.bad[place] = "not_json", b""

    async def settled(self) -> None:
        """Wait until everything is read, answered and counted."""
        async with grounded(self.service.settings, SystemClock()) as ground:

            async def is_settled() -> bool:
                return not await outstanding(ground)

            await until_so(is_settled, 60)

    async def audit(self) -> None:
        """Check the dead letters, and everything else that the service has done."""
        log, store = self.service.log, self.service.store
        found = await letters(log)
        origins = {
            (each.letter.origin.stream, each.letter.origin.partition, each.letter.origin.position): each
            for each in found
        }
        assert {place: letter.letter.reason.code for place, letter in origins.items()} == self.expected
        for place, value in self.bad.items():
            kept = original(origins[place], self.sealer)
            assert kept == value or (isinstance(kept, NotKept) and kept.size_bytes == len(value) > 2**16)
        projection = Projection(store, CARDS.partitions)
        await projection.open()
        cards = await read_stream(log, CARDS.name)
        assert await audit_cards(cards, projection) == []
        assert await audit_register(log, store, self.ledger) == []
        assert await audit_lookups(log, self.ledger) == []
        assert await audit_volumes(log, self.service.monitor.history) == []


@pytest.fixture
async def ground(service: Service) -> AsyncIterator[Ground]:  # noqa: F811 -- the fixture of that name
    keys = keys_in(service.directory.keys)
    yield Ground(service, Sealer(keys, SystemClock()))
    keys.close()


def contracts(spoilt_events: Mapping[str, bytes], key: str) -> list[tuple[str, bytes, str | None]]:
    """Return spoilt events under a key, to be refused for the reason that the contract gives."""
    return [(key, value, None) for value in spoilt_events.values()]


def number(serial: int) -> str:
    return f"00000{serial:05d}"


async def test_among_cards(ground: Ground) -> None:
    good = [(number(serial), card_event(usual_card(number(serial)))) for serial in range(60)]
    bad = contracts(spoilt(card_event(usual_card(number(100))), CARDS, ground.chance), number(100))
    bad.append((number(101), card_event(usual_card(number(102))), "wrong_stream"))
    await ground.publish(CARDS, good, bad)
    await ground.foreign(CARDS)
    await ground.publish(CARDS, [(number(200), card_event(usual_card(number(200))))], [])
    await ground.settled()
    await ground.audit()
    decision = await ground.service.decide({"kind": "insurance_number", "number": number(200)})
    assert decision["outcome"] == "eligible"


async def test_in_the_register(ground: Ground) -> None:
    first, first_events = batch([some_unit(f"7000{each}", f"Unit {each}") for each in range(6)], None)
    second, second_events = batch([some_unit(f"7001{each}", f"Unit {each}") for each in range(6)], first)
    fact = some_unit("70099", "Nobody's")
    nobodys = event(fact.type, fact.data, fact.id, NOBODYS_BATCH)
    bad = contracts(spoilt(nobodys, REGISTER, ground.chance), fact.id)
    bad.append((fact.id, event(fact.type, fact.data, fact.id), "invalid_envelope"))
    await ground.publish(REGISTER, [(first, each) for each in [*first_events, *second_events]], bad)
    await ground.foreign(REGISTER)
    third, third_events = batch([some_unit("70020", "Unit")], second)
    await ground.publish(REGISTER, [(third, each) for each in third_events], [])
    ground.ledger.batches = {first, second, third}
    await ground.settled()
    await until(lambda: ground.service.parts.register().last_batch == third)
    await ground.audit()


async def test_among_look_ups(ground: Ground) -> None:
    now = SystemClock().now().isoformat()
    good = [(FACILITY, lookup_event(serial, now)) for serial in range(20)]
    await ground.publish(LOOKUPS, good, contracts(spoilt(lookup_event(99, now), LOOKUPS, ground.chance), FACILITY))
    await ground.foreign(LOOKUPS)
    await ground.publish(LOOKUPS, [(FACILITY, lookup_event(20, now))], [])
    await ground.settled()
    await ground.audit()


def image_event(lookup_id: str, presented: Mapping[str, str]) -> bytes:
    """Return a look-up of a card's image."""
    asked = orjson.loads(lookup_event(0, SystemClock().now().isoformat()))
    question = {**asked["data"]["question"], "presented": presented}
    return orjson.dumps({**asked, "id": lookup_id, "data": {"question": question}})


async def test_among_card_images(ground: Ground) -> None:
    await ground.service.publish_cards([DEMO_CARDS[TRUC_BACH]])
    presented = sealed_presented(ground.sealer, draw_card(truc_bach_qr(), DrawStyle()), "image/png")
    good = [(FACILITY, image_event(f"image-{serial}", presented)) for serial in range(3)]
    bad = contracts(spoilt(image_event("bad", presented), CARD_IMAGES, ground.chance), FACILITY)
    other_key = presented["key_id"][:-1] + ("0" if presented["key_id"][-1] != "0" else "1")
    bad.append((FACILITY, image_event("gone", {**presented, "key_id": other_key}), "invalid_data"))
    broken = presented["sealed"][:400] + "AAAA" + presented["sealed"][404:]
    bad.append((FACILITY, image_event("broken", {**presented, "sealed": broken}), "invalid_data"))
    await ground.publish(CARD_IMAGES, good, bad)
    await ground.foreign(CARD_IMAGES)
    await ground.publish(CARD_IMAGES, [(FACILITY, image_event("last", presented))], [])
    await ground.settled()
    await ground.audit()


async def test_among_decisions(ground: Ground) -> None:
    service = ground.service  # noqa: F811 -- the running one
    await service.decide({"kind": "insurance_number", "number": number(1)})
    await ground.settled()
    (decision,) = [value for values in await read_stream(service.log, DECISIONS.name) for value in values]
    subject = orjson.loads(decision)["subject"]
    for key, value, reason in contracts(spoilt(decision, DECISIONS, ground.chance), subject):
        await ground.publish(DECISIONS, [], [(key, value, reason)])
        await service.decide({"kind": "insurance_number", "number": number(2)})
    await ground.foreign(DECISIONS)
    await service.decide({"kind": "insurance_number", "number": number(3)})
    await ground.settled()
    await ground.audit()
