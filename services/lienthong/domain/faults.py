"""What can be wrong with what a desk presents: codes, and the sentences a clerk reads, which never repeat the input."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from lienthong.domain.question import Malformed, PresentedKind


class FaultCode(StrEnum):
    """Why a presentation cannot be read."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    NUMBER_LENGTH = "number_length"
    NUMBER_CHARACTER = "number_character"
    CODE_SHAPE = "code_shape"
    QR_UNKNOWN = "qr_unknown"
    QR_INCOMPLETE = "qr_incomplete"
    QR_DAMAGED = "qr_damaged"
    SCANNED_TWICE = "scanned_twice"
    SCANNER_INPUT_METHOD = "scanner_input_method"


class WarningCode(StrEnum):
    """What a desk should know about a presentation that could be read; none of them changes an outcome."""

    SCANNER_INPUT_METHOD = "scanner_input_method"
    IDENTITY_UNREADABLE = "identity_unreadable"
    QR_DATES_UNREADABLE = "qr_dates_unreadable"
    NUMBER_GROUP_UNKNOWN = "number_group_unknown"
    NUMBER_LEVEL_UNEXPECTED = "number_level_unexpected"
    NUMBER_PROVINCE_UNKNOWN = "number_province_unknown"
    CITIZEN_ID_BIRTH_DIFFERS = "citizen_id_birth_differs"
    CITIZEN_ID_SEX_DIFFERS = "citizen_id_sex_differs"


class Sentences(NamedTuple):
    """One thing said in both languages."""

    vi: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A refusal to read a text: why, and the position (character from 0) of the first offending character."""

    code: FaultCode
    position: int | None


_SCANNER = Sentences("Tắt Unikey rồi quét lại.", "Turn Unikey (the Vietnamese input method) off and scan again.")

FAULT_SENTENCES: Mapping[FaultCode, Sentences] = MappingProxyType(
    {
        FaultCode.EMPTY: Sentences(
            "Chưa có gì để tra. Quét thẻ hoặc nhập số.", "Nothing to look up. Scan the card or type its number."
        ),
        FaultCode.TOO_LONG: Sentences(
            "Nội dung quá dài. Xóa ô rồi quét lại một thẻ.", "Too much text. Clear the box and scan one card."
        ),
        FaultCode.NUMBER_LENGTH: Sentences(
            "Số thẻ có 10 hoặc 15 ký tự, số căn cước có 12 chữ số. Đếm lại và nhập lại.",
            "A card number has 10 or 15 characters, a citizen ID 12 digits. Count them and retype.",
        ),
        FaultCode.NUMBER_CHARACTER: Sentences(
            "Có ký tự sai trong số. Xem ký tự được đánh dấu và nhập lại.",
            "A character of the number is wrong. Look at the marked one and retype.",
        ),
        FaultCode.CODE_SHAPE: Sentences(
            "Mã chỉ gồm 1–16 chữ, số, dấu chấm, gạch ngang hoặc gạch dưới.",
            "A code is 1–16 letters, digits, dots, hyphens or underscores.",
        ),
        FaultCode.QR_UNKNOWN: Sentences(
            "Đây không phải mã QR của thẻ BHYT hoặc căn cước. Quét đúng mã hoặc nhập số thẻ.",
            "This is not the QR code of a health-insurance card or a citizen ID. Scan that code or type the number.",
        ),
        FaultCode.QR_INCOMPLETE: Sentences("Mã QR đọc chưa hết. Quét lại.", "The QR code was cut short. Scan again."),
        FaultCode.QR_DAMAGED: Sentences(
            "Mã QR đọc chưa đúng. Quét lại hoặc nhập số thẻ.",
            "The QR code was not read correctly. Scan again or type the number.",
        ),
        FaultCode.SCANNED_TWICE: Sentences(
            "Hai lần quét dính vào nhau. Xóa ô rồi quét lại một thẻ.",
            "Two scans ran together. Clear the box and scan one card.",
        ),
        FaultCode.SCANNER_INPUT_METHOD: _SCANNER,
    }
)

WARNING_SENTENCES: Mapping[WarningCode, Sentences] = MappingProxyType(
    {
        WarningCode.SCANNER_INPUT_METHOD: _SCANNER,
        WarningCode.IDENTITY_UNREADABLE: Sentences(
            "Chưa đọc được họ tên hoặc ngày sinh. So với giấy tờ.",
            "The name or the birth date could not be read. Compare with the papers.",
        ),
        WarningCode.QR_DATES_UNREADABLE: Sentences(
            "Chưa đọc được thời hạn in trong mã QR. Kết quả lấy theo dữ liệu.",
            "The dates of the QR code could not be read. The answer follows the record.",
        ),
        WarningCode.NUMBER_GROUP_UNKNOWN: Sentences(
            "Bảng mã chưa có mã đối tượng in trên thẻ. Không ảnh hưởng giá trị thẻ.",
            "The printed group is not in the table. Validity unaffected.",
        ),
        WarningCode.NUMBER_LEVEL_UNEXPECTED: Sentences(
            "Mức hưởng in trên thẻ khác bảng mã. Mức hưởng lấy theo dữ liệu; thẻ vẫn dùng được.",
            "The printed benefit level differs from the table. The record decides; the card stays usable.",
        ),
        WarningCode.NUMBER_PROVINCE_UNKNOWN: Sentences(
            "Bảng mã chưa có mã tỉnh in trên thẻ. Không ảnh hưởng giá trị thẻ.",
            "The printed province is not in the table. Validity unaffected.",
        ),
        WarningCode.CITIZEN_ID_BIRTH_DIFFERS: Sentences(
            "Năm sinh trong số căn cước khác ngày sinh. Kiểm tra lại số.",
            "The birth year inside the citizen ID differs from the birth date. Check the number.",
        ),
        WarningCode.CITIZEN_ID_SEX_DIFFERS: Sentences(
            "Giới tính trong số căn cước khác giấy tờ. Kiểm tra lại số.",
            "The sex inside the citizen ID differs from the papers. Check the number.",
        ),
    }
)


def malformed(kind: PresentedKind, fault: Fault) -> Malformed:
    """Write a fault out as the presentation that an answer carries."""
    sentences = FAULT_SENTENCES[fault.code]
    return Malformed(kind=kind, code=fault.code, position=fault.position, vi=sentences.vi, en=sentences.en)
