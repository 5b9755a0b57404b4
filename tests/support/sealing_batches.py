"""Batches of register facts as `publish` writes them to the log."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from lienthong.domain.facts import Fact, digest_hex, digest_of, fact


def unit(code: str, name: str, revision: int = 1) -> Fact:
    """Return a unit without a parent, in force for as long as anybody knows."""
    return fact(
        "territory.unit_recorded",
        {
            "id": f"commune/{code}/-",
            "revision": revision,
            "level": "commune",
            "code": code,
            "name": name,
            "valid_from": None,
            "parent": None,
        },
    )


def event(kind: str, data: Mapping[str, Any], subject: str, batch_id: str | None = None) -> bytes:
    """Return an event of the register's stream."""
    document = {
        "specversion": "1.0",
        "id": f"{kind}-{subject}"[:64],
        "type": kind,
        "source": "/tests",
        "subject": subject,
        "time": "2025-06-20T09:00:00+07:00",
        "data": data,
    }
    return orjson.dumps(document | ({"batchid": batch_id} if batch_id else {}))


def batch(facts: Sequence[Fact], base: str | None, /, **changes: Any) -> tuple[str, list[bytes]]:
    """Return the id of a batch, and its events with the seal as the last one; `changes` are made to the seal."""
    digest = digest_hex(digest_of(facts))
    seal = {"batch_id": digest, "base": base, "count": len(facts), "digest": digest, "name": None} | changes
    events = [event(each.type, each.data, each.id, digest) for each in facts]
    return digest, [*events, event("batch.sealed", seal, digest)]
