"""Territory facts: units of any level through time, and the reorganisations between their versions."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from lienthong_schemas.places import LINKS_MAX, Document, Extent, RegisterFact, UnitKey
from lienthong_schemas.vocabulary import Code, Day, Strict, Title, agree, day_key, distinct


class UnitRecorded(RegisterFact):
    """`territory.unit_recorded`: one version of a unit; its id is `LEVEL/CODE/VALID_FROM`, `-` where unknown."""

    level: Code
    code: Code
    name: Title
    valid_from: Day | None
    parent: UnitKey | None

    @model_validator(mode="after")
    def _named_by_its_data(self) -> Self:
        agree("id", self.id, f"{self.level}/{self.code}/{day_key(self.valid_from)}")
        return self


class TerritoryLink(Strict):
    """An arrow from the version in force the day before to one in force from the day.

    `hint` marks a default that geometry suggests: something to show a person, never an answer.
    """

    predecessor: UnitKey
    successor: UnitKey
    extent: Extent
    hint: bool = False


class TerritoryReorganised(RegisterFact):
    """`territory.reorganised`: what became of units on a day; `ends` names the predecessors that ended with it.

    `document` is null where none is known. A unit in `ends` without a link ended without a successor.
    """

    effective_on: Day
    document: Document | None
    links: Annotated[tuple[TerritoryLink, ...], Field(strict=False, fail_fast=True, max_length=LINKS_MAX)]
    ends: Annotated[
        tuple[UnitKey, ...], Field(strict=False, fail_fast=True, max_length=LINKS_MAX), AfterValidator(distinct)
    ]

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.links and not self.ends:
            message = "neither links nor ends anything"
            raise ValueError(message)
        return self
