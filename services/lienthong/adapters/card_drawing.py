"""Draws test screenshots of the card view of a phone: our own drawing, invented people, marked as worth nothing."""

import io
import random
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

import segno
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WATERMARK: Final = "MẪU – KHÔNG CÓ GIÁ TRỊ"

_QR_MODULE_MIN: Final = 2  # Pixels: below this a JPEG of quality 30 leaves nothing to read.
_LINE_HEIGHT: Final = 1.45
_UNIFORM_SPREAD: Final = 74  # The standard deviation of evenly distributed bytes, in grey levels.


class DrawnFormat(StrEnum):
    """The file formats that phones' screenshots come in."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawStyle:
    """How to spoil the picture; the same text and style give the same bytes on one version of Pillow.

    `width` and `height` are the screen's pixels, `qr_width` the code's share of the width. `rotation` is in degrees,
    `blur` a Gaussian radius in pixels, `noise` the standard deviation of grey levels. `second` is the text of a second
    code under the first. `name` and `number` are drawn as text; give generated people only.
    """

    seed: int = 0
    width: int = 1080
    height: int = 2400
    qr_width: float = 0.6
    format: DrawnFormat = DrawnFormat.PNG
    quality: int = 80
    dark: bool = False
    rotation: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    second: str | None = None
    name: str = "NGUYỄN THỊ MẪU"
    number: str = "0000012345"
    error_correction: Literal["L", "M", "Q", "H"] = "M"


class CodeDoesNotFitError(ValueError):
    """The screen of a style is too small for the code: its width in modules, and the pixels there are for it."""

    def __init__(self, modules: int, pixels: int) -> None:
        super().__init__(f"a code of {modules} modules does not fit {pixels} pixels")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Palette:
    paper: tuple[int, int, int]
    ink: tuple[int, int, int]
    bar: tuple[int, int, int]
    mark: tuple[int, int, int]


_LIGHT: Final = _Palette(paper=(255, 255, 255), ink=(20, 20, 24), bar=(14, 92, 168), mark=(206, 40, 40))
_DARK: Final = _Palette(paper=(18, 18, 20), ink=(236, 236, 240), bar=(28, 46, 66), mark=(255, 110, 110))


def draw_card(text: str, style: DrawStyle) -> bytes:
    """Return an encoded screenshot whose QR holds `text` (a card's or a citizen ID's QR text).

    In dark mode the code itself is light on dark, which is the harder case. Raises CodeDoesNotFitError where the
    code does not fit the screen at two pixels a module.
    """
    palette = _DARK if style.dark else _LIGHT
    screen = Image.new("RGB", (style.width, style.height), palette.paper)
    _draw_labels(screen, style, palette)
    texts = [text] if style.second is None else [text, style.second]
    _place_codes(screen, texts, style, palette)
    _draw_watermark(screen, palette)
    return _encode(_spoil(screen, style, palette), style)


def _place_codes(screen: Image.Image, texts: Iterable[str], style: DrawStyle, palette: _Palette) -> None:
    top = int(style.height * 0.24)
    for text in texts:
        code = _code(text, style, palette, style.height - top)
        screen.paste(code, ((style.width - code.width) // 2, top))
        top += code.height + int(style.width * 0.05)


def _code(text: str, style: DrawStyle, palette: _Palette, room: int) -> Image.Image:
    symbol = segno.make_qr(text, error=style.error_correction, mode="byte", encoding="utf-8", boost_error=False)
    rows = [bytes(255 * (1 - module) for module in row) for row in symbol.matrix_iter(border=4)]
    modules, wanted = len(rows), int(style.width * style.qr_width)
    if not modules * _QR_MODULE_MIN <= wanted <= min(room, style.width):
        raise CodeDoesNotFitError(modules, min(room, wanted))
    grid = Image.frombytes("L", (modules, modules), b"".join(rows))
    code = Image.new("RGB", (wanted, wanted), palette.ink)
    code.paste(palette.paper, mask=grid.resize((wanted, wanted), Image.Resampling.NEAREST))
    return code


def _draw_labels(screen: Image.Image, style: DrawStyle, palette: _Palette) -> None:
    pen = ImageDraw.Draw(screen)
    size = max(10, style.width // 26)
    font = ImageFont.load_default(size)
    pen.rectangle((0, 0, style.width, int(style.height * 0.07)), fill=palette.bar)
    lines = ("THẺ BẢO HIỂM Y TẾ", style.name, f"Mã số: {style.number}")
    for index, line in enumerate(lines):
        top = int(style.height * 0.085) + int(index * size * _LINE_HEIGHT)
        pen.text((style.width // 12, top), plain(line), fill=palette.ink, font=font)


def _draw_watermark(screen: Image.Image, palette: _Palette) -> None:
    """Write the mark above and below the codes, never across them."""
    pen = ImageDraw.Draw(screen)
    words = plain(WATERMARK)
    size = max(10, screen.width // 18)
    font = ImageFont.load_default(size)
    for share, ink in ((0.02, (255, 255, 255)), (0.93, palette.mark)):
        pen.text((screen.width // 2, int(screen.height * share)), words, fill=ink, font=font, anchor="ma")


def plain(text: str) -> str:
    """Return the text without accents: the font that Pillow brings has no Vietnamese letters."""
    flat = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D").replace("–", "-"))
    return "".join(letter for letter in flat if not unicodedata.combining(letter))


def _spoil(screen: Image.Image, style: DrawStyle, palette: _Palette) -> Image.Image:
    if style.rotation:
        screen = screen.rotate(style.rotation, Image.Resampling.BICUBIC, expand=True, fillcolor=palette.paper)
    if style.blur:
        screen = screen.filter(ImageFilter.GaussianBlur(style.blur))
    if style.noise:
        chance = random.Random(style.seed)  # noqa: S311 (a seeded picture, no secret)
        grain = Image.frombytes("L", screen.size, chance.randbytes(screen.width * screen.height))
        share = min(0.6, style.noise / _UNIFORM_SPREAD)
        screen = Image.blend(screen, Image.merge("RGB", [grain] * 3), share)
    return screen


def _encode(screen: Image.Image, style: DrawStyle) -> bytes:
    sink = io.BytesIO()
    match style.format:
        case DrawnFormat.PNG:
            screen.save(sink, "PNG", compress_level=1)
        case DrawnFormat.JPEG:
            screen.save(sink, "JPEG", quality=style.quality)
        case DrawnFormat.WEBP:
            screen.save(sink, "WEBP", quality=style.quality, method=0)
    return sink.getvalue()
