from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.canned_service import Canned, canned_service
from tests.support.command_line import Called, call

ASKER = ("--facility", "01004", "--clerk", "NV01")
NUMBER = "0000012345"


def place(code: str, name: str) -> dict[str, Any]:
    return {
        "level": "commune",
        "code": code,
        "name": name,
        "parent_code": None,
        "province_code": "01",
        "valid_from": None,
        "valid_to": None,
    }


def decision(outcome: str = "eligible", **changes: Any) -> dict[str, Any]:
    return {
        "decision_id": "0197",
        "outcome": outcome,
        "decided_at": "2025-08-01T02:00:00Z",
        "on": "2025-08-01",
        "card": None,
        "address": None,
        "registered_place": None,
        "payment_here": "unknown",
        "payable_until": None,
        "routes": [],
        "notices": [],
        "proof": [],
        "freshness": {"register_position": 1, "cards_caught_up_at": None, "complete": True},
        "illustrative": False,
    } | changes


@pytest.fixture
def service() -> Iterator[Canned]:
    with canned_service() as canned:
        canned.answers(decision())
        yield canned


def check(service: Canned, *arguments: str, given: str = "") -> Called:
    return call("check", *arguments, "--url", service.url, given=given)


def sent(service: Canned) -> Any:
    return orjson.loads(service.received)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("eligible", 0),
        ("check_papers", 1),
        ("not_in_force", 1),
        ("not_found", 1),
        ("identity_mismatch", 1),
        ("malformed", 1),
        ("cannot_tell", 1),
    ],
)
def test_the_exit_status_tells_eligible_from_every_other_outcome(service: Canned, outcome: str, status: int) -> None:
    service.answers(decision(outcome), 503 if outcome == "cannot_tell" else 200)
    called = check(service, "--json", given='{"presented":{}}')
    assert (called.status, called.json["outcome"]) == (status, outcome)
    spoken = check(service, *ASKER, given=NUMBER)
    assert spoken.status == status
    assert "từ chối" not in spoken.out.lower()


def test_a_whole_question_is_passed_on_as_it_was_given(service: Canned) -> None:
    question = '{"presented":{"kind":"citizen_id","number":"000162000001"},"facility_code":"01004","clerk_id":"NV01"}'
    check(service, "--json", given=question)
    assert (service.asked, service.received.decode()) == ("POST /v1/eligibility", question)
    assert service.headers["content-type"] == "application/json"


def test_number_name_and_birth_date_are_read_from_standard_input(service: Canned) -> None:
    check(service, *ASKER, "--on", "2025-08-01", "--visit", "inpatient", given=f" {NUMBER} \nNguyễn Thị Mẫu\n1962\n")
    assert sent(service) == {
        "facility_code": "01004",
        "clerk_id": "NV01",
        "on": "2025-08-01",
        "visit_kind": "inpatient",
        "presented": {"kind": "insurance_number", "number": NUMBER},
        "holder": {"name": "Nguyễn Thị Mẫu", "birth": "1962"},
    }
    check(service, *ASKER, given=f"{NUMBER}\n\n17/05/1962\n")
    assert sent(service)["holder"] == {"name": None, "birth": "1962-05-17"}
    check(service, *ASKER, given="0000012345|4e67|$\n")
    assert sent(service)["presented"] == {"kind": "card_qr", "text": "0000012345|4e67|$"}
    check(service, *ASKER, "--no-card", "child")
    assert sent(service)["presented"] == {"kind": "no_card", "reason": "child"}


def test_an_image_travels_without_the_name_of_its_file(service: Canned, tmp_path: Path) -> None:
    image = tmp_path / "nguyen-thi-mau.jpg"
    image.write_bytes(b"\xff\xd8picture")
    check(service, *ASKER, "--image", str(image))
    assert service.asked == "POST /v1/eligibility/image"
    assert b"image/jpeg" in service.received
    assert b"01004" in service.received
    assert b"nguyen" not in service.received


def test_a_verdict_is_written_out_with_places_and_proof(service: Canned) -> None:
    shown = {"state": "divided", "printed": place("00634", "Đại Mỗ"), "today": [place("00622", "Xuân Phương")]}
    service.answers(
        decision(
            card={
                "number": "HC4*******2345",
                "holder": {"name": "Nguyễn Thị Mẫu", "birth": "1962-05-17", "sex": "female"},
                "period": {
                    "valid_from": "2023-03-01",
                    "valid_to": None,
                    "group": "HC",
                    "benefit_level": 4,
                    "share_percent": 80,
                },
                "next_period": None,
            },
            address=shown,
            notices=[{"code": "x", "vi": "Thẻ vẫn có giá trị.", "en": "Card still valid.", "document": None}],
            proof=[{"id": "p/1", "document": None, "effective_on": "2025-07-01"}],
            illustrative=True,
        )
    )
    out = check(service, *ASKER, given=NUMBER).out
    for words in ("CÒN GIÁ TRỊ", "ELIGIBLE", "HC4*******2345", "80 %", "Xuân Phương (00622)", "MINH HỌA", "p/1"):
        assert words in out
    assert "Thẻ vẫn có giá trị." in out
    assert "document not known" in out


def test_a_refused_question_is_a_fault_with_its_words(service: Canned) -> None:
    problem = {
        "status": 422,
        "detail": "The request does not follow its schema.",
        "faults": [{"at": "x", "wrong": "no"}],
    }
    service.answers(problem, 422)
    called = check(service, "--json", given="{}")
    assert (called.status, called.json["status"]) == (2, 422)
    spoken = check(service, *ASKER, given="1")
    assert spoken.status == 2
    assert "does not follow its schema. (HTTP 422)" in spoken.err
    assert "x no" in spoken.err


@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
def test_another_program_on_the_port_is_told_from_the_service(service: Canned, body: bytes) -> None:
    service.body = body
    called = check(service, *ASKER, given="1")
    assert called.status == 2
    assert "is not Lien Thong" in called.err


@pytest.mark.parametrize(
    ("arguments", "given", "sentence"),
    [
        ((), "1", "which facility and which clerk"),
        (ASKER, "", "no number on standard input"),
        (("--json",), "{", "no JSON"),
        (("--json",), '"' + "x" * 70_000 + '"', "at most 65536 bytes"),
        ((*ASKER, "--image", "no-such.png"), "", "cannot be read"),
        ((*ASKER, "--url", "http://127.0.0.1:9"), "1", "does not answer"),
        ((*ASKER, "--url", "ftp://x"), "1", "no address of a service"),
    ],
)
def test_a_wrong_call_is_told_in_one_sentence(arguments: tuple[str, ...], given: str, sentence: str) -> None:
    called = call("check", *arguments, given=given)
    assert called.status == 2
    assert sentence in " ".join(called.err.split())


def test_an_image_too_large_is_not_sent(tmp_path: Path) -> None:
    image = tmp_path / "large.png"
    with image.open("wb") as file:
        file.truncate(6 * 1024 * 1024)
    assert "larger than 5 MiB" in call("check", *ASKER, "--image", str(image)).err
