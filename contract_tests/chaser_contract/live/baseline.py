"""Baseline: the deviations of a service that somebody has accepted, each with who, when and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date as Day  # noqa: N812 - `date` is a field of an entry
from pathlib import Path
from typing import Any

import yaml

from chaser_contract.findings import Finding, masked

_ABOUT = ("promise", "operation", "pointer", "kind")
_FIELDS = (*_ABOUT, "owner", "date", "reason", "until")


class Unreadable(Exception):
    """A file is no baseline; the text says where and why."""


@dataclass(frozen=True)
class Accepted:
    """One deviation. It is about findings that are equal in all that it says; ids and numbers do not count."""

    owner: str
    date: Day
    reason: str
    promise: str | None = None
    operation: str | None = None
    pointer: str | None = None
    kind: str | None = None
    until: Day | None = None

    @property
    def said(self) -> str:
        return ", ".join(str(getattr(self, name)) for name in _ABOUT if getattr(self, name) is not None)

    def about(self, finding: Finding) -> bool:
        """Whether it is what a run has found."""
        return (
            (self.promise is None or masked(self.promise) == masked(finding.promise))
            and self.operation in (None, finding.operation)
            and self.pointer in (None, finding.pointer)
            and self.kind in (None, finding.kind)
        )

    def expired(self, today: Day) -> bool:
        """`until` is the last day on which it counts."""
        return self.until is not None and today > self.until


@dataclass
class Sorted:
    """Findings by whether they were accepted; `notes` tell of entries that do not count (any more)."""

    findings: list[Finding] = field(default_factory=list)
    accepted: list[tuple[Finding, Accepted]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def sort(findings: Sequence[Finding], baseline: Sequence[Accepted], today: Day) -> Sorted:
    """Tell the findings that are accepted from the others."""
    result = Sorted()
    for one in findings:
        entry = next((entry for entry in baseline if not entry.expired(today) and entry.about(one)), None)
        if entry is None:
            result.findings.append(one)
        else:
            result.accepted.append((one, entry))
    for entry in baseline:
        if entry.expired(today):
            result.notes.append(f"the baseline's entry for {entry.said} ended on {entry.until} ({entry.owner})")
        elif not any(entry.about(one) for one in findings):
            result.notes.append(f"the baseline's entry for {entry.said} matches nothing any more ({entry.owner})")
    return result


def load(path: Path) -> list[Accepted]:
    """What a file accepts. Raises Unreadable."""
    try:
        said = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise Unreadable(f"{path}: this is no YAML: {' '.join(str(error).split())}") from None
    if said is None:
        return []
    if not isinstance(said, list):
        raise Unreadable(f"{path}: it has to be a list of entries")
    return [_entry(f"{path}: entry {number}", one) for number, one in enumerate(said, 1)]


def skeleton(report: Path, today: Day) -> str:
    """A baseline for all that a JSON report has found, but for who accepts it and why. Raises Unreadable."""
    try:
        findings = json.loads(report.read_text("utf-8"))["findings"]
        entries = [_skeleton(one, today) for one in findings]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{report}: this is not what `run --json` writes ({error})") from None
    head = "# What is accepted, until when (`until`, may be left out). Each entry needs an owner and a reason.\n"
    return head + (yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=120) if entries else "[]\n")


def _skeleton(finding: dict[str, Any], today: Day) -> dict[str, Any]:
    about = {name: finding[name] for name in _ABOUT if finding[name]}
    return {**about, "owner": "", "date": today, "reason": ""}


def _entry(where: str, said: Any) -> Accepted:
    if not isinstance(said, dict):
        raise Unreadable(f"{where} is no mapping")
    strange = [str(name) for name in said if name not in _FIELDS]
    if strange:
        raise Unreadable(f"{where} has {', '.join(strange)}, of which nothing is known")
    for name, article in (("owner", "an"), ("reason", "a")):
        if not isinstance(said.get(name), str) or not said[name].strip():
            raise Unreadable(f"{where} needs {article} {name}")
    for name in ("date", "until"):
        if name in said and type(said[name]) is not Day:
            raise Unreadable(f"{where}: {name} has to be a day, such as 2026-01-31")
    if "date" not in said:
        raise Unreadable(f"{where} needs a date")
    if not any(said.get(name) for name in ("promise", "operation", "pointer")):
        raise Unreadable(f"{where} has to say what it is about: a promise, an operation or a pointer")
    for name in _ABOUT:
        if said.get(name) is not None and not isinstance(said[name], str):
            raise Unreadable(f"{where}: {name} has to be a text")
    return Accepted(**said)


def told(accepted: Iterable[tuple[Finding, Accepted]]) -> list[str]:
    """A line for each deviation that was accepted."""
    return [
        f"accepted: {finding.promise} ({entry.reason}; {entry.owner}, {entry.date}"
        + (f", until {entry.until})" if entry.until else ")")
        for finding, entry in accepted
    ]
