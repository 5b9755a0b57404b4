"""Problem details (RFC 9457) in Vietnamese and English: what was wrong with a request, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lienthong.adapters.wire import words_of

MEDIA_TYPE = "application/problem+json"
#: Faults of one request that are listed; more would only repeat the first.
_FAULTS_MAX = 20


@dataclass(eq=False, kw_only=True)
class Problem(Exception):
    """A request that cannot be answered; `code` names the kind, both sentences say what is wrong and what to do."""

    status: int
    code: str
    vi: str
    en: str
    faults: tuple[Mapping[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """Return the JSON of the problem: `type`, `title`, `status`, `detail` (English) and `detail_vi`."""
        members: dict[str, Any] = {
            "type": f"urn:lienthong:problem:{self.code}",
            "title": self.code.replace("_", " "),
            "status": self.status,
            "detail": self.en,
            "detail_vi": self.vi,
        }
        if self.faults:
            members["faults"] = self.faults
        return orjson.dumps(members)

    def response(self) -> Response:
        """Return the response that carries the problem."""
        return Response(self.body(), self.status, dict(self.headers), MEDIA_TYPE)


class ProblemDetails(BaseModel):
    """A problem as it is sent, for the documentation."""

    type: str
    title: str
    status: int
    detail: str
    detail_vi: str
    faults: list[dict[str, str]] | None = None


def invalid_request(error: ValidationError) -> Problem:
    """Return the problem of a body that is not a question: where and what, never the value that was sent."""
    faults = _listed(error.errors(include_url=False, include_context=False, include_input=False))
    where = ", ".join(fault["at"] for fault in faults)
    return Problem(
        status=422,
        code="invalid_request",
        vi=f"Yêu cầu chưa đúng mẫu ở: {where}. Sửa các mục này rồi gửi lại; mẫu ở /docs.",
        en=f"The request does not follow its schema at: {where}. Correct these and send it again; see /docs.",
        faults=faults,
    )


def unforeseen() -> Problem:
    """Return the problem of a fault that nobody foresaw, which must not look like a denial."""
    return Problem(
        status=500,
        code="fault_on_our_side",
        vi="Lỗi của hệ thống, không phải kết luận về thẻ. Tiếp nhận, ghi số thẻ, tra lại sau.",
        en="A fault on our side, which says nothing about a card. Admit, note the number, ask again.",
    )


def speak_of_problems(app: Starlette) -> None:
    """Let the application tell of whatever goes wrong in it as a problem."""
    app.add_exception_handler(Problem, _raised)
    app.add_exception_handler(RequestValidationError, _parameters)
    app.add_exception_handler(HTTPException, _no_such_route)
    # The server still hears of the fault, and writes where it was into the log.
    app.add_exception_handler(Exception, _unforeseen)


def _listed(faults: Sequence[Any]) -> tuple[Mapping[str, str], ...]:
    said = (words_of(fault) for fault in faults[:_FAULTS_MAX])
    return tuple({"at": "/".join(map(str, location)) or "body", "wrong": wrong} for location, wrong in said)


async def _raised(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem), "registered for this alone"  # noqa: S101 -- an invariant
    return problem.response()


async def _parameters(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "registered for this alone"  # noqa: S101 -- an invariant
    faults = _listed(error.errors())
    where = ", ".join(fault["at"] for fault in faults)
    return Problem(
        status=422,
        code="invalid_request",
        vi=f"Tham số chưa đúng: {where}. Xem /docs.",
        en=f"Parameters that cannot be used: {where}. See /docs.",
        faults=faults,
    ).response()


async def _no_such_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for this alone"  # noqa: S101 -- an invariant
    phrase = HTTPStatus(error.status_code).phrase
    return Problem(
        status=error.status_code,
        code=phrase.lower().replace(" ", "_"),
        vi="Không có địa chỉ hoặc phương thức này ở đây. Xem /docs.",
        en=f"{phrase}: this address or method is not one of ours. See /docs.",
        headers=error.headers or {},
    ).response()


async def _unforeseen(_request: Request, _error: Exception) -> Response:
    return unforeseen().response()
