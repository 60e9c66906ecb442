"""What a schema takes, by example: every node that speaks about a place of a value, and values that fit them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chaser_emulator.assembly import resolve
from chaser_emulator.explaining.places import Path, at
from chaser_emulator.spec import Spec

_BRANCHES = ("allOf", "anyOf", "oneOf")
_CONDITIONS = ("then", "else")
_DEEPEST = 8

_OF_FORMATS = {
    "date-time": "2026-01-15T09:30:00.000000Z",
    "uuid": "5b1f6c1e-2d4a-4b5f-9c3d-8e7f6a5b4c3d",
    "uri": "https://example.com/",
    "email": "ada@example.com",
    "password": "correct horse battery staple",
}


def speaking(spec: Spec, schema: Any) -> Iterator[Mapping[str, Any]]:
    """The nodes that say something about the value of a schema: itself, what it refers to, and its branches."""
    waiting, seen = [schema], set()
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, Mapping) or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node.get("$ref"), str):
            waiting.append(resolve(spec.document, {"$ref": node["$ref"]}))
        for word in _BRANCHES:
            waiting += node.get(word, [])
        waiting += [node[word] for word in _CONDITIONS if word in node]
        waiting += node.get("dependentSchemas", {}).values()


def inside(spec: Spec, schema: Any, path: Path) -> list[Any]:
    """The nodes that speak about the value at a place below that of a schema."""
    nodes = list(speaking(spec, schema))
    for part in path:
        found: list[Any] = []
        for node in nodes:
            if isinstance(part, int):
                found += [node["items"]] if "items" in node else []
            elif part in node.get("properties", {}):
                found.append(node["properties"][part])
            elif isinstance(node.get("additionalProperties"), Mapping):
                found.append(node["additionalProperties"])
        nodes = [one for node in found for one in speaking(spec, node)]
    return nodes


def fields(spec: Spec, schema: Any, path: Path = ()) -> list[str]:
    """The names of all fields that an object at a place may have, as far as the document names them."""
    nodes = inside(spec, schema, path)
    found: dict[str, None] = {}
    for node in nodes:
        found |= dict.fromkeys(name for name, part in node.get("properties", {}).items() if part is not False)
    return list(found)


def takes_any_field(spec: Spec, schema: Any, path: Path = ()) -> bool:
    """Whether an object at a place is a map with names of the caller's own, or one that the document leaves open."""
    nodes = inside(spec, schema, path)
    return not any(node.get("properties") for node in nodes) or any(
        isinstance(node.get("additionalProperties"), Mapping) or node.get("additionalProperties") is True
        for node in nodes
    )


def samples(spec: Spec, schema: Any, examples: Sequence[Any] = (), path: Path = ()) -> list[Any]:
    """Values that may fit at a place of a schema, the likeliest first; the caller tries them.

    `examples` are whole values that the document gives for the schema.
    """
    nodes = inside(spec, schema, path)
    found = [node["const"] for node in nodes if "const" in node]
    found += [given for example in examples if (given := at(example, path)) is not None] if path else list(examples)
    found += [node["default"] for node in nodes if "default" in node]
    for node in nodes:
        found += node.get("examples", [])
        found += [node["example"]] if "example" in node else []
        found += node.get("enum", [])
    for node in nodes:
        found += _made(spec, node, 0)
    return _distinct(found)


def _made(spec: Spec, node: Any, depth: int) -> list[Any]:
    """Values made from what a node says of type, size and required fields."""
    if not isinstance(node, Mapping) or depth > _DEEPEST:
        return []
    for word in ("examples", "enum"):
        if node.get(word):
            return list(node[word])[:1]
    if "const" in node:
        return [node["const"]]
    if "$ref" in node:
        return _made(spec, resolve(spec.document, {"$ref": node["$ref"]}), depth + 1)
    for word in _BRANCHES:
        for branch in node.get(word, []):
            if "type" not in node and (made := _made(spec, branch, depth + 1)):
                return made
    kinds = node.get("type", [])
    kind = kinds if isinstance(kinds, str) else next((one for one in kinds if one != "null"), "null" if kinds else "")
    match kind:
        case "string":
            text = _OF_FORMATS.get(node.get("format", ""), "example")
            least, most = node.get("minLength", 0), node.get("maxLength", len(text))
            return [text.ljust(least, "x")[: max(least, most)], "x" * max(least, 1), ""]
        case "integer" | "number":
            least = node.get("minimum", node.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in node))
            return [max(least, min(1, node.get("maximum", 1))), least]
        case "boolean":
            return [True, False]
        case "null":
            return [None]
        case "array":
            parts = _made(spec, node.get("items", {}), depth + 1)[:1] or ["example"]
            return [parts * node.get("minItems", 0), parts]
        case "object":
            wanted = {}
            for name in node.get("required", []):
                made = _made(spec, node.get("properties", {}).get(name, {}), depth + 1)
                wanted[name] = made[0] if made else "example"
            return [wanted]
        case _:
            return []


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(value == other and type(value) is type(other) for other in found):
            found.append(value)
    return found
