"""What a desk asks: who is asking, for which day and visit, and what the patient presented."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from lienthong.domain.card import Sex


class VisitKind(StrEnum):
    """The kind of visit; it never changes whether a card is good, only what is payable."""

    OUTPATIENT = "outpatient"
    INPATIENT = "inpatient"
    EMERGENCY = "emergency"


class NoCardReason(StrEnum):
    """Why somebody comes without a card (*Không có thẻ*)."""

    CHILD = "child"
    REISSUE = "reissue"
    EMERGENCY = "emergency"


class PresentedKind(StrEnum):
    """How the card was presented; the same words as on the wire."""

    INSURANCE_NUMBER = "insurance_number"
    CITIZEN_ID = "citizen_id"
    CARD_QR = "card_qr"
    CITIZEN_QR = "citizen_qr"
    CITIZEN_CHIP = "citizen_chip"
    CARD_IMAGE = "card_image"
    NO_CARD = "no_card"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A name and a birth date to compare with the record; either may be unknown."""

    name: str | None
    birth: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFace:
    """What else a card's QR repeats from its face, as printed; the record decides, never this.

    `valid_to` None is open (`-`), not expired. `office` is the managing office, `area` K1–K3, `check_string` field 13,
    whose algorithm is not public: it is carried, and nobody may call it verified.
    """

    sex: Sex | None = None
    address: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    issued_on: date | None = None
    office: str | None = None
    parent: str | None = None
    area: str | None = None
    five_years_on: date | None = None
    check_string: str | None = None
    benefit_code: str | None = None
    issuing_place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberPresented:
    """A card was presented by number: `number` is 10 digits; `printed` what stood there (10 or 15 characters).

    `group` and `benefit_level` are the printed characters of a 15-character number, which may be stale.
    `identity` comes from the presentation itself (QR), never from the desk's typing; `carries_identity` tells.
    `printed_place` is the facility code on the QR where one stood there. `warnings` are codes of notices. `face` is the
    rest of a QR that was read whole.
    """

    kind: PresentedKind
    number: str
    printed: str
    group: str | None = None
    benefit_level: int | None = None
    identity: Identity | None = None
    printed_place: str | None = None
    warnings: tuple[str, ...] = ()
    face: CardFace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenPresented:
    """A citizen was presented by the 12-digit ID: typed, by its QR or by its chip."""

    kind: PresentedKind
    citizen_id: str
    identity: Identity | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingPresented:
    """Nobody has a card to show, for a reason that the law knows."""

    reason: NoCardReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """What was presented cannot be read: a code of the table of faults, where (character from 0), and what to do.

    `vi` and `en` are whole sentences for the clerk and never repeat what was presented.
    """

    kind: PresentedKind
    code: str
    position: int | None
    vi: str
    en: str


Presentation = NumberPresented | CitizenPresented | NothingPresented | Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a desk; `on` is the service day in Asia/Ho_Chi_Minh, `admitted_on` the day treatment began.

    `holder` is what the desk typed beside the presentation, None where it typed nothing.
    """

    presented: Presentation
    facility_code: str
    clerk_id: str
    on: date
    admitted_on: date | None = None
    visit_kind: VisitKind = VisitKind.OUTPATIENT
    holder: Identity | None = None
