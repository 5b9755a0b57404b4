"""The envelope: CloudEvents 1.0 in structured JSON, around the `data` of every message."""

from typing import Annotated, Literal

from pydantic import Field

from lienthong_schemas.vocabulary import Digest, EventId, FactId, Strict, Time

SCHEMA_PREFIX = "urn:lienthong:"
SEQUENCE_MAX = 2**31 - 1  # CloudEvents integers have 32 bits.

EventType = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,30}\.[a-z][a-z_]{0,30}$")]
Source = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{1,255}$")]
"""A URI reference (RFC 3986): which register or process speaks."""


class Envelope(Strict):
    """Everything of an event but its `data`.

    `subject` is a fact's id, and of every other message the key of its stream: so it is always the key an event is
    published under. `time` is when it was recorded, never when it takes effect. Without `dataschema` the newest
    version of the type is meant. `batchid` is set on register facts by `publish`. The three outbox attributes stand
    on what an outbox relays: a consumer keeps the highest `outboxseq` it has seen of each cell and epoch.
    """

    specversion: Literal["1.0"]
    id: EventId
    type: EventType
    source: Source
    subject: FactId
    time: Time
    dataschema: Annotated[str, Field(pattern=r"^urn:lienthong:[a-z_]+\.[a-z_]+:[1-9][0-9]{0,3}$")] | None = None
    batchid: Digest | None = None
    outboxcell: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]{1,64}$")] | None = None
    outboxepoch: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    outboxseq: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)] | None = None


def dataschema(event_type: str, version: int) -> str:
    """Return the name of a type's version: `urn:lienthong:TYPE:VERSION`."""
    return f"{SCHEMA_PREFIX}{event_type}:{version}"
