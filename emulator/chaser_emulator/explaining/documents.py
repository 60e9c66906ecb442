"""What the document says at a place: its words, the assumptions behind it, and the line of its file."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaser_emulator import assembly
from chaser_emulator.assembly import METHODS, resolve
from chaser_emulator.rules import along, join, parts_of
from chaser_emulator.spec import Spec


@dataclass(frozen=True)
class Place:
    """Where a rule stands. `file` names the YAML file and the line, as `sessions.yaml:451`."""

    pointer: str
    file: str | None
    description: str | None
    rulings: Mapping[str, str]


def place(spec: Spec, pointer: str, rulings: tuple[str, ...] = ()) -> Place:
    """The document's own words about a place: those of the innermost part that has any."""
    said = None
    nodes = [node for _part, node in along(spec.document, pointer)]
    if isinstance(nodes[-1], Mapping) and isinstance(nodes[-1].get("$ref"), str):
        nodes.insert(-1, resolve(spec.document, {"$ref": nodes[-1]["$ref"]}))
    for node in nodes:
        if isinstance(node, Mapping) and isinstance(node.get("description"), str):
            said = node["description"]
    texts = _rulings()
    known = {number: texts[number] for number in rulings if number in texts}
    return Place(pointer, line_of(spec, pointer), " ".join(said.split()) if said else None, known)


@functools.cache
def _rulings() -> dict[str, str]:
    return {number: " ".join(text.split()) for number, text in assembly.rulings().items()}


def line_of(spec: Spec, pointer: str) -> str | None:
    """The file and the line in which a place of the assembled document is written, or what it was made from."""
    parts = parts_of(pointer)
    found = None
    ways = _ways(spec, parts)
    for file in _candidates(parts):
        lines = _lines(file)
        for way in ways:
            depth = len(way)
            while depth and (line := lines.get(join("", way[:depth]))) is None:
                depth -= 1
            if depth and line is not None and (found is None or depth > found[0]):
                found = depth, f"{file.name}:{line}"
    return found[1] if found is not None else None


def _ways(spec: Spec, parts: list[str]) -> list[list[str]]:
    """The places in the files that a place of the whole may come from."""
    ways = [parts]
    if len(parts) > 4 and parts[0] == "paths" and parts[3] == "parameters":
        # What a path says of all its methods comes first in each of them.
        path, method, index = parts[1], parts[2], int(parts[4])
        own = len(spec.document["paths"][path][method].get("parameters", []))
        shared = _shared(path)
        ways = [["paths", path, "parameters", *parts[4:]]] if index < shared else []
        ways += (
            [["paths", path, method, "parameters", str(index - shared), *parts[5:]]] if shared <= index < own else []
        )
        if not ways:
            ways = [parts[:3]]
    if len(parts) > 3 and parts[0] == "paths" and parts[3] == "responses":
        ways.insert(0, [*parts[:3], "x-errors"])
    return ways


@functools.cache
def _shared(path: str) -> int:
    """How many parameters a path names for all its methods."""
    start = join("", ["paths", path, "parameters"]) + "/"
    known = {name for file in _candidates(["paths", path]) for name in _lines(file) if name.startswith(start)}
    return sum(1 for name in known if "/" not in name.removeprefix(start))


def _candidates(parts: Sequence[str]) -> list[Path]:
    """The files that may say something of a place: reading all of them would keep people waiting."""
    match parts:
        case ["paths", path, *_]:
            wanted = f"\n  {path}:"
        case ["components", _, name, *_]:
            wanted = f"\n    {name}:"
        case _:
            return [assembly.API.folder / "components.yaml"]
    return [file for file, text in _texts().items() if wanted in text]


@functools.cache
def _texts() -> dict[Path, str]:
    files = sorted(assembly.API.folder.glob("*.yaml"))
    return {file: file.read_text("utf-8") for file in files if file.name != "rulings.yaml"}


@functools.cache
def _lines(file: Path) -> dict[str, int]:
    """The line of every place of a file."""
    import yaml  # only for who asks

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    root = yaml.compose(_texts()[file], Loader=loader)
    found: dict[str, int] = {}
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        pointer, node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            for key, part in node.value:
                where = join(pointer, [key.value])
                found[where] = key.start_mark.line + 1
                waiting.append((where, part))
        elif isinstance(node, yaml.SequenceNode):
            for index, part in enumerate(node.value):
                where = join(pointer, [index])
                found[where] = part.start_mark.line + 1
                waiting.append((where, part))
    return found


def examples_of(spec: Spec, operation_path: str, method: str, media_type: str) -> list[Any]:
    """The bodies that the document gives for an operation, the smallest first."""
    node = spec.document["paths"][operation_path][method.lower()]
    media = node.get("requestBody", {}).get("content", {}).get(media_type, {})
    return sorted(examples_in(media), key=lambda example: len(str(example)))


def examples_in(node: Mapping[str, Any]) -> list[Any]:
    """The values that a parameter or a media type gives."""
    found = [node["example"]] if "example" in node else []
    return found + [example["value"] for example in node.get("examples", {}).values()]


def methods_of(spec: Spec, path: str) -> list[str]:
    """What a path takes."""
    return [method.upper() for method in METHODS if method in spec.document["paths"][path]]
