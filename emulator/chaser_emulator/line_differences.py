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
        Hunk(group[0][1] + 1, group[0][3] + 1, list(_lines(group, old, new))) for group in _groups(old, new, context)
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


def _groups(old: Sequence[str], new: Sequence[str], context: int) -> Iterator[list[_Step]]:
    """The steps from one text to the other, as difflib groups them."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    old_end, new_end = len(old) - end, len(new) - end
    # Of what is equal at both ends, only the lines around the rest are looked at.
    head, tail = min(start, context), min(end, context)
    if max(old_end, new_end) - start > MOST_COMPARED:
        yield [
            ("equal", start - head, start, start - head, start),
            ("replace", start, old_end, start, new_end),
            ("equal", old_end, old_end + tail, new_end, new_end + tail),
        ]
        return
    # Imported on use: most emulators compare nothing.
    from difflib import SequenceMatcher

    first = start - head
    matcher = SequenceMatcher(None, old[first : old_end + tail], new[first : new_end + tail])
    for group in matcher.get_grouped_opcodes(context):
        yield [(tag, first + a, first + b, first + c, first + d) for tag, a, b, c, d in group]
