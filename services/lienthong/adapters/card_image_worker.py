"""The process that decodes pictures: it may only read its input and write its answer, and dies of anything it abuses.

Run as `python -m lienthong.adapters.card_image_worker PIXELS_MAX`. Frames on standard input and output are a length of
four bytes, big-endian, and that many bytes: an image in, one JSON object (`Sight`) out; the first frame out says that
it is ready.
"""

import io
import resource
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

# Pillow imports a format's module on first use; after `confine` nothing more can be opened, so all come now.
from PIL import Image, ImageFilter, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from zxingcpp import Barcode, BarcodeFormat, BarcodeFormats, Binarizer, ErrorType, read_barcodes

from lienthong.adapters.card_image_header import PIXELS_MAX, ImageFormat
from lienthong.adapters.card_image_sight import Sight

LOOKING_S: Final = 1.0
"""No further look at a picture begins after this many seconds; a single one takes 5 ms to 0.6 s."""

_CPU_PER_IMAGE_S: Final = 10  # A backstop: the deadline of the parent comes first, unless the parent has died.
_FRAME_MAX_BYTES: Final = 64 * 1024 * 1024
_REDUCED_FROM_PIXELS: Final = 1_000_000  # Below this half the size leaves too few pixels a module.
_DOUBLED_UP_TO_PIXELS: Final = 4_000_000  # Above this twice the size costs more time than it finds codes.
_FORMATS: Final = BarcodeFormats(
    BarcodeFormat.QRCodeModel2
)  # QRCode alone takes noise for the micro codes that no card bears.
# Measured: 50 MB before the first image, and up to 16 bytes a pixel while an animated WebP is decoded.
_MEMORY_BYTES: Final = 112 * 1024 * 1024
_MEMORY_BYTES_PER_PIXEL: Final = 20
_PLUGINS: Final = (JpegImagePlugin, PngImagePlugin, WebPImagePlugin)

View = tuple[Image.Image, Binarizer]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    """Where a code was seen, upright and in shares of the picture, so that looks at other sizes agree."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "_Box") -> bool:
        """Tell whether two sights may be of one code: the middle of one lies in the other; codes never overlap."""
        return self.holds_middle_of(other) or other.holds_middle_of(self)

    def holds_middle_of(self, other: "_Box") -> bool:
        """Tell whether the middle of another box lies in this one."""
        across, down = (other.left + other.right) / 2, (other.top + other.bottom) / 2
        return self.left <= across <= self.right and self.top <= down <= self.bottom


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What the looks so far have found, each with its place."""

    read: dict[str, _Box] = field(default_factory=dict)
    foreign: list[_Box] = field(default_factory=list)
    doubtful: list[_Box] = field(default_factory=list)

    def add(self, code: Barcode, box: _Box) -> str | None:
        """Keep a code and return its text, None where it has none that a card could have."""
        if not code.valid:
            if code.error is not None and code.error.type == ErrorType.Checksum:
                self.doubtful.append(box)
            return None
        try:
            text = code.bytes.decode("utf-8")
        except UnicodeDecodeError:
            self.foreign.append(box)
            return None
        self.read[text] = box
        return text

    def sight(self) -> Sight:
        """Sum up; a doubtful sight at the place of a code that was read was that code."""
        known = (*self.read.values(), *self.foreign)
        unread = sum(not any(box.meets(other) for other in known) for box in self.doubtful)
        return Sight(texts=tuple(self.read), unread=unread, foreign=len(self.foreign))


def see(image: bytes, pixels_max: int = PIXELS_MAX) -> Sight:
    """Return what the picture shows; anything that a hostile file provokes is the fault `unreadable`."""
    try:
        grey = _open_grey(image, pixels_max)
        return Sight(fault="pixels") if grey is None else _look(grey)
    except Image.DecompressionBombError:
        return Sight(fault="pixels")
    except Exception:  # noqa: BLE001 (decoders raise a dozen types on hostile input, and each of them means the same)
        return Sight(fault="unreadable")


def _open_grey(image: bytes, pixels_max: int) -> Image.Image | None:
    """Decode the first frame to grey; None where it has too many pixels.

    EXIF is never looked at: a QR is the same code in each of the eight orientations that it can name.
    """
    with Image.open(io.BytesIO(image), formats=[known.value for known in ImageFormat]) as opened:
        if opened.width * opened.height > pixels_max:
            return None
        opened.draft("L", None)
        grey = opened.convert("L")
        if not opened.has_transparency_data:
            return grey
        alpha = (opened if "A" in opened.getbands() else opened.convert("RGBA")).getchannel("A")
    paper = Image.new("L", grey.size, 255)
    paper.paste(grey, mask=alpha)
    return paper


def _look(grey: Image.Image) -> Sight:
    """Look until one look agrees with the first on what is there, else in every way there is time for.

    A second card that one look missed must not be overlooked: where two looks differ the picture is a poor one.
    """
    ends_at = time.monotonic() + LOOKING_S
    seen = _Seen()
    first: set[str] | None = None
    for view, binarizer in _views(grey):
        codes = read_barcodes(view, formats=_FORMATS, binarizer=binarizer, return_errors=True)
        texts = {text for code in codes if (text := seen.add(code, _box(code, view))) is not None}
        sight = seen.sight()
        # Both payloads that a desk knows are fields between bars; any other text may be an advertisement's.
        agreed = texts == first and any("|" in text for text in texts) and not sight.unread
        if agreed or (first is not None and time.monotonic() > ends_at):
            break
        first = texts if first is None else first
    return sight


def _views(grey: Image.Image) -> Iterator[View]:
    """Yield the picture and its variants, the most telling and cheapest first; each is made only when asked for."""
    yield grey, Binarizer.LocalAverage
    pixels = grey.width * grey.height
    if pixels > _REDUCED_FROM_PIXELS:
        yield grey.reduce(2), Binarizer.LocalAverage
    if pixels <= _DOUBLED_UP_TO_PIXELS:
        doubled = grey.resize((grey.width * 2, grey.height * 2), Image.Resampling.BICUBIC)
        yield doubled.filter(ImageFilter.UnsharpMask(6, 400, 0)), Binarizer.LocalAverage
        yield doubled.filter(ImageFilter.GaussianBlur(2)), Binarizer.LocalAverage
    yield grey.filter(ImageFilter.BoxBlur(1)), Binarizer.GlobalHistogram
    yield grey.filter(ImageFilter.UnsharpMask(4, 300, 0)), Binarizer.LocalAverage
    yield grey.filter(ImageFilter.MedianFilter(3)), Binarizer.LocalAverage


def _box(code: Barcode, view: Image.Image) -> _Box:
    place = code.position
    corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
    across, down = [corner.x / view.width for corner in corners], [corner.y / view.height for corner in corners]
    return _Box(left=min(across), top=min(down), right=max(across), bottom=max(down))


def memory_max_bytes(pixels_max: int) -> int:
    """Return the address space that a worker needs for pictures of so many pixels."""
    return _MEMORY_BYTES + _MEMORY_BYTES_PER_PIXEL * pixels_max


def confine(pixels_max: int) -> None:
    """Take from this process what it could do harm with: memory, files (no write, no core), and time past its images.

    A limit of zero bytes a file is how "never written anywhere" is kept even by a decoder that was taken over.
    """
    memory = memory_max_bytes(pixels_max)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Image.preinit()
    warnings.simplefilter("ignore")


def _allow_time() -> None:
    """Move the limit of processor time on by one image, so that a loop ends even after the parent was killed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + _CPU_PER_IMAGE_S
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _read_frame(source: BinaryIO) -> bytes | None:
    """Return the next frame; None at the end of input and where the length is absurd."""
    head = source.read(4)
    size = int.from_bytes(head)
    if len(head) < 4 or size > _FRAME_MAX_BYTES:  # noqa: PLR2004 (the length of a length)
        return None
    body = source.read(size)
    return body if len(body) == size else None


def _write_frame(sink: BinaryIO, body: bytes) -> None:
    sink.write(len(body).to_bytes(4) + body)
    sink.flush()


def main() -> None:
    """Answer images until standard input ends, which is also what happens when the parent dies."""
    pixels_max = int(sys.argv[1])
    confine(pixels_max)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    _write_frame(sink, Sight().to_bytes())
    while (image := _read_frame(source)) is not None:
        _allow_time()
        _write_frame(sink, see(image, pixels_max).to_bytes())


if __name__ == "__main__":
    main()
