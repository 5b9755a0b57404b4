"""Pictures and QR texts for tests: invented people with the reserved prefix, and files that no decoder should trust."""

import io
import struct
import zlib

from PIL import Image

PNG_START = b"\x89PNG\r\n\x1a\n"


def card_text(number: str = "0000012345", name: str = "Nguyễn Thị Mẫu") -> str:
    """Return the text of a card's QR with fourteen fields."""
    address = "Ngõ 12, Phường Trúc Bạch"
    return (
        f"{number}|{name.encode().hex()}|17/05/1962|2|{address.encode().hex()}|01 - C51|01/03/2023|-|01/03/2023"
        "|01000000|-|4| 01/01/2026|0-0|$"
    )


def citizen_text(number: str = "000162012345") -> str:
    """Return the text of a citizen ID's QR with seven fields."""
    return f"{number}||Nguyễn Thị Mẫu|17051962|Nữ|Ngõ 12, Phường Trúc Bạch|01032021"


def encoded(picture: Image.Image, name: str, **options: object) -> bytes:
    """Return the picture as a file of the named format."""
    sink = io.BytesIO()
    picture.save(sink, name, **options)
    return sink.getvalue()


def opened(image: bytes) -> Image.Image:
    """Return the decoded picture, the first frame where there are more."""
    with Image.open(io.BytesIO(image)) as picture:
        picture.load()
        return picture.copy()


def png(width: int, height: int, *extra: bytes) -> bytes:
    """Return a black PNG of one bit a pixel, written row by row so that a huge one costs nothing to make."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return PNG_START + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def chunk(name: bytes, body: bytes) -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
