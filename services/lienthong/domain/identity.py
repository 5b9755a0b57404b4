"""Card numbers, citizen IDs, facility and unit codes: parse, print, mask, and what their structure lets one suspect."""

import re
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lienthong.domain.card import Sex
from lienthong.domain.faults import Fault, FaultCode, WarningCode

INSURANCE_NUMBER_LENGTH = 10  # characters; QĐ 1666/QĐ-BHXH, in force from 1 April 2021
PRINTED_NUMBER_LENGTH = 15  # characters; QĐ 1351/QĐ-BHXH: group 2, level 1, province 2, insurance number 10
CITIZEN_ID_LENGTH = 12  # digits; the only property that the law guarantees since 1 July 2024
CODE_LENGTH_MAX = 16  # characters of a unit or facility code, in any country

_NUMBER_LENGTHS = (INSURANCE_NUMBER_LENGTH, CITIZEN_ID_LENGTH, PRINTED_NUMBER_LENGTH)
_GROUP_LENGTH = 2  # letters before the first digit of a 15-character number
_MASK = "*" * 7  # always as many, so that a mask does not tell how many characters it hides
_MASK_TAIL_LENGTH = 4  # characters left readable, enough to find the card in one's hand again
_DIGITS = frozenset(string.digits)
_LETTERS = frozenset(string.ascii_uppercase)
_SEPARATORS = frozenset(" \t\r\n\0\u00a0\u200b\u200c\u200d\ufeff.-")
# What needs no look at each character: no separators, no small letters; two letters at most, then digits alone.
_PLAIN = re.compile(r"[0-9A-Z]+")
_FAULTLESS = re.compile(r"(?:[A-Z]{2})?[0-9]+")
_CODE = re.compile(rf"[A-Za-z0-9._-]{{1,{CODE_LENGTH_MAX}}}")
_CARD_FACE_FACILITY = re.compile(r"([0-9]{2})\s*-?\s*([0-9A-Za-z]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardNumber:
    """A card number as printed; `number` is its 10-digit insurance number.

    A 10-digit number carries neither group nor level nor province: they are None, never derived.
    """

    number: str
    printed: str
    group: str | None = None
    benefit_level: int | None = None
    province_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberTables:
    """What printed characters have ever stood for; data with sources, passed in, since laws and provinces move.

    `levels` gives each group every benefit level that it has had; `provinces` are all social-insurance province codes
    that were ever printed. An empty table is one that is not known, and warns of nothing.
    """

    levels: Mapping[str, Collection[int]]
    provinces: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """A text without separators, and where each of its characters stood in the text as presented."""

    text: str
    positions: tuple[int, ...]

    @property
    def is_citizen_id(self) -> bool:
        """Tell whether it has as many digits as a citizen ID."""
        return len(self.text) == CITIZEN_ID_LENGTH and _DIGITS.issuperset(self.text)

    def position(self, index: int) -> int:
        """Return where the character at `index` stood; past the end, where the next one would have been typed."""
        if index < len(self.positions):
            return self.positions[index]
        return self.positions[-1] + 1

    def undoubled(self) -> "Compact":
        """Return the first half of a number that was scanned twice into one box, any other as it is."""
        half = len(self.text) // 2
        if half not in _NUMBER_LENGTHS or self.text != 2 * self.text[:half]:
            return self
        return Compact(text=self.text[:half], positions=self.positions[:half])


def compact(text: str) -> Compact:
    """Drop the separators that people type and scanners add, and raise ASCII letters to upper case."""
    if _PLAIN.fullmatch(text):
        return Compact(text=text, positions=tuple(range(len(text))))
    kept = [(place, character) for place, character in enumerate(text) if character not in _SEPARATORS]
    return Compact(
        text="".join(character.upper() if character.isascii() else character for _, character in kept),
        positions=tuple(place for place, _ in kept),
    )


def parse_card_number(text: str) -> CardNumber | Fault:
    """Read a 10- or 15-character card number; no group, level or province is refused (portal codes 052 and 053)."""
    return card_number_in(compact(text))


def parse_citizen_id(text: str) -> str | Fault:
    """Read a citizen ID: 12 digits, and nothing else is demanded of them."""
    return citizen_id_in(compact(text))


def card_number_in(compacted: Compact) -> CardNumber | Fault:
    """Read a card number as `parse_card_number` does, once the separators are gone."""
    fault = _number_fault(compacted)
    if fault is not None:
        return fault
    printed = compacted.text
    if len(printed) == INSURANCE_NUMBER_LENGTH and printed[0] in _DIGITS:
        return CardNumber(number=printed, printed=printed)
    if len(printed) == PRINTED_NUMBER_LENGTH and printed[0] in _LETTERS:
        return CardNumber(
            number=printed[-INSURANCE_NUMBER_LENGTH:],
            printed=printed,
            group=printed[:2],
            benefit_level=int(printed[2]),
            province_code=printed[3:5],
        )
    return _length_fault(compacted)


def citizen_id_in(compacted: Compact) -> str | Fault:
    """Read a citizen ID as `parse_citizen_id` does, once the separators are gone."""
    fault = _number_fault(compacted)
    if fault is not None:
        return fault
    if len(compacted.text) == CITIZEN_ID_LENGTH and compacted.text[0] in _DIGITS:
        return compacted.text
    return _length_fault(compacted)


def parse_code(text: str) -> str | Fault:
    """Read a unit's or a facility's code: text of 1–16 characters, in any country; leading zeros are part of it."""
    stripped = text.strip()
    if _CODE.fullmatch(stripped):
        return stripped
    start = len(text) - len(text.lstrip())
    good = _CODE.match(stripped)
    return Fault(code=FaultCode.CODE_SHAPE, position=start + (good.end() if good else 0))


def parse_facility_on_card(text: str) -> str | None:
    """Read `NN - XXX` as it stands on a card into the 5-character code; None where it is something else.

    The last three are letters or digits (`01C54`), and the first two are no province of today: the code stays text.
    """
    parts = _CARD_FACE_FACILITY.fullmatch(text.strip())
    return None if parts is None else (parts[1] + parts[2]).upper()


def print_facility_on_card(code: str) -> str:
    """Write a facility code as a card does: `01C54` as `01 - C54`."""
    return f"{code[:2]} - {code[2:]}"


def mask(printed: str) -> str:
    """Hide the middle of a card number or citizen ID: `HC4*******2345`, `*******2345`.

    Group and level stay, for they say nothing of the person; a text too short to be a number is hidden entirely.
    """
    if len(printed) < INSURANCE_NUMBER_LENGTH:
        return _MASK
    head = printed[:3] if len(printed) == PRINTED_NUMBER_LENGTH else ""
    return head + _MASK + printed[-_MASK_TAIL_LENGTH:]


def structure_warnings(number: CardNumber, tables: NumberTables) -> tuple[WarningCode, ...]:
    """Say what the printed characters let one suspect; the outcome never follows from it.

    The law moves groups between levels and provinces merge, so a stale digit on a card is normal (portal code 000 and
    a notice, never 052 or 053), and a group that the table lacks is unknown, never invalid.
    """
    if number.group is None:
        return ()
    warnings: list[WarningCode] = []
    if tables.levels and number.group not in tables.levels:
        warnings.append(WarningCode.NUMBER_GROUP_UNKNOWN)
    elif tables.levels and number.benefit_level not in tables.levels[number.group]:
        warnings.append(WarningCode.NUMBER_LEVEL_UNEXPECTED)
    if tables.provinces and number.province_code not in tables.provinces:
        warnings.append(WarningCode.NUMBER_PROVINCE_UNKNOWN)
    return tuple(warnings)


def citizen_id_warnings(citizen_id: str, birth: str | None, sex: Sex | None) -> tuple[WarningCode, ...]:
    """Compare the 4th to 6th digits with birth and sex: century and sex 1 digit, year 2; warnings, never refusals.

    Even digits are male, odd ones female, two for each century from the 20th; `birth` opens with a 4-digit year.
    """
    century_and_sex = int(citizen_id[3])
    year = 1900 + 100 * (century_and_sex // 2) + int(citizen_id[4:6])
    warnings: list[WarningCode] = []
    if birth is not None and birth[:4] != str(year):
        warnings.append(WarningCode.CITIZEN_ID_BIRTH_DIFFERS)
    if sex is not None and sex is not (Sex.FEMALE if century_and_sex % 2 else Sex.MALE):
        warnings.append(WarningCode.CITIZEN_ID_SEX_DIFFERS)
    return tuple(warnings)


def _number_fault(compacted: Compact) -> Fault | None:
    """Find the first character that no card number or citizen ID has in its place; the length is not judged."""
    if not compacted.text:
        return Fault(code=FaultCode.EMPTY, position=None)
    if _FAULTLESS.fullmatch(compacted.text):
        return None
    letters_expected = _GROUP_LENGTH if compacted.text[0] in _LETTERS else 0
    for index, character in enumerate(compacted.text):
        if character in (_LETTERS if index < letters_expected else _DIGITS):
            continue
        foreign = not character.isascii() or character == "?"
        code = FaultCode.SCANNER_INPUT_METHOD if foreign else FaultCode.NUMBER_CHARACTER
        return Fault(code=code, position=compacted.position(index))
    return None


def _length_fault(compacted: Compact) -> Fault:
    """Point at the first character too many, or at the place of the first one missing."""
    longest = PRINTED_NUMBER_LENGTH if compacted.text[0] in _LETTERS else CITIZEN_ID_LENGTH
    place = compacted.position(min(longest, len(compacted.text)))
    return Fault(code=FaultCode.NUMBER_LENGTH, position=place)
