"""Card images as events: sealed with the key of their hour, opened while that key lives, and never in the clear."""

import asyncio
import base64
import binascii
from typing import Literal, assert_never

from lienthong.adapters.card_images import AskAgain, CardImageReader, ReadPayload, RefusalKind, RefusedImage
from lienthong.adapters.sealing import KeyDestroyed, SealBroken, Sealer
from lienthong.adapters.wire import Refusal, RefusalCode
from lienthong.domain.question import Malformed, Presentation, PresentedKind
from lienthong_schemas.questions import CardImagePresented
from lienthong_schemas.streams import CARD_IMAGES

MediaType = Literal["image/png", "image/jpeg", "image/webp"]

_UNREADABLE_SEAL = Refusal(
    code=RefusalCode.INVALID_DATA, message="is not what was sealed", path="data.question.presented.sealed"
)
_TOO_LATE = Refusal(
    code=RefusalCode.INVALID_DATA,
    message="was sealed with a key that has been destroyed: its hour of retention is over",
    path="data.question.presented.key_id",
)


class ReaderBusy(Exception):
    """The readers have no room at this moment; the event is tried again."""


def sealed_presented(sealer: Sealer, image: bytes, media_type: MediaType) -> dict[str, str]:
    """Return what a question presents for an image: the bytes sealed with this hour's key."""
    sealed = sealer.seal(CARD_IMAGES.name, image)
    return {
        "kind": "card_image",
        "key_id": sealed.key_id,
        "sealed": base64.b64encode(sealed.data).decode(),
        "media_type": media_type,
    }


def refused(reading: AskAgain | RefusedImage) -> Malformed:
    """Return what an image presents that shows no single card: a malformed presentation, with what to do."""
    return Malformed(kind=PresentedKind.CARD_IMAGE, code=reading.code, position=None, vi=reading.vi, en=reading.en)


class SealedImageOpener:
    """Opens the image of an event and reads its card."""

    def __init__(self, sealer: Sealer, reader: CardImageReader) -> None:
        self._sealer = sealer
        self._reader = reader

    async def open(self, presented: CardImagePresented) -> Presentation | Refusal:
        """Return what the image presents, or why nobody can open it. Raises `ReaderBusy`."""
        try:
            # Megabytes, and a key that has to be asked for: neither may keep a desk waiting.
            image = await asyncio.to_thread(self._opened, presented)
        except (SealBroken, binascii.Error):
            return _UNREADABLE_SEAL
        if isinstance(image, KeyDestroyed):
            return _TOO_LATE
        reading = await self._reader.read(image)
        match reading:
            case ReadPayload():
                return reading.presentation
            case AskAgain():
                return refused(reading)
            case RefusedImage():
                if reading.kind is RefusalKind.BUSY:
                    raise ReaderBusy
                return refused(reading)
            case _:
                assert_never(reading)

    def _opened(self, presented: CardImagePresented) -> bytes | KeyDestroyed:
        return self._sealer.open(presented.key_id, base64.b64decode(presented.sealed, validate=True))
