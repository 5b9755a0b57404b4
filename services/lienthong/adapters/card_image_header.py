"""Reads format, width and height from the first bytes of a PNG, JPEG or WebP, decoding nothing and never raising.

A picture that unpacks to gigabytes is small on the wire, so its size must be known before any decoder sees it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PIXELS_MAX: Final = 20_000_000
"""Pixels of one frame: more than twice what the largest phone screen shows, 80 MB once decoded."""

_JPEG_SEGMENTS_MAX: Final = 1024  # A camera writes a few dozen; more are there to keep a reader busy.
_JPEG_MARK: Final = 0xFF
_JPEG_START: Final = b"\xff\xd8\xff"
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # ITU T.81 table B.1: the SOF markers.
_JPEG_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_SCAN: Final = frozenset({0xD9, 0xDA})  # The entropy-coded data or the end: a frame can no longer come.
_PNG_START: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"})


class ImageFormat(StrEnum):
    """The formats that are read, by the names Pillow gives them."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What a picture says of itself; the numbers are claims until a decoder has confirmed them."""

    format: ImageFormat
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """The number of pixels of one frame."""
        return self.width * self.height


def sniff(image: bytes) -> ImageFormat | None:
    """Return the format that the first bytes announce, or None."""
    if image.startswith(_PNG_START):
        return ImageFormat.PNG
    if image.startswith(_JPEG_START):
        return ImageFormat.JPEG
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return ImageFormat.WEBP
    return None


def is_heif(image: bytes) -> bool:
    """Tell whether this is the HEIC or AVIF that phones' cameras write (ISO 14496-12 `ftyp` box)."""
    return image[4:8] == b"ftyp" and image[8:12] in _HEIF_BRANDS


def read_header(image: bytes) -> ImageHeader | None:
    """Return format and size in pixels; None where the format is another or the header is broken or empty."""
    found = sniff(image)
    if found is None:
        return None
    size = {ImageFormat.PNG: _png_size, ImageFormat.JPEG: _jpeg_size, ImageFormat.WEBP: _webp_size}[found](image)
    if size is None or 0 in size:
        return None
    return ImageHeader(format=found, width=size[0], height=size[1])


def _png_size(image: bytes) -> tuple[int, int] | None:
    if len(image) < len(_PNG_START) + 8:
        return None
    return int.from_bytes(image[16:20]), int.from_bytes(image[20:24])


def _jpeg_size(image: bytes) -> tuple[int, int] | None:
    at = 2
    for _ in range(_JPEG_SEGMENTS_MAX):
        if at + 4 > len(image) or image[at] != _JPEG_MARK:
            return None
        marker = image[at + 1]
        if marker == _JPEG_MARK:
            at += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            at += 2
        elif marker in _JPEG_SCAN:
            return None
        elif marker in _JPEG_FRAMES:
            frame = image[at + 5 : at + 9]
            return (int.from_bytes(frame[2:]), int.from_bytes(frame[:2])) if len(frame) == 4 else None  # noqa: PLR2004 (two 16-bit numbers)
        else:
            at += 2 + int.from_bytes(image[at + 2 : at + 4])
    return None


def _webp_size(image: bytes) -> tuple[int, int] | None:
    chunk, body = image[12:16], image[20:30]
    if chunk == b"VP8X" and len(body) == 10:  # noqa: PLR2004 (the chunk's fixed size)
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if chunk == b"VP8L" and body[:1] == b"\x2f" and len(body) >= 5:  # noqa: PLR2004 (signature and 28 bits of size)
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) == 10:  # noqa: PLR2004 (frame tag and size)
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None
