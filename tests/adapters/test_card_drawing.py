"""Drawn screenshots: repeatable, marked, and refused where no reader could read them."""

from dataclasses import replace

import pytest

from lienthong.adapters.card_drawing import WATERMARK, DrawnFormat, DrawStyle, draw_card, plain
from tests.support.pictures import card_text, opened

SMALL = DrawStyle(width=360, height=720)


@pytest.mark.parametrize("format_", list(DrawnFormat))
def test_the_same_text_and_style_give_the_same_bytes(format_: DrawnFormat) -> None:
    style = replace(SMALL, format=format_, noise=12, blur=0.6, rotation=8)
    assert draw_card(card_text(), style) == draw_card(card_text(), style)
    assert draw_card(card_text(), style) != draw_card(card_text(), replace(style, seed=1))


def test_the_screen_has_the_size_that_was_asked_for() -> None:
    assert opened(draw_card(card_text(), SMALL)).size == (360, 720)


def test_every_picture_is_marked_above_and_below_its_code() -> None:
    picture = opened(draw_card(card_text(), SMALL))
    for top, bottom in ((0, 50), (660, 720)):
        colours = picture.crop((0, top, 360, bottom)).getcolors(100_000)
        assert colours is not None
        assert len(colours) > 2


def test_the_mark_is_written_without_accents() -> None:
    assert plain(WATERMARK) == "MAU - KHONG CO GIA TRI"
    assert plain("Đỗ Thị Ước") == "Do Thi Uoc"


@pytest.mark.parametrize(
    "style", [replace(SMALL, qr_width=0.2), replace(SMALL, height=250), replace(SMALL, qr_width=2)]
)
def test_a_code_that_does_not_fit_is_refused(style: DrawStyle) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        draw_card(card_text(), style)
