"""What a person sees of a run in a terminal: how far it is, and what it found; quiet where nobody watches."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from chaser_contract.document import bundled
from chaser_contract.evidence import AXES, Row
from chaser_contract.findings import Finding, Outcome
from chaser_contract.live.baseline import told
from chaser_contract.reports.lines import again_line, curl_line, sdk_line
from chaser_contract.running import Report
from chaser_contract.targets import Where


class Terminal:
    """Tells on the standard output; a bar on a terminal, no line for what goes well elsewhere."""

    def __init__(self, *, watched: bool | None = None) -> None:
        # Lines are for copying, so that they are as long as they are.
        self._console = Console(soft_wrap=True, highlight=False, stderr=False)
        on_terminal = sys.stdout.isatty() and not os.environ.get("CI")
        self._watched = on_terminal if watched is None else watched
        self._progress: Progress | None = None
        self._failed = 0

    def begins(self, where: Where, url: str, parts: Sequence[str]) -> None:
        """What is about to be run."""
        what = f"an emulator of this process, {where.sandbox}" if where.url is None else url
        self._console.print(f"{what}: {_counted(len(parts), 'part')}, --seed {where.seed} --examples {where.examples}")
        if self._watched:
            self._progress = Progress(
                SpinnerColumn(),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
                console=self._console,
                transient=True,
            )
            self._progress.start()
            self._progress.add_task("", total=len(parts))

    def ended(self, outcome: Outcome) -> None:
        """One part is done."""
        if outcome.status in ("failed", "error"):
            self._failed += 1
            self._console.print(Text.assemble((outcome.status, "bold red"), f" {outcome.part}"))
        if self._progress is not None:
            said = f"{self._failed} failed" if self._failed else ""
            self._progress.update(self._progress.task_ids[0], advance=1, description=said)

    def stop(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def tell(self, report: Report, written: Sequence[Path] = ()) -> None:
        """The findings, what was left out and why, and the sum."""
        for outcome in report.outcomes:
            if outcome.status == "error":
                self._console.print(Text(f"\n{outcome.part} broke by itself:\n{outcome.reason.rstrip()}"))
        for number, finding in enumerate(report.findings, 1):
            self._finding(number, finding, report)
        self._skipped(report.outcomes)
        for line in (*told(report.accepted), *report.notes):
            self._console.print(Text(f"\n{line}", "dim"))
        for line in report.left:
            self._console.print(Text.assemble("\n", ("left behind", "bold red"), f": {line}"))
        requests = sum(outcome.requests for outcome in report.outcomes)
        found = len(report.findings)
        verdict = "nothing found" if not found else _counted(found, "finding")
        style = "bold green" if report.exit_code == 0 else "bold red"
        took = f", {_counted(len(report.outcomes), 'part')}, {_counted(requests, 'request')}, {report.seconds:.1f} s"
        self._console.print(Text.assemble("\n", (verdict, style), took))
        for file in written:
            self._console.print(Text(f"wrote {file}"))

    def _finding(self, number: int, finding: Finding, report: Report) -> None:
        text = Text.assemble("\n", (f"{number}. {finding.promise}", "bold"), f"\n   came      {finding.came}")
        if finding.pointer:
            text.append(f"\n   document  {finding.pointer}")
        text.append(f"\n   found by  {finding.part}")
        if len(finding.steps) > 1:
            text.append(
                f", after {_counted(len(finding.steps) - 1, 'other request')} (--json, --html and --har have them)"
            )
        if not finding.repeats:
            text.append("\n   it did not come again with these requests alone: what was there before has a part in it")
        lines = (curl_line(finding, report.url), sdk_line(bundled(), finding.exchange))
        for line in (*lines, again_line(report.where, finding.part)):
            if line is not None:
                text.append(f"\n   {line}", "cyan")
        self._console.print(text)

    def _skipped(self, outcomes: Sequence[Outcome]) -> None:
        reasons: dict[str, list[str]] = {}
        for outcome in outcomes:
            if outcome.status == "skipped":
                reasons.setdefault(outcome.reason, []).append(outcome.part)
            elif outcome.status == "passed" and outcome.reason:
                reasons.setdefault(f"in part: {outcome.reason}", []).append(outcome.part)
        for reason, parts in reasons.items():
            shown = ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")
            self._console.print(Text(f"\nskipped {len(parts)}: {reason} ({shown})", "dim"))


def show(rows: Sequence[Row]) -> None:
    """The evidence as a table: operations and axes, with why a status was not seen."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("operation", *AXES, "not seen, because"):
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = [" ".join(map(str, getattr(row, axis))) for axis in AXES]
        table.add_row(row.operation, *cells, "\n".join(row.why))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
