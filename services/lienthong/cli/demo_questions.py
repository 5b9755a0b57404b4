"""What the demonstration asks at the desk: one card on three days, and the people who are harder to answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lienthong.adapters.demo_cards import (
    ARMY,
    DAI_MO,
    DEMO_CARDS,
    DEMO_KINDS,
    ENDED_IN_TREATMENT,
    NEVER_ISSUED_CITIZEN_ID,
    NOT_STARTED,
    TRUC_BACH,
)
from lienthong.adapters.generated_presentations import card_qr
from lienthong.adapters.generator import GeneratedCard

DAY_BEFORE: Final = "2025-06-30"
DAY_AFTER: Final = "2025-07-02"
#: The day of everybody else's visit: late enough for each of them to be what they are.
DESK_DAY: Final = "2025-08-04"

Question = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody at the desk: who it is in both languages, what is asked, and the notice that says most about it."""

    vi: str
    en: str
    question: Question
    notice: str


def same_card(on: str) -> Question:
    """Scan the card printed in 2023 in Phường Trúc Bạch, on a day."""
    return _asked(_scanned(TRUC_BACH), on)


def visitors() -> tuple[Visitor, ...]:
    """Return who else comes, on DESK_DAY."""
    holder = DEMO_CARDS[TRUC_BACH]["holder"]
    return (
        Visitor(
            vi="Quét thẻ: nhà ở Phường Đại Mỗ",
            en="Card scanned: home in Phường Đại Mỗ",
            question=_asked(_scanned(DAI_MO)),
            notice="address_divided",
        ),
        Visitor(
            vi="Quét thẻ: đăng ký ở Trạm Cát Linh",
            en="Card scanned: registered at Cát Linh's station",
            question=_asked(_scanned(TRUC_BACH)),
            notice="place_without_successor",
        ),
        Visitor(
            vi="Gõ số thẻ: quân nhân",
            en="Number typed: a soldier's card",
            question=_asked(_typed(ARMY)),
            notice="issuer_armed_forces",
        ),
        Visitor(
            vi="Gõ số thẻ, gõ sai họ tên",
            en="Number typed, with another name",
            question=_asked(_typed(TRUC_BACH), holder={"name": "Trần Văn Thử", "birth": holder["birth"]}),
            notice="identity_mismatch",
        ),
        Visitor(
            vi="Nằm viện từ 28/07, thẻ hết hạn giữa đợt",
            en="In hospital since 28 July, the card ended since",
            question=_asked(_typed(ENDED_IN_TREATMENT), admitted_on="2025-07-28", visit_kind="inpatient"),
            notice="ended_in_treatment",
        ),
        Visitor(
            vi="Thẻ mới, chưa tới ngày đầu",
            en="New card, before its first day",
            question=_asked(_typed(NOT_STARTED)),
            notice="not_started",
        ),
        Visitor(
            vi="Căn cước không có trong dữ liệu",
            en="A citizen ID that is not in the data",
            question=_asked({"kind": "citizen_id", "number": NEVER_ISSUED_CITIZEN_ID}),
            notice="not_found",
        ),
        Visitor(
            vi="Trẻ sơ sinh chưa có thẻ",
            en="A newborn without a card",
            question=_asked({"kind": "no_card", "reason": "child"}),
            notice="child",
        ),
    )


def _asked(presented: Question, on: str = DESK_DAY, **more: Any) -> Question:
    return {"presented": presented, "facility_code": "01004", "clerk_id": "NV01", "on": on, **more}


def _scanned(number: str) -> Question:
    shown = GeneratedCard(type="card.recorded", data=dict(DEMO_CARDS[number]), kind=DEMO_KINDS[number])
    return {"kind": "card_qr", "text": card_qr(shown)}


def _typed(number: str) -> Question:
    return {"kind": "insurance_number", "number": number}
