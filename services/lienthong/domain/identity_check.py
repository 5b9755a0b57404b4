"""Does the person presented agree with the record: name and birth date, from the desk's typing or the presentation."""

from collections.abc import Iterator
from enum import StrEnum

from lienthong.domain.card import Holder
from lienthong.domain.names import Likeness, compare_births, compare_names
from lienthong.domain.question import Identity


class IdentityCheck(StrEnum):
    """How what was given compares with the record (portal codes 060, 061, 070)."""

    NOT_GIVEN = "not_given"
    PARTIAL = "partial"
    MATCH = "match"
    OTHER_NAME = "other_name"
    OTHER_NAME_SAME_INITIALS = "other_name_same_initials"
    OTHER_BIRTH = "other_birth"


def check_identity(holder: Holder, *given: Identity | None) -> IdentityCheck:
    """Compare every identity given with the record; one that contradicts it outweighs one that agrees.

    MATCH needs a name and a birth date that both agree; with only one of them nothing contradicts (`PARTIAL`), but
    nothing may be shown either.
    """
    names, births = list(_names(given)), list(_births(given))
    for name in names:
        # Most names differ in case at most, which is known a hundred times sooner than their folded forms.
        if name == holder.name or name.casefold() == holder.name.casefold():
            continue
        contradiction = _NAME_CONTRADICTIONS.get(compare_names(name, holder.name))
        if contradiction is not None:
            return contradiction
    if any(compare_births(birth, holder.birth) is Likeness.MISMATCH for birth in births):
        return IdentityCheck.OTHER_BIRTH
    if names and births:
        return IdentityCheck.MATCH
    return IdentityCheck.PARTIAL if names or births else IdentityCheck.NOT_GIVEN


_NAME_CONTRADICTIONS = {
    Likeness.INITIALS_MATCH: IdentityCheck.OTHER_NAME_SAME_INITIALS,
    Likeness.MISMATCH: IdentityCheck.OTHER_NAME,
}


def _names(given: tuple[Identity | None, ...]) -> Iterator[str]:
    return (identity.name for identity in given if identity is not None and identity.name)


def _births(given: tuple[Identity | None, ...]) -> Iterator[str]:
    return (identity.birth for identity in given if identity is not None and identity.birth)
