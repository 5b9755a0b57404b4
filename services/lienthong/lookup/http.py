"""Puts the HTTP application of the look-up service together: the hot route, the others, and their documentation."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from pydantic.json_schema import models_json_schema
from starlette.types import ASGIApp

from lienthong.adapters.card_images import CardImageReader
from lienthong.adapters.problems import ProblemDetails, speak_of_problems
from lienthong.adapters.serving import LOCAL_NAMES, keep_strangers_out
from lienthong.domain.register import Register
from lienthong.lookup.answering import HttpDesk
from lienthong.lookup.hot import INVALID, PATH, EligibilityEndpoint, ShortCut, documentation, eligibility_route
from lienthong.lookup.images import image_routes
from lienthong.lookup.readiness import Readiness
from lienthong.lookup.routes import place_routes, state_routes
from lienthong.runtime.clock import Clock
from lienthong.runtime.settings import Settings
from lienthong_schemas.decisions import Decision
from lienthong_schemas.questions import Question

_REF: Final = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupParts:
    """What the application answers from, and what takes its answers to the log meanwhile."""

    desk: HttpDesk
    register: Callable[[], Register]
    images: CardImageReader
    readiness: Readiness
    clock: Clock
    work: Sequence[asyncio.Task[Any]]


def application(parts: LookupParts, settings: Settings) -> ASGIApp:
    """Return the application, which answers check-ins before anything else; importing this module does nothing."""
    endpoint = EligibilityEndpoint(parts.desk, parts.clock)
    hosts = None
    if not settings.insecure_listen:
        names = {*LOCAL_NAMES, settings.host}
        hosts = [host.encode() for name in names for host in (name, f"{name}:{settings.lookup_port}")]
    return ShortCut(endpoint, _routed(parts, settings, endpoint), hosts)


def _routed(parts: LookupParts, settings: Settings, endpoint: EligibilityEndpoint) -> FastAPI:
    # A hospital's network may have no way out, so the documentation page brings its own scripts.
    app = FastAPIOffline(
        title="Lien Thong",
        summary="Is this health-insurance card good, here, on this day, and why?",
        version=version("lienthong"),
        redoc_url=None,
    )
    speak_of_problems(app)
    app.include_router(image_routes(parts.desk, parts.images, parts.clock, settings.image_bytes_max))
    app.include_router(place_routes(parts.register, parts.clock))
    app.include_router(state_routes(parts.readiness, settings.monitor_port))
    app.router.routes.insert(0, eligibility_route(endpoint))
    app.openapi = _documented(app, app.openapi)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    keep_strangers_out(app, settings)
    return app


def _documented(app: FastAPI, generate: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return the OpenAPI document with the hot route and its messages in it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            wanted = [(Question, "validation"), (Decision, "validation"), (ProblemDetails, "validation")]
            _, definitions = models_json_schema(wanted, ref_template=_REF)  # type: ignore[arg-type]  # a literal's type
            for item in document["paths"].values():
                for operation in item.values():
                    if "422" in operation["responses"]:
                        operation["responses"]["422"] = INVALID
            document["paths"] = {PATH: documentation(), **document["paths"]}
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(definitions["$defs"])
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    return openapi
