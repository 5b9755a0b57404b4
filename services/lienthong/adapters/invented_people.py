"""Invented people for test cards: drawn from digests of a seed, so that any one of them can be drawn alone."""

import hashlib
from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any, Final, TypeVar

T = TypeVar("T")

_DIGEST_BYTES: Final = 64
_LOW: Final = 1 << 64  # below this a draw would no longer be even: take the next digest


class Dice:
    """Even draws that depend on a seed and a subject alone, never on what was drawn for another subject."""

    __slots__ = ("_block", "_key", "_rest")

    def __init__(self, seed: int, subject: str) -> None:
        self._key = f"{seed}/{subject}".encode()
        self._block = 0
        self._rest = int.from_bytes(hashlib.blake2b(self._key, digest_size=_DIGEST_BYTES).digest())

    def below(self, bound: int) -> int:
        """Return a whole number from 0 to `bound` - 1."""
        if self._rest < _LOW:
            self._block += 1
            block = hashlib.blake2b(self._key, digest_size=_DIGEST_BYTES, salt=self._block.to_bytes(8))
            self._rest = int.from_bytes(block.digest())
        self._rest, drawn = divmod(self._rest, bound)
        return drawn

    def of(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.below(len(choices))]


def weighted(weights: dict[T, int]) -> tuple[T, ...]:
    """Spread weights out into a sequence to draw from."""
    return tuple(choice for choice, weight in weights.items() for _ in range(weight))


@cache
def iso_day(ordinal: int) -> str:
    """Return the day of a proleptic ordinal as `YYYY-MM-DD`."""
    return date.fromordinal(ordinal).isoformat()


_FAMILY: Final = weighted(
    {
        "Nguyễn": 38, "Trần": 11, "Lê": 9, "Phạm": 7, "Hoàng": 5, "Phan": 4, "Vũ": 4, "Đặng": 3, "Bùi": 3, "Đỗ": 2,
        "Hồ": 2, "Ngô": 2, "Dương": 2, "Lý": 2, "Huỳnh": 2, "Võ": 1, "Triệu": 1, "Điểu": 1, "Sùng": 1, "K’Mẫu": 1,
    }
)  # fmt: skip
_MIDDLE: Final = {
    "female": weighted({"Thị": 12, "Thuỳ": 2, "Thúy": 2, "Ngọc": 2, "Quỳnh": 1, "Mỹ": 1}),
    "male": weighted({"Văn": 10, "Đức": 3, "Hữu": 3, "Quốc": 2, "Xuân": 1, "Khắc": 1}),
}
# Trees, birds, weather and tools: words that hardly anybody is called, with every vowel, tone and both ways of placing
# a tone mark on oa, oe and uy.
_FIRST: Final = (
    "Ấm", "Biển", "Chớp", "Dừa", "Đước", "Ễnh", "Gạo", "Hạc", "Ỷ", "Kẽm", "Lúa", "Mẫu", "Nhãn", "Ổi", "Quế", "Rừng",
    "Sếu", "Thử", "Ước", "Vạc", "Xoè", "Xòe", "Yến", "Hoà", "Hòa", "Tuỳ", "Tùy", "Khuỷu", "Giếng", "Nghé",
)  # fmt: skip
_LAST: Final = (
    "Bưởi", "Bướm", "Cầu", "Chích", "Chuối", "Cuốc", "Diều", "Đa", "Đĩa", "Én", "Giỏ", "Gỗ", "Hũ", "Ích", "Khế",
    "Khướu", "Kỷ", "Lõi", "Lưới", "Mận", "Mõ", "Nếp", "Nón", "Ngọ", "Ốc", "Phễu", "Quạ", "Quỹ", "Rạ", "Rổ", "Sáo",
    "Sấu", "Sợi", "Thoả", "Thỏa", "Thuyền", "Trám", "Trống", "Uyển", "Vẹt", "Võng", "Vỡ", "Xẻng", "Ý",
)  # fmt: skip
_ANCHOR_YEAR: Final = 2025
_AGE_MAX: Final = 100


def holder(dice: Dice) -> dict[str, Any]:
    """Return an invented holder as messages write it: of 100 births 6 are a year, 2 a month; of 200 sexes 1 is null."""
    sex = "female" if dice.below(2) else "male"
    name = f"{dice.of(_FAMILY)} {dice.of(_MIDDLE[sex])} {given_name(dice)}"
    return {"name": name, "birth": _birth(dice), "sex": sex if dice.below(200) else None}


def given_name(dice: Dice) -> str:
    """Return an invented given name: mostly two words, of eight one is one word and one is three."""
    shape = dice.below(8)
    last = dice.of(_LAST)
    if shape == 0:
        return last
    first = dice.of(_FIRST)
    return f"{first} {dice.of(_LAST)} {last}" if shape == 1 else f"{first} {last}"


def _birth(dice: Dice) -> str:
    precision = dice.below(100)
    born = date(_ANCHOR_YEAR, 1, 1).toordinal() - dice.below(_AGE_MAX * 365)
    day = iso_day(born)
    if precision < 6:  # noqa: PLR2004 -- the shares of the docstring of `holder`
        return day[:4]
    return day[:7] if precision < 8 else day  # noqa: PLR2004 -- the shares of the docstring of `holder`
