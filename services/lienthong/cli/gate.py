"""What the gate says of the batches of one command, before any of them is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lienthong.cli.console import fail, out, plain, print_json, say, table_of
from lienthong.cli.sources import Source, show_faults
from lienthong.domain.gate import GateReport, GateSummary, check
from lienthong.domain.gate_faults import Fault
from lienthong.domain.register import Register
from lienthong.domain.seals import SealedBatch

#: Warnings and names that are shown of a batch; JSON has all of them.
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A source and what the gate says of it; `position` is where it stands already, None where it is new."""

    source: Source
    report: GateReport
    position: int | None

    @property
    def new(self) -> bool:
        """Tell whether there is anything to write."""
        return self.position is None


def check_all(sources: Sequence[Source], register: Register) -> tuple[list[Checked], Register]:
    """Check each source on what stands after those before it; return that, and what would stand after all.

    A source that was accepted before is left as it is. The gate's faults are left in the reports.
    """
    checked: list[Checked] = []
    for source in sources:
        if not source.lines:
            continue
        report = check(register, source.facts)
        position = next((each.position for each in register.batches if each.batch_id == report.batch_id), None)
        checked.append(Checked(source=source, report=report, position=position))
        if position is not None:
            continue
        if not report.passed:
            break
        # The report's register has the facts folded; as if their batch were sealed, the next source stands on it.
        sealed = _as_if_sealed(source, report, register)
        register = replace(report.register, batches=(*register.batches, sealed))
    return checked, register


def refuse_faults(checked: Checked, *, as_json: bool) -> None:
    """End the command where the gate found faults, with the line of each in its file, in both languages."""
    report, source = checked.report, checked.source
    if report.passed or not checked.new:
        return
    if as_json:
        faults = [_fault_document(fault, source) for fault in report.faults]
        print_json({"refused": source.origin, "batch_id": report.batch_id, "faults": faults})
    else:
        show_faults(
            sentence
            for fault in report.faults
            for sentence in (f"{_where(fault, source)} {fault.en}", f"    {fault.vi}")
        )
    fail(
        f"{source.origin} is refused for {len(report.faults)} reasons; nothing was written.",
        "Correct these lines, and try --dry-run first.",
    )


def show(checked: Checked) -> None:
    """Write for people what a batch would do."""
    report, source = checked.report, checked.source
    if checked.position is not None:
        say(
            f"[bold]{plain(source.origin)}[/]: already published (position {checked.position}), nothing to do. · "
            "Đã công bố trước đó."
        )
        return
    say(f"[bold]{plain(source.origin)}[/]: {report.count:,} facts · dữ kiện (batch {report.batch_id[:16]}…)")
    _show_counts(report.summary)
    if report.illustrative:
        say("  [bold red]MINH HỌA – không có giá trị pháp lý · ILLUSTRATIVE – no legal force[/]")
    for fault in report.warnings[:_SHOWN]:
        say(f"  [yellow]note[/] {plain(_where(fault, source))} {plain(fault.en)}")
    if len(report.warnings) > _SHOWN:
        say(f"  [yellow]note[/] … and {len(report.warnings) - _SHOWN:,} more of this kind")


def document(checked: Checked) -> dict[str, Any]:
    """Return what the gate says as JSON values."""
    report = checked.report
    summary = report.summary
    return {
        "name": checked.source.name,
        "origin": checked.source.origin,
        "batch_id": report.batch_id,
        "base": report.base,
        "count": report.count,
        "state": "checked" if checked.new else "already_published",
        "position": checked.position,
        "on": summary.on,
        "units_before": dict(summary.units_before),
        "units_after": dict(summary.units_after),
        "facilities_before": summary.facilities_before,
        "facilities_after": summary.facilities_after,
        "divided": [{"level": level, "code": code} for level, code in summary.divided],
        "facilities_without_successor_before": list(summary.without_successor_before),
        "facilities_without_successor_after": list(summary.without_successor_after),
        "illustrative": len(report.illustrative),
        "warnings": [_fault_document(fault, checked.source) for fault in report.warnings],
    }


def _as_if_sealed(source: Source, report: GateReport, register: Register) -> SealedBatch:
    """Return the batch as it would stand."""
    return SealedBatch(
        batch_id=report.batch_id,
        base=report.base,
        name=source.name,
        position=register.position + report.count + 1,
        facts=source.facts,
    )


def _show_counts(summary: GateSummary) -> None:
    """Write what the batch changes: a count that stays what it was says nothing."""
    before = {**summary.units_before, "facilities · cơ sở": summary.facilities_before}
    after = {**summary.units_after, "facilities · cơ sở": summary.facilities_after}
    changed = [name for name in {**before, **after} if before.get(name, 0) != after.get(name, 0)]
    on = "" if summary.on is None else f" {summary.on}"
    table = table_of(f"  counts · số đơn vị{on}", "#before · trước", "#after · sau")
    for name in sorted(changed, key=lambda name: max(before.get(name, 0), after.get(name, 0))):
        table.add_row(f"  {plain(name)}", f"{before.get(name, 0):,}", f"[bold]{after.get(name, 0):,}[/]")
    if table.row_count:
        out.print(table)
    if summary.divided:
        say(
            f"  {len(summary.divided):,} divided among several, and none of them chosen · "
            f"{len(summary.divided):,} nơi được chia, không tự chọn"
        )
    had, has = len(summary.without_successor_before), len(summary.without_successor_after)
    if had != has:
        say(f"  facilities without a known successor · cơ sở chưa có kế tiếp: {had:,} → {has:,}")


def _where(fault: Fault, source: Source) -> str:
    lines = source.lines_of(fault.family, fault.fact_id)
    return f"{source.origin}:{','.join(str(line) for line in lines)}:" if lines else f"{source.origin}:"


def _fault_document(fault: Fault, source: Source) -> dict[str, Any]:
    return {
        "code": fault.code,
        "family": fault.family,
        "id": fault.fact_id,
        "lines": source.lines_of(fault.family, fault.fact_id),
        "vi": fault.vi,
        "en": fault.en,
    }
