"""`POST /v1/eligibility/image`: a screenshot of the card as multipart form data, read in memory and never kept."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import Response

from lienthong.adapters.card_images import AskAgain, CardImageReader, ReadPayload, RefusalKind, RefusedImage
from lienthong.adapters.native import question_from
from lienthong.adapters.problems import Problem, invalid_request
from lienthong.adapters.sealed_images import refused
from lienthong.domain.question import Presentation
from lienthong.lookup.answering import HttpDesk
from lienthong.lookup.hot import PATH, RETRY_AFTER_S, decision_response
from lienthong.runtime.clock import Clock
from lienthong_schemas.questions import CardQrPresented, Question
from lienthong_schemas.vocabulary import Birth, Name

#: What a form may hold beside its image: a handful of short fields.
_FIELDS_MAX: Final = 12
_FIELD_BYTES_MAX: Final = 4_096
_FORM_BYTES_BESIDE_IMAGE: Final = 65_536

_STATUS: Final = {
    RefusalKind.TOO_LARGE: 413,
    RefusalKind.UNSUPPORTED: 415,
    RefusalKind.UNREADABLE: 422,
    RefusalKind.BUSY: 503,
    RefusalKind.TOO_SLOW: 503,
}


class _MemoryParser(MultiPartParser):
    """Keeps the file part in memory, whatever its size: a spooled file would put a card's image on the disk."""

    def __init__(self, request: Request, stream: AsyncGenerator[bytes, None], image_bytes_max: int) -> None:
        super().__init__(request.headers, stream, max_files=1, max_fields=_FIELDS_MAX, max_part_size=_FIELD_BYTES_MAX)
        self.spool_max_size = image_bytes_max + _FORM_BYTES_BESIDE_IMAGE


class ImageForm(BaseModel):
    """The form's fields beside `image`: those of a question, and the holder as two fields."""

    model_config = ConfigDict(extra="forbid")

    facility_code: str
    clerk_id: str
    on: str | None = None
    admitted_on: str | None = None
    visit_kind: str = "outpatient"
    holder_name: Annotated[Name | None, Field(description="as the desk typed it")] = None
    holder_birth: Annotated[Birth | None, Field(description="YYYY, YYYY-MM or YYYY-MM-DD")] = None


def image_routes(desk: HttpDesk, reader: CardImageReader, clock: Clock, image_bytes_max: int) -> APIRouter:
    """Return the route of card images."""
    router = APIRouter(tags=["eligibility"])

    @router.post(f"{PATH}/image", summary="The same question with a screenshot of the card", openapi_extra=_OPENAPI)
    async def eligibility_image(request: Request) -> Response:
        image, fields = await _form(request, image_bytes_max)
        presented = await read_presentation(reader, image)
        asked = _question(fields)
        question = question_from(asked, clock.now(), image=presented)
        # What is kept, sealed, is the question without its image: nothing of the picture outlives the answer.
        shown = {**asked.model_dump(mode="json"), "presented": {"kind": "card_image"}}
        return decision_response(await desk.answer(question, orjson.dumps(shown)))

    return router


async def read_presentation(reader: CardImageReader, image: bytes) -> Presentation:
    """Return what the image presents; one that shows no single card is `malformed`, with what to tell the clerk.

    Raises `Problem` where the bytes are no image that may be read.
    """
    reading = await reader.read(image)
    match reading:
        case ReadPayload():
            return reading.presentation
        case AskAgain():
            return refused(reading)
        case RefusedImage():
            status = _STATUS[reading.kind]
            headers = {"retry-after": str(RETRY_AFTER_S)} if status == 503 else {}  # noqa: PLR2004 -- HTTP's own number
            raise Problem(status=status, code=reading.code, vi=reading.vi, en=reading.en, headers=headers)


async def _form(request: Request, image_bytes_max: int) -> tuple[bytes, dict[str, str]]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Problem(
            status=415,
            code="multipart_expected",
            vi="Gửi ảnh dạng multipart/form-data, trường `image`.",
            en="Send the image as multipart/form-data, in the field `image`.",
        )
    try:
        form = await _MemoryParser(request, _capped(request, image_bytes_max), image_bytes_max).parse()
    except (MultiPartException, KeyError) as fault:
        raise Problem(
            status=400, code="form_unreadable", vi="Biểu mẫu gửi lên bị hỏng.", en="The form cannot be read."
        ) from fault
    images = [value for value in form.getlist("image") if isinstance(value, UploadFile)]
    fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    if len(images) != 1:
        await form.close()
        raise Problem(
            status=422,
            code="image_missing",
            vi="Thiếu tệp ảnh trong trường `image`.",
            en="There is no file in the field `image`.",
        )
    content = await images[0].read()
    await form.close()
    return content, fields


async def _capped(request: Request, image_bytes_max: int) -> AsyncGenerator[bytes, None]:
    read = 0
    async for chunk in request.stream():
        read += len(chunk)
        if read > image_bytes_max + _FORM_BYTES_BESIDE_IMAGE:
            raise Problem(
                status=413,
                code="image_too_many_bytes",
                vi=f"Tệp ảnh lớn hơn {image_bytes_max} byte. Gửi ảnh chụp màn hình gốc của thẻ.",
                en=f"The image is larger than {image_bytes_max} bytes. Send the original screenshot of the card.",
            )
        yield chunk


def _question(fields: dict[str, str]) -> Question:
    """Return the question of the form's fields; what is presented stands in the image."""
    try:
        form = ImageForm.model_validate(fields)
        typed = form.holder_name is not None or form.holder_birth is not None
        return Question.model_validate(
            {
                "presented": CardQrPresented(kind="card_qr", text="-"),
                "facility_code": form.facility_code,
                "clerk_id": form.clerk_id,
                "on": form.on,
                "admitted_on": form.admitted_on,
                "visit_kind": form.visit_kind,
                "holder": {"name": form.holder_name, "birth": form.holder_birth} if typed else None,
            }
        )
    except ValidationError as error:
        raise invalid_request(error) from None


_OPENAPI: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image", "facility_code", "clerk_id"],
                    "properties": {
                        "image": {"type": "string", "format": "binary", "description": "PNG, JPEG or WebP"},
                        **{name: {"type": "string"} for name in ImageForm.model_fields},
                    },
                }
            }
        },
    },
    "responses": {
        "200": {
            "description": "the decision; `malformed` asks for another image",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Decision"}}},
        },
        "413": {"description": "too many bytes or pixels"},
        "415": {"description": "not a PNG, JPEG or WebP image, or not a form"},
        "422": {"description": "a damaged image, or fields that are no question"},
        "503": {"description": "the reader is busy, or the store is away (then with the decision `cannot_tell`)"},
    },
}
