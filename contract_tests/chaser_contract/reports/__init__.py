"""Reports: what a run found, for people and for programs; each form in a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from chaser_contract.reports import har, junit, machine, page
from chaser_contract.running import Report

FORMS: Mapping[str, Callable[[Report], str]] = {
    "junit": junit.written,
    "json": machine.written,
    "html": page.written,
    "har": har.written,
}
"""The text of each form, by the name of its flag."""


def write(report: Report, files: Mapping[str, Path | None]) -> list[Path]:
    """Write the forms that have a file, and answer those files; a reader never finds half of one."""
    written = []
    for form, file in files.items():
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            beside = file.with_name(f".{file.name}.part")
            beside.write_text(FORMS[form](report), "utf-8")
            beside.replace(file)
            written.append(file)
    return written
