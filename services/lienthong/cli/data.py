"""Registers that commands read without a running service: shipped sets by name, event files by path."""

from collections.abc import Sequence
from dataclasses import dataclass

from lienthong.adapters.registers import FactLine, LineFault, ShippedSet, named, read_facts, requirements, shipped
from lienthong.cli.console import err, fail
from lienthong.domain.facts import Fact
from lienthong.domain.register import Register

#: What is known of the country without being told otherwise.
DEFAULT_DATA = ("vn-2025-07-01", "vn-hanoi-facilities")
#: Faults of a file that are shown; the rest is counted.
_FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One set of facts to publish or to read: its name (None for a file that has none) and the facts by line."""

    name: str | None
    origin: str
    lines: tuple[FactLine, ...]
    illustrative: bool

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Return the facts in the order of the file."""
        return tuple(line.fact for line in self.lines)


def load_register(data: Sequence[str]) -> Register:
    """Fold the named sets, each after what it requires, and the files, in the order given."""
    register = Register.empty()
    for source in load_sources(data or DEFAULT_DATA):
        register = register.with_facts(source.facts)
    return register


def load_sources(data: Sequence[str]) -> list[Source]:
    """Read sets and files, each required set once and first; ends the command where a line is no fact."""
    sources: dict[str, Source] = {}
    for given in data:
        known = named(given)
        for each in [*requirements(given), known] if known is not None else []:
            sources.setdefault(each.name, _shipped(each))
        if known is None:
            sources.setdefault(given, _file(given))
    return list(sources.values())


def _shipped(known: ShippedSet) -> Source:
    return Source(
        name=known.name, origin=known.file, lines=_lines(known.name, known.name), illustrative=known.illustrative
    )


def _file(path: str) -> Source:
    lines = _lines(path, path)
    return Source(name=None, origin=path, lines=lines, illustrative=any(line.fact.illustrative for line in lines))


def _lines(origin: str, source: str) -> tuple[FactLine, ...]:
    try:
        read = list(read_facts(source))
    except OSError as fault:
        names = ", ".join(shipped())
        fail(
            f"{origin} cannot be read: {fault.strerror or fault}.", f"Name a file, or one of the shipped sets: {names}."
        )
    faults = [each for each in read if isinstance(each, LineFault)]
    for each in faults[:_FAULTS_SHOWN]:
        at = f" at {each.refusal.path}" if each.refusal.path else ""
        err.print(f"{origin}:{each.line}: {each.refusal.message}{at}", soft_wrap=True, markup=False)
    if faults:
        fail(f"{len(faults)} lines of {origin} are no facts.", "Correct them; nothing was published or read.")
    return tuple(each for each in read if isinstance(each, FactLine))
