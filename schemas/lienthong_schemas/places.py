"""What territory and facilities have in common: documents, references, and facts of the register."""

from typing import Annotated, Literal

from pydantic import Field

from lienthong_schemas.vocabulary import Code, Day, FactId, Message, Name, Revision, Strict, Title

LINKS_MAX = 400  # One event per successor keeps reorganisations small; 400 links fill an event of 64 KiB.

Extent = Literal["whole", "part"]
Grade = Literal["2", "1", "r", "m"]
"""How well a rule is known: two public sources, one, a third party's reading, from memory."""


class RegisterFact(Message):
    """A fact of the register; `illustrative` marks what no document says and a demonstration made up."""

    id: FactId
    revision: Revision
    illustrative: bool = False

    def expected_subject(self) -> str:
        """Return the fact's id."""
        return self.id


class Document(Strict):
    """A legal document; what is not known of it is null."""

    number: Name
    issuer: Title | None
    issued_on: Day | None


class UnitKey(Strict):
    """A level and a code: which version is meant follows from the day."""

    level: Code
    code: Code


class RecordedUnit(Strict):
    """A unit as somebody recorded it on a day; null where that day is not known."""

    level: Code
    code: Code
    recorded_on: Day | None


class FacilityKey(Strict):
    """A facility's code: which version is meant follows from the day."""

    code: Code


ReorganisationId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x20\x7f-\xa0\u2028-\u202e]+$")]
"""Any text without spaces, given by the one assigner of reorganisations."""
