"""What the gate finds wrong with a batch, and the sentences it says it with."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from lienthong.domain.facts import FactKey
from lienthong.domain.succession import PlaceKey


class FaultCode(StrEnum):
    """Why a fact may not stand beside the register as it is."""

    NOTHING_TO_PUBLISH = "nothing_to_publish"
    ALREADY_ACCEPTED = "already_accepted"
    REVISION_LOST = "revision_lost"
    REVISION_CONFLICT = "revision_conflict"
    NOTHING_TO_ANNUL = "nothing_to_annul"
    PARENT_UNKNOWN = "parent_unknown"
    PARENT_CYCLE = "parent_cycle"
    LEFT_ORPHAN = "left_orphan"
    PREDECESSOR_UNKNOWN = "predecessor_unknown"
    SUCCESSOR_UNKNOWN = "successor_unknown"
    CODE_IN_USE = "code_in_use"
    WHOLE_DIVIDED = "whole_divided"
    WHOLE_SURVIVES = "whole_survives"
    PART_WITHOUT_REST = "part_without_rest"
    COMMUNE_UNKNOWN = "commune_unknown"
    CONTRACT_WITHOUT_FACILITY = "contract_without_facility"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with one fact of a batch, as a sentence in both languages; no fact where it is the batch."""

    family: str | None
    fact_id: str | None
    code: FaultCode
    vi: str
    en: str


_SENTENCES: Final[dict[FaultCode, tuple[str, str]]] = {
    FaultCode.NOTHING_TO_PUBLISH: (
        "Không có dữ kiện nào để công bố.",
        "There are no facts to publish.",
    ),
    FaultCode.ALREADY_ACCEPTED: (
        "Gói này đã được tiếp nhận; không còn gì để công bố.",
        "This batch was already accepted; there is nothing left to publish.",
    ),
    FaultCode.REVISION_LOST: (
        "{fact} đang ở bản {held}; bản {revision} sẽ không bao giờ có hiệu lực. Hãy dùng bản lớn hơn {held}.",
        "{fact} stands at revision {held}; revision {revision} would never count. Use one above {held}.",
    ),
    FaultCode.REVISION_CONFLICT: (
        "Bản {revision} của {fact} đã có nội dung khác. Hãy dùng bản kế tiếp.",
        "Revision {revision} of {fact} was given other content before. Use the next revision.",
    ),
    FaultCode.NOTHING_TO_ANNUL: (
        "{fact} chưa có trong sổ đăng ký nên không thể hủy.",
        "{fact} is not in the register, so there is nothing to annul.",
    ),
    FaultCode.PARENT_UNKNOWN: (
        "{place} thuộc {other}, nhưng {other} không tồn tại vào {day}.",
        "{place} belongs to {other}, but there is no {other} on {day}.",
    ),
    FaultCode.PARENT_CYCLE: (
        "{place} thuộc {other} và {other} lại thuộc {place}.",
        "{place} belongs to {other}, which in turn belongs to {place}.",
    ),
    FaultCode.LEFT_ORPHAN: (
        "{place} kết thúc ngày {day} mà không có đơn vị kế tiếp, trong khi {count} đơn vị còn thuộc về nó ({other}…).",
        "{place} ends on {day} without a successor while {count} units still belong to it ({other}…).",
    ),
    FaultCode.PREDECESSOR_UNKNOWN: (
        "{fact} lấy từ {place}, nhưng {place} không tồn tại vào ngày trước {day}.",
        "{fact} takes from {place}, but there is no {place} on the day before {day}.",
    ),
    FaultCode.SUCCESSOR_UNKNOWN: (
        "{fact} chuyển sang {place}, nhưng {place} không tồn tại vào {day}.",
        "{fact} leads to {place}, but there is no {place} on {day}.",
    ),
    FaultCode.CODE_IN_USE: (
        "Mã của {place} được dùng lại từ {day} trong khi bản trước chưa được kết thúc.",
        "The code of {place} is used again from {day}, but nothing ends its earlier version by then.",
    ),
    FaultCode.WHOLE_DIVIDED: (
        "Toàn bộ {place} được chuyển đi ngày {day}, nhưng có hơn một nơi nhận.",
        "The whole of {place} leaves on {day}, but to more than one successor.",
    ),
    FaultCode.WHOLE_SURVIVES: (
        "Toàn bộ {place} được chuyển đi ngày {day}, nhưng không có gì kết thúc nó.",
        "The whole of {place} leaves on {day}, but nothing ends it.",
    ),
    FaultCode.PART_WITHOUT_REST: (
        "{place} kết thúc ngày {day}, nhưng chỉ ghi nhận một phần của nó.",
        "{place} ends on {day}, but only one part of it is accounted for.",
    ),
    FaultCode.COMMUNE_UNKNOWN: (
        "{fact} nằm ở {place}, chưa có trong sổ đăng ký địa giới.",
        "{fact} stands in {place}, which the territory does not know.",
    ),
    FaultCode.CONTRACT_WITHOUT_FACILITY: (
        "Hợp đồng {fact} của cơ sở {place} chưa có trong sổ đăng ký.",
        "Contract {fact} is of {place}, which is not in the register.",
    ),
}


def fault(code: FaultCode, key: FactKey | None, **words: object) -> Fault:
    """Write a fault of a fact, None for the whole batch, with the words its sentence needs."""
    family, fact_id = key if key is not None else (None, None)
    vi, en = _SENTENCES[code]
    spoken = {name: _spoken(word) for name, word in words.items()} | {"fact": fact_id}
    return Fault(family=family, fact_id=fact_id, code=code, vi=vi.format(**spoken), en=en.format(**spoken))


def _spoken(word: object) -> str:
    match word:
        case PlaceKey(level, code):
            return f"{level} {code}"
        case date():
            return word.isoformat()
        case _:
            return str(word)
