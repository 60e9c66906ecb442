"""What Chaser's document and that of the control plane promise alike, as their tests look for it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from chaser_emulator import assembly

Node = dict[str, Any]


def wrong_path_parameters(document: Node) -> list[str]:
    """Operations whose parameters in the path are not those of their path."""
    wrong = []
    for path, method, operation in assembly.operations(document):
        resolved = [assembly.resolve(document, parameter) for parameter in operation.get("parameters", [])]
        names = sorted(parameter["name"] for parameter in resolved if parameter["in"] == "path")
        if names != sorted(re.findall(r"\{(\w+)\}", path)):
            wrong.append(f"{method} {path}: {names}")
    return wrong


def open_objects(document: Node, schemas: Iterable[tuple[str, Any]], *, known: Collection[str] = ()) -> list[str]:
    """The places of objects that may have fields which nobody names; components that are `known` are not looked at."""
    found: list[str] = []

    def closed(node: Any) -> bool:
        node = assembly.resolve(document, node)
        if any(node.get(key, True) is not True for key in ("additionalProperties", "unevaluatedProperties")):
            return True
        return any(closed(part) for part in node.get("allOf", []))

    def visit(node: Any, where: str, covered: bool, above: tuple[int, ...]) -> None:
        if isinstance(node, bool) or node.get("$ref", "").rpartition("/")[2] in known:
            return
        node = assembly.resolve(document, node)
        if id(node) in above:
            return
        path = (*above, id(node))
        covered = covered or closed(node)
        if "properties" in node and not covered:
            found.append(where)
        for name, child in node.get("properties", {}).items():
            visit(child, f"{where}/{name}", False, path)
        for key in ("items", "additionalProperties"):
            if key in node:
                visit(node[key], f"{where}/{key}", False, path)
        for key in ("allOf", "anyOf", "oneOf"):
            for part in node.get(key, []):
                visit(part, where, covered, path)

    for where, schema in schemas:
        visit(schema, where, False, ())
    return found
