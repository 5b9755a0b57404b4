"""The layout of a packed card: its forms, its flags, and what the compact forms can hold.

A record is form (1 byte), revision (varint), flags (2), birth (2), name (varint length, text), citizen IDs (5 each),
address, periods (flags 2, then only what is there), and for a withdrawn card its end. A count stands in two bits of the
flags, and before the things counted where it is three or more.
"""

from datetime import date
from typing import Any, Final, NamedTuple

RECORDED: Final = "card.recorded"
WITHDRAWN: Final = "card.withdrawn"

#: The first byte: the layout's version in its high half, the form in its low half.
COMPACT_RECORDED, COMPACT_WITHDRAWN, AS_JSON = 0x10, 0x11, 0x1F

#: Days are counted from here in 16 bits, which reach the year 2079; a day outside makes the fact one of the JSON form.
DAY_ZERO = date(1900, 1, 1).toordinal() - 1
DAY_COUNT_MAX = 0xFFFF
#: Days, births and codes are few and each is seen again and again: 180 years of days fit.
CACHE_ENTRIES = 1 << 16

SEXES: tuple[str | None, ...] = (None, "male", "female")
ISSUERS = ("vss", "defence", "public_security")
AREAS: tuple[str | None, ...] = (None, "K1", "K2", "K3")
REASONS = ("moved_out", "moved_within", "rejoined", "stopped", "reissued", "reduced")
REASON_AS_TEXT = 0xFF
#: Most addresses name a commune: that level is not written out.
USUAL_LEVEL = "commune"
#: A code of two digits and three capitals or digits is a number below 100 * 36**3, which leaves the first bit free.
CODE_BASE = 36**3
CODE_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CODE_AS_TEXT = 0x80

# Flags of the record: two bits of sex, two of the birth's precision, then the counts and the shape of the address.
SEX_BITS = {sex: index for index, sex in enumerate(SEXES)}
SEX_MASK = 3
BIRTH_YEAR, BIRTH_MONTH, BIRTH_DAY, BIRTH_MASK = 0 << 2, 1 << 2, 2 << 2, 3 << 2
BIRTH_BITS = {4: BIRTH_YEAR, 7: BIRTH_MONTH, 10: BIRTH_DAY}
MANY = 3
IDS_SHIFT, PERIODS_SHIFT = 4, 6
HAS_ADDRESS, LEVEL_AS_TEXT, HAS_DETAIL = 1 << 8, 1 << 9, 1 << 10
RECORDED_UNKNOWN, RECORDED_WITH_PERIOD = 1 << 11, 1 << 12

# Flags of a period: two bits of issuer, two of area, three of benefit level, then which fields are there.
ISSUER_BITS = {issuer: index for index, issuer in enumerate(ISSUERS)}
ISSUER_MASK = 3
AREA_SHIFT, AREA_MASK = 2, 3
AREA_BITS = {area: index << AREA_SHIFT for index, area in enumerate(AREAS)}
BENEFIT_SHIFT, BENEFIT_MASK = 4, 7
BENEFIT_BITS: dict[int | None, int] = {None: 0} | {level: level << BENEFIT_SHIFT for level in range(1, 8)}
NUMBER_15, NUMBER_AS_TEXT = 1 << 7, 1 << 8
HAS_TO, HAS_GROUP, HAS_PLACE, HAS_FIVE, HAS_ENDED = 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13
PLACE_UNKNOWN, PLACE_WITH_PERIOD = 1 << 14, 1 << 15


class CardFact(NamedTuple):
    """One fact of the card family: its type, and its data exactly as received."""

    type: str
    data: dict[str, Any]
