"""Evidence: by operation and status, how far the document is known to hold, on axes that are never summed.

`declared`: the document says that it can come. `driven`: a request was carried out and answered so. `refused`: one was
refused so, with a body as documented. `stateful`: it came in a sequence that leads from state to state. `live`: the
real service answered so, at a date. A status that no run has seen has a reason, and so has an operation without a mark.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaser_contract.document import Document, bundled

if TYPE_CHECKING:
    from chaser_contract.running import Report

AXES = ("declared", "driven", "refused", "stateful", "live")

FILE = Path(__file__).with_name("evidence.json")
"""What the last whole run has seen, as this distribution carries it."""

Seen = Mapping[tuple[str, int, str], int]


@dataclass
class Row:
    """What is known of one operation: statuses by axis, dates of `live`, and why a status was not seen."""

    operation: str
    declared: list[int]
    driven: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    stateful: list[int] = field(default_factory=list)
    live: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)

    @property
    def unseen(self) -> list[int]:
        """Declared statuses that no run has seen."""
        return [status for status in self.declared if status not in {*self.driven, *self.refused}]

    @property
    def why(self) -> list[str]:
        """Why those were not seen, each reason once."""
        by_reason: dict[str, list[str]] = {}
        for status in self.unseen:
            by_reason.setdefault(self.reasons.get(status, "no reason is given"), []).append(str(status))
        return [f"{' '.join(statuses)}: {reason}" for reason, statuses in by_reason.items()]

    def info(self) -> dict[str, Any]:
        """Its JSON; an axis on which there is nothing is left out."""
        shown: dict[str, Any] = {"declared": self.declared}
        for axis in ("driven", "refused", "stateful"):
            if getattr(self, axis):
                shown[axis] = getattr(self, axis)
        for axis in ("live", "reasons"):
            if getattr(self, axis):
                shown[axis] = {str(status): text for status, text in sorted(getattr(self, axis).items())}
        return shown


def of_run(document: Document, seen: Seen, *, live: bool = False) -> list[Row]:
    """A row for each operation of the document, from what one run has seen."""
    today = datetime.now(UTC).date().isoformat()
    rows = []
    for operation in document.operations.values():
        row = Row(operation.id, sorted(operation.responses))
        for axis in ("driven", "refused", "stateful"):
            found = {status for one, status, on in seen if one == operation.id and on == axis}
            setattr(row, axis, sorted(found & set(row.declared)))
        if live:
            row.live = dict.fromkeys(sorted({*row.driven, *row.refused}), today)
        row.reasons = {status: text for status, text in reasons(operation.id).items() if status in row.unseen}
        rows.append(row)
    return rows


def reasons(operation_id: str) -> Mapping[int, str]:
    """Why a status of an operation is seen by no run, as `unseen.yaml` says."""
    entries = _unseen()
    found = {**entries.get("*", {}), **entries.get(operation_id, {})}
    return {int(status): str(reason) for status, reason in found.items()}


@functools.cache
def _unseen() -> Mapping[str, Mapping[Any, Any]]:
    import yaml

    text = (resources.files(__package__) / "unseen.yaml").read_text("utf-8")
    return yaml.safe_load(text) or {}


def load(file: Path = FILE) -> list[Row]:
    """The evidence that was kept. Raises FileNotFoundError where there is none."""
    rows = json.loads(file.read_text("utf-8"))
    return [
        Row(
            operation, row["declared"], row.get("driven", []), row.get("refused", []), row.get("stateful", []),
            *({int(status): text for status, text in row.get(axis, {}).items()} for axis in ("live", "reasons")),
        )
        for operation, row in rows.items()
    ]  # fmt: skip


def merged(kept: list[Row], new: list[Row]) -> list[Row]:
    """What a new run has seen, with the dates at which the real service was asked, where the new run did not ask it."""
    known = {row.operation: row for row in kept}
    for row in new:
        before = known.get(row.operation)
        if before is not None:
            row.live = {status: date for status, date in {**before.live, **row.live}.items() if status in row.declared}
    return new


def keep(report: Report, file: Path) -> None:
    """Write what a run has seen into a file, beside what is known of the real service from before."""
    new = of_run(bundled(), report.seen, live=report.where.profile == "live")
    kept = load(file) if file.exists() else []
    file.write_text(written(merged(kept, new)), "utf-8")


def written(rows: list[Row]) -> str:
    """The text of the file: a line for each operation, so that a change of one is a change of one line."""
    lines = [f"{json.dumps(row.operation)}: {json.dumps(row.info())}" for row in rows]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def table(rows: list[Row]) -> str:
    """The table of the README."""
    lines = [f"| operation | {' | '.join(AXES)} | not seen, because |", f"|{'---|' * (len(AXES) + 2)}"]
    for row in rows:
        cells = [_statuses(getattr(row, axis)) for axis in ("declared", "driven", "refused", "stateful")]
        dates = [f"{status} ({date})" for status, date in sorted(row.live.items())]
        lines.append(f"| {' | '.join([row.operation, *cells, ' '.join(dates), '; '.join(row.why)])} |")
    return "\n".join(lines)


def _statuses(found: list[int]) -> str:
    return " ".join(map(str, found))
