"""Problem details (RFC 9457) in Vietnamese and English: what was wrong with a request, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

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
    faults = tuple(
        {"at": "/".join(str(part) for part in fault["loc"]) or "body", "wrong": fault["msg"]}
        for fault in error.errors(include_url=False, include_context=False, include_input=False)[:_FAULTS_MAX]
    )
    where = ", ".join(fault["at"] for fault in faults)
    return Problem(
        status=422,
        code="invalid_request",
        vi=f"Yêu cầu chưa đúng mẫu ở: {where}. Sửa các mục này rồi gửi lại; mẫu ở /docs.",
        en=f"The request does not follow its schema at: {where}. Correct these and send it again; see /docs.",
        faults=faults,
    )


async def problem_response(_request: Request, problem: Exception) -> Response:
    """Answer a raised `Problem`; to be registered as the application's exception handler for it."""
    if not isinstance(problem, Problem):
        raise problem
    return problem.response()
