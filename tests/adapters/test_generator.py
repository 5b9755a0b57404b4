"""Generated cards: the same for the same plan, valid, invented, with real codes, and of every kind there is."""

import re
import time
from collections import Counter
from datetime import date

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.adapters import demo_cards
from lienthong.adapters.card_codec import pack
from lienthong.adapters.card_wire import decode_card
from lienthong.adapters.generated_periods import WINDOW_FIRST, WINDOW_LAST, CardKind
from lienthong.adapters.generated_places import shipped_places
from lienthong.adapters.generator import PREFIXES, CardPlan, GeneratedCard, card, card_line, card_lines, cards
from lienthong.adapters.invented_people import Dice
from lienthong.adapters.wire import Event, Refusal, decode
from lienthong.domain.names import name_key
from lienthong.domain.scan import is_plausible_name
from lienthong_schemas.streams import CARDS
from tests.support.source_tables import rows

SAMPLE = 20_000
PLAN = CardPlan(seed=7, places=shipped_places())
CARDS_A_SECOND_MIN = 10_000  # A third of the aim, for a machine that does something else beside.


@pytest.fixture(scope="module")
def sample() -> list[GeneratedCard]:
    return list(cards(PLAN, SAMPLE))


def share(kinds: Counter[CardKind], kind: CardKind) -> float:
    return kinds[kind] / kinds.total()


def test_the_same_plan_gives_the_same_bytes_and_another_seed_gives_others() -> None:
    first = b"".join(card_lines(PLAN, 500))
    assert first == b"".join(card_lines(CardPlan(seed=7, places=shipped_places()), 500))
    assert first != b"".join(card_lines(CardPlan(seed=8, places=shipped_places()), 500))


@given(st.integers(0, 99_999), st.integers(0, 2**64))
def test_a_card_depends_on_no_other_card(index: int, seed: int) -> None:
    plan = CardPlan(seed=seed, places=shipped_places())
    card(plan, 0)
    assert card_line(plan, card(plan, index)) == card_line(plan, card(plan, index))


def test_every_card_is_a_valid_message_with_an_id_of_its_own(sample: list[GeneratedCard]) -> None:
    events = [decode(card_line(PLAN, generated), CARDS) for generated in sample]
    assert [event for event in events if isinstance(event, Refusal)] == []
    assert len({event.envelope.id for event in events if isinstance(event, Event)}) == SAMPLE


def test_a_hundred_thousand_cards_use_every_number_of_the_reserved_prefix_once() -> None:
    numbers = [PLAN.number(index) for index in range(100_000)]
    assert sorted(numbers) == [f"{number:010d}" for number in range(100_000)]
    with pytest.raises(IndexError, match="100000 numbers begin with 00000"):
        PLAN.number(100_000)


def test_a_wider_prefix_has_room_for_a_million_and_keeps_the_demonstration() -> None:
    wide = CardPlan(seed=7, places=shipped_places(), prefix="000")
    assert wide.capacity == 10_000_000
    assert wide.number(0) == demo_cards.TRUC_BACH
    assert wide.number(1_000_000) == f"000{1_000_000:07}"
    assert len({wide.number(index) for index in range(0, 2_000_000, 7)}) == len(range(0, 2_000_000, 7))


@pytest.mark.parametrize("prefix", ["0", "00", "01234", "9", "", "000000"])
def test_no_other_prefix_is_accepted(prefix: str) -> None:
    with pytest.raises(ValueError, match="generated numbers begin with 00000, 0000, 000"):
        CardPlan(seed=1, places=shipped_places(), prefix=prefix)
    assert prefix not in PREFIXES


def test_every_number_and_citizen_id_is_a_reserved_one(sample: list[GeneratedCard]) -> None:
    for generated in sample:
        assert re.fullmatch(r"00000\d{5}", generated.data["id"])
        assert all(re.fullmatch(r"000\d{9}", citizen_id) for citizen_id in generated.data["citizen_ids"])
        for period in generated.data["periods"]:
            assert re.fullmatch(rf"([A-Z]{{2}}\d{{3}})?{generated.data['id']}", period["number"])


def test_addresses_and_registered_places_are_real_old_codes_but_for_a_few(sample: list[GeneratedCard]) -> None:
    communes = {row["commune_code"] for row in rows("units_before")}
    facilities = {row["facility_code"] for row in rows("facilities_hanoi_before")}
    printed = [generated.data["address"] for generated in sample if generated.data["address"]]
    places = [
        period["registered_place"]["code"]
        for generated in sample
        for period in generated.data["periods"]
        if period["registered_place"]
    ]
    assert 0.002 < sum(address["code"] not in communes for address in printed) / SAMPLE < 0.01
    assert 0.005 < sum(code not in facilities for code in places) / len(places) < 0.02
    assert {"99Z01", *facilities} <= set(places)
    days = [address["recorded_on"] for address in printed if address["recorded_on"]]
    assert max(days) == "2025-06-30"


def test_shipped_places_are_those_of_the_tables() -> None:
    before = [row for row in rows("units_before") if row["commune_code"]]
    places = shipped_places()
    assert set(places.communes) == {row["commune_code"] for row in before}
    assert set(places.hanoi_communes) == {row["commune_code"] for row in before if row["province_code"] == "01"}
    assert len(places.hanoi_communes) == 526
    assert len(places.facilities) == 543


def test_every_kind_and_shape_occurs_about_as_often_as_described(sample: list[GeneratedCard]) -> None:
    kinds = Counter(generated.kind for generated in sample)
    assert set(kinds) == set(CardKind)
    assert abs(share(kinds, CardKind.PLAIN) - 0.7) < 0.02
    assert abs(share(kinds, CardKind.NOT_STARTED) - 0.02) < 0.005
    data = [generated.data for generated in sample]
    births = Counter(len(record["holder"]["birth"]) for record in data)
    assert set(births) == {4, 7, 10}
    assert 0.04 < births[4] / SAMPLE < 0.08
    latest = [record["periods"][-1] for record in data]
    assert {period["issuer"] for period in latest} == {"vss", "defence", "public_security"}
    assert 0.35 < sum(len(period["number"]) == 15 for period in latest) / SAMPLE < 0.45
    assert {period["area"] for period in latest} == {None, "K1", "K2", "K3"}
    assert {period["benefit_level"] for period in latest} == {None, 1, 2, 3, 4, 5}
    assert {len(record["citizen_ids"]) for record in data} == {1, 2}
    reasons = {period["ended"]["reason"] for record in data for period in record["periods"] if period["ended"]}
    assert reasons == {"moved_out", "moved_within", "rejoined", "stopped", "reissued", "reduced"}


def test_some_people_share_a_citizen_id_and_nobody_has_the_one_that_is_never_issued(
    sample: list[GeneratedCard],
) -> None:
    holders = Counter(citizen_id for generated in sample for citizen_id in generated.data["citizen_ids"])
    assert max(holders.values()) >= 2
    assert 10 < sum(count > 1 for count in holders.values()) < 100
    assert demo_cards.NEVER_ISSUED_CITIZEN_ID not in holders


def test_citizen_ids_of_ten_million_numbers_never_meet_by_accident() -> None:
    step, shift, space, widest = 387_420_489, 500_000_003, 10**9, 10**7
    undo = pow(step, -1, space)
    apart = shift * undo % space
    assert widest < apart < space - widest, "a second citizen ID is no other number's first"
    fixed = {int(citizen_id) for record in demo_cards.DEMO_CARDS.values() for citizen_id in record["citizen_ids"]}
    for serial in {*fixed, int(demo_cards.NEVER_ISSUED_CITIZEN_ID)}:
        assert serial * undo % space > widest
        assert (serial - shift) * undo % space > widest


def test_names_are_invented_and_show_what_comparing_must_bear(sample: list[GeneratedCard]) -> None:
    names = [generated.data["holder"]["name"] for generated in sample]
    assert all(is_plausible_name(name) for name in names)
    assert len(set(names)) > SAMPLE * 0.7
    assert {len(name_key(name)) for name in names} >= {3, 4, 5}
    for one, other in (("Hoà", "Hòa"), ("Tuỳ", "Tùy"), ("Xoè", "Xòe")):
        assert any(one in name for name in names)
        assert any(other in name for name in names)


def test_some_packed_records_are_longer_than_a_bucket_holds(sample: list[GeneratedCard]) -> None:
    sizes = [
        len(pack(fact))
        for generated in sample[:5000]
        if not isinstance(fact := decode_card(card_line(PLAN, generated)), Refusal)
    ]
    assert len(sizes) == 5000
    assert max(sizes) > 255
    assert sum(size > 255 for size in sizes) < 100


def test_a_higher_revision_is_the_same_person_with_other_content() -> None:
    first, second = card(PLAN, 100), card(PLAN, 100, revision=2)
    assert (first.data["id"], first.data["holder"]) == (second.data["id"], second.data["holder"])
    assert first.data["citizen_ids"] == second.data["citizen_ids"]
    assert (first.data["revision"], second.data["revision"]) == (1, 2)
    assert first.data["periods"] != second.data["periods"]
    assert decode(card_line(PLAN, second), CARDS) != decode(card_line(PLAN, first), CARDS)


def test_in_the_window_only_an_ending_card_changes_how_it_stands(sample: list[GeneratedCard]) -> None:
    def covered(generated: GeneratedCard, day: int) -> bool:
        on = date.fromordinal(day).isoformat()
        return any(
            period["valid_from"] <= on
            and (period["valid_to"] is None or on <= period["valid_to"])
            and (period["ended"] is None or on <= period["ended"]["on"])
            for period in generated.data["periods"]
        ) and not ("withdrawn" in generated.data and on > generated.data["withdrawn"]["on"])

    for generated in sample:
        standing = {covered(generated, day) for day in (WINDOW_FIRST, WINDOW_FIRST + 30, WINDOW_LAST)}
        assert len(standing) == (2 if generated.kind is CardKind.ENDING else 1)


def test_the_demonstrations_cards_come_first_and_say_what_messages_say() -> None:
    shown = list(cards(PLAN, len(demo_cards.DEMO_CARDS)))
    assert [generated.data["id"] for generated in shown] == list(demo_cards.DEMO_CARDS)
    assert shown[0].data == {
        "id": "0000012345",
        "revision": 1,
        "holder": {"name": "Nguyễn Thị Mẫu", "birth": "1962-05-17", "sex": "female"},
        "citizen_ids": ["000001234567"],
        "address": {"level": "commune", "code": "00004", "recorded_on": "2023-03-01", "detail": "Ngõ 12"},
        "periods": [
            {
                "valid_from": "2023-03-01",
                "valid_to": "2027-02-28",
                "number": "HC4010000012345",
                "group": "HC",
                "benefit_level": 4,
                "area": None,
                "issuer": "vss",
                "registered_place": {"code": "01C51", "recorded_on": "2023-03-01"},
                "five_years_on": "2026-01-01",
                "ended": None,
            }
        ],
    }
    assert {generated.type for generated in shown} == {"card.recorded", "card.withdrawn"}
    assert demo_cards.DEMO_CARDS[demo_cards.DAI_MO]["address"]["code"] == "00634"


def test_cards_are_generated_fast_enough_to_feed_a_benchmark() -> None:
    started = time.perf_counter()
    size = sum(len(line) for line in card_lines(PLAN, SAMPLE))
    assert size > 0
    assert SAMPLE / (time.perf_counter() - started) > CARDS_A_SECOND_MIN


def test_dice_are_even_and_last() -> None:
    dice = Dice(1, "any")
    faces = Counter(dice.below(6) for _ in range(60_000))
    assert set(faces) == set(range(6))
    assert all(abs(count - 10_000) < 500 for count in faces.values())


def test_a_line_is_one_line_of_json() -> None:
    line = card_line(PLAN, card(PLAN, 20))
    assert line.count(b"\n") == 1
    assert orjson.loads(line)["subject"] == PLAN.number(20)
