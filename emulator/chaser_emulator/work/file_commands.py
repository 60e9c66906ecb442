"""What a step writes to `$GITHUB_ENV`, `$GITHUB_OUTPUT` and `$GITHUB_PATH`, as lines `name=value` or `name<<END`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chaser_emulator.work.workflow_yaml import WorkflowError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def pairs(data: bytes, what: str) -> list[tuple[str, str]]:
    """Names and values in the order written. Raises WorkflowError, which begins with `what`."""
    found = []
    lines = iter(_lines(data))
    for line in lines:
        if not line:
            continue
        name, equals, value = line.partition("=")
        begin, heredoc, end = line.partition("<<")
        if heredoc and len(begin) < len(name):
            name, value = begin, _until(end, lines, f"{what}: the value of {begin!r}")
        elif not equals:
            raise WorkflowError(f"{what}: {line[:100]!r} is neither name=value nor name<<END")
        if not name:
            raise WorkflowError(f"{what}: {line[:100]!r} has no name")
        found.append((name, value))
    return found


def paths(data: bytes) -> list[str]:
    """Folders in the order written."""
    return [line for line in _lines(data) if line]


def _until(end: str, lines: Iterator[str], what: str) -> str:
    """The lines up to that which is the end."""
    if not end:
        raise WorkflowError(f"{what} has no word after << that ends it")
    taken: list[str] = []
    for line in lines:
        if line == end:
            return "\n".join(taken)
        taken.append(line)
    raise WorkflowError(f"{what} is not ended by a line {end!r}")


def _lines(data: bytes) -> Sequence[str]:
    text = data.decode("utf-8-sig", "replace")
    return [line.removesuffix("\r") for line in text.split("\n")]


def may_be_set(name: str) -> bool:
    """Whether a step may set a variable for those after it; GitHub refuses this one for all that runs in Node."""
    return _VARIABLE.fullmatch(name) is not None and name.upper() != "NODE_OPTIONS"
