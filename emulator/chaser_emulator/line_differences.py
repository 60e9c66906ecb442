"""What two texts differ in, line by line, in hunks as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

MOST_COMPARED = 4000
"""Lines between the first and the last difference: of more, all are taken for replaced, as to find out takes long."""

LineKind = Literal["same", "removed", "added"]
_Step = tuple[str, int, int, int, int]


@dataclass(frozen=True)
class Line:
    """A line and what became of it; its text ends in a newline unless it is the last of its file and has none."""

    kind: LineKind
    text: str


@dataclass(frozen=True)
class Hunk:
    """Lines that differ, with some that do not around them; `before` and `after` are the numbers of its first ones."""

    before: int
    after: int
    lines: Sequence[Line]


def hunks_of(before: str, after: str, context: int) -> list[Hunk]:
    """The hunks of two texts, each with up to `context` lines around what differs."""
    old, new = lines_of(before), lines_of(after)
    return [
        Hunk(group[0][1] + 1, group[0][3] + 1, list(_lines(group, old, new)))
        for group in _grouped(_steps(old, new), context)
    ]


def lines_of(text: str) -> list[str]:
    """The lines of a text, with their newlines. Nothing else ends a line."""
    *lines, last = text.split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _lines(group: Sequence[_Step], old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    for tag, old_from, old_to, new_from, new_to in group:
        if tag == "equal":
            yield from (Line("same", text) for text in old[old_from:old_to])
            continue
        yield from (Line("removed", text) for text in old[old_from:old_to])
        yield from (Line("added", text) for text in new[new_from:new_to])


def _steps(old: Sequence[str], new: Sequence[str]) -> list[_Step]:
    """From one text to the other, as difflib says it."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    old_end, new_end = len(old) - end, len(new) - end
    steps: list[_Step] = [("equal", 0, start, 0, start)] if start else []
    if max(old_end, new_end) - start > MOST_COMPARED:
        steps.append(("replace", start, old_end, start, new_end))
    else:
        # Imported on use: most emulators compare nothing.
        from difflib import SequenceMatcher

        matcher = SequenceMatcher(None, old[start:old_end], new[start:new_end])
        steps += [
            (tag, old_from + start, old_to + start, new_from + start, new_to + start)
            for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes()
        ]
    if end:
        steps.append(("equal", old_end, len(old), new_end, len(new)))
    return steps


def _grouped(steps: Sequence[_Step], context: int) -> Iterator[list[_Step]]:
    """Steps in groups: what is equal is cut to the lines next to a difference, and long stretches of it divide."""
    group: list[_Step] = []
    for at, (tag, old_from, old_to, new_from, new_to) in enumerate(steps):
        if tag != "equal":
            group.append((tag, old_from, old_to, new_from, new_to))
            continue
        length = old_to - old_from
        head = min(length, context) if at > 0 else 0
        tail = min(length, context) if at < len(steps) - 1 else 0
        if head + tail >= length and at not in (0, len(steps) - 1):
            group.append((tag, old_from, old_to, new_from, new_to))
            continue
        if head:
            group.append((tag, old_from, old_from + head, new_from, new_from + head))
        if group:
            yield group
        group = [(tag, old_to - tail, old_to, new_to - tail, new_to)] if tail else []
    if any(tag != "equal" for tag, *_ in group):
        yield group
