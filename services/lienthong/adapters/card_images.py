"""Reads the one card QR of a picture (the VssID screenshot) in processes that are confined, timed and thrown away."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from lienthong.adapters import card_image_header as header
from lienthong.adapters.card_image_process import WORKER_COMMAND, WorkerFault, WorkerProcess
from lienthong.adapters.card_image_sight import Sight
from lienthong.domain.presentation import parse_presented
from lienthong.domain.question import Malformed, Presentation, PresentedKind

IMAGE_MAX_BYTES: Final = 8 * 1024 * 1024
"""Bytes of one image; a lossless screenshot of the largest phone has 3 to 5 MB."""

_GOODBYE_S: Final = 1.0  # What an idle worker gets to end by itself when its input is closed.


class RefusalKind(StrEnum):
    """Why an image was not read, for the layer that has statuses: 413, 415, 422, 503 and 503 again in HTTP."""

    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"
    BUSY = "busy"
    TOO_SLOW = "too_slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPayload:
    """The picture holds exactly one card: the text of its QR, and what that text presents."""

    text: str
    presentation: Presentation


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAgain:
    """The picture is in order but does not show exactly one card: a code of `ASK_AGAIN`, and what to tell the clerk."""

    code: str
    vi: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedImage:
    """The bytes were not read as a picture: a code of `REFUSALS`, its kind, and what to tell the clerk."""

    code: str
    kind: RefusalKind
    vi: str
    en: str


ImageReading = ReadPayload | AskAgain | RefusedImage

ASK_AGAIN: Final = {
    ask.code: ask
    for ask in (
        AskAgain(
            code="no_code",
            vi="Không thấy mã QR trong ảnh. Mở thẻ trong VssID, chụp cả mã QR rồi gửi lại, hoặc gõ số thẻ.",
            en="No QR code in the image. Open the card in VssID, capture the whole code, or type the number.",
        ),
        AskAgain(
            code="code_unclear",
            vi="Có mã QR trong ảnh không đọc rõ. Chụp lại rõ hơn, mỗi ảnh một thẻ, hoặc gõ số thẻ.",
            en="A QR code in the image cannot be read. Take a sharper one, one card an image, or type the number.",
        ),
        AskAgain(
            code="not_a_card",
            vi="Mã QR trong ảnh không phải mã của thẻ BHYT hay căn cước. Gửi ảnh thẻ khác hoặc gõ số thẻ.",
            en="The QR code is not that of a health-insurance card or a citizen ID. Send the card or type the number.",
        ),
        AskAgain(
            code="several_cards",
            vi="Ảnh có nhiều hơn một thẻ. Gửi mỗi ảnh một thẻ, hoặc gõ số thẻ.",
            en="The image shows more than one card. Send one card an image, or type the number.",
        ),
    )
}

REFUSALS: Final = {
    refusal.code: refusal
    for refusal in (
        RefusedImage(
            code="image_too_many_bytes",
            kind=RefusalKind.TOO_LARGE,
            vi="Tệp ảnh quá lớn. Gửi ảnh chụp màn hình gốc của thẻ.",
            en="The image file is too large. Send the original screenshot of the card.",
        ),
        RefusedImage(
            code="image_too_many_pixels",
            kind=RefusalKind.TOO_LARGE,
            vi="Ảnh có quá nhiều điểm ảnh. Gửi ảnh chụp màn hình gốc của thẻ.",
            en="The image has too many pixels. Send the original screenshot of the card.",
        ),
        RefusedImage(
            code="image_heic",
            kind=RefusalKind.UNSUPPORTED,
            vi="Không đọc được ảnh HEIC hay AVIF. Gửi ảnh chụp màn hình, hoặc lưu ảnh thành JPEG.",
            en="HEIC and AVIF images cannot be read. Send a screenshot, or save the image as JPEG.",
        ),
        RefusedImage(
            code="image_unsupported",
            kind=RefusalKind.UNSUPPORTED,
            vi="Tệp này không phải ảnh PNG, JPEG hay WebP. Gửi ảnh chụp màn hình của thẻ.",
            en="The file is not a PNG, JPEG or WebP image. Send a screenshot of the card.",
        ),
        RefusedImage(
            code="image_unreadable",
            kind=RefusalKind.UNREADABLE,
            vi="Ảnh bị hỏng hoặc bị cắt cụt. Chụp lại màn hình rồi gửi lại, hoặc gõ số thẻ.",
            en="The image is damaged or cut short. Take the screenshot again and send it, or type the number.",
        ),
        RefusedImage(
            code="image_reader_busy",
            kind=RefusalKind.BUSY,
            vi="Máy đọc ảnh đang bận. Gửi lại sau vài giây, hoặc gõ số thẻ.",
            en="The image reader is busy. Send the image again in a few seconds, or type the number.",
        ),
        RefusedImage(
            code="image_too_slow",
            kind=RefusalKind.TOO_SLOW,
            vi="Đọc ảnh này quá lâu nên đã dừng. Quét mã QR trực tiếp hoặc gõ số thẻ.",
            en="Reading the image took too long and was stopped. Scan the QR code itself or type the number.",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderLimits:
    """How large an image may be, how many processes read, how many images may wait, and how long in seconds.

    `command` is called with `pixels_max`, which each worker checks again on what its decoder says. A worker is replaced
    after `images_per_worker` images, so that nothing a picture left behind lives long.
    """

    bytes_max: int = IMAGE_MAX_BYTES
    pixels_max: int = header.PIXELS_MAX
    workers: int = 2
    waiting_max: int = 16
    waiting_s: float = 2.0
    deadline_s: float = 4.0
    images_per_worker: int = 256
    command: Sequence[str] = field(default=WORKER_COMMAND)


class CardImageReader:
    """A small pool of reading processes; belongs to one event loop.

    Images live in memory and in pipes only. `start` returns before the workers are ready, so it delays no readiness.
    """

    def __init__(self, limits: ReaderLimits | None = None) -> None:
        self._limits = limits or ReaderLimits()
        self._free: asyncio.LifoQueue[WorkerProcess | None] = asyncio.LifoQueue()
        self._workers: set[WorkerProcess] = set()
        self._waiting = 0
        for _ in range(self._limits.workers):
            self._free.put_nowait(None)

    async def __aenter__(self) -> Self:
        """Start the workers."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the workers."""
        await self.close()

    @property
    def pids(self) -> frozenset[int]:
        """The process ids of the living workers."""
        return frozenset(worker.pid for worker in self._workers)

    async def start(self) -> None:
        """Start one process for each place that has none; where this is not called, the first images do it."""
        places = [self._free.get_nowait() for _ in range(self._free.qsize())]
        for worker in places:
            self._free.put_nowait(worker or await self._spawn())

    async def close(self) -> None:
        """End every worker: the idle ones by themselves, a busy one by force."""
        await asyncio.gather(*(self._end(worker, grace_s=_GOODBYE_S) for worker in tuple(self._workers)))

    async def read(self, image: bytes) -> ImageReading:
        """Return the payload of the only card in the picture, or why there is none; no image makes it raise."""
        refused = self._refusal_before_decoding(image)
        if refused is not None:
            return refused
        if self._waiting >= self._limits.waiting_max:
            return REFUSALS["image_reader_busy"]
        self._waiting += 1
        try:
            async with asyncio.timeout(self._limits.waiting_s):
                worker = await self._free.get()
        except TimeoutError:
            return REFUSALS["image_reader_busy"]
        finally:
            self._waiting -= 1
        return await self._read_by(worker, image)

    def _refusal_before_decoding(self, image: bytes) -> RefusedImage | None:
        """Refuse by what can be known without a decoder: size, format and the pixels that the header claims."""
        if len(image) > self._limits.bytes_max:
            return REFUSALS["image_too_many_bytes"]
        if header.is_heif(image):
            return REFUSALS["image_heic"]
        if header.sniff(image) is None:
            return REFUSALS["image_unsupported"]
        found = header.read_header(image)
        if found is None:
            return REFUSALS["image_unreadable"]
        return REFUSALS["image_too_many_pixels"] if found.pixels > self._limits.pixels_max else None

    async def _read_by(self, worker: WorkerProcess | None, image: bytes) -> ImageReading:
        """Hand the image to the worker of a place and give the place back, with a worker only if that one is sound.

        1 start a worker where the place has none; 2 exchange under the deadline; 3 kill it where anything went wrong,
        the caller's cancellation included, since its next reply would answer the wrong image; 4 free the place.
        """
        kept: WorkerProcess | None = None
        try:
            if worker is not None and worker.ended:
                self._workers.discard(worker)
                worker = None
            worker = worker or await self._spawn()
            if not await worker.ready():
                return REFUSALS["image_reader_busy"]
            async with asyncio.timeout(self._limits.deadline_s):
                sight = await worker.exchange(image)
            kept = worker if worker.images < self._limits.images_per_worker else None
        except TimeoutError:
            return REFUSALS["image_too_slow"]
        except WorkerFault:
            return REFUSALS["image_unreadable"]
        except OSError:
            return REFUSALS["image_reader_busy"]  # The machine has no room for another process at this moment.
        finally:
            await self._give_back(worker, kept)
        return _judge(sight)

    async def _give_back(self, worker: WorkerProcess | None, kept: WorkerProcess | None) -> None:
        try:
            if worker is not None and kept is None:
                await self._end(worker, grace_s=0)
        finally:
            self._free.put_nowait(kept)

    async def _spawn(self) -> WorkerProcess:
        worker = await WorkerProcess.spawn((*self._limits.command, str(self._limits.pixels_max)))
        self._workers.add(worker)
        return worker

    async def _end(self, worker: WorkerProcess, *, grace_s: float) -> None:
        await worker.end(grace_s)
        self._workers.discard(worker)


def _judge(sight: Sight) -> ImageReading:
    """Decide from all that was seen; a card beside a code that stayed unread is asked for again, never guessed."""
    match sight.fault:
        case "pixels":
            return REFUSALS["image_too_many_pixels"]
        case "unreadable":
            return REFUSALS["image_unreadable"]
    cards: dict[Presentation, str] = {}
    for text in sight.texts:
        presented = parse_presented(PresentedKind.CARD_IMAGE, text)
        if not isinstance(presented, Malformed):
            cards[presented] = text
    if len(cards) > 1:
        return ASK_AGAIN["several_cards"]
    if sight.unread:
        return ASK_AGAIN["code_unclear"]
    if not cards:
        return ASK_AGAIN["not_a_card" if sight.texts or sight.foreign else "no_code"]
    presentation, text = next(iter(cards.items()))
    return ReadPayload(text=text, presentation=presentation)
