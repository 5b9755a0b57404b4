"""What a desk asks: what was presented, by whom, for which day and visit.

What somebody typed or scanned is bounded text and no more: that it cannot be read is an answer (`malformed`), with
words for the clerk, and not a fault of the message.
"""

from typing import Annotated, Literal

from pydantic import Field

from lienthong_schemas.vocabulary import Birth, ClerkId, Code, Day, KeyId, Name, Strict

TYPED_LENGTH_MAX = 64  # A number with the spaces, dots and slips that typing leaves in it.
SCANNED_LENGTH_MAX = 4096  # A QR code holds 4,296 characters at most; the longest card text is under 1,000.
SEALED_IMAGE_LENGTH_MAX = 7_340_032  # An image of 5 MiB with the cipher's 64 bytes and more, in base64.

Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$")]


class InsuranceNumberPresented(Strict):
    """A number typed from a card: 10 or 15 characters, or a citizen ID in its place."""

    kind: Literal["insurance_number"]
    number: Annotated[str, Field(min_length=1, max_length=TYPED_LENGTH_MAX)]


class CitizenIdPresented(Strict):
    """A citizen ID typed: 12 digits."""

    kind: Literal["citizen_id"]
    number: Annotated[str, Field(min_length=1, max_length=TYPED_LENGTH_MAX)]


class CardQrPresented(Strict):
    """The text of a card's QR code, as the scanner gave it."""

    kind: Literal["card_qr"]
    text: Annotated[str, Field(min_length=1, max_length=SCANNED_LENGTH_MAX)]


class CitizenQrPresented(Strict):
    """The text of the QR code of a citizen ID or of VNeID, as the scanner gave it."""

    kind: Literal["citizen_qr"]
    text: Annotated[str, Field(min_length=1, max_length=SCANNED_LENGTH_MAX)]


class ChipFields(Strict):
    """What reader software took from the chip of a citizen ID; null where it did not pass a field on."""

    number: Annotated[str, Field(min_length=1, max_length=TYPED_LENGTH_MAX)]
    name: Annotated[str, Field(max_length=200)] | None = None
    birth: Annotated[str, Field(max_length=32)] | None = None


class CitizenChipPresented(Strict):
    """The chip of a citizen ID was read."""

    kind: Literal["citizen_chip"]
    fields: ChipFields


class CardImagePresented(Strict):
    """The image of a card, sealed with its hour's key; it travels on `card-images.v1` alone."""

    kind: Literal["card_image"]
    key_id: KeyId
    sealed: Annotated[Base64, Field(max_length=SEALED_IMAGE_LENGTH_MAX)]
    media_type: Literal["image/png", "image/jpeg", "image/webp"]


class NoCardPresented(Strict):
    """Nobody has a card to show (*Không có thẻ*), for a reason that the law knows."""

    kind: Literal["no_card"]
    reason: Literal["child", "reissue", "emergency"]


Presented = Annotated[
    InsuranceNumberPresented
    | CitizenIdPresented
    | CardQrPresented
    | CitizenQrPresented
    | CitizenChipPresented
    | CardImagePresented
    | NoCardPresented,
    Field(discriminator="kind"),
]


class TypedHolder(Strict):
    """The name and birth date that the desk typed; null where it typed nothing."""

    name: Name | None = None
    birth: Birth | None = None


class Question(Strict):
    """One question; `on` is the service day, today in Asia/Ho_Chi_Minh where it is absent or null."""

    presented: Presented
    facility_code: Code
    clerk_id: ClerkId
    on: Day | None = None
    admitted_on: Day | None = None
    visit_kind: Literal["outpatient", "inpatient", "emergency"] = "outpatient"
    holder: TypedHolder | None = None
