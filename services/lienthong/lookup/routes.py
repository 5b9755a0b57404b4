"""What the look-up service answers over HTTP beside the hot route: places through time, and its own state."""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from lienthong.adapters.queries import IsoDay
from lienthong.domain.facility import facility_reference
from lienthong.domain.register import Register
from lienthong.domain.succession import Reference, Resolution
from lienthong.lookup.readiness import Readiness
from lienthong.runtime.clock import Clock, vietnam_today

Code = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,16}$", description="text, leading zeros count")]
Day = Annotated[IsoDay | None, Query(description="a day as YYYY-MM-DD, in Vietnam")]

_RESOLUTION: dict[int | str, dict[str, Any]] = {
    200: {"description": "state, printed versions, candidates on the day, and the path between, with its documents"}
}


def place_routes(register: Callable[[], Register], clock: Clock) -> APIRouter:
    """Return the routes that resolve one printed place, as `lienthong resolve` does."""
    router = APIRouter(prefix="/v1", tags=["places"])

    @router.get("/units/{level}/{code}", summary="What became of a unit", responses=_RESOLUTION)
    async def unit(
        level: Code, code: Code, recorded_on: Day = None, on: Day = None, name: str | None = None
    ) -> Response:
        reference = Reference(level=level, code=code, recorded_on=recorded_on, name=name)
        return _resolved(register().territory.resolve(reference, on or vietnam_today(clock.now())))

    @router.get("/facilities/{code}", summary="What became of a facility", responses=_RESOLUTION)
    async def facility(code: Code, recorded_on: Day = None, on: Day = None) -> Response:
        reference = facility_reference(code, recorded_on)
        return _resolved(register().facilities.resolve(reference, on or vietnam_today(clock.now())))

    return router


def _resolved(resolution: Resolution) -> Response:
    return Response(orjson.dumps(resolution), media_type="application/json")


def state_routes(readiness: Readiness, monitor_port: int) -> APIRouter:
    """Return the routes of the service's own state, and the way to the monitor for who asks here for volumes."""
    router = APIRouter()

    @router.get("/healthz", tags=["health"], summary="The process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get(
        "/readyz",
        tags=["health"],
        summary="Store reachable, register complete, consumers progressing",
        responses={503: {"description": "not ready; `reasons` says why. `warnings` make nothing unready"}},
    )
    async def readyz() -> JSONResponse:
        reasons = await readiness.reasons()
        status = "not ready" if reasons else "ready"
        body = {"status": status, "reasons": reasons, "warnings": readiness.warnings()}
        return JSONResponse(body, status_code=503 if reasons else 200)

    @router.get("/v1/volumes", tags=["volumes"], summary="Volumes are the monitor's", status_code=307)
    async def volumes(request: Request) -> RedirectResponse:
        # The name by which this service was reached is the one by which the monitor can be.
        return RedirectResponse(request.url.replace(port=monitor_port), status_code=307)

    return router
