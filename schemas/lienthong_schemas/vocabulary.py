"""The words that every message is written with: codes, days, times, texts, and the strict model beneath them all."""

from datetime import MAXYEAR, MINYEAR, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NAME_LENGTH_MAX = 128  # A person's name, a document's number, an id: far above what is usual, and one byte counts it.
TITLE_LENGTH_MAX = 300  # Names of places and facilities, addresses: the longest of 543 facilities has 71 characters.
TEXT_LENGTH_MAX = 2000  # A rule or a notice as a desk reads it.
REVISION_MAX = 2**32 - 1  # Revisions are packed as 32 bits beside every record.
POSITION_MAX = 2**53 - 1  # The greatest integer that every JSON reader keeps exact (RFC 8785).

# Refused in every text that a person reads: control characters, line separators, and the marks that reverse the
# direction of writing, with which a name could make an answer read as something else.
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
_BIRTH_YEAR = 4
_BIRTH_MONTH = 7


class Strict(BaseModel):
    """What all messages share: unknown fields refused, nothing converted, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Message(Strict):
    """The `data` of one event of one type and version."""

    def expected_subject(self) -> str | None:
        """Return the envelope's subject that this data demands, None where the data does not settle it."""
        return None


def calendar_day(text: str) -> str:
    """Return the text if it is a day of the calendar; its shape was checked before. Raises ValueError."""
    try:
        date.fromisoformat(text)
    except ValueError:
        message = "is not a day of the calendar"
        raise ValueError(message) from None
    return text


def calendar_birth(text: str) -> str:
    """Return the text if its year, month or day exists; its shape was checked before. Raises ValueError."""
    completed = {_BIRTH_YEAR: f"{text}-01-01", _BIRTH_MONTH: f"{text}-01"}.get(len(text), text)
    calendar_day(completed)
    return text


def instant(text: str) -> str:
    """Return the text if it is a moment that exists in every time zone; its shape was checked before.

    The calendar's first and last year are refused: elsewhere their ends belong to a year that there is not. Raises
    ValueError.
    """
    message = "is not a moment of the calendar"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(message) from None
    if moment.year in {MINYEAR, MAXYEAR}:
        raise ValueError(message)
    return text


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values if no two are equal. Raises ValueError."""
    if len(set(values)) != len(values):
        message = "names the same thing twice"
        raise ValueError(message)
    return values


def day_key(valid_from: str | None) -> str:
    """Return the day as the last part of a fact's id: `-` where it is unknown."""
    return "-" if valid_from is None else valid_from


def agree(name: str, actual: str, expected: str) -> None:
    """Raise ValueError where an id and the data that it names differ; neither is repeated in the message."""
    if actual != expected:
        message = f"{name} does not agree with the data"
        raise ValueError(message)


def ordered(first: str, last: str | None) -> None:
    """Raise ValueError where a period ends before it starts; days are compared as their text, which sorts alike."""
    if last is not None and last < first:
        message = "valid_to lies before valid_from"
        raise ValueError(message)


Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,16}$")]
"""A code of a unit, a level or a facility: text, for leading zeros count."""

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""A word of a vocabulary that is data and may grow: a kind of facility, a tier, a notice."""

InsuranceNumber = Annotated[str, Field(pattern=r"^[0-9]{10}$")]
CitizenId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
CardNumber = Annotated[str, Field(pattern=r"^(?:[A-Z]{2}[0-9]{13}|[0-9]{10})$")]
"""The number as printed: 15 characters (QĐ 1351/QĐ-BHXH) or 10 digits (QĐ 1666/QĐ-BHXH)."""

Day = Annotated[
    str,
    Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", json_schema_extra={"format": "date"}),
    AfterValidator(calendar_day),
]
Birth = Annotated[str, Field(pattern=r"^[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?$"), AfterValidator(calendar_birth)]
"""A birth date as far as it is known: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`."""

Time = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$",
        json_schema_extra={"format": "date-time"},
    ),
    AfterValidator(instant),
]
"""A moment with its offset (RFC 3339)."""

Revision = Annotated[int, Field(ge=1, le=REVISION_MAX)]
Position = Annotated[int, Field(ge=0, le=POSITION_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX, pattern=_PRINTABLE)]
Title = Annotated[str, Field(min_length=1, max_length=TITLE_LENGTH_MAX, pattern=_PRINTABLE)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX, pattern=_PRINTABLE)]
FactId = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX, pattern=_PRINTABLE)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""256 bits in hexadecimal: a SHA-256, or a sum of them modulo 2^256."""

KeyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")]
"""The name of the key of one period, under which sealed bytes were encrypted."""

ClerkId = Annotated[str, Field(min_length=1, max_length=32, pattern=_PRINTABLE)]
EventId = Annotated[str, Field(min_length=1, max_length=64, pattern=_PRINTABLE)]
DecisionId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
ShareLevel = Annotated[int, Field(ge=1, le=9)]
"""The benefit level's digit (QĐ 1351/QĐ-BHXH has 1 to 5; which levels exist is a table's business)."""

Group = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
