"""The real codes that generated cards are printed with, taken from the shipped registers."""

from functools import cache
from typing import Final

from lienthong.adapters.generator import Places
from lienthong.adapters.registers import facts_of, shipped

_HANOI: Final = "01"


@cache
def shipped_places() -> Places:
    """Return every commune before 1 July 2025, those of Hà Nội among them, and the listed facilities of Hà Nội."""
    units = [fact.data for fact in facts_of(shipped()["vn-before-2025-07-01"])]
    parents = {(unit["level"], unit["code"]): unit["parent"] for unit in units}
    communes = [unit for unit in units if unit["level"] == "commune"]
    facilities = facts_of(shipped()["vn-hanoi-facilities"])
    return Places(
        communes=tuple(unit["code"] for unit in communes),
        hanoi_communes=tuple(
            unit["code"]
            for unit in communes
            if parents["district", unit["parent"]["code"]] == {"level": "province", "code": _HANOI}
        ),
        facilities=tuple(fact.data["code"] for fact in facilities),
    )
