"""The one table of streams: what each is keyed by, carries, keeps, and how large an event of it may be."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

EVENT_BYTES_MAX = 65_536  # Any event but an image or a dead letter: the longest fact that is shipped has under 3 KB.
DEAD_LETTER_BYTES_MAX = 131_072  # A sealed original of 64 KiB in base64, and its envelope.
IMAGE_EVENT_BYTES_MAX = 8_388_608  # A sealed image of 5 MiB in base64, and its envelope.

Key = Literal["insurance_number", "fact_id", "facility_code", "pseudonym", "original"]
SealedBy = Literal["hour", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One stream.

    `partitions` counts the embedded log's, `partitions_distributed` the topic's in a distributed log: of both, what
    one process could read is far more than what a country writes, so a number is chosen for how many processes may
    share the stream. It is laid out once: another number gives keys another partition, and their order is gone.

    - `cards.v1`: a partition is a cell of the projection, repaired as a whole; its number is a setting, and this its
      default. 96.46 million cards in 128 cells are some 750,000 each.
    - `register.v1`: one, for seals are judged in the order in which they were written.
    - `lookups.v1`, `card-images.v1`, `answers.v1`, `decisions.v1`: up to 16 processes may answer and count.
    - The others carry little, and who reads them reads all of them.

    `kept_for` None is for ever. `sealed_by` names the period whose key encrypts the personal data in it, None where
    nothing is encrypted: that key is destroyed when `kept_for` has passed. No stream is compacted: compaction keeps
    the last offset, not the highest revision.
    """

    name: str
    key: Key
    types: tuple[str, ...]
    partitions: int
    partitions_distributed: int
    kept_for: timedelta | None
    sealed_by: SealedBy | None
    event_bytes_max: int = EVENT_BYTES_MAX


CARDS = Stream(
    name="cards.v1",
    key="insurance_number",
    types=("card.recorded", "card.withdrawn"),
    partitions=16,
    partitions_distributed=128,
    kept_for=None,
    sealed_by=None,
)
REGISTER = Stream(
    name="register.v1",
    key="fact_id",
    types=(
        "territory.unit_recorded",
        "territory.reorganised",
        "facility.recorded",
        "facility.reorganised",
        "contract.recorded",
        "guidance.recorded",
        "table.recorded",
        "fact.annulled",
        "batch.sealed",
        "generation.switched",
    ),
    partitions=1,
    partitions_distributed=1,
    kept_for=None,
    sealed_by=None,
)
DESKS = Stream(
    name="desks.v1",
    key="facility_code",
    types=(),
    partitions=1,
    partitions_distributed=1,
    kept_for=None,
    sealed_by=None,
)
LOOKUPS = Stream(
    name="lookups.v1",
    key="facility_code",
    types=("lookup.requested",),
    partitions=4,
    partitions_distributed=16,
    kept_for=timedelta(days=7),
    sealed_by=None,
)
CARD_IMAGES = Stream(
    name="card-images.v1",
    key="facility_code",
    types=("lookup.requested",),
    partitions=4,
    partitions_distributed=16,
    kept_for=timedelta(hours=1),
    sealed_by="hour",
    event_bytes_max=IMAGE_EVENT_BYTES_MAX,
)
DECISIONS = Stream(
    name="decisions.v1",
    key="pseudonym",
    types=("eligibility.decided",),
    partitions=4,
    partitions_distributed=16,
    kept_for=timedelta(days=400),
    sealed_by="day",
)
ANSWERS = Stream(
    name="answers.v1",
    key="facility_code",
    types=("lookup.answered",),
    partitions=4,
    partitions_distributed=16,
    kept_for=timedelta(days=7),
    sealed_by=None,
)
NOTICES = Stream(
    name="notices.v1",
    key="facility_code",
    types=(),
    partitions=1,
    partitions_distributed=1,
    kept_for=timedelta(days=400),
    sealed_by=None,
)
DEAD_LETTERS = Stream(
    name="dead-letters.v1",
    key="original",
    types=("dead_letter.recorded", "dead_letter.replayed"),
    partitions=1,
    partitions_distributed=1,
    kept_for=timedelta(days=90),
    sealed_by="day",
    event_bytes_max=DEAD_LETTER_BYTES_MAX,
)

STREAMS: tuple[Stream, ...] = (
    CARDS,
    REGISTER,
    DESKS,
    LOOKUPS,
    CARD_IMAGES,
    DECISIONS,
    ANSWERS,
    NOTICES,
    DEAD_LETTERS,
)

BY_NAME: dict[str, Stream] = {stream.name: stream for stream in STREAMS}
