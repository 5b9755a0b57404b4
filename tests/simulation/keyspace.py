"""The keys of one server in memory, with the commands that the service sends and its Functions call.

Each command takes and gives what goes over the wire in RESP2. What a command changes can be taken back: that is how a
replica that lacks the last writes takes over.
"""

import copy
import fnmatch
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from tests.simulation import functions
from tests.simulation.functions import Function, Status
from tests.simulation.keyspace_streams import StreamCommands

Command = list[bytes]

OK = Status(b"OK")
_OF_MANY_KEYS = frozenset({b"DEL", b"UNLINK", b"EXISTS"})
_WITHOUT_KEYS = frozenset({b"PING", b"TIME", b"CONFIG", b"FUNCTION", b"KEYS", b"INFO"})
#: How many of the last writes can be taken back.
_UNDO_MAX = 64
_CONFIGURATION = {
    b"maxmemory-policy": b"noeviction",
    b"hash-max-listpack-value": b"255",
    b"hash-max-listpack-entries": b"512",
}


class Undo(NamedTuple):
    """What a key held before a write, None where it held nothing."""

    key: bytes
    value: Any


class Keyspace(StreamCommands):
    """One server's keys; `now_ms` is its clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.keys: dict[bytes, Any] = {}
        self.functions: dict[bytes, Function] = {}
        #: The last writes, one list for each command of a client, oldest first.
        self.undo: deque[list[Undo]] = deque(maxlen=_UNDO_MAX)
        self.grown = []
        self._now_ms = now_ms
        self._expiring: dict[bytes, int] = {}
        self._writing: list[Undo] | None = None
        self._read_only = False

    def execute(self, command: Command) -> Any:
        """Carry out one command of a client and return its reply. Raises ResponseError."""
        self._writing = []
        try:
            return self._run(command)
        finally:
            if self._writing:
                self.undo.append(self._writing)
            self._writing = None

    def take_back(self, writes: int) -> list[bytes]:
        """Forget the last writes, and return the keys they went to."""
        keys = []
        for _ in range(min(writes, len(self.undo))):
            for key, value in reversed(self.undo.pop()):
                keys.append(key)
                self._put(key, value)
        return keys

    def copied(self) -> dict[bytes, Any]:
        """Return a copy of all keys."""
        return {key: copy.copy(value) for key, value in self.keys.items()}

    def put_back(self, copied: dict[bytes, Any], chosen: Callable[[bytes], bool]) -> None:
        """Make the chosen keys what they were when they were copied."""
        self.undo.clear()
        for key in [*filter(chosen, self.keys)]:
            del self.keys[key]
        for key, value in copied.items():
            if chosen(key):
                self.keys[key] = copy.copy(value)

    def clear(self) -> None:
        """Be a new server: without keys and without Functions."""
        self.undo.clear()
        self.keys.clear()
        self.functions.clear()

    def _put(self, key: bytes, value: Any) -> None:
        if value is None:
            self.keys.pop(key, None)
        else:
            self.keys[key] = value

    def _run(self, command: list[bytes]) -> Any:
        method = getattr(self, f"_do_{command[0].decode().lower()}", None)
        assert method is not None, f"the double of the store does not know {command[0].decode()}"
        return method(command[1:])

    def _held(self, key: bytes, kind: type) -> Any:
        """Return what a key holds, None where it holds nothing."""
        until = self._expiring.get(key)
        if until is not None and until <= self._now_ms():
            del self._expiring[key]
            self.keys.pop(key, None)
        value = self.keys.get(key)
        if value is not None and kind is not object and type(value) is not kind:
            message = "WRONGTYPE Operation against a key holding the wrong kind of value"
            raise ResponseError(message)
        return value

    def _changing(self, key: bytes, kind: type) -> Any:
        """Return what a key holds, made where there is nothing, and note what it was."""
        held = self._held(key, kind)
        self._note(key, held)
        if held is None:
            held = self.keys[key] = kind()
        return held

    def _note(self, key: bytes, held: Any) -> None:
        if self._read_only:
            message = "Write commands are not allowed from read-only scripts."
            raise ResponseError(message)
        if self._writing is not None:
            self._writing.append(Undo(key, copy.copy(held)))

    def _drop_if_empty(self, key: bytes) -> None:
        if not self.keys[key]:
            del self.keys[key]

    # Keys of any kind

    def _do_ping(self, _: list[bytes]) -> Any:
        return Status(b"PONG")

    def _do_time(self, _: list[bytes]) -> list[bytes]:
        seconds, ms = divmod(self._now_ms(), 1000)
        return [b"%d" % seconds, b"%d" % (ms * 1000)]

    def _do_exists(self, keys: list[bytes]) -> int:
        return sum(self._held(key, object) is not None for key in keys)

    def _do_del(self, keys: list[bytes]) -> int:
        gone = 0
        for key in keys:
            held = self._held(key, object)
            if held is not None:
                self._note(key, held)
                del self.keys[key]
                self._expiring.pop(key, None)
                gone += 1
        return gone

    _do_unlink = _do_del

    def _do_keys(self, args: list[bytes]) -> list[bytes]:
        return [key for key in self.keys if fnmatch.fnmatchcase(_text(key), _text(args[0]).replace("{", "[{]"))]

    def _do_expire(self, args: list[bytes]) -> int:
        return self._expire(args[0], int(args[1]) * 1000)

    def _do_pexpire(self, args: list[bytes]) -> int:
        return self._expire(args[0], int(args[1]))

    def _expire(self, key: bytes, ms: int) -> int:
        if self._held(key, object) is None:
            return 0
        self._expiring[key] = self._now_ms() + ms
        return 1

    def _do_pttl(self, args: list[bytes]) -> int:
        if self._held(args[0], object) is None:
            return -2
        return self._expiring[args[0]] - self._now_ms() if args[0] in self._expiring else -1

    # Strings

    def _do_get(self, args: list[bytes]) -> bytes | None:
        return self._held(args[0], bytes)  # type: ignore[no-any-return]  # None or bytes, by its kind

    def _do_set(self, args: list[bytes]) -> Any:
        key, value, *options = args
        names = [option.upper() for option in options]
        held = self._held(key, object)
        if (b"NX" in names and held is not None) or (b"XX" in names and held is None):
            return None
        self._note(key, held)
        self.keys[key] = value
        self._expiring.pop(key, None)
        for name, factor in ((b"EX", 1000), (b"PX", 1)):
            if name in names:
                self._expire(key, int(options[names.index(name) + 1]) * factor)
        return OK

    def _do_incr(self, args: list[bytes]) -> int:
        held = self._held(args[0], bytes)
        self._note(args[0], held)
        self.keys[args[0]] = b"%d" % (int(held or 0) + 1)
        return int(self.keys[args[0]])

    # Hashes

    def _do_hget(self, args: list[bytes]) -> bytes | None:
        held = self._held(args[0], dict)
        return None if held is None else held.get(args[1])

    def _do_hmget(self, args: list[bytes]) -> list[bytes | None]:
        held = self._held(args[0], dict) or {}
        return [held.get(field) for field in args[1:]]

    def _do_hgetall(self, args: list[bytes]) -> list[bytes]:
        held = self._held(args[0], dict) or {}
        return [part for pair in held.items() for part in pair]

    def _do_hexists(self, args: list[bytes]) -> int:
        return int(args[1] in (self._held(args[0], dict) or {}))

    def _do_hlen(self, args: list[bytes]) -> int:
        return len(self._held(args[0], dict) or {})

    def _do_hset(self, args: list[bytes]) -> int:
        held = self._changing(args[0], dict)
        before = len(held)
        held.update(zip(args[1::2], args[2::2], strict=True))
        return len(held) - before

    def _do_hsetnx(self, args: list[bytes]) -> int:
        return 0 if self._do_hexists(args[:2]) else self._do_hset(args)

    def _do_hincrby(self, args: list[bytes]) -> int:
        held = self._changing(args[0], dict)
        held[args[1]] = b"%d" % (int(held.get(args[1], 0)) + int(args[2]))
        return int(held[args[1]])

    def _do_hdel(self, args: list[bytes]) -> int:
        if self._held(args[0], dict) is None:
            return 0
        held = self._changing(args[0], dict)
        gone = sum(held.pop(field, None) is not None for field in args[1:])
        self._drop_if_empty(args[0])
        return gone

    # Sets, which keep the order of their members so that a run can be had again

    def _do_sadd(self, args: list[bytes]) -> int:
        held = self._changing(args[0], _Members)
        before = len(held)
        held.update(dict.fromkeys(args[1:]))
        return len(held) - before

    def _do_srem(self, args: list[bytes]) -> int:
        if self._held(args[0], _Members) is None:
            return 0
        held = self._changing(args[0], _Members)
        gone = sum(held.pop(member, b"") is None for member in args[1:])
        self._drop_if_empty(args[0])
        return gone

    def _do_sismember(self, args: list[bytes]) -> int:
        return int(args[1] in (self._held(args[0], _Members) or {}))

    def _do_smembers(self, args: list[bytes]) -> list[bytes]:
        return [*(self._held(args[0], _Members) or {})]

    def _do_scard(self, args: list[bytes]) -> int:
        return len(self._held(args[0], _Members) or {})

    # The server

    def _do_config(self, args: list[bytes]) -> list[bytes]:
        return [part for name in args[1:] if name in _CONFIGURATION for part in (name, _CONFIGURATION[name])]

    def _do_function(self, args: list[bytes]) -> Any:
        assert args[0].upper() == b"LOAD", args
        name, loaded = functions.library(args[-1])
        owned = [each for each, function in self.functions.items() if function.library == name]
        if owned and b"REPLACE" not in args:
            message = f"Library '{name.decode()}' already exists"
            raise ResponseError(message)
        for each in owned:
            del self.functions[each]
        self.functions.update(loaded)
        return name

    def _do_fcall(self, args: list[bytes], *, read_only: bool = False) -> Any:
        function = self.functions.get(args[0])
        if function is None:
            message = "Function not found"
            raise ResponseError(message)
        if read_only and not function.reads_only:
            message = "Can not execute a script with write flag using *_ro command."
            raise ResponseError(message)
        count = int(args[1])
        self._read_only = function.reads_only
        try:
            return functions.run(function, args[2 : 2 + count], args[2 + count :], self._run)
        finally:
            self._read_only = False

    def _do_fcall_ro(self, args: list[bytes]) -> Any:
        return self._do_fcall(args, read_only=True)


class _Members(dict[bytes, None]):
    __slots__ = ()

    def __copy__(self) -> "_Members":
        return _Members(self)


def keys_of(command: Command) -> Sequence[bytes]:
    """Return the keys that a command names."""
    name = command[0].upper()
    if name.startswith(b"FCALL"):
        return command[3 : 3 + int(command[2])]
    if name in _OF_MANY_KEYS:
        return command[1:]
    if name == b"XREAD":
        given = command[command.index(b"STREAMS") + 1 :]
        return given[: len(given) // 2]
    if name in _WITHOUT_KEYS:
        return ()
    return command[2:3] if name == b"XINFO" else command[1:2]


def encoded(value: Any) -> bytes:
    """Return an argument as it goes over the wire."""
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else repr(value).encode()


def _text(value: bytes) -> str:
    return value.decode("latin-1")
