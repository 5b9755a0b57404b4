"""Sends generated events straight to the running service, with a progress bar."""

import time
from collections.abc import Iterable
from datetime import datetime

import orjson

from lienthong.adapters.publishing import Publisher
from lienthong.cli.console import progress_bar, say, warn
from lienthong.cli.in_force import cards_in_force
from lienthong.cli.service import run, running_service
from lienthong.runtime.clock import SystemClock
from lienthong.runtime.settings import Settings
from lienthong_schemas.streams import CARDS


def send(settings: Settings, stream: str, events: Iterable[tuple[str, bytes]], count: int) -> None:
    """Append the events, each under its key; cards are waited for until answers have them."""
    run(_send(settings, stream, events, count))


async def _send(settings: Settings, stream: str, events: Iterable[tuple[str, bytes]], count: int) -> None:
    async with running_service(settings) as service:
        began = time.monotonic()
        now = SystemClock().now()
        if stream == CARDS.name:
            stamped = ((key, line.rstrip(b"\n")) for key, line in events)
        else:
            stamped = ((key, _asked_at(line, now)) for key, line in events)
        with progress_bar(f"publishing to {stream}", count) as bar:
            sent = await Publisher(service.log, SystemClock()).publish_events(stream, stamped, bar.advance)
        say(f"[bold]{sent:,}[/] events of {stream} acknowledged in {time.monotonic() - began:.1f} s")
        if stream != CARDS.name:
            return
        if await cards_in_force(service.log, service.projection):
            say(f"[bold green]In answers {time.monotonic() - began:.1f} s[/] after the first · đã vào dữ liệu tra cứu")
        else:
            warn("The cards are in the log; they are answered for as soon as the projector runs.")


def _asked_at(line: bytes, now: datetime) -> bytes:
    """Return a look-up that is asked at this moment: its stream keeps it for days, counted from its time."""
    return orjson.dumps(orjson.loads(line) | {"time": now.isoformat(timespec="seconds")})
