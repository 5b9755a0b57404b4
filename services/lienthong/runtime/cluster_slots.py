"""Which server of a cluster a command belongs to: its key's slot, and who serves each slot.

The server is never asked for the keys of a command, as redis-py's own pipeline for clusters does for each Function
call: that alone made it ten times slower.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from lienthong.runtime.store_address import Address

SLOTS: Final = REDIS_CLUSTER_HASH_SLOTS

#: Commands that concern every primary, for they are about the server and no key.
EVERYWHERE: Final = frozenset(
    {
        "CONFIG GET",
        "CONFIG SET",
        "DBSIZE",
        "FLUSHALL",
        "FUNCTION DELETE",
        "FUNCTION FLUSH",
        "FUNCTION LIST",
        "FUNCTION LOAD",
        "INFO",
        "PING",
    }
)
#: Commands that change nothing and may be sent again when it is not known whether they were carried out.
READ_ONLY: Final = frozenset(
    {"EXISTS", "FCALL_RO", "GET", "HEXISTS", "HGET", "HGETALL", "HLEN", "HMGET", "XLEN", "XRANGE", "XREAD", "XREVRANGE"}
)

# Of these the key is not the first argument.
_AFTER_COUNT: Final = frozenset({"FCALL", "FCALL_RO"})
_STREAMS: Final = frozenset({b"STREAMS", "STREAMS"})
_WITH_SUBCOMMAND: Final = frozenset({"OBJECT"})
# Cells have a few hundred keys that are named again and again.
_REMEMBERED = 8_192


def slot_of(command: Sequence[Any]) -> int:
    """Return the slot of a command's first key; all of its keys have to lie in that one. Raises ValueError for none."""
    key = _key(command)
    return _slot(key if isinstance(key, bytes | str) else str(key))


def _key(command: Sequence[Any]) -> Any:
    name = command[0]
    if name in _AFTER_COUNT and int(command[2]) > 0:
        return command[3]
    if name == "XREAD":
        at = next((at for at, part in enumerate(command) if part in _STREAMS), len(command))
        return command[at + 1]
    if name in _WITH_SUBCOMMAND:
        return command[2]
    if name in _AFTER_COUNT or len(command) == 1 or " " in name:
        message = f"{name} names no key, so no server of the cluster can be chosen for it"
        raise ValueError(message)
    return command[1]


@lru_cache(_REMEMBERED)
def _slot(key: bytes | str) -> int:
    return key_slot(key.encode() if isinstance(key, str) else key)


@dataclass(slots=True, kw_only=True)
class SlotMap:
    """Who serves each slot (None: nobody), and every server there is; a redirection corrects it in place."""

    owners: list[Address | None]
    primaries: tuple[Address, ...]
    servers: frozenset[Address]


def parse_slots(answer: Sequence[Any], asked: Address) -> SlotMap:
    """Return what a server says to CLUSTER SLOTS; one that does not know its own host is meant where none is named."""
    owners: list[Address | None] = [None] * SLOTS
    primaries: dict[Address, None] = {}
    servers: set[Address] = set()
    for first, last, primary, *replicas in answer:
        owner = _server(primary, asked)
        owners[first : last + 1] = [owner] * (last + 1 - first)
        primaries[owner] = None
        servers.update((owner, *(_server(replica, asked) for replica in replicas)))
    return SlotMap(owners=owners, primaries=tuple(primaries), servers=frozenset(servers))


def _server(said: Sequence[Any], asked: Address) -> Address:
    host, port = said[0], said[1]
    return Address(host.decode() if host and host != b"?" else asked.host, int(port))
