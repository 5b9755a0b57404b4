"""What the desk is told of the address, the registered place and its own facility, with the document behind it."""

from dataclasses import replace

import pytest

from lienthong.domain.answer import Notice, PaymentHere
from lienthong.domain.succession import State
from tests.support.desk import (
    answer,
    card,
    codes,
    found,
    period,
    question,
    told,
)
from tests.support.facts import (
    annulled,
    commune,
    contract,
    facility,
    facility_reorganised,
    guidance,
    register_of,
    reorganised,
    table,
    unit,
)
from tests.support.small_map import (
    AT_STATION,
    BEFORE,
    BN,
    CARDS_STAY,
    DIVIDED,
    HN,
    IN_TRUC_BACH,
    MERGED,
    STATION,
    TRUC_BACH,
)


def test_a_card_whose_places_are_what_they_were_is_told_nothing() -> None:
    register = register_of(*BEFORE, STATION)
    here = card(period(place=("01C51", "2023-03-01")), address=("commune", "00004", "2023-03-01"))
    decision = answer(question(), found(here), register)
    assert codes(decision) == []
    assert decision.address is not None
    assert decision.address.state is State.CURRENT


def test_address_succeeded_says_what_it_is_now_since_when_and_by_which_document() -> None:
    decision = answer(question(), found(IN_TRUC_BACH), register_of(*BEFORE, *MERGED))
    assert told(decision, "address_succeeded") == Notice(
        code="address_succeeded",
        vi="Thẻ vẫn có giá trị. Phường Trúc Bạch nay là Phường Ba Đình từ 01/07/2025. "
        "Không yêu cầu người bệnh đổi thẻ để khám. Căn cứ: 1656/NQ-UBTVQH15.",
        en="Card still valid. Phường Trúc Bạch is now Phường Ba Đình since 1 July 2025. "
        "Do not ask the patient to replace it. Basis: 1656/NQ-UBTVQH15.",
        document="1656/NQ-UBTVQH15",
    )
    assert [(step.document, step.effective_on.isoformat()) for step in decision.proof] == [
        ("1656/NQ-UBTVQH15", "2025-07-01")
    ]


def test_on_the_day_before_the_reorganisation_nothing_is_told() -> None:
    decision = answer(question(on="2025-06-30"), found(IN_TRUC_BACH), register_of(*BEFORE, *MERGED))
    assert codes(decision) == []


def test_a_reorganisation_without_a_document_says_so_and_guesses_none() -> None:
    unnamed = (MERGED[0], reorganised("2025-07-01", [(TRUC_BACH, TRUC_BACH, "whole")], [TRUC_BACH], document=None))
    notice = told(answer(question(), found(IN_TRUC_BACH), register_of(*BEFORE, *unnamed)), "address_succeeded")
    assert notice.document is None
    assert notice.vi.endswith("Căn cứ: văn bản chưa xác định.")
    assert notice.en.endswith("Basis: document not identified.")


def test_a_new_province_is_named_with_the_commune_even_where_code_and_name_stay() -> None:
    moved = (
        unit(BN, "2025-07-01", name="Tỉnh Bắc Ninh"),
        unit(TRUC_BACH, "2025-07-01", name="Phường Trúc Bạch", parent=BN),
        MERGED[1],
    )
    notice = told(answer(question(), found(IN_TRUC_BACH), register_of(*BEFORE, *moved)), "address_succeeded")
    assert "Phường Trúc Bạch nay là Phường Trúc Bạch, Tỉnh Bắc Ninh từ" in notice.vi


def test_a_province_that_went_into_another_is_named_once() -> None:
    merged = (
        unit(BN, "2025-07-01", name="Tỉnh Bắc Ninh"),
        reorganised("2025-07-01", [(HN, BN, "whole")], [HN], document="9/NQ"),
    )
    decision = answer(question(), found(card(address=("province", "01", "2023-03-01"))), register_of(*BEFORE, *merged))
    assert "Thành phố Hà Nội nay là Tỉnh Bắc Ninh từ" in told(decision, "address_succeeded").vi


def test_a_new_code_under_the_same_name_is_told_with_the_code() -> None:
    recoded = (
        unit(commune("00009"), "2025-07-01", name="Phường Trúc Bạch", parent=HN),
        reorganised("2025-07-01", [(TRUC_BACH, commune("00009"), "whole")], [TRUC_BACH]),
    )
    notice = told(answer(question(), found(IN_TRUC_BACH), register_of(*BEFORE, *recoded)), "address_succeeded")
    assert "nay là Phường Trúc Bạch (mã 00009) từ" in notice.vi
    assert "is now Phường Trúc Bạch (code 00009) since" in notice.en


def test_the_end_of_districts_alone_is_not_told_but_stays_in_the_state() -> None:
    same = (unit(TRUC_BACH, "2025-07-01", name="Phường Trúc Bạch", parent=HN), MERGED[1])
    decision = answer(question(), found(IN_TRUC_BACH), register_of(*BEFORE, *same))
    assert codes(decision) == []
    assert decision.address is not None
    assert decision.address.state is State.SUCCEEDED


def test_address_divided_names_every_candidate_and_chooses_none() -> None:
    decision = answer(
        question(), found(card(address=("commune", "00634", "2023-03-01"))), register_of(*BEFORE, *DIVIDED)
    )
    notice = told(decision, "address_divided")
    assert "Phường Đại Mỗ được chia về Phường Xuân Phương, Phường Đại Mỗ." in notice.vi
    assert "không tự chọn" in notice.vi
    assert notice.document == "1656/NQ-UBTVQH15"
    assert decision.address is not None
    assert len(decision.address.today) == 2


def test_address_ended_without_a_successor_keeps_the_card_valid() -> None:
    ended = reorganised("2025-07-01", [], [TRUC_BACH], document="9/NQ")
    notice = told(answer(question(), found(IN_TRUC_BACH), register_of(*BEFORE, ended)), "address_ended")
    assert notice.vi.startswith("Thẻ vẫn có giá trị. Phường Trúc Bạch không còn")
    assert notice.document == "9/NQ"


def test_address_unknown_cites_the_guidance_in_force_on_the_service_day() -> None:
    register = register_of(CARDS_STAY)
    july = told(answer(question(on="2025-07-02"), found(IN_TRUC_BACH), register), "address_unknown")
    assert july.document == "1334/BHXH-CSYT"
    june = told(answer(question(on="2025-06-29"), found(IN_TRUC_BACH), register), "address_unknown")
    assert june.document is None
    assert "văn bản chưa xác định" in june.vi


def test_guidance_that_ended_is_not_cited() -> None:
    ended = guidance("1334/BHXH-CSYT", "card_validity", "2025-06-30", ended=("2025-07-31", "2000/BHXH-CSYT"))
    assert told(answer(question(), found(IN_TRUC_BACH), register_of(ended)), "address_unknown").document is None
    gone = register_of(CARDS_STAY, annulled(CARDS_STAY))
    assert told(answer(question(), found(IN_TRUC_BACH), gone), "address_unknown").document is None


def test_a_card_without_an_address_is_told_nothing_of_it() -> None:
    decision = answer(question(), found(card()))
    assert (decision.address, codes(decision)) == (None, [])


def test_address_ambiguous_where_the_day_it_was_recorded_is_not_known() -> None:
    undated = card(address=None)
    undated = replace(undated, address=replace(IN_TRUC_BACH.address or pytest.fail("no address"), recorded_on=None))
    decision = answer(question(), found(undated), register_of(*BEFORE, *MERGED))
    assert decision.address is not None
    assert (decision.address.state, decision.address.printed) == (State.AMBIGUOUS, None)
    assert "nay có thể là Phường Ba Đình" in told(decision, "address_ambiguous").vi


def test_address_disputed_where_the_register_contradicts_itself() -> None:
    contradiction = reorganised("2025-07-01", [(TRUC_BACH, commune("99999"), "whole")], [TRUC_BACH])
    decision = answer(question(), found(IN_TRUC_BACH), register_of(*BEFORE, contradiction))
    assert codes(decision) == ["address_disputed"]
    assert decision.outcome == "eligible"


def test_a_code_that_had_ended_before_it_was_recorded_is_read_as_the_last_one_and_told() -> None:
    late = card(address=("commune", "00007", "2025-07-15"))
    facts = (
        unit(commune("00007"), name="Phường Vĩnh Phúc", parent=HN),
        unit(commune("00008"), "2025-07-01", name="Phường Ngọc Hà", parent=HN),
        reorganised("2025-07-01", [(commune("00007"), commune("00008"), "whole")], [commune("00007")]),
    )
    decision = answer(question(), found(late), register_of(*BEFORE, *facts))
    assert "đã hiểu là Phường Vĩnh Phúc" in told(decision, "address_code_ended").vi


def test_place_succeeded_by_a_document() -> None:
    merged = facility_reorganised("2025-07-01", [("01C51", "01C60", "whole")], ["01C51"], document="7/QĐ")
    successor = facility("01C60", "2025-07-01", name="Trạm y tế Phường Ba Đình")
    decision = answer(question(), found(AT_STATION), register_of(*BEFORE, STATION, successor, merged))
    notice = told(decision, "place_succeeded")
    assert "Trạm y tế Phường Trúc Bạch nay là Trạm y tế Phường Ba Đình từ 01/07/2025" in notice.vi
    assert notice.document == "7/QĐ"


def test_place_divided_names_every_candidate() -> None:
    divided = facility_reorganised(
        "2025-07-01", [("01C51", "01C60", "part"), ("01C51", "01C61", "part")], ["01C51"], document="7/QĐ"
    )
    two = (facility("01C60", "2025-07-01", name="Trạm A"), facility("01C61", "2025-07-01", name="Trạm B"))
    notice = told(answer(question(), found(AT_STATION), register_of(*BEFORE, STATION, *two, divided)), "place_divided")
    assert "nay thuộc Trạm A, Trạm B" in notice.vi


def test_place_without_successor_where_the_facility_ended() -> None:
    ended = facility_reorganised("2025-07-01", [], ["01C51"])
    decision = answer(question(), found(AT_STATION), register_of(*BEFORE, STATION, ended, CARDS_STAY))
    notice = told(decision, "place_without_successor")
    assert "kế tiếp của Trạm y tế Phường Trúc Bạch" in notice.vi
    assert notice.document == "1334/BHXH-CSYT"


def test_place_without_successor_where_the_stations_commune_no_longer_stands_alone() -> None:
    station = facility("01C51", commune=("commune", "00634", "2020-01-01"))
    assert codes(answer(question(on="2025-06-30"), found(AT_STATION), register_of(*BEFORE, *DIVIDED, station))) == []
    decision = answer(question(), found(AT_STATION), register_of(*BEFORE, *DIVIDED, station))
    assert codes(decision) == ["place_without_successor"]
    assert [step.document for step in decision.proof] == ["1656/NQ-UBTVQH15"]
    assert decision.registered_place is not None
    assert [place.code for place in decision.registered_place.today] == ["01C51"]


def test_a_hospital_is_not_suspected_for_its_communes_sake() -> None:
    hospital = facility("01C51", kind="hospital", commune=("commune", "00004", "2020-01-01"))
    assert codes(answer(question(), found(AT_STATION), register_of(*BEFORE, *MERGED, hospital))) == []


def test_place_unknown_where_the_register_has_no_such_facility() -> None:
    decision = answer(question(), found(AT_STATION), register_of(*BEFORE, CARDS_STAY))
    assert codes(decision) == ["place_unknown"]
    assert told(decision, "place_unknown").document == "1334/BHXH-CSYT"


def test_contract_not_on_record_needs_a_contract_that_ended() -> None:
    here = facility("01004", kind="hospital")
    unknown = answer(question(), found(card()), register_of(here))
    assert (unknown.payment_here, codes(unknown)) == (PaymentHere.UNKNOWN, [])
    running = answer(question(), found(card()), register_of(here, contract("HĐ1", "01004", "2025-01-01")))
    assert (running.payment_here, codes(running)) == (PaymentHere.CONTRACT_ON_RECORD, [])
    over = answer(question(), found(card()), register_of(here, contract("HĐ1", "01004", "2024-01-01", "2024-12-31")))
    assert (over.payment_here, codes(over)) == (PaymentHere.NONE_ON_RECORD, ["contract_not_on_record"])
    assert over.outcome == "eligible"


def test_payment_continues_at_the_successor_of_a_facility_that_had_a_contract() -> None:
    facts = (
        facility("01003", kind="hospital"),
        facility("01004", "2025-07-01", kind="hospital"),
        facility_reorganised("2025-07-01", [("01003", "01004", "whole")], ["01003"]),
        contract("HĐ1", "01003", "2025-01-01"),
    )
    assert answer(question(), found(card()), register_of(*facts)).payment_here is PaymentHere.CONTINUING


def test_signing_in_under_an_old_code_after_its_last_day_is_told_and_never_refused() -> None:
    facts = (
        facility("01004", kind="hospital"),
        facility("01009", "2025-07-01", kind="hospital"),
        facility_reorganised("2025-07-01", [("01004", "01009", "whole")], ["01004"]),
        table("facility_code_grace", "2025-07-01", [{"until": "2025-12-31", "document": None}]),
    )
    assert codes(answer(question(on="2025-12-31"), found(card()), register_of(*facts))) == []
    decision = answer(question(on="2026-01-01"), found(card()), register_of(*facts))
    assert (decision.outcome, codes(decision)) == ("eligible", ["facility_code_old"])
    assert "31/12/2025" in told(decision, "facility_code_old").vi
