"""One valid example of every message: those that the contract writes out as it writes them, and one of each other."""

from typing import Any

import orjson

DIGEST = "9f" * 32
DECISION_ID = "01970000-0000-7000-8000-000000000001"

_TRUC_BACH = {
    "level": "commune",
    "code": "00004",
    "name": "Phường Trúc Bạch",
    "parent_code": "001",
    "province_code": "01",
    "valid_from": None,
    "valid_to": "2025-06-30",
}
_BA_DINH = {
    "level": "commune",
    "code": "00004",
    "name": "Phường Ba Đình",
    "parent_code": "01",
    "province_code": "01",
    "valid_from": "2025-07-01",
    "valid_to": None,
}
_DOCUMENT = {"number": "1656/NQ-UBTVQH15", "issuer": "Ủy ban Thường vụ Quốc hội", "issued_on": "2025-06-16"}

CARD: dict[str, Any] = {
    "id": "0000012345",
    "revision": 3,
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

UNIT: dict[str, Any] = {
    "id": "commune/00004/2025-07-01",
    "revision": 1,
    "level": "commune",
    "code": "00004",
    "name": "Phường Ba Đình",
    "valid_from": "2025-07-01",
    "parent": {"level": "province", "code": "01"},
}

UNIT_OF_UNKNOWN_START: dict[str, Any] = {
    "id": "commune/00004/-",
    "revision": 1,
    "level": "commune",
    "code": "00004",
    "name": "Phường Trúc Bạch",
    "valid_from": None,
    "parent": {"level": "district", "code": "001"},
}

REORGANISATION: dict[str, Any] = {
    "id": "vn-2025-07-01/commune/00004",
    "revision": 1,
    "effective_on": "2025-07-01",
    "document": _DOCUMENT,
    "links": [
        {
            "predecessor": {"level": "commune", "code": "00004"},
            "successor": {"level": "commune", "code": "00004"},
            "extent": "whole",
        },
        {
            "predecessor": {"level": "commune", "code": "00016"},
            "successor": {"level": "commune", "code": "00004"},
            "extent": "part",
            "hint": True,
        },
    ],
    "ends": [{"level": "commune", "code": "00004"}, {"level": "commune", "code": "00016"}],
}

FACILITY: dict[str, Any] = {
    "id": "01C51/-",
    "revision": 1,
    "code": "01C51",
    "name": "Trạm y tế phường Trúc Bạch",
    "kind": "commune_station",
    "valid_from": None,
    "commune": {"level": "commune", "code": "00004", "recorded_on": "2025-06-30"},
    "address": None,
    "care_level": "initial",
    "points": None,
    "former_tier": "commune",
}

FACILITY_REORGANISATION: dict[str, Any] = {
    "id": "stations/2025-07-01/01C51",
    "revision": 1,
    "effective_on": "2025-07-01",
    "document": None,
    "links": [
        {
            "predecessor": {"code": "01C51"},
            "successor": {"code": "01C99"},
            "extent": "whole",
            "continues_as_point_of": "01C99",
        }
    ],
    "ends": [{"code": "01C51"}],
    "illustrative": True,
}

QUESTION: dict[str, Any] = {
    "presented": {"kind": "card_qr", "text": "0000012345|…|$"},
    "facility_code": "01004",
    "clerk_id": "NV01",
    "on": "2025-08-01",
    "admitted_on": None,
    "visit_kind": "outpatient",
    "holder": None,
}

PRESENTED: dict[str, dict[str, Any]] = {
    "insurance_number": {"kind": "insurance_number", "number": "HC4010000012345"},
    "citizen_id": {"kind": "citizen_id", "number": "000001234567"},
    "card_qr": {"kind": "card_qr", "text": "0000012345|4e67757965|$"},
    "citizen_qr": {"kind": "citizen_qr", "text": "000001234567||Nguyễn Thị Mẫu|17051962|Nữ|Ngõ 12|01012022"},
    "citizen_chip": {
        "kind": "citizen_chip",
        "fields": {"number": "000001234567", "name": "Nguyễn Thị Mẫu", "birth": "17/05/1962"},
    },
    "card_image": {
        "kind": "card_image",
        "key_id": "card-images/2025-08-01T09",
        "sealed": "AAECAw==",
        "media_type": "image/png",
    },
    "no_card": {"kind": "no_card", "reason": "child"},
}

DECISION: dict[str, Any] = {
    "decision_id": DECISION_ID,
    "outcome": "eligible",
    "decided_at": "2025-08-01T09:00:00.123456+07:00",
    "on": "2025-08-01",
    "card": {
        "number": "HC4*******2345",
        "holder": {"name": "Nguyễn Thị Mẫu", "birth": "1962-05-17", "sex": "female"},
        "period": {
            "valid_from": "2023-03-01",
            "valid_to": "2027-02-28",
            "group": "HC",
            "benefit_level": 4,
            "share_percent": 80,
        },
        "next_period": None,
    },
    "address": {"state": "succeeded", "printed": _TRUC_BACH, "today": [_BA_DINH]},
    "registered_place": {"state": "unknown", "printed": None, "today": []},
    "payment_here": "unknown",
    "payable_until": None,
    "routes": ["1.2"],
    "notices": [
        {
            "code": "address_succeeded",
            "vi": "Thẻ vẫn có giá trị.",
            "en": "Card still valid.",
            "document": "1656/NQ-UBTVQH15",
        }
    ],
    "proof": [{"id": "vn-2025-07-01/commune/00004", "document": "1656/NQ-UBTVQH15", "effective_on": "2025-07-01"}],
    "freshness": {"register_position": 25113, "cards_caught_up_at": "2025-08-01T02:00:00Z", "complete": True},
    "illustrative": False,
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "card.recorded": CARD,
    "card.withdrawn": CARD | {"revision": 4, "withdrawn": {"on": "2025-07-31", "reason": "issued_in_error"}},
    "territory.unit_recorded": UNIT,
    "territory.reorganised": REORGANISATION,
    "facility.recorded": FACILITY,
    "facility.reorganised": FACILITY_REORGANISATION,
    "contract.recorded": {
        "id": "01/2025/HĐKCB",
        "revision": 1,
        "facility_code": "01C99",
        "kind": "appendix",
        "valid_from": "2025-07-01",
        "valid_to": "2025-12-31",
        "inherits": "07/2024/HĐKCB",
    },
    "guidance.recorded": {
        "id": "1334/BHXH-CSYT",
        "revision": 1,
        "issuer": "Bảo hiểm xã hội Việt Nam",
        "subject": "Thẻ đã cấp tiếp tục sử dụng",
        "effective_from": "2025-06-30",
        "ended": None,
        "rule": {"vi": "Thẻ đã cấp tiếp tục sử dụng.", "en": "Cards already issued stay in use."},
        "grade": "2",
        "source": "https://baohiemxahoi.gov.vn",
    },
    "table.recorded": {
        "id": "benefit-levels/2009-07-01",
        "revision": 1,
        "name": "benefit-levels",
        "valid_from": "2009-07-01",
        "rows": [
            {"level": 4, "share_percent": 80, "groups": ["HC", "DN"], "note": None, "in_use": True},
            {"level": 5, "share_percent": 100},
        ],
        "grade": "2",
        "source": "QĐ 1351/QĐ-BHXH",
    },
    "fact.annulled": {
        "id": "commune/00004/2025-07-01",
        "revision": 2,
        "family": "unit",
        "reason": "Ghi nhầm",
        "document": _DOCUMENT,
    },
    "batch.sealed": {"batch_id": DIGEST, "base": None, "count": 14_000, "digest": DIGEST, "name": "vn-2025-07-01"},
    "generation.switched": {"generation": 2},
    "lookup.requested": {"question": QUESTION},
    "lookup.answered": {"lookup_id": "5e0c", "decision": DECISION},
    "eligibility.decided": {
        "decision_id": DECISION_ID,
        "facility_code": "01004",
        "channel": "card_qr",
        "outcome": "eligible",
        "portal_code": "000",
        "notices": ["address_succeeded"],
        "printed_references": {
            "address": {
                "level": "commune",
                "code": "00004",
                "recorded_on": "2023-03-01",
                "version": "commune/00004/-",
            },
            "registered_place": {"code": "01C51", "recorded_on": "2023-03-01"},
        },
        "on": "2025-08-01",
        "sealed": {"key_id": "decisions/2025-08-01", "bytes": "AAECAw=="},
        "card_revision": 3,
        "register_position": 25113,
        "table_versions": {"benefit-levels": "2009-07-01"},
        "software": "lienthong/0.1.0",
    },
    "dead_letter.recorded": {
        "origin": {"stream": "cards.v1", "partition": 7, "position": 0},
        "consumer": "projector",
        "reason": {"code": "invalid_data", "message": "is missing", "path": "data.periods[0].number"},
        "attempts": 1,
        "size_bytes": 4,
        "sha256": DIGEST,
        "sealed": {"key_id": "dead-letters/2025-08-01", "bytes": "AAECAw=="},
    },
    "dead_letter.replayed": {
        "letter_id": "projector:cards.v1/7/412",
        "replayed_to": {"stream": "cards.v1", "partition": 7, "position": 530},
    },
}

_SUBJECTS = {"batch.sealed": DIGEST, "generation.switched": "2", "lookup.requested": "01004"}


def subject_of(event_type: str, data: dict[str, Any]) -> str:
    """Return the subject that the type's data demands, or some subject where it demands none."""
    return _SUBJECTS.get(event_type) or str(data.get("id", "any"))


def document_of(event_type: str, data: dict[str, Any], /, **envelope: Any) -> dict[str, Any]:
    """Return a whole event as JSON values; further attributes of the envelope may be given or replaced."""
    return {
        "specversion": "1.0",
        "id": "5e0c",
        "type": event_type,
        "source": "/registers/test",
        "subject": subject_of(event_type, data),
        "time": "2025-06-20T09:00:00+07:00",
        "data": data,
    } | envelope


def event_of(event_type: str, data: dict[str, Any], /, **envelope: Any) -> bytes:
    """Return a whole event as bytes."""
    return orjson.dumps(document_of(event_type, data, **envelope))
