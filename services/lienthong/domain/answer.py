"""What a desk gets back: the finding a decision starts from, and the answer with its parts."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from lienthong.domain.card import Card
from lienthong.domain.succession import Place, State, Step


class Outcome(StrEnum):
    """Whether the card is good on the service day; an address or a registered place never changes it."""

    ELIGIBLE = "eligible"
    CHECK_PAPERS = "check_papers"
    NOT_IN_FORCE = "not_in_force"
    NOT_FOUND = "not_found"
    IDENTITY_MISMATCH = "identity_mismatch"
    MALFORMED = "malformed"
    CANNOT_TELL = "cannot_tell"


class PaymentHere(StrEnum):
    """Whether this facility has a contract on record, apart from the card."""

    CONTRACT_ON_RECORD = "contract_on_record"
    CONTINUING = "continuing"
    NONE_ON_RECORD = "none_on_record"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How far the projection had read: `cards_caught_up_at` is None where the cell never caught up."""

    register_position: int
    cards_caught_up_at: datetime | None
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Live candidates for what was presented: one for a number, one or more for a citizen ID."""

    cards: tuple[Card, ...]
    freshness: Freshness


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRecord:
    """No record; `freshness.complete` is the proof of absence, without which nobody may say not found."""

    freshness: Freshness


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFault:
    """The projection could not be read in time."""

    register_position: int


Finding = Found | NoRecord | StoreFault


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownHolder:
    """The holder as returned, only on a match."""

    name: str
    birth: str
    sex: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPeriod:
    """A coverage period as returned; `share_percent` is the group's share before route, None where unknown."""

    valid_from: date
    valid_to: date | None
    group: str | None
    benefit_level: int | None
    share_percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCard:
    """The card as returned: `number` masked, the period that answers, and the next one (portal codes 003 and 004)."""

    number: str
    holder: ShownHolder | None
    period: ShownPeriod | None
    next_period: ShownPeriod | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPlace:
    """A printed place and what it is today; `today` is a set, never a choice."""

    state: State
    printed: Place | None
    today: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing the desk should know, in both languages, with the document in force on the service day."""

    code: str
    vi: str
    en: str
    document: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One answer; field names and order are those of the native dialect, so encoding it is writing it out."""

    decision_id: str
    outcome: Outcome
    decided_at: datetime
    on: date
    card: ShownCard | None
    address: ShownPlace | None
    registered_place: ShownPlace | None
    payment_here: PaymentHere
    payable_until: date | None
    routes: tuple[str, ...]
    notices: tuple[Notice, ...]
    proof: tuple[Step, ...]
    freshness: Freshness
    illustrative: bool
