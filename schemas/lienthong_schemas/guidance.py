"""Guidance and dated tables: rules as data, each with its day of effect, its grade and its source."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from lienthong_schemas.places import Grade, RegisterFact
from lienthong_schemas.vocabulary import Day, FactId, Strict, Text, Title, agree

ROWS_MAX = 1000  # The longest table so far, groups by benefit level, has under 80.
ROW_FIELDS_MAX = 24
CELL_ITEMS_MAX = 64

CellText = Annotated[
    str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$")
]
CellNumber = Annotated[int, Field(ge=-(2**53) + 1, le=2**53 - 1)]
Cell = (
    CellText
    | CellNumber
    | bool
    | Annotated[tuple[CellText, ...], Field(strict=False, fail_fast=True, max_length=CELL_ITEMS_MAX)]
    | None
)
"""A cell of a table: text, a whole number, yes or no, a list of texts, or null; never a fraction."""

Row = Annotated[
    dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], Cell],
    Field(min_length=1, max_length=ROW_FIELDS_MAX),
]


class GuidanceEnded(Strict):
    """The last day a document was in effect, and the number of the document that ended it."""

    on: Day
    by: FactId | None


class Rule(Strict):
    """What a document says, in both languages, as an answer cites it."""

    vi: Text
    en: Text


class GuidanceRecorded(RegisterFact):
    """`guidance.recorded`: a document with a rule; its id is its number."""

    issuer: Title
    subject: Title
    effective_from: Day
    ended: GuidanceEnded | None
    rule: Rule
    grade: Grade
    source: Title


class TableRecorded(RegisterFact):
    """`table.recorded`: a table in force from a day until its next version; its id is `NAME/VALID_FROM`."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    valid_from: Day
    rows: Annotated[tuple[Row, ...], Field(strict=False, fail_fast=True, max_length=ROWS_MAX)]
    grade: Grade
    source: Title

    @model_validator(mode="after")
    def _named_by_its_data(self) -> Self:
        agree("id", self.id, f"{self.name}/{self.valid_from}")
        return self
