"""One snapshot of the register as answers read it, with what was worked out for one desk remembered for the next."""

from collections.abc import Callable, Hashable, Mapping
from datetime import date
from functools import lru_cache
from typing import Final, TypeVar, cast

from lienthong.domain.benefit import CODE_GRACE, EXTENSION, LEVELS, SHARES
from lienthong.domain.facility import Facilities
from lienthong.domain.guidance import Guidance, GuidanceDocument, Tables, TableVersion
from lienthong.domain.lineage import Succession
from lienthong.domain.notices import Notices
from lienthong.domain.register import Register
from lienthong.domain.words import NOTICES, Words

TEXTS: Final = "notice_texts"
"""Rows of `code`, `vi` and `en` that replace the program's words from a day on."""

CARD_VALIDITY: Final = "card_validity"
"""The subject of guidance on whether issued cards stay in use."""

TABLES_USED: Final = (LEVELS, SHARES, EXTENSION, CODE_GRACE, TEXTS)

# About 2 kB each; a desk's cards share communes, facilities and days, a country's fill it and start again.
_REMEMBERED_MAX: Final = 16_384

Value = TypeVar("Value")


class RegisterView:
    """The four registers of one snapshot; nothing here changes, so what was once worked out stays true."""

    __slots__ = ("_remembered", "facilities", "guidance", "tables", "territory")

    def __init__(self, territory: Succession, facilities: Facilities, guidance: Guidance, tables: Tables) -> None:
        self.territory = territory
        self.facilities = facilities
        self.guidance = guidance
        self.tables = tables
        self._remembered: dict[Hashable, object] = {}

    def remember(self, key: Hashable, work_out: Callable[[], Value]) -> Value:
        """Return what was worked out for the key before, else work it out; a key must tell all that it depends on."""
        found = self._remembered.get(key, _NOTHING)
        if found is _NOTHING:
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            found = self._remembered[key] = work_out()
        return cast("Value", found)

    def notices(self, on: date) -> Notices:
        """Return the writer of notices with the words in force on the day."""
        return self.remember((TEXTS, on), lambda: Notices(self._texts(on)))

    def card_guidance(self, on: date) -> str | None:
        """Return the number of the document on issued cards that is in force on the day, None where none is."""
        return self.remember((CARD_VALIDITY, on), lambda: next((each.number for each in self._card_guidance(on)), None))

    def illustrative_rules(self, on: date) -> bool:
        """Tell whether a table or the guidance on issued cards in force on the day was invented for a demonstration."""
        return self.remember(("illustrative", on), lambda: self._illustrative_rules(on))

    def table_versions(self, on: date) -> Mapping[str, date]:
        """Return the day from which each table that answers use is in force, without those that are not."""
        return self.remember(("versions", on), lambda: {each.name: each.valid_from for each in self._versions(on)})

    def _illustrative_rules(self, on: date) -> bool:
        tables = any(each.illustrative for each in self._versions(on))
        return tables or any(each.illustrative for each in self._card_guidance(on))

    def _card_guidance(self, on: date) -> tuple[GuidanceDocument, ...]:
        return self.guidance.in_force(CARD_VALIDITY, on)

    def _versions(self, on: date) -> list[TableVersion]:
        versions = (self.tables.version(name, on) for name in TABLES_USED)
        return [each for each in versions if each is not None]

    def _texts(self, on: date) -> Mapping[str, Words]:
        published = {}
        for row in self.tables.rows(TEXTS, on):
            code, vi, en = row.get("code"), row.get("vi"), row.get("en")
            if isinstance(code, str) and code in NOTICES and isinstance(vi, str) and isinstance(en, str) and vi and en:
                published[code] = NOTICES[code]._replace(vi=vi, en=en)
        return NOTICES | published if published else NOTICES


_NOTHING: Final = object()

# Two snapshots: the one in force, and the one a batch would make of it while the gate compares answers.
_view = lru_cache(maxsize=2)(RegisterView)


def view_of(register: Register) -> RegisterView:
    """Return the view of a snapshot: the same one each time, for its parts are known by what they are."""
    return _view(register.territory, register.facilities, register.guidance, register.tables)
