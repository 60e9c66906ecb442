"""Schemas of the document as those of tools: complete in themselves, in the words that every client knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chaser_emulator.assembly import Node, resolve

_LEFT_OUT = frozenset(["example", "examples", "deprecated", "readOnly", "writeOnly"])

# Makers of models refuse these at the top of what a tool takes; the routes hold the calls to them all the same.
_CONDITIONS = frozenset(["oneOf", "anyOf", "allOf", "not", "if", "then", "else", "dependentSchemas"])


def standalone(document: Node, node: Any) -> Any:
    """A schema with what it refers to written out, and without the document's own words."""
    if isinstance(node, list):
        return [standalone(document, part) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = standalone(document, resolve(document, node))
        beside = standalone(document, {key: part for key, part in node.items() if key != "$ref"})
        return target | beside
    plain: Node = {}
    for key, part in node.items():
        if key in ("properties", "dependentSchemas"):
            plain[key] = {name: standalone(document, schema) for name, schema in part.items()}
        elif key in ("enum", "const", "default", "required"):
            plain[key] = part
        elif not key.startswith("x-") and key not in _LEFT_OUT:
            plain[key] = standalone(document, part)
    if isinstance(plain.get("description"), str):
        plain["description"] = " ".join(plain["description"].split())
    return plain


def component(document: Node, name: str) -> Node:
    """A schema of the document's components, standing alone."""
    found: Node = standalone(document, document["components"]["schemas"][name])
    return found


def wrapped(key: str, items: Node) -> Node:
    """An object with one list in it: what a tool gives is always an object."""
    return {
        "type": "object",
        "properties": {key: {"type": "array", "items": items}},
        "required": [key],
        "additionalProperties": False,
    }


def arguments(properties: Mapping[str, Node], required: Iterable[str]) -> Node:
    """What a tool takes. An argument that may be left out has no need of null, which says the same."""
    needed = [name for name in properties if name in set(required)]
    return {
        "type": "object",
        "properties": {name: node if name in needed else _without_null(node) for name, node in properties.items()},
        "required": needed,
        "additionalProperties": False,
    }


def without_conditions(node: Node) -> Node:
    """A schema without what it says of its fields together."""
    return {key: part for key, part in node.items() if key not in _CONDITIONS}


def _without_null(node: Node) -> Node:
    found = dict(node)
    if isinstance(found.get("type"), list):
        kinds = [kind for kind in found["type"] if kind != "null"]
        found["type"] = kinds[0] if len(kinds) == 1 else kinds
    if "enum" in found:
        found["enum"] = [value for value in found["enum"] if value is not None]
    if "anyOf" in found:
        ways = [way for way in found["anyOf"] if way != {"type": "null"}]
        if len(ways) == 1:
            own = {key: part for key, part in found.items() if key != "anyOf"}
            return {**ways[0], **own}
        found["anyOf"] = ways
    return found
