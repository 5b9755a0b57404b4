"""Dead letters: what a consumer could not read, where it stood, and why."""

from typing import Annotated

from pydantic import Field

from lienthong_schemas.questions import Base64
from lienthong_schemas.vocabulary import Code, Digest, EventId, KeyId, Message, Position, Strict, Text, Word

ORIGINAL_BYTES_MAX = 65_536  # Longer originals are known by their size and SHA-256 alone.
SEALED_ORIGINAL_LENGTH_MAX = 90_112  # Base64 of 64 KiB and the cipher's overhead.


class Origin(Strict):
    """Where the original stood: stream, partition, and its offset there, counted from 0."""

    stream: Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]{0,63}$")]
    partition: Annotated[int, Field(ge=0, le=65_535)]
    position: Position


class Reason(Strict):
    """Why it was refused: a word for programs, a sentence for people, and the path of the field at fault.

    None of the three repeats what stood in the original.
    """

    code: Word
    message: Text
    path: Annotated[str, Field(max_length=255, pattern=r"^[a-z0-9_.?\[\]]*$")]


class SealedOriginal(Strict):
    """The original's bytes, encrypted with the day's key and written in base64."""

    key_id: KeyId
    bytes: Annotated[Base64, Field(max_length=SEALED_ORIGINAL_LENGTH_MAX)]


class DeadLetterRecorded(Message):
    """`dead_letter.recorded`: one original that was set aside while its stream went on.

    The event's subject is the original's key, or the stream's name where the original had none that could be read.
    `sealed` is null where the original was too long; `attempts` counts how often handling it was tried.
    """

    origin: Origin
    consumer: Code
    reason: Reason
    attempts: Annotated[int, Field(ge=1, le=1_000_000)]
    size_bytes: Position
    sha256: Digest
    sealed: SealedOriginal | None


class DeadLetterReplayed(Message):
    """`dead_letter.replayed`: an original was appended to its stream once more.

    The event's subject is that of the dead letter, whose event id is `letter_id`; `replayed_to` is where the original
    stands now as well.
    """

    letter_id: EventId
    replayed_to: Origin
