"""The card record: one person's coverage periods, and the codes printed on the card with the day they were recorded."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Sex(StrEnum):
    """As printed on the card: field 3 of its QR, 1 Nam, 2 Nữ."""

    MALE = "male"
    FEMALE = "female"


class Issuer(StrEnum):
    """Who manages the card; the armed forces' cards are not decided here (portal codes 001 and 002)."""

    VSS = "vss"
    DEFENCE = "defence"
    PUBLIC_SECURITY = "public_security"


class EndReason(StrEnum):
    """Why a coverage period ended before its printed day (portal codes 110, 120–124 and 003)."""

    MOVED_OUT = "moved_out"
    MOVED_WITHIN = "moved_within"
    REJOINED = "rejoined"
    STOPPED = "stopped"
    REISSUED = "reissued"
    REDUCED = "reduced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The insured person; `birth` is `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, as the register has it."""

    name: str
    birth: str
    sex: Sex | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A unit's code and the day it was recorded; the text of an address is composed from the register."""

    level: str
    code: str
    recorded_on: date | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredPlace:
    """The facility of first registration (*nơi đăng ký KCB ban đầu*) and the day its code was recorded."""

    code: str
    recorded_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The day a period or a record ended early: the last valid day, and why."""

    on: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One coverage period; `valid_to` is the last valid day, None is open.

    `number` is the card number as printed (10 or 15 characters), `benefit_level` the digit of QĐ 1351/QĐ-BHXH as the
    record has it, None where unknown, `area` the K1–K3 mark, `five_years_on` the day five continuous years are reached.
    """

    valid_from: date
    valid_to: date | None
    number: str
    group: str | None
    benefit_level: int | None
    area: str | None
    issuer: Issuer
    registered_place: RegisteredPlace | None
    five_years_on: date | None
    ended: Ended | None

    def last_day(self) -> date | None:
        """Return the last valid day: the earlier of the printed one and an early end."""
        if self.ended is None:
            return self.valid_to
        return self.ended.on if self.valid_to is None else min(self.valid_to, self.ended.on)

    def covers(self, day: date) -> bool:
        """Tell whether the period is in force on the day, both ends included."""
        last = self.last_day()
        return self.valid_from <= day and (last is None or day <= last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The winning record of one insurance number; `number` is the 10-digit social insurance number.

    `withdrawn` is set by `card.withdrawn`; the rest of a withdrawn record still answers for earlier days.
    """

    number: str
    revision: int
    holder: Holder
    citizen_ids: tuple[str, ...]
    address: Address | None
    periods: tuple[Period, ...]
    withdrawn: Ended | None = None
