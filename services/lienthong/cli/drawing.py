"""Screenshots of generated cards, drawn as differently as real ones come: formats, sizes, dark, turned, blurred."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Final

from lienthong.adapters.card_drawing import CodeDoesNotFitError, DrawnFormat, DrawStyle, draw_card
from lienthong.adapters.generated_presentations import card_qr
from lienthong.adapters.generator import GeneratedCard

_SUFFIX: Final = {DrawnFormat.PNG: "png", DrawnFormat.JPEG: "jpg", DrawnFormat.WEBP: "webp"}
#: The ways in which pictures are spoilt, gently enough for a reader; they take turns with the formats and the themes.
_SPOILT: Final = (
    DrawStyle(),
    DrawStyle(width=1440, height=3200),
    DrawStyle(width=828, height=1792, qr_width=0.8),
    DrawStyle(rotation=7.0),
    DrawStyle(rotation=90.0),
    DrawStyle(blur=0.8),
    DrawStyle(noise=6.0),
    DrawStyle(quality=30, qr_width=0.8),
)
_STYLES: Final = [
    replace(style, format=form, dark=dark) for style, dark, form in product(_SPOILT, (False, True), DrawnFormat)
]


def draw_into(directory: Path, generated: Iterable[GeneratedCard], advance: Callable[[int], None]) -> int:
    """Draw one picture of each card, named by its number; return how many do not fit a screen. Raises OSError."""
    left_out = 0
    for index, card in enumerate(generated):
        number = card.data["id"]
        style = replace(_STYLES[index % len(_STYLES)], seed=index, name=card.data["holder"]["name"], number=number)
        try:
            picture = draw_card(card_qr(card), style)
        except CodeDoesNotFitError:
            left_out += 1
        else:
            (directory / f"{number}.{_SUFFIX[style.format]}").write_bytes(picture)
        advance(1)
    return left_out
