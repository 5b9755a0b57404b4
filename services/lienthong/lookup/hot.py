"""The route of every check-in, `POST /v1/eligibility`: plain ASGI, for a typed route costs half of its speed."""

from collections.abc import Iterable
from typing import Any, Final

import structlog
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lienthong.adapters.native import question_from
from lienthong.adapters.problems import Problem, invalid_request, unforeseen
from lienthong.domain.answer import Outcome
from lienthong.lookup.answering import HttpAnswer, HttpDesk
from lienthong.runtime.clock import Clock
from lienthong_schemas.questions import CardImagePresented, Question
from lienthong_schemas.streams import EVENT_BYTES_MAX

PATH: Final = "/v1/eligibility"
#: When a desk should ask again after `cannot_tell`, in seconds: a store that restarts is back by then.
RETRY_AFTER_S: Final = 5

_log = structlog.stdlib.get_logger("lienthong.lookup")
_QUESTION: Final = TypeAdapter(Question)
_HEADERS: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


class EligibilityEndpoint:
    """The ASGI application behind the route."""

    def __init__(self, desk: HttpDesk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the question, answer it, or say what is wrong with the request."""
        try:
            _require_json(scope)
            body = await _read(receive)
            message = _parse(body)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        try:
            answer = await self._desk.answer(question_from(message, self._clock.now()), body)
        except Exception as fault:  # noqa: BLE001 -- whatever it is, a desk must not read it as a denial
            _log.error("answer_failed", exc_info=fault)
            await unforeseen().response()(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": _status(answer), "headers": _headers(answer)})
        await send({"type": "http.response.body", "body": answer.body})


def decision_response(answer: HttpAnswer) -> Response:
    """Return the response of a decision.

    200, or 503 where the store was away; where nothing could be told it says when to ask again.
    """
    response = Response(answer.body, _status(answer))
    response.raw_headers = _headers(answer)
    return response


def _status(answer: HttpAnswer) -> int:
    return 503 if answer.store_away else 200


def _headers(answer: HttpAnswer) -> list[tuple[bytes, bytes]]:
    headers = [*_HEADERS, (b"content-length", b"%d" % len(answer.body))]
    if answer.outcome is Outcome.CANNOT_TELL:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    return headers


def eligibility_route(endpoint: EligibilityEndpoint) -> Route:
    """Return the route, to be put before the application's own."""
    return Route(PATH, endpoint, methods=["POST"], include_in_schema=False)


class ShortCut:
    """Takes a check-in to its endpoint past routing and middleware, which cost more than reading the card.

    It takes what is beyond doubt, the very path, method and a host of `hosts` (any where there are none); all else is
    for `rest`, which has the same endpoint as a route and words for what is wrong.
    """

    def __init__(self, endpoint: EligibilityEndpoint, rest: ASGIApp, hosts: Iterable[bytes] | None) -> None:
        self._endpoint = endpoint
        self._rest = rest
        self._hosts = None if hosts is None else frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        direct = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST" and self._local(scope)
        await (self._endpoint if direct else self._rest)(scope, receive, send)

    def _local(self, scope: Scope) -> bool:
        if self._hosts is None:
            return True
        named = [value for name, value in scope["headers"] if name == b"host"]
        return len(named) == 1 and named[0] in self._hosts


def _require_json(scope: Scope) -> None:
    for name, value in scope["headers"]:
        if name == b"content-type":
            if value.split(b";")[0].strip().lower() == b"application/json":
                return
            break
    # A browser sends any other type across origins without asking, and nobody may ask through somebody's browser.
    raise Problem(
        status=415,
        code="json_expected",
        vi="Gửi câu hỏi dạng JSON với Content-Type: application/json.",
        en="Send the question as JSON with Content-Type: application/json.",
    )


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(status=400, code="request_cut_short", vi="Yêu cầu bị ngắt.", en="The request was cut short.")
        body += message.get("body", b"")
        if len(body) > EVENT_BYTES_MAX:
            raise Problem(
                status=413,
                code="request_too_large",
                vi=f"Câu hỏi dài hơn {EVENT_BYTES_MAX} byte. Ảnh thẻ gửi tới {PATH}/image.",
                en=f"The question is longer than {EVENT_BYTES_MAX} bytes. Send a card image to {PATH}/image.",
            )
        if not message.get("more_body", False):
            return bytes(body)


def _parse(body: bytes) -> Question:
    try:
        question = _QUESTION.validate_json(body)
    except ValidationError as error:
        raise invalid_request(error) from None
    if isinstance(question.presented, CardImagePresented):
        raise Problem(
            status=422,
            code="image_elsewhere",
            vi=f"Ảnh thẻ gửi tới {PATH}/image (multipart), không gửi trong JSON.",
            en=f"Send a card image to {PATH}/image (multipart), not within JSON.",
        )
    return question


_PROBLEM: Final[dict[str, Any]] = {
    "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
}
INVALID: Final[dict[str, Any]] = {"description": "what cannot be used, where, and what to do", "content": _PROBLEM}


def documentation() -> dict[str, Any]:
    """Return the route's OpenAPI path item; its schemas are those of the messages, by reference."""
    decision = {"application/json": {"schema": {"$ref": "#/components/schemas/Decision"}}}
    return {
        "post": {
            "tags": ["eligibility"],
            "summary": "Is this card good, here, on this day, and why?",
            "operationId": "eligibility",
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Question"}}},
            },
            "responses": {
                "200": {"description": "the decision; `cannot_tell` comes with Retry-After", "content": decision},
                "413": {"description": "the question is too long", "content": _PROBLEM},
                "415": {"description": "the body is not said to be JSON", "content": _PROBLEM},
                "422": INVALID,
                "500": {"description": "a fault on our side: admit, and ask again", "content": _PROBLEM},
                "503": {
                    "description": "the store is away: the decision `cannot_tell`; admit, and ask again",
                    "headers": {"Retry-After": {"schema": {"type": "integer"}}},
                    "content": decision,
                },
            },
        }
    }
