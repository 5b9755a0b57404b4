"""Places through time, as values: versions, reorganisations, references and what a reference resolves to."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """What became of a printed place by a given day."""

    CURRENT = "current"
    SUCCEEDED = "succeeded"
    DIVIDED = "divided"
    ENDED = "ended"
    AMBIGUOUS = "ambiguous"
    DISPUTED = "disputed"
    UNKNOWN = "unknown"


class Extent(StrEnum):
    """Whether the whole of a predecessor went to a successor, or a part."""

    WHOLE = "whole"
    PART = "part"


class PlaceKey(NamedTuple):
    """A level and a code: not an identity by itself, for codes are used again."""

    level: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The legal document behind a reorganisation; `issued_on` is None where unknown."""

    number: str
    issuer: str | None
    issued_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceVersion:
    """A place as recorded: identity is (level, code, valid_from); valid_from is None where unknown."""

    level: str
    code: str
    name: str
    valid_from: date | None
    parent: PlaceKey | None
    illustrative: bool = False

    @property
    def key(self) -> PlaceKey:
        """Return the level and code, which other versions may bear too."""
        return PlaceKey(self.level, self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One arrow of a reorganisation; `hint` marks a geometric default, which is never an answer."""

    predecessor: PlaceKey
    successor: PlaceKey
    extent: Extent
    hint: bool = False
    continues_as_point_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reorganisation:
    """Links in force from `effective_on`; `ends` names the predecessors whose last day is the day before."""

    id: str
    effective_on: date
    document: Document | None
    links: tuple[Link, ...]
    ends: tuple[PlaceKey, ...]
    illustrative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is printed: level and code, the day it was recorded and the printed name, where known."""

    level: str
    code: str
    recorded_on: date | None = None
    name: str | None = None

    @property
    def key(self) -> PlaceKey:
        """Return the level and code as printed."""
        return PlaceKey(self.level, self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A version as an answer shows it; `valid_to` is the last valid day as known on the day asked about."""

    level: str
    code: str
    name: str
    parent_code: str | None
    province_code: str | None
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One reorganisation on the way from printed to today; `document` is its number, None where none is known."""

    id: str
    document: str | None
    effective_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The answer of `resolve`: state, the printed versions, the candidates of the day, and the path walked.

    `ended_before_recorded` tells that the code had ended by the day it was recorded. `illustrative` tells that a step
    was invented for a demonstration.
    """

    state: State
    printed: tuple[Place, ...]
    candidates: tuple[Place, ...]
    path: tuple[Step, ...]
    ended_before_recorded: bool = False
    illustrative: bool = False
