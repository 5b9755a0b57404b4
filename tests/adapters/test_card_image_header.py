"""Formats and sizes are known from the first bytes, and no bytes make the reader of headers fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lienthong.adapters.card_image_header import ImageFormat, ImageHeader, is_heif, read_header, sniff
from tests.support.pictures import encoded, png

STARTS = (b"\xff\xd8\xff", b"RIFF\x00\x00\x00\x00WEBPVP8X", b"RIFF\x00\x00\x00\x00WEBPVP8 ", b"\x89PNG\r\n\x1a\n", b"")
PICTURES = [
    ("PNG", "RGB", {}),
    ("PNG", "P", {"transparency": 0}),
    ("JPEG", "RGB", {"quality": 30}),
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "CMYK", {}),
    ("JPEG", "L", {"comment": b"x" * 60_000}),
    ("WEBP", "RGB", {"quality": 50}),
    ("WEBP", "RGB", {"lossless": True}),
    ("WEBP", "RGBA", {"exif": b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00"}),
]


@pytest.mark.parametrize(("name", "mode", "options"), PICTURES)
def test_the_header_says_what_pillow_finds(name: str, mode: str, options: dict[str, object]) -> None:
    image = encoded(Image.new(mode, (321, 123)), name, **options)
    assert read_header(image) == ImageHeader(format=ImageFormat(name), width=321, height=123)


def test_a_huge_picture_is_known_by_thirty_bytes() -> None:
    found = read_header(png(12_000, 12_000)[:30])
    assert found is not None
    assert found.pixels == 144_000_000


@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=200))
def test_any_bytes_give_a_header_or_nothing(start: bytes, rest: bytes) -> None:
    found = read_header(start + rest)
    assert found is None or found.pixels > 0


def test_a_jpeg_of_endless_segments_is_given_up() -> None:
    assert read_header(b"\xff\xd8" + b"\xff\xe1\x00\x02" * 500_000) is None
    assert read_header(b"\xff\xd8" + b"\xff" * 1_000_000) is None


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_a_picture_without_pixels_has_no_header(size: tuple[int, int]) -> None:
    assert read_header(png(*size)) is None


def test_what_a_phone_camera_writes_is_told_from_other_files() -> None:
    assert is_heif(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    assert not is_heif(b"\x00\x00\x00\x18ftypmp42")
    assert sniff(b"GIF89a") is None
