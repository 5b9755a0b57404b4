"""The streams of the store's double: their commands, as the server carries them out."""

from typing import Any

from redis.exceptions import ResponseError

Id = tuple[int, int]


class Stream:
    """A stream: its entries in order, and the last id it ever gave."""

    __slots__ = ("entries", "last")

    def __init__(self) -> None:
        self.entries: list[tuple[Id, list[bytes]]] = []
        self.last: Id = (0, 0)

    def __copy__(self) -> "Stream":
        made = Stream()
        made.entries, made.last = list(self.entries), self.last
        return made


class StreamCommands:
    """The commands of streams, for a keyspace that knows its keys."""

    #: The streams that grew since somebody looked.
    grown: list[bytes]

    def _held(self, key: bytes, kind: type) -> Any:
        raise NotImplementedError

    def _changing(self, key: bytes, kind: type) -> Any:
        raise NotImplementedError

    def _do_xadd(self, args: list[bytes]) -> bytes:
        held = self._held(args[0], Stream)
        last = (0, 0) if held is None else held.last
        identifier = _next_id(args[1], last)
        if identifier <= last:
            message = "The ID specified in XADD is equal or smaller than the target stream top item"
            raise ResponseError(message)
        stream = self._changing(args[0], Stream)
        stream.entries.append((identifier, args[2:]))
        stream.last = identifier
        self.grown.append(args[0])
        return _written(identifier)

    def _do_xlen(self, args: list[bytes]) -> int:
        held = self._held(args[0], Stream)
        return 0 if held is None else len(held.entries)

    def _do_xrange(self, args: list[bytes]) -> list[Any]:
        return self._range(args[0], args[1], args[2], args[3:])

    def _do_xrevrange(self, args: list[bytes]) -> list[Any]:
        found = self._range(args[0], args[2], args[1], [])[::-1]
        return found[: int(args[4])] if args[3:] else found

    def _range(self, key: bytes, low: bytes, high: bytes, count: list[bytes]) -> list[Any]:
        held = self._held(key, Stream)
        if held is None:
            return []
        least, most = _bound(low, least=True), _bound(high, least=False)
        found = [[_written(at), fields] for at, fields in held.entries if least <= at <= most]
        return found[: int(count[1])] if count else found

    def _do_xread(self, args: list[bytes]) -> list[Any] | None:
        names = [each.upper() for each in args]
        count = int(args[names.index(b"COUNT") + 1]) if b"COUNT" in names else None
        given = args[names.index(b"STREAMS") + 1 :]
        keys, after = given[: len(given) // 2], given[len(given) // 2 :]
        found = []
        for key, last in zip(keys, after, strict=True):
            rows = self._range(key, b"(" + last, b"+", [])
            if rows:
                found.append([key, rows if count is None else rows[:count]])
        return found or None

    def _do_xtrim(self, args: list[bytes]) -> int:
        held = self._held(args[0], Stream)
        if held is None:
            return 0
        held = self._changing(args[0], Stream)
        assert args[1].upper() == b"MINID", args
        least = _bound(args[-1], least=True)
        kept = [entry for entry in held.entries if entry[0] >= least]
        gone = len(held.entries) - len(kept)
        held.entries = kept
        return gone

    def _do_xdel(self, args: list[bytes]) -> int:
        if self._held(args[0], Stream) is None:
            return 0
        held = self._changing(args[0], Stream)
        wanted = {_id(each) for each in args[1:]}
        kept = [entry for entry in held.entries if entry[0] not in wanted]
        gone = len(held.entries) - len(kept)
        held.entries = kept
        return gone

    def _do_xinfo(self, args: list[bytes]) -> list[Any]:
        held = self._held(args[1], Stream)
        if held is None:
            message = "no such key"
            raise ResponseError(message)
        first, last = (
            [_written(entry[0]), entry[1]] if entry else None
            for entry in (held.entries[:1] and held.entries[0], held.entries[-1:] and held.entries[-1])
        )
        return [
            *(b"length", len(held.entries), b"last-generated-id", _written(held.last)),
            *(b"first-entry", first, b"last-entry", last),
        ]


def _id(written: bytes) -> Id:
    first, _, second = written.partition(b"-")
    return int(first), int(second or 0)


def _written(identifier: Id) -> bytes:
    return b"%d-%d" % identifier


def _next_id(wanted: bytes, last: Id) -> Id:
    first, _, second = wanted.partition(b"-")
    if second != b"*":
        return _id(wanted)
    return (int(first), last[1] + 1) if int(first) == last[0] else (int(first), 0)


def _bound(written: bytes, *, least: bool) -> Id:
    if written in {b"-", b"+"}:
        return (0, 0) if written == b"-" else (1 << 63, 0)
    beyond = written.startswith(b"(")
    first, _, second = written.removeprefix(b"(").partition(b"-")
    at = (int(first), int(second) if second else (0 if least else 1 << 63))
    return (at[0], at[1] + 1) if beyond and least else (at[0], at[1] - 1) if beyond else at
