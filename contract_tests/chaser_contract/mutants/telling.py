"""What a person, and a program, is told of a run of mutants."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from chaser_contract.mutants import declaring
from chaser_contract.mutants.declaring import Defect
from chaser_contract.mutants.running import Fate, Report

_STYLES = {"killed": "green", "survived": "bold red", "not reached": "bold yellow", "stale": "bold yellow"}


def show(defects: Sequence[Defect]) -> None:
    """Each defect with its complaint."""
    console = _console()
    for one in defects:
        console.print(Text.assemble((one.name, "bold"), f"  {one.complaint}"))
    console.print(f"\n{len(defects)} defects")


class Teller:
    """Tells on the standard output: each fate as it comes on a terminal, those that are not killed elsewhere."""

    def __init__(self, defects: Sequence[Defect]) -> None:
        self._console = _console()
        self._known = declaring.load()
        self._all = sys.stdout.isatty() and not os.environ.get("CI")
        self._console.print(f"{len(defects)} defects")

    def fate(self, fate: Fate) -> None:
        """One defect is done."""
        if fate.status == "killed" and not self._all:
            return
        self._console.print(
            Text.assemble((fate.status, _STYLES[fate.status]), f" {fate.name}", f" by {fate.by}" if fate.by else "")
        )

    def sum(self, report: Report) -> None:
        """What became of all."""
        for part, what in report.unclean.items():
            self._console.print(Text(f"\n{part} finds something without any defect: {what}", "bold red"))
        for fate in report.fates:
            if fate.status == "killed":
                continue
            why = fate.came or self._known[fate.name].survives or "nobody has said why"
            self._console.print(Text(f"\n{fate.name} ({fate.status}): {self._known[fate.name].complaint}\n   {why}"))
        others = [fate.status for fate in report.fates if fate.status != "killed"]
        counted = "".join(f", {others.count(status)} {status}" for status in dict.fromkeys(others))
        text = f"{report.killed} of {len(report.fates)} killed ({report.rate:.1%}){counted}, {report.seconds:.0f} s"
        self._console.print(Text(f"\n{text}", "bold green" if report.exit_code == 0 else "bold red"))


def write(report: Report, file: Path) -> None:
    """Everything, as JSON."""
    known = declaring.load()
    fates = [
        asdict(fate) | {"complaint": known[fate.name].complaint, "explained": known[fate.name].survives or None}
        for fate in report.fates
    ]
    whole = {
        "seed": report.seed,
        "killed": report.killed,
        "rate": report.rate,
        "seconds": report.seconds,
        "unclean": report.unclean,
        "defects": fates,
    }
    file.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _console() -> Console:
    return Console(soft_wrap=True, highlight=False)
