"""`lienthong rebuild`: fills another generation of the projection beside the one that answers, then switches to it."""

import asyncio
import time
import uuid
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from redis.exceptions import RedisError

from lienthong.adapters.generations import Generations, SwitchReader
from lienthong.adapters.projection import Projection
from lienthong.adapters.projection_layout import BUCKETS_MAX
from lienthong.adapters.register_mirror import RegisterMirror
from lienthong.adapters.wire import Outgoing, encode
from lienthong.cli.console import fail, print_json, progress_bar, say, warn
from lienthong.cli.options import AsJson, DataDir, settings_of
from lienthong.cli.service import Service, run, running_service
from lienthong.domain.facts import DIGEST_MODULUS, digest_hex
from lienthong.runtime.clock import SystemClock
from lienthong_schemas.streams import CARDS, REGISTER

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

#: Projectors look for wishes once a second: when nothing has moved for this long, none runs or none can write.
STANDSTILL_S = 30.0
_POLL_S = 0.25
_SOURCE = "/lienthong/rebuild"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """How far the new generation has come: entries read of the cards' stream, how many there are, and what is whole."""

    read: int
    end: int
    whole: bool
    facts: int
    digest: int


@app.command()
def rebuild(
    buckets: Annotated[
        int | None, typer.Option(min=1, max=BUCKETS_MAX, help="buckets a cell; LIENTHONG_CARD_BUCKETS")
    ] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="give up a rebuild that was begun")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Fill the projection anew beside the one that answers, then switch to it.

    Dựng lại dữ liệu tra cứu bên cạnh bản đang dùng, rồi chuyển sang.

    The projectors do the work and go on with it whatever happens to this command: calling it again shows how far they
    have come. Desks are answered all the while, from the old generation until the new one lacks nothing; the old one
    is removed when no process reads it any more.
    """
    settings = settings_of(data_dir=data_dir)
    if cancel:
        run(_cancel(settings))
        return
    began = time.monotonic()
    found = run(_rebuild(settings, buckets or settings.card_buckets)) | {"seconds": round(time.monotonic() - began, 1)}
    if as_json:
        print_json(found)
    else:
        say(
            f" Generation {found['generation']} answers: {found['cards']:,} cards, state_digest {found['digest']}, "
            f"{found['seconds']} s. · Đã chuyển sang bản {found['generation']}."
        )


async def _cancel(settings: Any) -> None:
    async with running_service(settings) as service:
        generations = Generations(service.store)
        building = (await generations.plan()).building
        if building is None:
            fail("No rebuild is under way.", "lienthong rebuild begins one.")
        await generations.cancel()
        say(f" Generation {building} is given up and removed within seconds. · Đã hủy bản {building}.")


async def _rebuild(settings: Any, buckets: int) -> dict[str, Any]:
    """1. Ask for the next generation. 2. Wait until it is whole. 3. Switch in the log. 4. Wait until all have moved."""
    async with running_service(settings) as service:
        generations = Generations(service.store)
        # 1
        current = await SwitchReader(service.log).refresh()
        building = (await generations.plan()).building or current + 1
        # 2
        built = await _filled(service, building, buckets)
        # 3
        await _switch(service, building)
        # 4
        await _moved(service, building)
        return {"generation": building, "cards": built.facts, "digest": digest_hex(built.digest), "before": current}


async def _filled(service: Service, building: int, buckets: int) -> Built:
    generations = Generations(service.store)
    projection = Projection(service.store, service.log.partitions(CARDS.name), building)
    ends = await service.log.bounds(CARDS.name)
    shown, moved_at = 0, time.monotonic()
    with progress_bar(f"generation {building}", sum(bounds.end for bounds in ends.values())) as bar:
        while True:
            try:
                # A store that was flushed has forgotten the wish.
                if (await generations.plan()).building != building:
                    await generations.build(building, buckets)
                built = await _built(service, projection, building)
            except (RedisError, OSError) as fault:
                # The projectors wait for the same servers, and go on as this does.
                warn(f"waiting for a server ({type(fault).__name__})")
                await asyncio.sleep(1)
                continue
            if built.whole:
                return built
            if built.read != shown:
                moved_at = time.monotonic()
                bar.advance(built.read - shown)
                shown = built.read
            elif time.monotonic() - moved_at > STANDSTILL_S:
                warn("Nothing has moved for 30 s: see in lienthong status whether a projector runs.")
                moved_at = time.monotonic()
            await asyncio.sleep(_POLL_S)


async def _built(service: Service, projection: Projection, building: int) -> Built:
    """Whole: every cell has reached the end of its partition, and the mirror is that of the generation that answers."""
    ends = await service.log.bounds(CARDS.name)
    states = await projection.states()
    mirror, present = await RegisterMirror(service.store, building).stands(), await service.mirror.stands()
    return Built(
        read=sum(state.position or 0 for state in states),
        end=sum(bounds.end for bounds in ends.values()),
        whole=all(state.complete for state in states)
        and mirror.caught_up_at_ms is not None
        and mirror.last == present.last,
        facts=sum(state.facts for state in states),
        digest=sum(state.digest for state in states) % DIGEST_MODULUS,
    )


async def _switch(service: Service, generation: int) -> None:
    event = Outgoing(
        id=str(uuid.uuid4()),
        type="generation.switched",
        source=_SOURCE,
        subject=str(generation),
        time=SystemClock().now(),
        data={"generation": generation},
    )
    await service.log.append(REGISTER.name, str(generation), encode(event))


async def _moved(service: Service, generation: int) -> None:
    """Wait until every process that is alive reads the generation."""
    generations = Generations(service.store)
    with progress_bar("look-ups moving over", None):
        while True:
            readers = await generations.readers(SystemClock().now())
            if (await generations.plan()).current >= generation and min(
                readers.values(), default=generation
            ) >= generation:
                return
            await asyncio.sleep(_POLL_S)
