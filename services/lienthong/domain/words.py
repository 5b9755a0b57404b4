"""The words of every notice in Vietnamese and English; rules and numbers are not here but in the register's tables.

A notice must have words even while nothing is published and while the store is away, so they are part of the program.
The dated table `notice_texts` (rows of `code`, `vi`, `en`) replaces them from the day it says.
"""

from typing import NamedTuple

UNKNOWN_DOCUMENT = ("văn bản chưa xác định", "document not identified")
BASIS = (" Căn cứ: {document}.", " Basis: {document}.")


class Words(NamedTuple):
    """Both texts with `{placeholders}`; `cites` tells that a document stands behind the notice."""

    vi: str
    en: str
    cites: bool = False


NOTICES: dict[str, Words] = {
    "malformed": Words("Không đọc được số thẻ. Nhập hoặc quét lại.", "The number cannot be read. Type or scan again."),
    "child": Words(
        "Trẻ em chưa có thẻ: xem giấy khai sinh hoặc giấy chứng sinh. Không tự đặt số thẻ.",
        "Child without a card: check the birth certificate. Do not make up a number.",
    ),
    "being_reissued": Words(
        "Thẻ đang chờ cấp lại, đổi: xem giấy hẹn trả thẻ và giấy tờ tùy thân.",
        "Card being reissued: check the acceptance slip and an identity paper.",
    ),
    "cannot_tell": Words(
        "CHƯA TRA CỨU ĐƯỢC, không có nghĩa là hết BHYT. Ghi mã thẻ, VẪN TIẾP NHẬN; tra lại sau.",
        "COULD NOT CHECK; not a denial. Note the number, ADMIT; check again later.",
    ),
    "not_found": Words(
        "Không thấy trong dữ liệu đến {time}. Kiểm tra số, thử căn cước. "
        "Hỏi: trẻ dưới 6 tuổi? quân đội, công an? thẻ mới, đang đổi?",
        "Not in data as of {time}. Check the number, try citizen ID. Ask: under 6? army, police? new, being reissued?",
    ),
    "identity_mismatch": Words(
        "Họ tên hoặc ngày sinh chưa khớp. Xem giấy tờ, nhập lại. Đây KHÔNG phải kết luận không có BHYT.",
        "Name or birth date does not match. Check papers, retype. This does NOT mean uninsured.",
    ),
    "issuer_armed_forces": Words(
        "Thẻ do BHXH {issuer} quản lý. Kiểm tra thẻ và giấy tờ tùy thân; ghi hạn theo thẻ.",
        "Managed by {issuer}. Check card and identity papers; use the card's dates.",
    ),
    "moved": Words(
        "Đã báo giảm từ sau ngày {date} do chuyển nơi tham gia; chưa thấy thời hạn mới. Xem giấy tờ, hỏi thẻ hiện nay.",
        "Moved to another place of insurance after {date}; no newer period on record yet. "
        "Check papers, ask for the current card.",
    ),
    "reissued": Words(
        "Thẻ này đã được thay sau ngày {date}; chưa thấy thẻ mới trong dữ liệu. Xem thẻ mới hoặc giấy hẹn.",
        "This card was replaced after {date}; the new one is not on record yet. Check the new card or the slip.",
    ),
    "ended": Words("Thẻ hết hạn sau ngày {date}. Hỏi thẻ mới.", "Card ended after {date}. Ask for a newer card."),
    "withdrawn": Words(
        "Thẻ đã bị thu hồi, dùng đến hết ngày {date}. Hỏi thẻ khác.",
        "Card was withdrawn, good until {date}. Ask for another card.",
    ),
    "reduced": Words(
        "Thẻ đã báo giảm sau ngày {date}. Hỏi thẻ khác hoặc liên hệ BHXH.",
        "Coverage was reported ended after {date}. Ask for another card or contact social security.",
    ),
    "stopped": Words(
        "Đã dừng tham gia sau ngày {date}. Hỏi thẻ khác hoặc liên hệ BHXH.",
        "Coverage stopped after {date}. Ask for another card or contact social security.",
    ),
    "no_period": Words(
        "Hồ sơ chưa có thời hạn thẻ. Liên hệ BHXH.", "The record has no period of coverage. Contact social security."
    ),
    "not_started": Words("Thẻ có giá trị từ ngày {date}.", "The card is valid from {date}."),
    "new_card": Words(
        "Đã cấp thẻ mới, giá trị {first}–{last}. Dùng thẻ mới từ {first}; trước đó dùng thẻ cũ nếu còn hạn.",
        "New card valid {first}–{last}. Use it from {first}; until then the old one if in force.",
    ),
    "ended_in_treatment": Words(
        "Thẻ hết hạn {date} trong đợt điều trị. Quỹ thanh toán đến khi ra viện, chậm nhất {until}. Nhắc gia hạn.",
        "Card ended {date} during treatment. Paid until discharge, at latest {until}. Remind to renew.",
        cites=True,
    ),
    "treatment_payment_over": Words(
        "Thời gian thanh toán sau khi thẻ hết hạn đã qua ngày {until}. Hỏi BHXH; hỏi thẻ mới.",
        "The time for which an ended card is still paid passed on {until}. Ask social security and for a newer card.",
    ),
    "several_cards": Words(
        "Có hơn một thẻ còn giá trị cho người này; đã dùng thẻ mới nhất. Báo BHXH để hợp nhất.",
        "More than one card is live for this person; the newest was used. Ask social security to merge them.",
    ),
    "address_succeeded": Words(
        "Thẻ vẫn có giá trị. {old} nay là {new} từ {date}. Không yêu cầu người bệnh đổi thẻ để khám.",
        "Card still valid. {old} is now {new} since {date}. Do not ask the patient to replace it.",
        cites=True,
    ),
    "address_divided": Words(
        "Thẻ vẫn có giá trị. {old} được chia về {new}. Chỉ hỏi nơi ở hiện nay khi cần ghi hồ sơ; không tự chọn.",
        "Card still valid. {old} was divided among {new}. Ask only if the record needs it; do not choose.",
        cites=True,
    ),
    "address_ended": Words(
        "Thẻ vẫn có giá trị. {old} không còn; chưa có dữ liệu đơn vị kế tiếp.",
        "Card still valid. {old} no longer exists; no successor on record.",
        cites=True,
    ),
    "address_ambiguous": Words(
        "Thẻ vẫn có giá trị. Mã địa chỉ in trên thẻ từng thuộc nhiều đơn vị; nay có thể là {new}. Không tự chọn.",
        "Card still valid. The printed address code belonged to several units; today it may be {new}. Do not choose.",
    ),
    "address_disputed": Words(
        "Thẻ vẫn có giá trị. Dữ liệu về {old} đang mâu thuẫn. Không tự chọn; báo cơ quan BHXH.",
        "Card still valid. The records about {old} contradict each other. Do not choose; tell social security.",
    ),
    "address_unknown": Words(
        "Chưa có dữ liệu về địa chỉ in trên thẻ. Không ảnh hưởng giá trị thẻ.",
        "No data on the printed address. Validity unaffected.",
        cites=True,
    ),
    "address_code_ended": Words(
        "Mã địa chỉ đã hết dùng trước ngày ghi trên thẻ; đã hiểu là {old}. Không ảnh hưởng giá trị thẻ.",
        "The address code had ended before it was recorded; read as {old}. Validity unaffected.",
    ),
    "place_succeeded": Words(
        "Nơi đăng ký ban đầu {old} nay là {new} từ {date}. Tiếp tục dùng thẻ này.",
        "Registered place {old} is now {new} since {date}. Keep using this card.",
        cites=True,
    ),
    "place_divided": Words(
        "Nơi đăng ký ban đầu {old} nay thuộc {new}. Tiếp tục dùng thẻ này; không tự chọn.",
        "Registered place {old} is now part of {new}. Keep using this card; do not choose.",
        cites=True,
    ),
    "place_without_successor": Words(
        "Chưa có dữ liệu cơ sở kế tiếp của {old}. Thẻ vẫn có giá trị. Tiếp nhận; báo cơ quan BHXH.",
        "No successor of {old} on record. Card still valid. Admit; tell social security.",
        cites=True,
    ),
    "place_ambiguous": Words(
        "Mã nơi đăng ký ban đầu từng thuộc nhiều cơ sở; nay có thể là {new}. Thẻ vẫn có giá trị. Không tự chọn.",
        "The registered place's code belonged to several facilities; today it may be {new}. "
        "Card still valid. Do not choose.",
    ),
    "place_disputed": Words(
        "Dữ liệu về nơi đăng ký {old} đang mâu thuẫn. Thẻ vẫn có giá trị. Tiếp nhận; báo cơ quan BHXH.",
        "The records about the registered place {old} contradict each other. Card still valid. Admit; "
        "tell social security.",
    ),
    "place_unknown": Words(
        "Chưa có dữ liệu về nơi đăng ký ban đầu in trên thẻ. Không ảnh hưởng giá trị thẻ.",
        "No data on the registered place printed on the card. Validity unaffected.",
        cites=True,
    ),
    "place_code_ended": Words(
        "Mã nơi đăng ký đã hết dùng trước ngày ghi trên thẻ; đã hiểu là {old}. Không ảnh hưởng giá trị thẻ.",
        "The registered place's code had ended before it was recorded; read as {old}. Validity unaffected.",
    ),
    "contract_not_on_record": Words(
        "Chưa ghi nhận hợp đồng BHYT của cơ sở này. Không ảnh hưởng giá trị thẻ. Hỏi BHXH trước khi báo chi phí.",
        "No contract on record here. Card unaffected. Ask social security before quoting costs.",
        cites=True,
    ),
    "facility_code_old": Words(
        "Mã cơ sở đang dùng là mã cũ; mã này dùng được đến hết ngày {date}. Tra cứu vẫn thực hiện. Dùng mã mới.",
        "You signed in under an old facility code, to be used until {date} at the latest. "
        "The check was made. Use the new code.",
    ),
    "emergency": Words(
        "Cấp cứu: tiếp nhận ngay; xuất trình thẻ trước khi kết thúc đợt điều trị.",
        "Emergency: admit at once; the card is presented before the treatment ends.",
    ),
    "illustrative": Words("MINH HỌA – không có giá trị pháp lý", "ILLUSTRATION – no legal force"),
}
