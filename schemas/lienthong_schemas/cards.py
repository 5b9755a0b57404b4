"""Card facts: the whole record of one insurance number, with every coverage period that it must answer for.

Every key is required, and null where nothing is known: a packed record must give back exactly the bytes that were
received, or two stores with the same facts would not have the same digest.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lienthong_schemas.vocabulary import (
    Birth,
    CardNumber,
    CitizenId,
    Code,
    Day,
    Group,
    InsuranceNumber,
    Message,
    Name,
    Revision,
    ShareLevel,
    Strict,
    Word,
    distinct,
    ordered,
)

CITIZEN_IDS_MAX = 8  # One person has one citizen ID; a record may name earlier and mistaken ones.
PERIODS_MAX = 32  # Two periods a year over the sixteen years for which a record is asked about.


class Holder(Strict):
    """The insured person, as the register has the name and as far as it knows the birth date."""

    name: Name
    birth: Birth
    sex: Literal["male", "female"] | None


class Address(Strict):
    """The printed address: a unit's code, the day it was recorded, and the part below the unit."""

    level: Code
    code: Code
    recorded_on: Day | None
    detail: Name | None


class RegisteredPlace(Strict):
    """The facility of first registration (*nơi đăng ký KCB ban đầu*) by its code, and the day that was recorded."""

    code: Code
    recorded_on: Day | None


class PeriodEnded(Strict):
    """The last valid day of a period that ended early, and why (portal codes 003 and 120 to 124)."""

    on: Day
    reason: Literal["moved_out", "moved_within", "rejoined", "stopped", "reissued", "reduced"]


class Withdrawn(Strict):
    """The last valid day of a record that was withdrawn, and why (portal code 110)."""

    on: Day
    reason: Word


class Period(Strict):
    """One coverage period; `valid_to` is the last valid day, null is open.

    `number` is what was printed, which need not end in the record's own number: people have had more than one.
    Periods may overlap, for an old card can still be valid beside a new one (portal code 004).
    """

    valid_from: Day
    valid_to: Day | None
    number: CardNumber
    group: Group | None
    benefit_level: ShareLevel | None
    area: Annotated[str, Field(pattern=r"^K[1-9]$")] | None
    issuer: Literal["vss", "defence", "public_security"]
    registered_place: RegisteredPlace | None
    five_years_on: Day | None
    ended: PeriodEnded | None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        ordered(self.valid_from, self.valid_to)
        return self


class CardRecorded(Message):
    """`card.recorded`: the record of an insurance number, which is its id."""

    id: InsuranceNumber
    revision: Revision
    holder: Holder
    citizen_ids: Annotated[
        tuple[CitizenId, ...], Field(strict=False, fail_fast=True, max_length=CITIZEN_IDS_MAX), AfterValidator(distinct)
    ]
    address: Address | None
    periods: Annotated[tuple[Period, ...], Field(strict=False, fail_fast=True, max_length=PERIODS_MAX)]

    def expected_subject(self) -> str:
        """Return the insurance number."""
        return self.id


class CardWithdrawn(CardRecorded):
    """`card.withdrawn`: a whole record too, which no longer answers for days after `withdrawn.on`."""

    withdrawn: Withdrawn
