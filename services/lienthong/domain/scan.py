"""A scanner's burst: find the one text in it, cut it into fields, and tell what an input method did to it."""

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from lienthong.domain.faults import Fault, FaultCode

# Two bursts of the largest QR code there is (version 40: 2,953 bytes), each byte a character, and room for padding.
TEXT_LENGTH_MAX = 8_192
_PADDING = " \t\r\n\0\u00a0\u200b\ufeff"  # what scanners and pastes put around a field; NULs may stand inside it too
_BURST = re.compile(r"[^\r\n$]+")
_TERMINATOR = "$"
# Latin letters, those of Vietnamese among them, and spaces: any name but the rare ones.
_USUAL_NAME = re.compile(r"[A-Za-zÀ-ÖØ-öø-ƺẠ-ỹ][A-Za-zÀ-ÖØ-öø-ƺẠ-ỹ ]*")
# No Western code page has these, so a name with one was not misread as one.
_BEYOND_CODE_PAGES = re.compile(r"[ĂăĐđĨĩŨũƠơƯưẠ-ỹ]")
_NAME_MARKS = frozenset(" '’‘ʼ`´.-‐–")
_NAME_CATEGORIES = frozenset({"Lu", "Ll", "Lt", "Lm", "Mn"})


class Field(NamedTuple):
    """One field without its padding, and where its first character stood in the text as presented."""

    text: str
    position: int

    @property
    def absent(self) -> bool:
        """Tell whether the field says nothing: `-` is empty, and so is nothing at all."""
        return self.text in ("", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """The fields of one QR code, where its text ended, and whether the terminator `$` of a card stood there."""

    fields: tuple[Field, ...]
    end: int
    terminated: bool
    foreign_at: int | None

    def field(self, index: int) -> Field:
        """Return a field, an absent one at the end where there are not so many."""
        return self.fields[index] if index < len(self.fields) else Field(text="", position=self.end)


def read_burst(text: str) -> Burst | Fault:
    """Find the one QR text in what came in; two different ones are a fault, the same one twice is one.

    A trigger held too long sends a code twice, with the scanner's suffix between the two or with nothing.
    """
    if len(text) > TEXT_LENGTH_MAX:
        return Fault(code=FaultCode.TOO_LONG, position=TEXT_LENGTH_MAX)
    bursts = [found for found in _BURST.finditer(text) if found[0].strip(_PADDING)]
    if not bursts:
        return Fault(code=FaultCode.EMPTY, position=None)
    first = bursts[0]
    for other in bursts[1:]:
        if other[0].strip(_PADDING) != first[0].strip(_PADDING):
            return Fault(code=FaultCode.SCANNED_TWICE, position=other.start())
    return _burst(undoubled(first[0]), first.start(), terminated=text[first.end() : first.end() + 1] == _TERMINATOR)


def undoubled(text: str) -> str:
    """Return one half of a text that is the same text twice with nothing between."""
    core = text.strip(_PADDING)
    half = len(core) // 2
    if len(core) % 2 or core[:half] != core[half:]:
        return text
    return text[: text.index(core) + half]


def foreign_index(text: str) -> int | None:
    """Return the index of the first character that no card prints in ASCII; `?` is a scanner's word for an accent."""
    if text.isascii():  # as every text is that no input method touched
        return text.index("?") if "?" in text else None
    for index, character in enumerate(text):
        if character == "?" or not (character.isascii() or character in _PADDING):
            return index
    return None


def is_plausible_name(name: str) -> bool:
    """Tell whether a text can be a person's name: Latin letters, accents, spaces, apostrophes, dots and hyphens.

    A name whose accents became `?`, or whose UTF-8 was read as a Western code page (`Nguyá»…n`), is none.
    """
    if _USUAL_NAME.fullmatch(name) and (name.isascii() or _BEYOND_CODE_PAGES.search(name)):
        return True
    if not any(character.isalpha() for character in name) or _is_misread_utf8(name):
        return False
    return all(character in _NAME_MARKS or unicodedata.category(character) in _NAME_CATEGORIES for character in name)


def _burst(text: str, start: int, *, terminated: bool) -> Burst:
    fields: list[Field] = []
    place = start
    for raw in text.split("|"):
        lead = len(raw) - len(raw.lstrip(_PADDING))
        fields.append(Field(text=raw.replace("\0", "").strip(_PADDING), position=place + lead))
        place += len(raw) + 1
    if len(fields) > 1 and not fields[-1].text and terminated:
        fields.pop()  # A card's text ends in `|$`: the last separator closes a field and opens none.
    foreign = foreign_index(text)
    return Burst(
        fields=tuple(fields),
        end=start + len(text),
        terminated=terminated,
        foreign_at=None if foreign is None else start + foreign,
    )


def _is_misread_utf8(name: str) -> bool:
    for code_page in ("latin-1", "cp1252"):
        try:
            if not name.isascii() and name.encode(code_page).decode("utf-8"):
                return True
        except UnicodeError:
            continue
    return False
