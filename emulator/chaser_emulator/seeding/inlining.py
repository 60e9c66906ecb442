"""A seed made ready to be sent to an emulator elsewhere: with the files beside it in its text, whose lines stay."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any, NamedTuple

from chaser_emulator.seeding import ready
from chaser_emulator.seeding.filling import Sources
from chaser_emulator.seeding.problems import Path, SeedError, SeedProblem
from chaser_emulator.seeding.text import Node, SeedText, read


class Sendable(NamedTuple):
    """What is sent as `application/yaml`, and what it is called where something is wrong with it."""

    name: str
    text: bytes


def sendable(seed: str | File | Mapping[str, Any]) -> Sendable:
    """A seed as it is sent: the name of a ready one, a file, or what such a file holds. Raises SeedError."""
    if isinstance(seed, Mapping):
        return Sendable("seed", json.dumps(seed, indent=2).encode())
    found = ready.find(str(seed))
    return Sendable(found.name, inlined(read(found.text, found.name), found.sources).encode())


def inlined(seed: SeedText, sources: Sources) -> str:
    """The text of a seed with each `from: path` written as `base64: content`. Raises SeedError."""
    changes: dict[tuple[int, int], str] = {}
    problems = []
    for path, key, value in _named(seed.root):
        try:
            content = sources(str(value.scalar))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            problems.append(SeedProblem(value.place, path, f"cannot be read: {reason}"))
            continue
        quote = '"' if seed.text[slice(*key.span)][:1] == '"' else ""
        changes[key.span] = f"{quote}base64{quote}"
        changes[value.span] = json.dumps(base64.b64encode(content).decode("ascii"))
    if problems:
        raise SeedError(seed.name, problems)
    text = seed.text
    for (start, end), new in sorted(changes.items(), reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _named(root: Node) -> Iterator[tuple[Path, Node, Node]]:
    """Every `from` of a file of a workspace or a snapshot: its path, its name and its value."""
    for index, workspace in enumerate(_items(_at(root, "workspaces"))):
        yield from _files(_at(workspace, "files"), ("workspaces", index, "files"))
        for number, snapshot in enumerate(_items(_at(workspace, "snapshots"))):
            yield from _files(_at(snapshot, "files"), ("workspaces", index, "snapshots", number, "files"))


def _files(files: Node | None, path: Path) -> Iterator[tuple[Path, Node, Node]]:
    for name, (_key, content) in (files.fields or {}).items() if files is not None else ():
        if (pair := (content.fields or {}).get("from")) is not None and isinstance(pair[1].scalar, str):
            yield (*path, name, "from"), *pair


def _at(node: Node | None, name: str) -> Node | None:
    pair = (node.fields or {}).get(name) if node is not None else None
    return pair[1] if pair is not None else None


def _items(node: Node | None) -> list[Node]:
    return (node.items or []) if node is not None else []
