"""Contracts between facilities and social security, as the register has them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from lienthong.domain.facts import CONTRACT, Change
from lienthong.domain.territory import day, replacements


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A contract or an appendix; `valid_to` is the last day, None is open; `inherits` the number it takes over."""

    number: str
    facility_code: str
    kind: str
    valid_from: date
    valid_to: date | None
    inherits: str | None
    illustrative: bool = False

    def covers(self, on: date) -> bool:
        """Tell whether the contract is in force on the day."""
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)

    def ended_before(self, on: date) -> bool:
        """Tell whether the contract's last day lies before the day."""
        return self.valid_to is not None and self.valid_to < on


class Contracts:
    """An immutable index of contracts by facility code."""

    __slots__ = ("_by_code",)

    def __init__(self) -> None:
        self._by_code: dict[str, tuple[Contract, ...]] = {}

    def revised(self, changes: Sequence[Change]) -> "Contracts":
        """Return the contracts after changes of winning facts; those of other families are passed over."""
        replaced = replacements(changes, CONTRACT, contract)
        if not replaced:
            return self
        revised = Contracts()
        revised._by_code = self._by_code.copy()
        for before, after in replaced:
            if before is not None:
                held = revised._by_code.get(before.facility_code, ())
                revised._by_code[before.facility_code] = tuple(each for each in held if each.number != before.number)
            if after is not None:
                revised._by_code[after.facility_code] = _in_order((*revised.of(after.facility_code), after))
        return revised

    def of(self, facility_code: str) -> tuple[Contract, ...]:
        """Return the contracts that name a code, the earliest first."""
        return self._by_code.get(facility_code, ())

    def everything(self) -> tuple[Contract, ...]:
        """Return every contract on record, by facility code."""
        return tuple(each for code in sorted(self._by_code) for each in self._by_code[code])


def contract(data: Mapping[str, Any]) -> Contract:
    """Read the data of `contract.recorded`."""
    return Contract(
        number=data["id"],
        facility_code=data["facility_code"],
        kind=data["kind"],
        valid_from=date.fromisoformat(data["valid_from"]),
        valid_to=day(data["valid_to"]),
        inherits=data["inherits"],
        illustrative=bool(data.get("illustrative")),
    )


def _in_order(contracts: Iterable[Contract]) -> tuple[Contract, ...]:
    return tuple(sorted(contracts, key=lambda each: (each.valid_from, each.number)))
