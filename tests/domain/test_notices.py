"""What the desk is told: each notice, in both languages, with the document in force on the service day or none."""

from dataclasses import replace

import pytest

from lienthong.domain.answer import StoreFault
from lienthong.domain.card import Issuer
from lienthong.domain.facts import Fact
from lienthong.domain.faults import Fault, FaultCode, malformed
from lienthong.domain.question import Identity, PresentedKind
from lienthong.domain.register import Register
from lienthong.domain.words import NOTICES
from tests.support.desk import (
    NUMBER,
    answer,
    card,
    citizen,
    codes,
    found,
    no_card,
    nothing,
    period,
    question,
    told,
    typed,
)
from tests.support.facts import (
    contract,
    guidance,
    register_of,
    table,
    unit,
)
from tests.support.small_map import BEFORE, IN_TRUC_BACH, MERGED, TRUC_BACH

EXTENSION = table("treatment_extension", "2018-12-01", [{"days": 15, "document": None}])


def test_identity_mismatch_says_that_it_is_no_denial() -> None:
    decision = answer(question(holder=Identity(name="Trần Văn Thử", birth=None)), found(card()))
    assert codes(decision) == ["identity_mismatch", "emergency"]
    assert "KHÔNG phải kết luận không có BHYT" in decision.notices[0].vi


@pytest.mark.parametrize(
    ("issuer", "vi", "en"),
    [
        (Issuer.DEFENCE, "Bộ Quốc phòng", "Defence"),
        (Issuer.PUBLIC_SECURITY, "Bộ Công an", "Public Security"),
    ],
)
def test_issuer_armed_forces_names_the_issuer(issuer: Issuer, vi: str, en: str) -> None:
    notice = told(answer(question(), found(card(period(issuer=issuer)))), "issuer_armed_forces")
    assert f"BHXH {vi} quản lý" in notice.vi
    assert f"Managed by {en}." in notice.en


def test_new_card_gives_the_days_of_the_new_one() -> None:
    both = card(period(valid_to="2025-12-31"), period("2026-01-01", "2026-12-31"))
    notice = told(answer(question(), found(both)), "new_card")
    assert notice.vi == (
        "Đã cấp thẻ mới, giá trị 01/01/2026–31/12/2026. Dùng thẻ mới từ 01/01/2026; trước đó dùng thẻ cũ nếu còn hạn."
    )


def test_in_a_gap_the_desk_is_told_of_the_end_and_of_the_new_card() -> None:
    both = card(period(valid_to="2025-06-30"), period("2025-09-01"))
    assert codes(answer(question(), found(both))) == ["ended", "new_card", "emergency"]


def test_ended_in_treatment_is_paid_to_a_day_that_only_the_table_gives() -> None:
    ended = found(card(period(valid_to="2025-07-28")))
    asked = question(admitted_on="2025-07-20")
    decision = answer(asked, ended, register_of(EXTENSION))
    assert decision.payable_until is not None
    assert decision.payable_until.isoformat() == "2025-08-12"
    assert "Thẻ hết hạn 28/07/2025 trong đợt điều trị." in told(decision, "ended_in_treatment").vi
    assert "chậm nhất 12/08/2025" in told(decision, "ended_in_treatment").vi
    without = answer(asked, ended)
    assert (without.outcome, without.payable_until) == ("eligible", None)
    assert "chậm nhất ngày chưa xác định" in told(without, "ended_in_treatment").vi


def test_after_the_last_payable_day_the_desk_is_told_so() -> None:
    ended = found(card(period(valid_to="2025-07-10")))
    last = answer(question(on="2025-07-25", admitted_on="2025-07-01"), ended, register_of(EXTENSION))
    assert codes(last) == ["ended_in_treatment"]
    past = answer(question(on="2025-07-26", admitted_on="2025-07-01"), ended, register_of(EXTENSION))
    assert codes(past) == ["ended_in_treatment", "treatment_payment_over"]


def test_cannot_tell_says_admit_and_promises_neither_slip_nor_retry() -> None:
    decision = answer(question(), StoreFault(register_position=7))
    assert codes(decision) == ["cannot_tell", "emergency"]
    notice = decision.notices[0]
    assert "VẪN TIẾP NHẬN" in notice.vi
    assert "ADMIT" in notice.en
    assert "phiếu" not in notice.vi
    assert "automatic" not in notice.en
    assert (decision.freshness.register_position, decision.freshness.complete) == (7, False)


def test_not_found_gives_the_time_of_the_data_by_vietnams_clock() -> None:
    decision = answer(question(), nothing())
    assert codes(decision) == ["not_found", "emergency"]
    assert "đến 09:00 01/08/2025" in decision.notices[0].vi
    assert "as of 09:00 on 1 August 2025" in decision.notices[0].en


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ({"valid_to": "2025-07-31"}, "ended"),
        ({"ended": ("2025-07-31", "reduced")}, "reduced"),
        ({"ended": ("2025-07-31", "stopped")}, "stopped"),
        ({"ended": ("2025-07-31", "moved_out")}, "moved"),
        ({"ended": ("2025-07-31", "rejoined")}, "moved"),
        ({"ended": ("2025-07-31", "reissued")}, "reissued"),
    ],
)
def test_each_way_to_end_is_told_with_the_last_valid_day(ended: dict[str, str], code: str) -> None:
    decision = answer(question(), found(card(period(**ended))))
    assert codes(decision) == [code, "emergency"]
    assert "31/07/2025" in decision.notices[0].vi
    assert "31 July 2025" in decision.notices[0].en


def test_withdrawn_not_started_and_no_period_are_told_apart() -> None:
    withdrawn = answer(question(), found(card(withdrawn=("2025-07-31", "reduced"))))
    assert codes(withdrawn) == ["withdrawn", "emergency"]
    later = answer(question(), found(card(period("2025-09-01"))))
    assert codes(later) == ["not_started", "emergency"]
    assert "từ ngày 01/09/2025" in later.notices[0].vi
    assert codes(answer(question(), found(replace(card(), periods=())))) == ["no_period", "emergency"]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("child", ["child", "emergency"]),
        ("reissue", ["being_reissued", "emergency"]),
        ("emergency", ["emergency"]),
    ],
)
def test_without_a_card_the_desk_is_told_which_papers_count(reason: str, expected: list[str]) -> None:
    decision = answer(question(no_card(reason)), nothing())
    assert codes(decision) == expected
    assert decision.outcome == "check_papers"


def test_malformed_points_at_the_character_and_does_not_repeat_it() -> None:
    unread = malformed(PresentedKind.INSURANCE_NUMBER, Fault(code=FaultCode.NUMBER_CHARACTER, position=4))
    decision = answer(question(unread), nothing())
    assert codes(decision) == ["number_character", "emergency"]
    assert decision.notices[0].vi.endswith("(ký tự thứ 5)")


def test_a_spoilt_scan_is_told_how_to_scan_and_is_not_called_malformed() -> None:
    spoilt = malformed(PresentedKind.CARD_QR, Fault(code=FaultCode.SCANNER_INPUT_METHOD, position=None))
    decision = answer(question(spoilt), nothing())
    assert (decision.outcome, codes(decision)) == ("cannot_tell", ["scanner_input_method", "emergency"])
    assert decision.notices[0].vi == "Tắt Unikey rồi quét lại."


def test_more_than_one_live_card_is_said() -> None:
    other = card(period("2024-01-01"), number="0000099999")
    assert codes(answer(question(citizen()), found(card(), other))) == ["several_cards"]


def test_a_stale_printed_digit_is_told_and_never_used() -> None:
    decision = answer(question(typed(f"HC101{NUMBER}")), found(card()))
    assert codes(decision) == ["number_level_unexpected"]
    assert decision.card is not None
    assert decision.card.period is not None
    assert decision.card.period.benefit_level == 4


def test_a_group_that_the_table_lacks_is_told_as_unknown() -> None:
    register = register_of(table("benefit_levels", "2024-01-01", [{"group": "HC", "level": 4}]))
    decision = answer(question(typed(f"ZZ401{NUMBER}")), found(card()), register)
    assert (decision.outcome, codes(decision)) == ("eligible", ["number_group_unknown"])
    assert codes(answer(question(typed(f"ZZ401{NUMBER}")), found(card()))) == []


def test_warnings_of_the_presentation_are_passed_on() -> None:
    warned = replace(citizen(), warnings=("citizen_id_birth_differs",))
    assert codes(answer(question(warned), found(card()))) == ["citizen_id_birth_differs"]


def test_the_emergency_line_stands_under_everything_that_is_not_green() -> None:
    decisions = [
        answer(question(), nothing()),
        answer(question(), StoreFault(register_position=0)),
        answer(question(no_card("child")), nothing()),
        answer(question(), found(card(period(valid_to="2024-01-01")))),
        answer(question(holder=Identity(name="Trần Văn Thử", birth=None)), found(card())),
    ]
    for decision in decisions:
        assert decision.notices[-1].vi == "Cấp cứu: tiếp nhận ngay; xuất trình thẻ trước khi kết thúc đợt điều trị."
    assert "emergency" not in codes(answer(question(), found(card())))


@pytest.mark.parametrize(
    "invented",
    [
        (unit(TRUC_BACH, "2025-07-01", name="Phường Ba Đình", illustrative=True), MERGED[1]),
        (contract("HĐ1", "01004", "2025-01-01", illustrative=True),),
        (table("level_shares", "2016-01-01", [{"level": 4, "percent": 80}], illustrative=True),),
        (guidance("1/MH", "card_validity", "2025-01-01", illustrative=True),),
    ],
)
def test_whatever_is_invented_marks_the_answer(invented: tuple[Fact, ...]) -> None:
    decision = answer(question(), found(IN_TRUC_BACH), register_of(*BEFORE, *invented))
    assert decision.illustrative
    assert decision.notices[-1].vi == "MINH HỌA – không có giá trị pháp lý"
    plain = answer(question(), found(IN_TRUC_BACH), register_of(*BEFORE, *MERGED))
    assert not plain.illustrative


def test_published_words_replace_the_programs_from_their_day() -> None:
    words = {"code": "address_succeeded", "vi": "{old} → {new} {unheard_of}", "en": "{old} to {new}"}
    register = register_of(*BEFORE, *MERGED, table("notice_texts", "2025-08-01", [words, {"code": "no_such"}]))
    july = told(answer(question(on="2025-07-31"), found(IN_TRUC_BACH), register), "address_succeeded")
    assert july.vi.startswith("Thẻ vẫn có giá trị.")
    august = told(answer(question(on="2025-08-01"), found(IN_TRUC_BACH), register), "address_succeeded")
    assert august.vi == "Phường Trúc Bạch → Phường Ba Đình {unheard_of} Căn cứ: 1656/NQ-UBTVQH15."


def test_no_notice_of_ours_speaks_of_a_refusal() -> None:
    assert not [code for code, words in NOTICES.items() if "từ chối" in words.vi.casefold()]


def test_an_empty_register_still_has_words_for_everything() -> None:
    here = card(period(place=("01C51", "2023-03-01")), address=("commune", "00004", "2023-03-01"))
    decision = answer(question(), found(here), Register.empty())
    assert codes(decision) == ["address_unknown", "place_unknown"]
    assert all(notice.vi and notice.en for notice in decision.notices)
