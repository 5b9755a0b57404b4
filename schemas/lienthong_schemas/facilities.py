"""Facility facts: facilities through time, their reorganisations, and their contracts with social security."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lienthong_schemas.places import LINKS_MAX, Document, Extent, FacilityKey, RecordedUnit, RegisterFact
from lienthong_schemas.vocabulary import Code, Day, FactId, Strict, Title, Word, agree, day_key, distinct, ordered


class FacilityRecorded(RegisterFact):
    """`facility.recorded`: one version of a facility; its id is `CODE/VALID_FROM`, `-` where unknown.

    `kind`, `care_level` and `former_tier` are words of vocabularies that laws change, so they are not listed here.
    `commune` is null where the facility's own name and district do not settle it. `points` is the score of the
    facility's professional level (0 to 100), on which routes of QĐ 3276/QĐ-BYT depend.
    """

    code: Code
    name: Title
    kind: Word
    valid_from: Day | None
    commune: RecordedUnit | None
    address: Title | None
    care_level: Word | None
    points: Annotated[int, Field(ge=0, le=100)] | None
    former_tier: Word | None

    @model_validator(mode="after")
    def _named_by_its_data(self) -> Self:
        agree("id", self.id, f"{self.code}/{day_key(self.valid_from)}")
        return self


class FacilityLink(Strict):
    """An arrow between facilities by code; a former station may go on as a service point of the code named."""

    predecessor: FacilityKey
    successor: FacilityKey
    extent: Extent
    hint: bool = False
    continues_as_point_of: Code | None = None


class FacilityReorganised(RegisterFact):
    """`facility.reorganised`: what became of facilities on a day, by a document and never by their commune."""

    effective_on: Day
    document: Document | None
    links: Annotated[tuple[FacilityLink, ...], Field(strict=False, fail_fast=True, max_length=LINKS_MAX)]
    ends: Annotated[
        tuple[FacilityKey, ...], Field(strict=False, fail_fast=True, max_length=LINKS_MAX), AfterValidator(distinct)
    ]

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.links and not self.ends:
            message = "neither links nor ends anything"
            raise ValueError(message)
        return self


class ContractRecorded(RegisterFact):
    """`contract.recorded`: a contract or an appendix; its id is its number, `inherits` the number it takes over."""

    facility_code: Code
    kind: Literal["contract", "appendix"]
    valid_from: Day
    valid_to: Day | None
    inherits: FactId | None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        ordered(self.valid_from, self.valid_to)
        return self
