"""Which cells the outbox has, and the names of their keys; the part in braces keeps a cell in one slot of a cluster."""

import secrets
from collections.abc import Iterable
from typing import Final

from lienthong.adapters.event_log import EventLog, partition_of
from lienthong_schemas.streams import CARD_IMAGES, LOOKUPS

#: Cells for decisions over HTTP, whatever the number of processes: enough to reach every shard of a large cluster.
HTTP_CELLS: Final = 16
#: The streams of look-ups that come as events.
EVENT_STREAMS: Final = (LOOKUPS.name, CARD_IMAGES.name)
_TIME_BYTES: Final = 3


def http_cell(instance: str | None) -> str:
    """Return the cell for a process's decisions over HTTP: always the same for a named instance, else any."""
    number = secrets.randbelow(HTTP_CELLS) if instance is None else partition_of(instance, HTTP_CELLS)
    return f"http-{number}"


def event_cell(stream: str, partition: int) -> str:
    """Return the cell of a partition of look-ups that come as events."""
    return f"{stream}-{partition}"


def all_cells(log: EventLog) -> list[str]:
    """Return every cell of an installation."""
    events = [event_cell(name, each) for name in EVENT_STREAMS for each in range(log.partitions(name))]
    return [*(f"http-{number}" for number in range(HTTP_CELLS)), *events]


def stream_key(cell: str) -> str:
    """Return the key of a cell's entries; its other keys are derived from this name."""
    return f"{{o.{cell}}}outbox"


def state_key(cell: str) -> str:
    """Return the key of how far a cell's source is answered."""
    return f"{{o.{cell}}}state"


def seen_keys(cell: str, ids: Iterable[bytes]) -> list[str]:
    """Return where the ids (16 bytes, UUIDv7) are remembered, by the highest bytes of their time."""
    return [f"{{o.{cell}}}seen:{since}" for since in sorted({each[:_TIME_BYTES].hex() for each in ids})]
