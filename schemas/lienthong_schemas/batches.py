"""What the register stream carries besides facts: annulments, seals, and the switch of a generation."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lienthong_schemas.places import Document, RegisterFact
from lienthong_schemas.vocabulary import Digest, Message, Name, Text, agree

COUNT_MAX = 1_000_000  # The national reorganisation and what stood before it are under 18,000 facts.
GENERATION_MAX = 2**31 - 1

RegisterFamily = Literal[
    "unit", "territory-reorganisation", "facility", "facility-reorganisation", "contract", "guidance", "table"
]


class FactAnnulled(RegisterFact):
    """`fact.annulled`: a revision without content of a register fact, which a higher one revives.

    Cards are not annulled but withdrawn, by a whole record.
    """

    family: RegisterFamily
    reason: Text
    document: Document | None


class BatchSealed(Message):
    """`batch.sealed`: makes the facts that carry this `batchid` count, if it stands on the last accepted batch.

    `batch_id` is the batch's digest, so publishing the same facts twice is recognised. `base` is null for the first
    batch of a register, `name` where the batch has none.
    """

    batch_id: Digest
    base: Digest | None
    count: Annotated[int, Field(ge=1, le=COUNT_MAX)]
    digest: Digest
    name: Name | None

    @model_validator(mode="after")
    def _named_by_its_digest(self) -> Self:
        agree("batch_id", self.batch_id, self.digest)
        return self

    def expected_subject(self) -> str:
        """Return the batch's id."""
        return self.batch_id


class GenerationSwitched(Message):
    """`generation.switched`: answers come from this generation of the projection from here on."""

    generation: Annotated[int, Field(ge=1, le=GENERATION_MAX)]

    def expected_subject(self) -> str:
        """Return the generation's number as text."""
        return str(self.generation)
