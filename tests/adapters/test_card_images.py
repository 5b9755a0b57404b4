"""A picture of a card is read right or asked for again: never a wrong number, whatever file comes."""

import asyncio
import random
import zlib
from collections import Counter
from dataclasses import replace
from typing import Literal

import pytest
from PIL import Image, ImageDraw

from lienthong.adapters.card_drawing import DrawnFormat, DrawStyle, draw_card
from lienthong.adapters.card_image_header import PIXELS_MAX
from lienthong.adapters.card_images import (
    ASK_AGAIN,
    IMAGE_MAX_BYTES,
    REFUSALS,
    AskAgain,
    CardImageReader,
    ImageReading,
    ReaderLimits,
    ReadPayload,
    RefusalKind,
    RefusedImage,
)
from lienthong.domain.question import CitizenPresented, NumberPresented
from tests.support.pictures import card_text, chunk, citizen_text, encoded, opened, png

PATIENT = ReaderLimits(
    workers=2, waiting_max=200, deadline_s=60, waiting_s=60
)  # A test machine may be slower than any desk's.
CARD, OTHER = card_text(), card_text("0000067890", "Trần Văn Thử")
SCREEN = DrawStyle(width=540, height=1100)
POOR = DrawStyle(width=400, height=800, quality=30)
CORRECTIONS: tuple[Literal["L", "M", "H"], ...] = ("L", "M", "H")
ADVERTISEMENT = "https://example.com/vssid"


async def read(*images: bytes) -> list[ImageReading]:
    """Read pictures in two processes; the readings come in the order of the pictures."""
    async with CardImageReader(PATIENT) as reader:
        return await asyncio.gather(*map(reader.read, images))


def number_of(reading: ImageReading) -> str | None:
    """Return the number that was read, None where the picture is asked for again or refused."""
    match reading:
        case ReadPayload(presentation=NumberPresented(number=number)):
            return number
        case ReadPayload(presentation=CitizenPresented(citizen_id=citizen_id)):
            return citizen_id
        case _:
            return None


def screens() -> list[DrawStyle]:
    """Return 102 styles: every size, rotation, format and mode with every quality, and spoilt ones."""
    plain = [
        DrawStyle(width=width, height=height, qr_width=share, format=format_, quality=quality, dark=dark)
        for width, height, share in ((360, 720, 0.6), (540, 1100, 0.5), (720, 1440, 0.7), (1080, 1920, 0.3))
        for format_, quality in ((DrawnFormat.PNG, 0), (DrawnFormat.JPEG, 30), (DrawnFormat.WEBP, 50))
        for dark in (False, True)
    ]
    turned = [
        replace(SCREEN, rotation=rotation, dark=dark, format=DrawnFormat.JPEG, quality=30)
        for rotation in (3, 17, 45, 90, 111, 180, 200, 270, 301, 349)
        for dark in (False, True)
    ]
    spoilt = [
        replace(POOR, blur=blur, noise=noise, seed=seed, format=format_, error_correction=correction)
        for seed, correction in enumerate(CORRECTIONS)
        for blur in (0.0, 0.8, 1.6)
        for noise in (0.0, 12.0, 36.0)
        for format_ in (DrawnFormat.PNG, DrawnFormat.JPEG)
    ]
    large = [DrawStyle(), DrawStyle(dark=True, noise=20), DrawStyle(width=1440, height=3120), SCREEN]
    return [*plain, *turned, *spoilt, *large]


async def test_a_hundred_screenshots_are_read_right_or_asked_for_again() -> None:
    styles = screens()
    assert len(styles) == 102
    texts = [card_text(f"00000{number:05}", f"Người Mẫu {number}") for number in range(len(styles))]
    readings = await read(*(draw_card(text, style) for text, style in zip(texts, styles, strict=True)))
    seen = Counter(type(reading).__name__ for reading in readings)
    for text, style, reading in zip(texts, styles, readings, strict=True):
        read_right = isinstance(reading, ReadPayload) and reading.text == text
        spoilt = style.blur or style.noise
        assert read_right or (spoilt and isinstance(reading, AskAgain)), style
    assert seen["ReadPayload"] >= 90, seen


async def test_a_citizen_id_in_the_app_is_read_with_its_accents() -> None:
    [reading] = await read(draw_card(citizen_text(), SCREEN))
    assert isinstance(reading, ReadPayload)
    assert reading.text == citizen_text()
    assert number_of(reading) == "000162012345"


@pytest.mark.parametrize("second", [OTHER, citizen_text()])
async def test_two_cards_in_one_picture_are_asked_for_again(second: str) -> None:
    styles = [replace(SCREEN, second=second, dark=dark, rotation=turn) for dark in (False, True) for turn in (0, 30)]
    assert await read(*(draw_card(CARD, style) for style in styles)) == [ASK_AGAIN["several_cards"]] * 4


async def test_two_spoilt_cards_never_give_either_number() -> None:
    styles = [
        replace(SCREEN, second=OTHER, blur=blur, noise=noise, format=DrawnFormat.JPEG, quality=30)
        for blur in (0.0, 0.8, 1.6)
        for noise in (0.0, 20.0, 40.0)
    ]
    readings = await read(*(draw_card(CARD, style) for style in styles))
    assert all(isinstance(reading, AskAgain) for reading in readings), readings


async def test_the_same_card_twice_and_a_card_beside_an_advertisement_are_read() -> None:
    twice = draw_card(CARD, replace(SCREEN, second=CARD))
    beside = draw_card(CARD, replace(SCREEN, second=ADVERTISEMENT))
    assert [number_of(reading) for reading in await read(twice, beside)] == ["0000012345"] * 2


async def test_a_second_card_that_cannot_be_read_is_asked_for_again() -> None:
    picture = opened(draw_card(CARD, replace(SCREEN, second=OTHER)))
    ImageDraw.Draw(picture).rectangle((200, 680, 340, 760), fill=(90, 90, 90))
    assert await read(encoded(picture, "PNG")) == [ASK_AGAIN["code_unclear"]]


async def test_a_picture_without_a_card_says_what_it_lacks() -> None:
    nothing = encoded(Image.new("RGB", (300, 300), "white"), "PNG")
    foreign = [draw_card(text, SCREEN) for text in (ADVERTISEMENT, "0000012345", "0000012345|4d|$", "Mẫu" * 60)]
    assert await read(nothing, *foreign) == [ASK_AGAIN["no_code"], *[ASK_AGAIN["not_a_card"]] * 4]


async def test_each_of_the_eight_orientations_of_a_camera_is_read() -> None:
    upright = opened(draw_card(CARD, SCREEN))
    exif = Image.Exif()
    images = []
    for orientation, turn in enumerate((None, *Image.Transpose), start=1):
        exif[0x0112] = orientation
        images.append(encoded(upright if turn is None else upright.transpose(turn), "JPEG", exif=exif))
    assert [number_of(reading) for reading in await read(*images)] == ["0000012345"] * 8


async def test_every_kind_of_pixel_is_read() -> None:
    screen = opened(draw_card(CARD, SCREEN))
    ink = screen.convert("L").point(lambda level: 255 - level)
    clear = Image.merge("LA", (Image.new("L", screen.size, 0), ink))
    images = [
        encoded(screen.convert("P"), "PNG"),
        encoded(screen.convert("1"), "PNG"),
        encoded(screen.convert("I;16"), "PNG"),
        encoded(screen.convert("CMYK"), "JPEG"),
        encoded(screen.convert("RGBA"), "WEBP", lossless=True),
        encoded(clear, "PNG"),
        encoded(clear.convert("RGBA"), "WEBP", lossless=True),
    ]
    assert [number_of(reading) for reading in await read(*images)] == ["0000012345"] * len(images)


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
async def test_only_the_first_frame_of_an_animation_counts(name: str) -> None:
    first, second = (opened(draw_card(text, SCREEN)) for text in (CARD, OTHER))
    [reading] = await read(encoded(first, name, save_all=True, append_images=[second], duration=100))
    assert number_of(reading) == "0000012345"


async def test_what_is_no_picture_is_refused_with_a_sentence() -> None:
    heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(500)
    foreign = [b"", b"%PDF-1.7", b"<svg/>", b"PK\x03\x04", b"\x7fELF", encoded(Image.new("RGB", (9, 9)), "GIF")]
    readings = await read(heic, *foreign, b"\x89PNG" + bytes(IMAGE_MAX_BYTES))
    codes = ["image_heic", *["image_unsupported"] * len(foreign), "image_too_many_bytes"]
    assert readings == [REFUSALS[code] for code in codes]


async def test_a_picture_of_144_million_pixels_is_refused_by_its_header() -> None:
    bomb = png(12_000, 12_000)
    assert len(bomb) < 30_000
    wide = png(PIXELS_MAX + 1, 1)
    assert await read(bomb, wide) == [REFUSALS["image_too_many_pixels"]] * 2


async def test_a_truncated_picture_is_refused_wherever_it_was_cut() -> None:
    images = [draw_card(CARD, replace(SCREEN, format=format_)) for format_ in DrawnFormat]
    cuts = [image[: int(len(image) * share)] for image in images for share in (0.01, 0.2, 0.5, 0.9)]
    readings = await read(*cuts)
    assert {reading.kind for reading in readings if isinstance(reading, RefusedImage)} == {RefusalKind.UNREADABLE}
    assert all(isinstance(reading, RefusedImage) for reading in readings), readings


async def test_flipped_bits_never_give_a_wrong_number() -> None:
    chance = random.Random(7)  # noqa: S311 (repeatable damage, no secret)
    images = []
    for format_ in DrawnFormat:
        whole = draw_card(CARD, replace(SCREEN, format=format_, width=360, height=720))
        for _ in range(20):
            spoilt = bytearray(whole)
            for _ in range(chance.choice((1, 4, 40))):
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
            images.append(bytes(spoilt))
    readings = await read(*images, draw_card(CARD, SCREEN))
    assert {number_of(reading) for reading in readings} <= {"0000012345", None}
    assert number_of(readings[-1]) == "0000012345"


async def test_a_text_that_unpacks_to_a_gigabyte_is_refused() -> None:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    bomb = png(100, 100, chunk(b"zTXt", b"Comment\x00\x00" + packed), chunk(b"iCCP", b"icc\x00\x00" + packed))
    [reading] = await read(bomb)
    assert reading in (REFUSALS["image_unreadable"], ASK_AGAIN["no_code"])


def test_every_sentence_ends_and_says_what_to_do_in_both_languages() -> None:
    outcomes: list[AskAgain | RefusedImage] = [*ASK_AGAIN.values(), *REFUSALS.values()]
    for outcome in outcomes:
        assert outcome.vi.endswith(".")
        assert outcome.en.endswith(".")
        assert "ừ chối" not in outcome.vi


async def test_the_limits_of_an_image_can_be_set() -> None:
    limits = ReaderLimits(workers=1, deadline_s=60, bytes_max=20_000, pixels_max=100_000)
    async with CardImageReader(limits) as reader:
        assert await reader.read(draw_card(CARD, SCREEN)) == REFUSALS["image_too_many_bytes"]
        assert await reader.read(png(500, 500)) == REFUSALS["image_too_many_pixels"]
        assert await reader.read(png(300, 300)) == ASK_AGAIN["no_code"]
