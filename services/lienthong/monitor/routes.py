"""What the monitor answers over HTTP: volumes, and whether it is counting."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError

from lienthong.adapters.database_faults import DatabaseAway
from lienthong.adapters.followers import PROGRESS_WITHIN, Progress
from lienthong.adapters.history import History, VolumeFilter
from lienthong.adapters.problems import Problem
from lienthong.adapters.queries import IsoDay
from lienthong.domain.register import Register
from lienthong.monitor.volumes import By, OnePlace, PlaceLevel, VolumeQuestion, volumes
from lienthong.runtime.clock import Clock, vietnam_today

#: A history that takes longer to answer a ping is away; a probe does not wait for longer either.
PING_DEADLINE_S = 1.0
#: When to ask again for volumes while the history is away, in seconds.
RETRY_AFTER_S = 5

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
        try:
            return await asyncio.to_thread(volumes, history, register(), question)
        except DatabaseAway as fault:
            raise _history_away() from fault

    return router


def _history_away() -> Problem:
    return Problem(
        status=503,
        code="history_away",
        vi="Cơ sở dữ liệu thống kê tạm thời không truy cập được; lượt tra cứu vẫn được ghi và sẽ được đếm sau.",
        en="The history does not answer at this moment; look-ups are recorded meanwhile and counted later.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


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


def health_routes(
    progress: Callable[[], list[tuple[str, Progress]]], ping_history: Callable[[], None], clock: Clock
) -> APIRouter:
    """Return the routes by which an operator sees that the process lives and that it counts and archives."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="The process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", summary="The history answers; every partition of the decisions is at its end or moving")
    async def readyz() -> JSONResponse:
        fault = await _fault_of(ping_history)
        stalled = [
            {
                "reader": reader,
                "stream": each.stream,
                "partition": each.partition,
                "position": each.position,
                "lag": each.lag,
                "failing": each.failing,
            }
            for reader, each in progress()
            if not each.progressing(clock.now(), PROGRESS_WITHIN)
        ]
        ready = fault is None and not stalled
        body = {"status": "ready" if ready else "not ready", "history": fault or "answers", "stalled": stalled}
        return JSONResponse(body, status_code=200 if ready else 503)

    return router


async def _fault_of(ping: Callable[[], None]) -> str | None:
    """Return how the history fails to answer, None where it answers."""
    try:
        async with asyncio.timeout(PING_DEADLINE_S):
            await asyncio.to_thread(ping)
    except (OSError, SQLAlchemyError) as fault:
        return f"does not answer ({type(fault).__name__})"
    return None
