"""What a reading process saw in a picture, and how it says so to its parent, who does not trust it."""

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The distinct texts of QR codes, how many other codes there are, or the fault that ended the reading.

    `unread` codes were found but their bytes could not be recovered; `foreign` ones hold something that is not UTF-8.
    `fault` is `pixels` (too many) or `unreadable`.
    """

    texts: tuple[str, ...] = ()
    unread: int = 0
    foreign: int = 0
    fault: str | None = None

    def to_bytes(self) -> bytes:
        """Return the reply that carries this sight."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, reply: bytes) -> "Sight":
        """Read a reply; raises ValueError where it is anything but a sight."""
        match json.loads(reply):
            case {"texts": list(texts), "unread": int(unread), "foreign": int(foreign), "fault": str() | None as fault}:
                return cls(texts=tuple(map(_text, texts)), unread=unread, foreign=foreign, fault=fault)
            case _:
                raise ValueError(reply[:80])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 (any nonsense in a reply is one and the same fault)
    return value
