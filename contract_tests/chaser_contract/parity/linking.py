"""Where what a call needs comes from: the links of the document, and some that it has not."""

from __future__ import annotations

from typing import Any

from chaser_emulator.assembly import resolve

from chaser_contract.document import Document
from chaser_contract.parity.steps import MISSING, Ref, Step

# Where something comes from that no link of the document leads to.
_MORE_LINKS: list[tuple[str, str, dict[str, str]]] = [
    ("list-webhook-deliveries", "get-webhook-delivery", {"did": "$response.body#/deliveries/0/id"}),
    ("list-webhook-deliveries", "replay-webhook-delivery", {"did": "$response.body#/deliveries/0/id"}),
    ("list-webhook-deliveries", "discard-webhook-delivery", {"did": "$response.body#/deliveries/0/id"}),
    ("create-session", "list-browser-targets-shortly", {"id": "$response.body#/id"}),
    ("create-session", "open-browser-target-by-get", {"id": "$response.body#/id"}),
    ("create-session", "open-browser-target", {"id": "$response.body#/id"}),
    ("create-session", "get-browser-protocol", {"id": "$response.body#/id"}),
    ("create-session", "upload-browser-extension", {"id": "$response.body#/id"}),
    ("open-browser-target", "activate-browser-target", {"id": "$request.path.id", "target": "$response.body#/id"}),
    ("open-browser-target", "close-browser-target", {"id": "$request.path.id", "target": "$response.body#/id"}),
]


def links_of(document: Document) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """By operation: which other one's answer holds what it takes, and as which parameters."""
    found: dict[str, list[tuple[str, dict[str, str]]]] = {}
    root = document.spec.document
    for operation in document.operations.values():
        for response in root["paths"][operation.path][operation.method.lower()]["responses"].values():
            for link in resolve(root, response).get("links", {}).values():
                node = resolve(root, link)
                found.setdefault(node["operationId"], []).append((operation.id, node.get("parameters", {})))
    for source, target, parameters in _MORE_LINKS:
        if source in document.operations and target in document.operations:
            found.setdefault(target, []).append((source, parameters))
    # What runs as a command of a session is made without a sandbox of its own first.
    for links in found.values():
        links.sort(key=lambda one: one[0] == "exec-sandbox")
    return found


def linked(expression: str, place: int, source: Step) -> Any:
    """What an expression of a link means after the step that it is a link of."""
    if expression.startswith("$response.body#"):
        return Ref(place, expression.removeprefix("$response.body#"))
    return source.path.get(expression.removeprefix("$request.path."), MISSING)
