"""Faults planted into the service: what a simulation must find for its silence to mean something."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest import mock

from lienthong.adapters import history
from lienthong.adapters.card_reader import CardReader
from lienthong.adapters.event_log import EventLog
from lienthong.adapters.history import History
from lienthong.adapters.outbox import Message, OutboxCell, Relay, SourceMove
from lienthong.adapters.projection import Before, Projection, Span
from lienthong.adapters.projection_reads import CellSaid
from lienthong.domain.answer import Freshness
from lienthong.projector import cards
from lienthong.projector.cards import CardCell
from lienthong.projector.winners import settle
from tests.simulation import functions

Mutant = Callable[[], Any]


def _replaced(owner: type, name: str, made: Callable[[Any], Any]) -> Mutant:
    """Return what puts a mutant of a method in its place; `made` is given the method."""
    return lambda: mock.patch.object(owner, name, made(getattr(owner, name)))


def _rewritten(library: bytes, before: bytes, after: bytes) -> Mutant:
    """Return what changes the source of a Function library as it is loaded."""

    @contextmanager
    def planted() -> Iterator[None]:
        real = functions.library

        def load(source: bytes) -> Any:
            if library not in source.partition(b"\n")[0]:
                return real(source)
            assert source.count(before) == 1, "the mutant's place is in the source once"
            return real(source.replace(before, after))

        with mock.patch.object(functions, "library", load):
            yield

    return planted


def _without_records(write: Callable[..., Any]) -> Any:
    """Move the position of a cell and write nothing."""

    async def mutant(self: Projection, span: Span, before: Before, totals: tuple[int, int], _: Sequence[bytes]) -> None:
        await write(self, span, before, totals, [])

    return mutant


def _position_first(write: Callable[..., Any]) -> Any:
    """Move the position of a cell, and then write the records."""

    async def mutant(
        self: Projection, span: Span, before: Before, totals: tuple[int, int], records: Sequence[bytes]
    ) -> None:
        await write(self, span, before, totals, [])
        await write(self, span, replace(before, position=span.next), totals, records)

    return mutant


def _index_last(_: Callable[..., Any]) -> Any:
    """Read a cell without indexing; `_indexed_later` does it when the cell is written."""

    async def mutant(self: Projection, span: Span, keys: list[bytes], entries: Mapping[int, list[bytes]]) -> Before:
        self.__dict__["late"] = entries
        return await self.read_old(span.cell, keys)

    return mutant


def _indexed_later(write: Callable[..., Any]) -> Any:
    """Write a cell, and then its index."""
    index = Projection.index_and_read_old

    async def mutant(
        self: Projection, span: Span, before: Before, totals: tuple[int, int], records: Sequence[bytes]
    ) -> None:
        await write(self, span, before, totals, records)
        await index(self, span, [], self.__dict__["late"])

    return mutant


@contextmanager
def _indexing_after() -> Iterator[None]:
    with (
        _replaced(Projection, "write", _indexed_later)(),
        _replaced(Projection, "index_and_read_old", _index_last)(),
    ):
        yield


def _from_the_cell_alone(located: Callable[..., Any]) -> Any:
    """Begin where the cell stands, wherever its index does."""

    async def mutant(self: CardCell) -> int:
        await located(self)
        return self.watched()[0]

    return mutant


def _never_checked(_: Callable[..., Any]) -> Any:
    """Leave a cell as it is, whatever became of the store."""

    async def mutant(self: CardCell, *_: object) -> None:
        del self

    return mutant


def _always_fresh(freshness: Callable[..., Any]) -> Any:
    """Take every cell for complete and caught up."""

    def mutant(self: CardReader, said: Sequence[CellSaid], register_position: int, *, whole: bool = True) -> Freshness:
        found: Freshness = freshness(self, said, register_position, whole=whole)
        return replace(found, complete=True)

    return mutant


def _position_before_answers(append_from: Callable[..., Any]) -> Any:
    """Move the position of the source, and then store the answers."""

    async def mutant(self: OutboxCell, source: SourceMove, entries: Sequence[Sequence[Message]]) -> None:
        await append_from(self, replace(source, ids=()), [])
        await append_from(self, replace(source, expected=source.next), entries)

    return mutant


class _Forgetful:
    """A log that takes what it is given for written, now and then."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._calls = 0

    async def append_many(self, stream: str, items: Sequence[tuple[str, bytes]]) -> Any:
        self._calls += 1
        return None if self._calls % 7 == 0 else await self._log.append_many(stream, items)


def _forgetful(begin: Callable[..., Any]) -> Any:
    """Remove entries of the outbox that the log was never given."""

    def mutant(self: Relay, redis: Any, log: EventLog, cell: str) -> None:
        begin(self, redis, _Forgetful(log), cell)

    return mutant


def _removed_first(relay_once: Callable[..., Any]) -> Any:
    """Remove entries of the outbox before the log has them."""

    async def mutant(self: Relay) -> int:
        redis = self._redis
        held: Any = await redis.xrange(f"{{o.{self.cell}}}outbox")
        if not held:
            return 0
        await redis.xtrim(f"{{o.{self.cell}}}outbox", minid=b"0-%d" % (int(held[-1][0].partition(b"-")[2]) + 1))
        with mock.patch.object(redis, "xrange", mock.AsyncMock(return_value=held)):
            relayed: int = await relay_once(self)
        return relayed

    return mutant


_OUTBOX = b"outbox"

#: The mutants by what they do.
MUTANTS: Final[dict[str, Mutant]] = {
    "a position is moved without its records": _replaced(Projection, "write", _without_records),
    "a position is moved before its records": _replaced(Projection, "write", _position_first),
    "a fact counts as often as it comes": lambda: mock.patch.object(
        cards, "settle", lambda offers, _stored: settle(offers, {})
    ),
    "the index is written after the cell": _indexing_after,
    "a cell is read from its own position, wherever its index stands": _replaced(
        CardCell, "_located", _from_the_cell_alone
    ),
    "a store that went back is not noticed": _replaced(CardCell, "check", _never_checked),
    "a cell has caught up wherever it stands": _rewritten(
        b"projection",
        b"if not position or tonumber(position) < tonumber(args[1]) then return 0 end",
        b"if not position then return 0 end",
    ),
    "a card is not found without proof": _replaced(CardReader, "_freshness", _always_fresh),
    "answers are stored after the position of their look-ups": _replaced(
        OutboxCell, "append_from", _position_before_answers
    ),
    "an answer is stored as often as it is asked for": _rewritten(
        _OUTBOX, b"if redis.call('SADD', seen, id) == 0 then return false end", b""
    ),
    "answers are stored wherever the position of their look-ups stands": _rewritten(
        _OUTBOX, b"if tonumber(stored) ~= tonumber(args[5]) then return {'position', stored} end", b""
    ),
    "an entry of the outbox is dropped now and then": _replaced(Relay, "__init__", _forgetful),
    "an entry of the outbox is removed before the log has it": _replaced(Relay, "relay_once", _removed_first),
    "a decision is counted as often as it is relayed": _replaced(
        History, "_unmarked", lambda _: lambda _self, _connection, _partition, lookups: list(lookups)
    ),
    "counts are kept without their position": lambda: mock.patch.object(history, "move", return_value=None),
    "an outbox that went back goes on in its epoch": _rewritten(
        _OUTBOX,
        b"if epoch == '' or last < tonumber(args[3]) then epoch = args[2] end",
        b"if epoch == '' then epoch = args[2] end",
    ),
}
