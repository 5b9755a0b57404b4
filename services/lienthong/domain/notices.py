"""Write notices: words with their placeholders filled in, and the document that stands behind them, never a guess."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import NamedTuple

from lienthong.domain.answer import Notice
from lienthong.domain.words import BASIS, UNKNOWN_DOCUMENT, Words

VIETNAM = timezone(timedelta(hours=7))  # Asia/Ho_Chi_Minh has had no other offset since 1975.

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905 -- twelve words read better as one line
)
_TEXT_LENGTH_MAX = 2000  # characters, as the messages allow; a notice with every candidate named is under 600


class Said(NamedTuple):
    """One value of a placeholder, in both languages."""

    vi: str
    en: str


def said_day(day: date | None) -> Said:
    """Write a day: `01/07/2025`, `1 July 2025`; an open end is `…` in both, for it has no day."""
    if day is None:
        return Said("…", "…")
    return Said(f"{day.day:02}/{day.month:02}/{day.year:04}", f"{day.day} {_MONTHS[day.month - 1]} {day.year}")


def said_time(moment: datetime | None) -> Said:
    """Write a moment in Vietnam's time, as a clerk's clock shows it."""
    if moment is None:
        return Said("…", "…")
    local = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(VIETNAM)
    clock, day = f"{local.hour:02}:{local.minute:02}", said_day(local.date())
    return Said(f"{clock} {day.vi}", f"{clock} on {day.en}")


def same(text: str) -> Said:
    """Use one text in both languages: a place's name, a document's number."""
    return Said(text, text)


class Notices:
    """Writes the notices of one answer; `texts` are the words in force on the service day."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Mapping[str, Words]) -> None:
        self._texts = texts

    def write(self, code: str, document: str | None = None, /, **values: Said) -> Notice:
        """Fill in the words of a notice; `document` is the number of the one behind it, None where none is known.

        Where a document should stand and none is known the text says so (*văn bản chưa xác định*).
        """
        words = self._texts[code]
        vi, en = words.vi, words.en
        if words.cites:
            vi, en = vi + BASIS[0], en + BASIS[1]
            values["document"] = Said(*UNKNOWN_DOCUMENT) if document is None else same(document)
        return Notice(
            code=code,
            vi=_filled(vi, {name: value.vi for name, value in values.items()}),
            en=_filled(en, {name: value.en for name, value in values.items()}),
            document=document,
        )


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Fill in placeholders in one pass; one without a value stays visible, for published words may name any."""
    if "{" not in text:
        return text
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)[:_TEXT_LENGTH_MAX]
