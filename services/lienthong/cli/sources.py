"""What commands read without a running service: shipped sets by name, event files by path."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lienthong.adapters.registers import FactLine, LineFault, ShippedSet, facts_of, named, requirements, shipped
from lienthong.cli.console import err, fail
from lienthong.domain.facts import Fact
from lienthong.domain.register import Register

#: What is known of the country without being told otherwise.
DEFAULT_DATA = ("vn-2025-07-01", "vn-hanoi-facilities")
#: Faults of a file that are shown; the rest is counted.
FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A shipped set or an event file: its register facts by line, and how many events of each other stream it has.

    `name` is None for a file. A file's other events stay in it: they are read again when they are published.
    """

    name: str | None
    origin: str
    lines: tuple[FactLine, ...]
    illustrative: bool
    events: tuple[tuple[str, int], ...] = ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Return the facts in the order of the file."""
        return tuple(line.fact for line in self.lines)

    def lines_of(self, family: str | None, fact_id: str | None) -> list[int]:
        """Return the lines on which a fact stands."""
        return [line.line for line in self.lines if line.fact.key == (family, fact_id)]


def load_register(given: Sequence[str]) -> Register:
    """Fold the named sets, each after what it requires, and the files, in the order given."""
    register = Register.empty()
    for source in load_sources(given or DEFAULT_DATA):
        register = register.with_facts(source.facts)
    return register


def load_sources(given: Sequence[str]) -> list[Source]:
    """Read sets and files, each required set once and first; ends the command where a line is no event."""
    sources: dict[str, Source] = {}
    for each in given:
        known = named(each)
        if known is None:
            sources.setdefault(each, _file(each))
            continue
        for wanted in (*requirements(each), known):
            sources.setdefault(wanted.name, _shipped(wanted))
    return list(sources.values())


def _shipped(known: ShippedSet) -> Source:
    try:
        facts = facts_of(known)
    except (OSError, ValueError) as fault:
        fail(f"The shipped set {known.name} cannot be read: {fault}.")
    lines = tuple(FactLine(line=line, fact=fact) for line, fact in enumerate(facts, start=1))
    return Source(name=known.name, origin=known.name, lines=lines, illustrative=known.illustrative)


def _file(path: str) -> Source:
    from lienthong.adapters.event_files import KeyedLine, read_events  # noqa: PLC0415  # a shipped set needs no reader

    if not Path(path).is_file():
        known = ", ".join(shipped())
        fail(f"There is no event file {path}.", f"Name a file, or one of the shipped sets: {known}.")
    facts: list[FactLine] = []
    faults: list[LineFault] = []
    events: dict[str, int] = {}
    try:
        for line in read_events(Path(path)):
            match line:
                case KeyedLine():
                    events[line.stream] = events.get(line.stream, 0) + 1
                case FactLine():
                    facts.append(line)
                case LineFault():
                    faults.append(line)
    except OSError as fault:
        fail(f"{path} cannot be read: {fault.strerror or fault}.")
    if faults:
        _refuse(path, faults)
    illustrative = any(line.fact.illustrative for line in facts)
    return Source(
        name=None, origin=path, lines=tuple(facts), illustrative=illustrative, events=tuple(sorted(events.items()))
    )


def _refuse(path: str, faults: Sequence[LineFault]) -> None:
    show_faults(f"{path}:{each.line}: {_sentence(each)}" for each in faults)
    count = len(faults)
    fail(
        f"{count} {'line' if count == 1 else 'lines'} of {path} cannot be read.",
        "Correct them and repeat the command; nothing was written.",
    )


def show_faults(sentences: Iterable[str]) -> None:
    """Write the first faults on standard error, and how many there are beyond them."""
    every = list(sentences)
    for sentence in every[:FAULTS_SHOWN]:
        err.print(sentence, soft_wrap=True, markup=False)
    if len(every) > FAULTS_SHOWN:
        err.print(f"… and {len(every) - FAULTS_SHOWN} more", soft_wrap=True)


def _sentence(fault: LineFault) -> str:
    refusal = fault.refusal
    return f"{refusal.path or 'the line'} {refusal.message}"
