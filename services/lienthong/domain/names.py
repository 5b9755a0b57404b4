"""Compare the names and birth dates of people as two registers write them, never by raw bytes."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from lienthong.domain.question import Identity

# Grave, acute, tilde, hook above, dot below: the five written tones. Circumflex, breve and horn make other letters.
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
# Legacy fonts left Icelandic eth and African D where Vietnamese has đ, and the three look the same on a card.
_SAME_LETTERS = str.maketrans(
    {"ð": "đ", "ɖ": "đ", "’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "‐": "-", "–": "-"}
)


class Likeness(StrEnum):
    """How a presented name stands to the recorded one; `initials_match` is the national portal's code 061."""

    MATCH = "match"
    INITIALS_MATCH = "initials_match"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityLikeness:
    """How a presented identity stands to the record; None where there was nothing to compare."""

    name: Likeness | None
    birth: Likeness | None

    @property
    def matches(self) -> bool:
        """Tell whether both name and birth date were compared and agree: then the holder may be shown."""
        return self.name is Likeness.MATCH and self.birth is Likeness.MATCH

    @property
    def contradicts(self) -> bool:
        """Tell whether anything that was compared disagrees; nothing to compare is no contradiction."""
        return any(part not in (None, Likeness.MATCH) for part in (self.name, self.birth))


def clean_name(text: str) -> str:
    """Return a name as it is stored and shown: composed, without NULs, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text.replace("\0", "")).split())


def name_key(name: str) -> tuple[str, ...]:
    """Return the words of a name in a form that is equal for equal names.

    Unicode composition, case, white space and the place of the tone mark disappear (`Hoà` = `HÒA`, `thuý` = `thúy`,
    `hoẻ` = `hỏe`): a syllable has one tone, so it is written after the letters of its word.
    """
    return tuple(_word_key(word) for word in unicodedata.normalize("NFC", name).split())


def compare_names(presented: str, recorded: str) -> Likeness:
    """Compare two names; where they differ, `initials_match` says that the initial of every word agrees.

    An initial is a Vietnamese letter without its tone, so Đ differs from D and Ơ from O, but Á does not from A.
    """
    left, right = name_key(presented), name_key(recorded)
    if left == right:
        return Likeness.MATCH
    if left and _initials(left) == _initials(right):
        return Likeness.INITIALS_MATCH
    return Likeness.MISMATCH


def compare_births(presented: str, recorded: str) -> Likeness:
    """Compare `YYYY`, `YYYY-MM` or `YYYY-MM-DD` as far as both go: a year agrees with every day in it."""
    pairs = zip(presented.split("-"), recorded.split("-"), strict=False)
    return Likeness.MATCH if all(left == right for left, right in pairs) else Likeness.MISMATCH


def compare_identities(presented: Identity | None, recorded: Identity) -> IdentityLikeness:
    """Compare what was presented with what is on record; a part that either side lacks is not compared."""
    if presented is None:
        return IdentityLikeness(name=None, birth=None)
    name = birth = None
    if presented.name is not None and recorded.name is not None:
        name = compare_names(presented.name, recorded.name)
    if presented.birth is not None and recorded.birth is not None:
        birth = compare_births(presented.birth, recorded.birth)
    return IdentityLikeness(name=name, birth=birth)


def _word_key(word: str) -> str:
    letters: list[str] = []
    tones: list[str] = []
    # Case folding may decompose, so it comes before the marks are taken apart; format characters print nothing.
    for character in unicodedata.normalize("NFD", word.casefold().translate(_SAME_LETTERS)):
        if unicodedata.category(character) == "Cf":
            continue
        (tones if character in _TONES else letters).append(character)
    return unicodedata.normalize("NFC", "".join(letters)) + "".join(tones)


def _initials(key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word[:1] for word in key)
