"""Places in a JSON value: parts put in, taken out, renamed without touching the rest, and what two values differ in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chaser_emulator.rules import join

Path = Sequence[str | int]

_LONGEST = 80


@dataclass(frozen=True)
class Change:
    """One difference between a request and another. `place` is a JSON pointer into the body, or a parameter's name."""

    location: Literal["method", "path", "query", "header", "body"]
    place: str
    before: Any = None
    after: Any = None
    kind: Literal["changed", "added", "removed", "renamed", "rewritten"] = "changed"

    def __str__(self) -> str:
        """As `body /timeout_ms: 900 -> 600`."""
        where = f"{self.location} {self.place}".rstrip()
        match self.kind:
            case "added":
                return f"{where}: added, {brief(self.after)}"
            case "removed":
                return f"{where}: left out"
            case "rewritten":
                return f"{where}: written as {self.before or 'JSON'}, {brief(self.after)}"
            case "renamed":
                return f"{where} -> {self.after}"
            case _:
                return f"{where}: {brief(self.before)} -> {brief(self.after)}"


def brief(value: Any) -> str:
    """A value in a length that can be read."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def at(value: Any, path: Path) -> Any:
    """What is at a place, or None."""
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(str(part))
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def put(value: Any, path: Path, part: Any) -> Any:
    """The value with something else at a place."""
    if not path:
        return part
    first, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        name = str(first)
        return {**value, name: put(value.get(name), rest, part)}
    if isinstance(value, list) and isinstance(first, int) and first < len(value):
        return [put(one, rest, part) if index == first else one for index, one in enumerate(value)]
    return value


def drop(value: Any, path: Path) -> Any:
    """The value without what is at a place."""
    *way, last = path
    holder = at(value, way)
    if isinstance(holder, Mapping):
        return put(value, way, {name: part for name, part in holder.items() if name != last})
    if isinstance(holder, list):
        return put(value, way, [part for index, part in enumerate(holder) if index != last])
    return value


def rename(value: Any, path: Path, name: str) -> Any:
    """The value with a field under another name, in the same order."""
    *way, last = path
    holder = at(value, way)
    if not isinstance(holder, Mapping):
        return value
    return put(value, way, {name if key == last else key: part for key, part in holder.items() if key != name})


def changes(before: Any, after: Any, pointer: str = "") -> list[Change]:
    """What it takes to make one body the other, in as few places as tell it."""
    if json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True):
        return []
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        gone = [name for name in before if name not in after]
        come = [name for name in after if name not in before]
        found = []
        for name in list(gone):
            twin = next((other for other in come if after[other] == before[name]), None)
            if twin is not None:
                gone.remove(name)
                come.remove(twin)
                found.append(Change("body", join(pointer, [name]), name, join(pointer, [twin]), "renamed"))
        for name in before:
            if name in after:
                found += changes(before[name], after[name], join(pointer, [name]))
        found += [Change("body", join(pointer, [name]), before[name], None, "removed") for name in gone]
        found += [Change("body", join(pointer, [name]), None, after[name], "added") for name in come]
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [change for index, (one, other) in pairs for change in changes(one, other, join(pointer, [index]))]
    return [Change("body", pointer, before, after)]
