"""A screenshot over HTTP: read in memory, refused in a sentence, never a wrong number."""

import httpx
import pytest

from lienthong.adapters.card_drawing import DrawStyle, draw_card
from lienthong.adapters.demo_cards import DEMO_CARDS, TRUC_BACH
from tests.support.presented import truc_bach_qr
from tests.support.service import DESK, Service, service  # noqa: F401 -- a fixture


async def send(service: Service, image: bytes, **fields: str) -> httpx.Response:  # noqa: F811 -- as the fixture
    return await service.http.post(
        "/v1/eligibility/image", files={"image": ("card.png", image)}, data={**DESK, "on": "2025-08-01", **fields}
    )


async def test_the_card_of_a_screenshot_is_answered_with_its_holder(service: Service) -> None:  # noqa: F811 -- as above
    await service.publish_cards([DEMO_CARDS[TRUC_BACH]])
    response = await send(service, draw_card(truc_bach_qr(), DrawStyle()))
    assert response.status_code == httpx.codes.OK
    decision = response.json()
    assert decision["outcome"] == "eligible"
    assert decision["card"]["holder"]["name"] == "Nguyễn Thị Mẫu"


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (b"not an image", 415, "image_unsupported"),
        (draw_card(truc_bach_qr(), DrawStyle())[:2_000], 422, "image_unreadable"),
        (b"\xff" * 6_000_000, 413, "image_too_many_bytes"),
    ],
    ids=["text", "cut short", "too large"],
)
async def test_what_is_no_picture_of_a_card_is_refused_with_what_to_do(
    service: Service,  # noqa: F811 -- the fixture of that name
    image: bytes,
    status: int,
    code: str,
) -> None:
    response = await send(service, image)
    assert response.status_code == status
    problem = response.json()
    assert problem["type"].endswith(code)
    assert problem["detail_vi"]
    assert problem["detail"]


async def test_a_form_without_its_fields_says_which(service: Service) -> None:  # noqa: F811 -- as above
    image = draw_card(truc_bach_qr(), DrawStyle())
    response = await service.http.post("/v1/eligibility/image", files={"image": ("card.png", image)})
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert "clerk_id" in response.text
    missing = await service.http.post("/v1/eligibility/image", data=DESK, files={"other": ("x", b"1")})
    assert missing.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    not_a_form = await service.http.post("/v1/eligibility/image", content=b"x")
    assert not_a_form.status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE
