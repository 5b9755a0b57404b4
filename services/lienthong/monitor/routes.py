"""What the monitor answers over HTTP: volumes, and whether it is counting."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from lienthong.adapters.followers import PROGRESS_WITHIN, Progress
from lienthong.adapters.history import History, VolumeFilter
from lienthong.adapters.problems import Problem
from lienthong.adapters.queries import IsoDay
from lienthong.domain.register import Register
from lienthong.monitor.volumes import By, OnePlace, PlaceLevel, VolumeQuestion, volumes
from lienthong.runtime.clock import Clock, vietnam_today

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,16}$")]
Word = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]


class VolumeQuery(BaseModel):
    """The query of `/v1/volumes`; one of the three places at most."""

    model_config = ConfigDict(extra="forbid")

    by: By = Field("day", description="what to total by")
    from_: IsoDay | None = Field(None, alias="from", description="first day, in Vietnam")
    to: IsoDay | None = Field(None, description="last day, included")
    on: IsoDay | None = Field(None, description="places as they are on this day; today if absent")
    facility: Code | None = Field(None, description="look-ups of this facility and of its predecessors")
    commune: Code | None = Field(None, description="look-ups of cards with this commune or a predecessor printed")
    province: Code | None = Field(None, description="look-ups of cards whose printed unit is in this province now")
    channel: Word | None = Field(None, description="how the card was presented")
    outcome: Word | None = Field(None, description="what was answered")


def volume_routes(history: History, register: Callable[[], Register], clock: Clock) -> APIRouter:
    """Return the route of the volumes."""
    router = APIRouter(tags=["volumes"])

    @router.get("/v1/volumes", summary="Look-ups counted, following places through their succession")
    async def read_volumes(query: Annotated[VolumeQuery, Query()]) -> dict[str, Any]:
        question = VolumeQuestion(
            by=query.by,
            chosen=VolumeFilter(
                from_day=None if query.from_ is None else query.from_.isoformat(),
                to_day=None if query.to is None else query.to.isoformat(),
                channel=query.channel,
                outcome=query.outcome,
            ),
            on=query.on or vietnam_today(clock.now()),
            place=_place(query),
        )
        return await asyncio.to_thread(volumes, history, register(), question)

    return router


def _place(query: VolumeQuery) -> OnePlace | None:
    levels: tuple[PlaceLevel, ...] = ("facility", "commune", "province")
    codes = (query.facility, query.commune, query.province)
    given = [OnePlace(level, code) for level, code in zip(levels, codes, strict=True) if code is not None]
    place = given[0] if given else None
    mixed = {query.by, place.level} in ({"facility", "commune"}, {"facility", "province"}) if place else False
    if len(given) > 1 or mixed or (place is not None and query.by == "minute"):
        raise Problem(
            status=422,
            code="places_not_combined",
            vi="Lượt tra cứu được đếm theo cơ sở hoặc theo đơn vị in trên thẻ, không theo cả hai; chọn một nơi.",
            en="Look-ups are counted by facility or by the unit printed on the card, never by both; name one place.",
        )
    return place


def health_routes(progress: Callable[[], list[Progress]], clock: Clock) -> APIRouter:
    """Return the routes by which an operator sees that the process lives and that it counts."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="The process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", summary="Every partition of the decisions is at its end or moving")
    async def readyz() -> JSONResponse:
        stalled = [
            {"stream": each.stream, "partition": each.partition, "position": each.position, "lag": each.lag}
            for each in progress()
            if not each.progressing(clock.now(), PROGRESS_WITHIN)
        ]
        body = {"status": "not ready" if stalled else "ready", "stalled": stalled}
        return JSONResponse(body, status_code=503 if stalled else 200)

    return router
