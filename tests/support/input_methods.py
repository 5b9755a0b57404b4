"""Models of the Vietnamese input methods Telex and VNI, as they change what a scanner types into a box."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

_CIRCUMFLEX, _BREVE, _HORN = "\u0302", "\u0306", "\u031b"
_VOWELS = frozenset("aeiouy")
_TELEX_TONES = {"f": "\u0300", "s": "\u0301", "x": "\u0303", "r": "\u0309", "j": "\u0323", "z": ""}
_VNI_TONES = {"2": "\u0300", "1": "\u0301", "4": "\u0303", "3": "\u0309", "5": "\u0323", "0": ""}
_TELEX_MARKS = {
    "a": {"a": _CIRCUMFLEX},
    "e": {"e": _CIRCUMFLEX},
    "o": {"o": _CIRCUMFLEX},
    "w": {"a": _BREVE, "o": _HORN, "u": _HORN},
}
_VNI_MARKS = {
    "6": {"a": _CIRCUMFLEX, "e": _CIRCUMFLEX, "o": _CIRCUMFLEX},
    "7": {"o": _HORN, "u": _HORN},
    "8": {"a": _BREVE},
}
_TONES = frozenset(_TELEX_TONES.values()) - {""}
_MARKS = frozenset({_CIRCUMFLEX, _BREVE, _HORN})


class Method(StrEnum):
    TELEX = "telex"
    VNI = "vni"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputMethod:
    """One configuration: `reach` is how many letters back a key looks for its vowel, `digits_end_words` is a habit."""

    method: Method
    reach: int
    digits_end_words: bool

    def type(self, keys: str) -> str:
        """Type the keys one by one and return what stands in the box; a key typed twice undoes itself."""
        word: list[str] = []
        box: list[str] = []
        for key in keys:
            if not key.isalnum() or not key.isascii() or (self.digits_end_words and self._plain_digit(key)):
                box += [*word, key]
                word = []
            elif not self._transforms(word, key):
                word.append(key)
        return unicodedata.normalize("NFC", "".join(box + word))

    def _plain_digit(self, key: str) -> bool:
        return key.isdigit() and self.method is Method.TELEX

    def _transforms(self, word: list[str], key: str) -> bool:
        telex = self.method is Method.TELEX
        lower = key.lower()
        if lower == ("d" if telex else "9") and self._strokes(word, key):
            return True
        marks = (_TELEX_MARKS if telex else _VNI_MARKS).get(lower)
        if marks is not None and self._marks(word, key, marks):
            return True
        tone = (_TELEX_TONES if telex else _VNI_TONES).get(lower)
        return tone is not None and self._tones(word, key, tone)

    def _recent(self, word: list[str]) -> list[int]:
        return [index for index in range(len(word) - 1, -1, -1) if len(word) - index <= self.reach]

    def _strokes(self, word: list[str], key: str) -> bool:
        for index in self._recent(word):
            if word[index] in "dD":
                word[index] = "đ" if word[index] == "d" else "Đ"
                return True
            if word[index] in "đĐ":
                word[index] = "d" if word[index] == "đ" else "D"
                word.append(key)
                return True
        return False

    def _marks(self, word: list[str], key: str, marks: dict[str, str]) -> bool:
        for index in self._recent(word):
            base, *accents = list(unicodedata.normalize("NFD", word[index]))
            mark = marks.get(base.lower())
            if mark is None:
                continue
            kept = [accent for accent in accents if accent not in _MARKS]
            if mark in accents:
                word[index] = unicodedata.normalize("NFC", "".join([base, *kept]))
                word.append(key)
                return True
            word[index] = unicodedata.normalize("NFC", "".join([base, mark, *kept]))
            return True
        return False

    def _tones(self, word: list[str], key: str, tone: str) -> bool:
        for index in self._recent(word):
            base, *accents = list(unicodedata.normalize("NFD", word[index]))
            if base.lower() not in _VOWELS:
                continue
            kept = [accent for accent in accents if accent not in _TONES]
            if not tone and kept == accents:
                return False
            undone = bool(tone) and tone in accents
            word[index] = unicodedata.normalize("NFC", "".join([base, *kept, "" if undone else tone]))
            if undone:
                word.append(key)
            return True
        return False
