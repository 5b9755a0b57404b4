"""Facts from event files: the shipped sets by name, anybody's file by path, each line a fact or a fault."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from lienthong.adapters.wire import Refusal, RefusalCode, decode
from lienthong.domain.facts import ANNULLED, FAMILY_OF, Fact
from lienthong_schemas.streams import EVENT_BYTES_MAX

_PACKAGE: Final = "lienthong.registers"
_INDEX: Final = "index.json"
_TOO_LONG: Final = Refusal(
    code=RefusalCode.TOO_LARGE, message=f"is longer than the {EVENT_BYTES_MAX} bytes that are read of an event"
)
_NOT_A_FACT: Final = Refusal(
    code=RefusalCode.WRONG_STREAM, message="is no fact, and files carry only facts", path="type"
)
_SEALED: Final = Refusal(
    code=RefusalCode.INVALID_ENVELOPE, message="is given by publishing, and files do not carry it", path="batchid"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedSet:
    """A set of facts in this package; `requires` names what must stand before it, `counts` its events by type.

    An `illustrative` set is invented for demonstrations. `sha256` is the digest of the file, in hexadecimal.
    """

    name: str
    file: str
    title_vi: str
    title_en: str
    requires: tuple[str, ...]
    counts: Mapping[str, int]
    source: str
    licence: str
    illustrative: bool
    sha256: str

    def content(self) -> bytes:
        """Return the bytes of the event file."""
        return resources.files(_PACKAGE).joinpath(self.file).read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class FactLine:
    """A fact and the line it stands on, counted from 1."""

    line: int
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFault:
    """A line that is no fact, counted from 1, and why."""

    line: int
    refusal: Refusal


@cache
def shipped() -> Mapping[str, ShippedSet]:
    """Return every shipped set by its name, in the order of the names."""
    index = json.loads(resources.files(_PACKAGE).joinpath(_INDEX).read_bytes())
    return {
        name: ShippedSet(
            name=name,
            file=entry["file"],
            title_vi=entry["title"]["vi"],
            title_en=entry["title"]["en"],
            requires=tuple(entry["requires"]),
            counts=entry["counts"],
            source=entry["source"],
            licence=entry["licence"],
            illustrative=entry["illustrative"],
            sha256=entry["sha256"],
        )
        for name, entry in sorted(index.items())
    }


def named(name: str) -> ShippedSet | None:
    """Return the shipped set of a name, None where there is none."""
    return shipped().get(name)


def requirements(name: str) -> tuple[ShippedSet, ...]:
    """Return what must be brought in before a shipped set, first things first, without the set itself.

    Raises KeyError where there is no set of that name.
    """
    ordered: dict[str, ShippedSet] = {}
    for required in shipped()[name].requires:
        ordered.update((earlier.name, earlier) for earlier in requirements(required))
        ordered[required] = shipped()[required]
    return tuple(ordered.values())


def read_facts(source: str | Path) -> Iterator[FactLine | LineFault]:
    """Read a shipped set by its name, or an event file by its path, line by line.

    A name wins over a file that is called the same (`./NAME` is the file). Blank lines are skipped. Raises OSError
    where the file cannot be read.
    """
    known = named(source) if isinstance(source, str) else None
    if known is None:
        with Path(source).open("rb") as file:
            yield from read_stream(file)
        return
    for line, fact in enumerate(facts_of(known), start=1):
        yield FactLine(line=line, fact=fact)


def read_stream(file: BinaryIO) -> Iterator[FactLine | LineFault]:
    """Read the lines of an event file, every one validated; a line of any length takes little memory."""
    for number, line in enumerate(event_lines(file), start=1):
        if line is None:
            yield LineFault(line=number, refusal=_TOO_LONG)
        elif line.strip():
            read = _validated(line)
            yield (
                LineFault(line=number, refusal=read) if isinstance(read, Refusal) else FactLine(line=number, fact=read)
            )


def facts_of(known: ShippedSet) -> list[Fact]:
    """Return all facts of a shipped set, in the order of its file.

    The file's bytes are those that were validated when they were built, as their digest in the index tells; ValueError
    where they are not, which is a damaged installation.
    """
    content = known.content()
    if hashlib.sha256(content).hexdigest() != known.sha256:
        message = f"{known.file} is not the file that was shipped; install the package again"
        raise ValueError(message)
    return list(_facts(content.splitlines()))


def fact_of(kind: str, data: Mapping[str, Any]) -> Fact:
    """Return the fact that validated data state; the same as the domain's, with a faster encoder of the same bytes."""
    family = FAMILY_OF.get(kind) or data["family"]
    canonical = orjson.dumps({"data": data, "type": kind}, option=orjson.OPT_SORT_KEYS)
    return Fact(
        family=family,
        id=data["id"],
        revision=data["revision"],
        type=kind,
        data=data,
        sha256=hashlib.sha256(canonical).digest(),
    )


def _facts(lines: Iterable[bytes]) -> Iterator[Fact]:
    for line in lines:
        event = orjson.loads(line)
        yield fact_of(event["type"], event["data"])


def _validated(line: bytes) -> Fact | Refusal:
    event = decode(line.rstrip(b"\r\n"))
    if isinstance(event, Refusal):
        return event
    if event.type != ANNULLED and event.type not in FAMILY_OF:
        return _NOT_A_FACT
    if event.envelope.batchid is not None:
        return _SEALED
    return fact_of(event.type, event.data)


def event_lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Yield each line with its end, None for one that is too long to be an event."""
    while line := file.readline(EVENT_BYTES_MAX + 2):
        if line.endswith(b"\n") or len(line) < EVENT_BYTES_MAX + 2:
            yield line
            continue
        while (rest := file.readline(EVENT_BYTES_MAX)) and not rest.endswith(b"\n"):
            pass
        yield None
