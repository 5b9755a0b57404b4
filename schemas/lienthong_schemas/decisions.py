"""The answer to a desk in its native dialect, and the record of it with its inputs."""

from typing import Annotated, Literal

from pydantic import Field

from lienthong_schemas.questions import Base64
from lienthong_schemas.vocabulary import (
    Birth,
    Code,
    Day,
    DecisionId,
    FactId,
    Group,
    KeyId,
    Message,
    Name,
    Position,
    Revision,
    ShareLevel,
    Strict,
    Text,
    Time,
    Title,
    Word,
)

CANDIDATES_MAX = 256  # Places of an answer: five is the most that one commune was divided among so far.
NOTICES_MAX = 32
STEPS_MAX = 256
SEALED_LENGTH_MAX = 49_152  # Base64 of 36 KiB, which leaves room for the envelope within 64 KiB.

Outcome = Literal[
    "eligible", "check_papers", "not_in_force", "not_found", "identity_mismatch", "malformed", "cannot_tell"
]
PlaceState = Literal["current", "succeeded", "divided", "ended", "ambiguous", "disputed", "unknown"]
Channel = Literal["insurance_number", "citizen_id", "card_qr", "citizen_qr", "citizen_chip", "card_image", "no_card"]
"""The way a card was presented: from it the monitor sees how many facilities read chips."""

MaskedNumber = Annotated[str, Field(pattern=r"^[A-Z0-9]{0,5}\*{4,12}[A-Z0-9]{0,4}$")]
"""A card number of which four characters or more do not show."""


class ShownHolder(Strict):
    """The holder, shown only where name and birth date matched."""

    name: Name
    birth: Birth
    sex: Literal["male", "female"] | None


class ShownPeriod(Strict):
    """A coverage period; `share_percent` is the group's share before any route, null where it is not known."""

    valid_from: Day
    valid_to: Day | None
    group: Group | None
    benefit_level: ShareLevel | None
    share_percent: Annotated[int, Field(ge=0, le=100)] | None


class ShownCard(Strict):
    """The card: its number masked, the period that answers, and the next one (portal codes 003 and 004)."""

    number: MaskedNumber
    holder: ShownHolder | None
    period: ShownPeriod | None
    next_period: ShownPeriod | None


class Place(Strict):
    """A version of a place; `valid_to` is its last valid day as far as it is known on the day asked about."""

    level: Code
    code: Code
    name: Title
    parent_code: Code | None
    province_code: Code | None
    valid_from: Day | None
    valid_to: Day | None


class ShownPlace(Strict):
    """A printed place and what it is today: a set, never a choice."""

    state: PlaceState
    printed: Place | None
    today: Annotated[tuple[Place, ...], Field(strict=False, fail_fast=True, max_length=CANDIDATES_MAX)]


class Notice(Strict):
    """One thing that the desk should know, with the document in force on the service day, null where none is."""

    code: Word
    vi: Text
    en: Text
    document: FactId | None


class Step(Strict):
    """One reorganisation on the way from what is printed to what exists."""

    id: FactId
    document: FactId | None
    effective_on: Day


class Freshness(Strict):
    """How far the answering store had read."""

    register_position: Position
    cards_caught_up_at: Time | None
    complete: bool


class Decision(Strict):
    """The answer; an address or a registered place never changes its `outcome`."""

    decision_id: DecisionId
    outcome: Outcome
    decided_at: Time
    on: Day
    card: ShownCard | None
    address: ShownPlace | None
    registered_place: ShownPlace | None
    payment_here: Literal["contract_on_record", "continuing", "none_on_record", "unknown"]
    payable_until: Day | None
    routes: Annotated[tuple[Code, ...], Field(strict=False, fail_fast=True, max_length=32)]
    notices: Annotated[tuple[Notice, ...], Field(strict=False, fail_fast=True, max_length=NOTICES_MAX)]
    proof: Annotated[tuple[Step, ...], Field(strict=False, fail_fast=True, max_length=STEPS_MAX)]
    freshness: Freshness
    illustrative: bool


class PrintedUnit(Strict):
    """The printed address without its detail: what a late decree is matched with.

    `version` is the id of the unit's fact that the code meant on that day, null where the register had none or
    several: volumes are counted by it.
    """

    level: Code
    code: Code
    recorded_on: Day | None
    version: FactId | None


class PrintedFacility(Strict):
    """The printed registered place."""

    code: Code
    recorded_on: Day | None


class PrintedReferences(Strict):
    """The places that stood on the card, null where no card was found or nothing stood there."""

    address: PrintedUnit | None
    registered_place: PrintedFacility | None


class Sealed(Strict):
    """Bytes encrypted with a period's key and written in base64."""

    key_id: KeyId
    bytes: Annotated[Base64, Field(max_length=SEALED_LENGTH_MAX)]


class EligibilityDecided(Message):
    """`eligibility.decided`: an answer as it was given, with everything that it was derived from.

    The event's subject is the pseudonym of the card. `sealed` holds the question, the answer and the card's fields
    that were used. `notices` are codes alone. `table_versions` gives the day from which each table used was in force.
    `portal_code` is the three digits that the national portal would have answered, null where it has none.
    """

    decision_id: DecisionId
    facility_code: Code
    channel: Channel
    outcome: Outcome
    portal_code: Annotated[str, Field(pattern=r"^[0-9]{3}$")] | None
    notices: Annotated[tuple[Word, ...], Field(strict=False, fail_fast=True, max_length=NOTICES_MAX)]
    printed_references: PrintedReferences
    on: Day
    sealed: Sealed
    card_revision: Revision | None
    register_position: Position
    table_versions: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")], Day], Field(max_length=64)
    ]
    software: Annotated[str, Field(pattern=r"^[A-Za-z0-9._+/-]{1,64}$")]
