"""The Function libraries that the service ships, run by a Lua of the version that Redis has.

What is simulated is therefore the real source; only the commands that it calls are a double's. Of the modules that a
server gives to Lua there is `struct`, for the one format in use.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from lupa.lua51 import LuaRuntime, lua_type
from redis.exceptions import ResponseError

Call = Callable[[list[bytes]], Any]

_PRELUDE = b"""
struct = {
  pack = function(format, ...)
    local parts = {}
    assert('>' .. string.rep('I4', select('#', ...)) == format, 'only >I4 is understood')
    for i = 1, select('#', ...) do
      local n = select(i, ...)
      local high, low = math.floor(n / 65536), n % 65536
      parts[i] = string.char(math.floor(high / 256), high % 256, math.floor(low / 256), low % 256)
    end
    return table.concat(parts)
  end,
  unpack = function(format, blob, at)
    assert(format == '>I4', 'only >I4 is understood')
    at = at or 1
    local a, b, c, d = string.byte(blob, at, at + 3)
    return ((a * 256 + b) * 256 + c) * 256 + d, at + 4
  end,
}
"""


class Status(bytes):
    """A reply such as OK, which Lua sees as a table."""

    __slots__ = ()


class Function(NamedTuple):
    """One function of a library; `reads_only` where it says that it never writes."""

    library: bytes
    callback: Any
    reads_only: bool


class _Runtime:
    """One Lua for all the stores of this process; `call` is the store whose function runs."""

    def __init__(self) -> None:
        self.lua = LuaRuntime(encoding=None, register_eval=False, register_builtins=False)
        self.lua.execute(_PRELUDE)
        self.call: Call = _nowhere
        self._registered: dict[bytes, Function] = {}
        self._library = b""
        self._redis = self.lua.table()
        self._redis[b"call"] = self._called
        self._redis[b"pcall"] = self._tried
        self._redis[b"register_function"] = self._register
        for name, kind in ((b"error_reply", b"err"), (b"status_reply", b"ok")):
            self._redis[name] = lambda text, kind=kind: self.lua.table_from({kind: text})

    def load(self, source: bytes) -> tuple[bytes, dict[bytes, Function]]:
        header, _, body = source.partition(b"\n")
        if not header.startswith(b"#!lua name="):
            message = "Missing library metadata"
            raise ResponseError(message)
        self._library, self._registered = header.removeprefix(b"#!lua name=").strip(), {}
        # A new line keeps a comment at the end of the source from taking the closing word with it.
        self.lua.execute(b"return function(redis)\n" + body + b"\nend")(self._redis)
        return self._library, self._registered

    def _called(self, *args: Any) -> Any:
        return self._to_lua(self.call([_argument(each) for each in args]))

    def _tried(self, *args: Any) -> Any:
        try:
            return self._called(*args)
        except ResponseError as refusal:
            return self.lua.table_from({b"err": str(refusal).encode()})

    def _register(self, name: Any, callback: Any = None) -> None:
        flags: list[bytes] = []
        if callback is None:
            given = name
            name, callback = given[b"function_name"], given[b"callback"]
            flags = list((given[b"flags"] or {}).values()) if given[b"flags"] is not None else []
        self._registered[name] = Function(self._library, callback, b"no-writes" in flags)

    def _to_lua(self, value: Any) -> Any:
        match value:
            case None:
                return False
            case Status():
                return self.lua.table_from({b"ok": bytes(value)})
            case list():
                return self.lua.table_from([self._to_lua(each) for each in value])
        return value


def _nowhere(_command: list[bytes]) -> Any:
    raise AssertionError


def _argument(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return b"%d" % value if isinstance(value, int) else b"%.17g" % value


@cache
def _runtime() -> _Runtime:
    return _Runtime()


@cache
def library(source: bytes) -> tuple[bytes, dict[bytes, Function]]:
    """Return a library's name and functions by their names. Raises ResponseError."""
    return _runtime().load(source)


def run(function: Function, keys: Sequence[bytes], args: Sequence[bytes], call: Call) -> Any:
    """Return the reply of a function whose commands go to `call`."""
    runtime = _runtime()
    runtime.call = call
    try:
        return _reply(function.callback(runtime.lua.table_from(keys), runtime.lua.table_from(args)))
    finally:
        runtime.call = _nowhere


def _reply(value: Any) -> Any:
    if value is None or value is False:
        return None
    if value is True:
        return 1
    if isinstance(value, int | float):
        return int(value)
    if lua_type(value) != "table":
        return value
    if value[b"err"] is not None:
        raise ResponseError(value[b"err"].decode())
    if value[b"ok"] is not None:
        return Status(value[b"ok"])
    found, at = [], 1
    while (each := value[at]) is not None:
        found.append(_reply(each))
        at += 1
    return found
