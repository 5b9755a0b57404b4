"""What a desk and a hospital's software meet over HTTP, on the whole service with real servers."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from lienthong.adapters.demo_cards import (
    ARMY,
    DAI_MO,
    DEMO_CARDS,
    ENDED_IN_TREATMENT,
    NEVER_ISSUED_CITIZEN_ID,
    NOT_STARTED,
    TRUC_BACH,
)
from lienthong.adapters.key_records import KeysAway
from lienthong.adapters.sealing import Sealer
from lienthong.lookup import answering
from tests.support.facts import commune, reorganised, unit
from tests.support.service import DESK, Service, service  # noqa: F401 -- a fixture

ON = "2025-08-01"


@pytest.fixture
async def filled(service: Service) -> Service:  # noqa: F811 -- the fixture of that name
    await service.publish_cards(record for record in DEMO_CARDS.values() if "withdrawn" not in record)
    return service


def number(digits: str) -> dict[str, str]:
    return {"kind": "insurance_number", "number": digits}


async def test_each_outcome_is_answered_and_counted(filled: Service) -> None:
    asked: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        (number(TRUC_BACH), {}, "eligible"),
        (number(f"HC401{TRUC_BACH}"), {}, "eligible"),
        (number(ARMY), {}, "check_papers"),
        (number(NOT_STARTED), {}, "not_in_force"),
        (number(ENDED_IN_TREATMENT), {"on": "2025-08-04", "admitted_on": "2025-07-28"}, "eligible"),
        (number(TRUC_BACH), {"holder": {"name": "Không Phải Tên", "birth": "1962"}}, "identity_mismatch"),
        ({"kind": "citizen_id", "number": NEVER_ISSUED_CITIZEN_ID}, {}, "not_found"),
        ({"kind": "no_card", "reason": "child"}, {}, "check_papers"),
        (number("12"), {}, "malformed"),
    ]
    for presented, more, outcome in asked:
        decision = await filled.decide(presented, **{"on": ON, **more})
        assert decision["outcome"] == outcome, (presented, decision)


async def test_a_mismatch_returns_nothing_of_the_record(filled: Service) -> None:
    decision = await filled.decide(number(TRUC_BACH), on=ON, holder={"name": "Người Khác", "birth": "1962-05-17"})
    assert decision["outcome"] == "identity_mismatch"
    assert (decision["card"], decision["address"], decision["registered_place"]) == (None, None, None)


async def test_the_holder_is_shown_only_where_name_and_birth_match(filled: Service) -> None:
    unnamed = await filled.decide(number(TRUC_BACH), on=ON)
    assert unnamed["card"]["holder"] is None
    holder = {"name": "NGUYỄN THỊ MẪU", "birth": "1962-05-17"}
    named = await filled.decide(number(TRUC_BACH), on=ON, holder=holder)
    assert named["card"]["holder"]["name"] == "Nguyễn Thị Mẫu"


async def test_a_new_decree_is_in_the_next_answer_and_changes_no_outcome(filled: Service) -> None:
    before = await filled.decide(number(DAI_MO), on=ON)
    assert before["address"]["state"] == "unknown"
    await filled.publish_facts(
        [
            unit(commune("00634")),
            unit(commune("00622"), "2025-07-01"),
            reorganised("2025-07-01", [(commune("00634"), commune("00622"), "whole")], [commune("00634")]),
        ]
    )
    after = await filled.decide(number(DAI_MO), on=ON)
    assert after["address"]["state"] == "succeeded"
    assert (before["outcome"], after["outcome"]) == ("eligible", "eligible")


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"{", "application/json", 422, "invalid_request"),
        (b'{"presented":{}}', "application/json", 422, "invalid_request"),
        (b"\xff\xfe", "application/json", 422, "invalid_request"),
        (b"{}", "text/plain", 415, "json_expected"),
        (b" " * 70_000, "application/json", 413, "request_too_large"),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong_in_both_languages(
    service: Service,  # noqa: F811 -- the fixture of that name
    content: bytes,
    content_type: str,
    status: int,
    code: str,
) -> None:
    response = await service.http.post("/v1/eligibility", content=content, headers={"content-type": content_type})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"].endswith(code)
    assert problem["detail"]
    assert problem["detail_vi"]


async def test_a_request_without_clerk_or_facility_is_refused(service: Service) -> None:  # noqa: F811 -- as above
    for missing in DESK:
        body = {"presented": number(TRUC_BACH), **DESK}
        del body[missing]
        response = await service.http.post("/v1/eligibility", json=body)
        assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert missing in response.text


async def test_a_refusal_never_repeats_what_was_sent(service: Service) -> None:  # noqa: F811 -- as above
    body = {"presented": {"kind": "insurance_number", "number": TRUC_BACH, "secret": "s3cr3t"}, **DESK}
    response = await service.http.post("/v1/eligibility", json=body)
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert TRUC_BACH not in response.text
    assert "s3cr3t" not in response.text
    misplaced = await service.http.post(
        "/v1/eligibility", json={"presented": {"kind": TRUC_BACH}, TRUC_BACH: 1, **DESK}
    )
    assert misplaced.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert TRUC_BACH not in misplaced.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", "/v1/eligibility", 405), ("PUT", "/readyz", 405)],
)
async def test_an_address_that_is_not_ours_is_a_problem_too(
    service: Service,  # noqa: F811 -- the fixture of that name
    method: str,
    path: str,
    status: int,
) -> None:
    for client in (service.http, service.monitor_http):
        response = await client.request(method, path)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code
    assert (await service.http.request(method, path)).status_code == status


async def test_a_fault_that_nobody_foresaw_says_to_admit_and_is_no_denial(
    filled: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(TRUC_BACH)

    monkeypatch.setattr(answering, "encode_decision", broken)
    response = await filled.ask(number(TRUC_BACH), on=ON)
    assert response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert "Admit" in response.json()["detail"]
    assert TRUC_BACH not in response.text


async def test_a_store_that_is_away_is_told_as_such_and_never_as_a_denial(filled: Service) -> None:
    await filled.servers["projection"].stop()
    response = await filled.ask(number(TRUC_BACH), on=ON)
    assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert int(response.headers["retry-after"]) > 0
    decision = response.json()
    assert decision["outcome"] == "cannot_tell"
    assert any(notice["code"] == "cannot_tell" for notice in decision["notices"])
    ready = await filled.http.get("/readyz")
    assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE
    await filled.servers["projection"].start()
    await filled.projected()
    recovered = await filled.decide(number(TRUC_BACH), on=ON)
    assert recovered["outcome"] == "eligible"


async def test_keys_that_are_away_when_a_day_begins_are_no_denial_and_no_fault(
    filled: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise KeysAway(Path("keys.sqlite"), sqlite3.OperationalError("disk I/O error"))

    monkeypatch.setattr(Sealer, "_current", away)
    response = await filled.ask(number(TRUC_BACH), on=ON)
    assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert response.json()["outcome"] == "cannot_tell"


async def test_places_are_resolved_as_on_the_command_line(service: Service) -> None:  # noqa: F811 -- as above
    await service.publish_set("vn-before-2025-07-01")
    await service.publish_set("vn-2025-07-01")
    found = (await service.http.get(f"/v1/units/commune/00004?recorded_on=2023-05-01&on={ON}")).json()
    assert found["state"] == "succeeded"
    assert found["candidates"][0]["name"] == "Phường Ba Đình"
    unknown = (await service.http.get("/v1/facilities/99Z99")).json()
    assert unknown["state"] == "unknown"
    for path in ("/v1/units/commune/not a code", "/v1/units/commune/00004?on=0", "/v1/facilities/01C51?on=1/7/2025"):
        refused = await service.http.get(path)
        assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY


async def test_the_documentation_describes_every_route(service: Service) -> None:  # noqa: F811 -- as above
    document = (await service.http.get("/openapi.json")).json()
    assert document["paths"]["/v1/eligibility"]["post"]["requestBody"]
    assert {"Question", "Decision"} <= set(document["components"]["schemas"])
    page = (await service.http.get("/docs")).text
    assert "https://" not in page, "a hospital's network may have no way out"
    scripts = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert scripts
    for script in scripts:
        assert (await service.http.get(script)).status_code == httpx.codes.OK


async def test_a_page_of_another_site_cannot_reach_the_service_by_its_own_name(service: Service) -> None:  # noqa: F811 -- as above
    for client in (service.http, service.monitor_http):
        response = await client.get("/healthz", headers={"host": "rebound.example"})
        assert response.status_code == httpx.codes.BAD_REQUEST


async def test_who_asks_here_for_volumes_is_sent_to_the_monitor(service: Service) -> None:  # noqa: F811 -- as above
    response = await service.http.get("/v1/volumes?by=day")
    assert response.status_code == httpx.codes.TEMPORARY_REDIRECT
    assert response.headers["location"] == f"http://127.0.0.1:{service.settings.monitor_port}/v1/volumes?by=day"
