"""Register facts as lines of an event file: one CloudEvent a line, the same bytes for the same facts."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

# The source is the state of open data in August 2025; a fixed time keeps a rebuilt file identical byte for byte.
RECORDED_AT = "2025-08-01T00:00:00+07:00"

_ID_DIGITS = 32  # half of a SHA-256 in hexadecimal: no two facts of a register will share it

_REGISTERS = {"facility": "facilities", "territory": "territory", "table": "rules", "guidance": "rules"}

Data = dict[str, Any]
Fact = tuple[str, Data]  # type and data


def event_line(kind: str, data: Data) -> str:
    """Return one event as a line without its end; the event's id follows from the fact's canonical bytes."""
    register = _REGISTERS[kind.partition(".")[0]]
    return _json(
        {
            "specversion": "1.0",
            "id": _digest(kind, data)[:_ID_DIGITS],
            "type": kind,
            "source": f"/registers/{register}",
            "subject": data["id"],
            "time": RECORDED_AT,
            "dataschema": f"urn:lienthong:{kind}:1",
            "data": data,
        }
    )


def event_file(facts: Iterable[Fact]) -> bytes:
    """Return the bytes of an event file, in the order of the facts."""
    return "".join(f"{event_line(kind, data)}\n" for kind, data in facts).encode()


def _digest(kind: str, data: Data) -> str:
    canonical = json.dumps({"data": data, "type": kind}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _json(value: Data) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
