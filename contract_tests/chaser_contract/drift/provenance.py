"""Provenance: which marks of the bundled document become facts, because another version of it says the same, or not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from chaser_emulator.assembly import API

from chaser_contract.drift.comparing import Drift
from chaser_contract.drift.documents import escaped

_FACT = "spec"

# That of C takes a tenth of the time, and is not everywhere.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RULED = re.compile(r",?\s*x-ruling:\s*(?:\[[^\]]*\]|[A-Z]+\d+)")
_PROVENANCE = re.compile(r"(x-provenance:\s*)\w+")


@dataclass(frozen=True)
class Proposal:
    """A mark that would become `spec`. `line` counts from 1; `because` says what the other document has there."""

    file: str
    line: int
    pointer: str
    mark: str
    ruling: Sequence[str]
    verdict: Literal["same", "differs"]
    because: str

    def as_yaml(self) -> dict[str, Any]:
        """It as an entry of a list."""
        now = {"x-provenance": self.mark, **({"x-ruling": list(self.ruling)} if self.ruling else {})}
        return {
            "file": self.file,
            "line": self.line,
            "place": self.pointer,
            "now": now,
            "proposed": {"x-provenance": _FACT},
            "verdict": self.verdict,
            "because": self.because,
        }


@dataclass(frozen=True)
class _Mark:
    file: Path
    line: int
    pointer: str
    provenance: str
    ruling: list[str]
    ruling_lines: tuple[int, int] | None
    is_operation: bool


def proposals(drift: Drift, folder: Path = API.folder) -> list[Proposal]:
    """The marks that another document makes facts. What it does not speak of keeps its mark."""
    found = []
    for mark in _marks(folder):
        if mark.pointer not in drift.met:
            continue
        inside = [change for change in drift.changes if _is_in(change.pointer, mark)]
        because = "the other document says the same"
        if inside:
            because = "; ".join(dict.fromkeys(change.said() for change in inside))
        found.append(
            Proposal(
                mark.file.name, mark.line, mark.pointer, mark.provenance, mark.ruling,
                "differs" if inside else "same", because,
            )
        )  # fmt: skip
    return found


def patch(drift: Drift, folder: Path = API.folder) -> str:
    """The same as a unified diff of the files of the document.

    Where the other one differs only the mark is changed; what it says has to be written there by hand.
    """
    text = ""
    by_file: dict[Path, list[_Mark]] = {}
    for mark in _marks(folder):
        if mark.pointer in drift.met:
            by_file.setdefault(mark.file, []).append(mark)
    for file, marks in sorted(by_file.items()):
        before = file.read_text("utf-8").splitlines(keepends=True)
        after: list[str | None] = list(before)
        for mark in marks:
            _become_a_fact(after, mark)
        name = f"emulator/chaser_emulator/openapi/{file.name}"
        kept = [line for line in after if line is not None]
        text += "".join(difflib.unified_diff(before, kept, f"a/{name}", f"b/{name}"))
    return text


def _become_a_fact(lines: list[str | None], mark: _Mark) -> None:
    line = lines[mark.line - 1]
    if line is None:
        return
    lines[mark.line - 1] = _PROVENANCE.sub(rf"\g<1>{_FACT}", line)
    # Rulings of an operation are about what it does, of which a document says nothing.
    if mark.is_operation or mark.ruling_lines is None or mark.provenance != "ruled":
        return
    first, last = mark.ruling_lines
    if first == mark.line:
        lines[first - 1] = _RULED.sub("", lines[first - 1] or "")
        return
    for number in range(first, last + 1):
        lines[number - 1] = None


def _is_in(pointer: str, mark: _Mark) -> bool:
    """Whether a change is one of what a mark is about: of an operation that is the operation itself."""
    if mark.is_operation:
        return pointer == mark.pointer
    return pointer == mark.pointer or pointer.startswith(f"{mark.pointer}/")


def _marks(folder: Path) -> Iterator[_Mark]:
    """Every mark that is no fact yet, with the line on which it stands."""
    for file in sorted(folder.glob("*.yaml")):
        root = yaml.compose(file.read_text("utf-8"), Loader=_LOADER)
        if isinstance(root, yaml.MappingNode):
            yield from _inside(file, root, "#", set())


def _inside(file: Path, node: yaml.Node, pointer: str, seen: set[int]) -> Iterator[_Mark]:
    # What an anchor names stands in one place.
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, part in enumerate(node.value):
            yield from _inside(file, part, f"{pointer}/{number}", seen)
    if not isinstance(node, yaml.MappingNode):
        return
    words = {key.value: (key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    if "x-provenance" in words and words["x-provenance"][1].value != _FACT:
        key, value = words["x-provenance"]
        ruling: list[str] = []
        lines = None
        if "x-ruling" in words:
            ruling_key, ruled = words["x-ruling"]
            ruling = [part.value for part in ruled.value] if isinstance(ruled, yaml.SequenceNode) else [ruled.value]
            ends = ruled.end_mark.line + (1 if ruled.end_mark.column or isinstance(ruled, yaml.ScalarNode) else 0)
            lines = (ruling_key.start_mark.line + 1, ends)
        is_operation = "operationId" in words
        yield _Mark(file, key.start_mark.line + 1, pointer, str(value.value), ruling, lines, is_operation)
    for name, (_, value) in words.items():
        if name not in ("example", "examples"):
            yield from _inside(file, value, f"{pointer}/{escaped(str(name))}", seen)
