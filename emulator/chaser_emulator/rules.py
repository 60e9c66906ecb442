"""Where in the document the rule stands that refused a request: JSON pointers, and what is written at them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chaser_emulator import redaction
from chaser_emulator.errors import ApiError, Rule
from chaser_emulator.spec import Operation, Parameter, Spec, escaped

_LONGEST, _MOST = 200, 20
_SELECTOR = "X-Chaser-Account"
_MARKS = {"insufficient_scope": "x-scope", "rate_limited": "x-rate"}
_READING = {"payload_too_large", "unsupported_media_type", "invalid_json"}


def join(pointer: str, parts: Iterable[str | int]) -> str:
    """A pointer, and further parts of a path."""
    return pointer + "".join("/" + escaped(str(part)) for part in parts)


def parts_of(pointer: str) -> list[str]:
    """The parts of a JSON pointer, with or without the # of a document's."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("#").split("/")[1:]]


def along(document: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """Every node on the way to what a pointer names, each with the part that led to it; it stops where the way does.

    A part `$ref` leads to what it refers to.
    """
    node = document
    yield "", node
    for part in parts_of(pointer):
        if isinstance(node, Mapping) and part in node:
            node = node[part]
            if part == "$ref" and isinstance(node, str):
                *_, (_part, node) = along(document, node)
        elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            return
        yield part, node


def rulings_at(spec: Spec, pointer: str) -> tuple[str, ...]:
    """The emulator's assumptions behind the innermost marked part; those of a whole operation are too many to say."""
    found: tuple[str, ...] = ()
    for _part, node in along(spec.document, pointer):
        if isinstance(node, Mapping) and "operationId" not in node and isinstance(node.get("x-ruling"), list):
            found = tuple(node["x-ruling"])
    return found


def limit(spec: Spec, pointer: str) -> Any:
    """What the document says at a pointer, where that is short: a bound, a list of words, a pattern, a type."""
    *_, (_part, node) = along(spec.document, pointer)
    parts = node if isinstance(node, list) else [node]
    return None if any(isinstance(part, (Mapping, list)) for part in parts) else node


def hides(spec: Spec, way: str) -> bool:
    """Whether what is found on this way through the document is a secret."""
    nodes = [node for _part, node in along(spec.document, way)]
    return any(isinstance(node, Mapping) and ("x-secret" in node or node.get("writeOnly") is True) for node in nodes)


def shown(value: Any) -> Any:
    """A refused value as it may be told: short, and no object or list of such, as they may hold anything."""
    if isinstance(value, str):
        value = redaction.text(value)
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    if isinstance(value, list) and not any(isinstance(part, (Mapping, list)) for part in value):
        return [shown(part) for part in value[:_MOST]]
    return None if isinstance(value, (Mapping, list)) else value


def rule_of(spec: Spec, operation: Operation | None, error: ApiError, parameter: Parameter | None = None) -> Rule:
    """The rule behind a refusal that is about no field: what its code means, here or everywhere.

    `parameter` is the input that the refusal is about, where that is known.
    """
    code = f"#/x-error-codes/{error.code}"
    rulings = rulings_at(spec, code)
    if operation is None:
        return Rule("#/paths" if error.code in ("not_found", "method_not_allowed") else code, rulings)
    node = spec.document["paths"][operation.path][operation.method.lower()]
    if error.code == "unauthorized":
        own = f"{operation.pointer}/security"
        return Rule(own if "security" in node else "#/security", rulings, accepted=["BearerAuth"])
    if error.code == "method_not_allowed":
        allowed = error.headers.get("Allow", "").split(", ")
        return Rule(f"#/paths/{escaped(operation.path)}", rulings, accepted=allowed)
    if (mark := _MARKS.get(error.code)) is not None and mark in node:
        return Rule(f"{operation.pointer}/{mark}", rulings, accepted=node[mark])
    if error.code == "account_mismatch" or (error.code == "not_found" and error.message.startswith(_SELECTOR)):
        selector = next((p for p in operation.parameters if p.name == _SELECTOR), None)
        if selector is not None:
            return Rule(selector.pointer, rulings_at(spec, selector.pointer))
    if error.code == "forbidden":
        return _forbidden(operation, node, error, rulings)
    if error.code in _READING and operation.body is not None:
        return Rule(f"{operation.body.pointer}/content", rulings, accepted=list(operation.body.content))
    if parameter is not None:
        return Rule(parameter.pointer, rulings or rulings_at(spec, parameter.pointer))
    status = spec.error_status.get(error.code)
    place = f"{operation.pointer}/responses/{status}"
    return Rule(place if str(status) in node["responses"] else code, rulings)


def _forbidden(operation: Operation, node: Mapping[str, Any], error: ApiError, rulings: tuple[str, ...]) -> Rule:
    if "service account" in error.message and not operation.service_accounts:
        return Rule(f"{operation.pointer}/x-service-account", rulings, accepted=False)
    if "role" in error.message and "x-roles" in node:
        return Rule(f"{operation.pointer}/x-roles", rulings, accepted=node["x-roles"])
    return Rule("#/x-error-codes/forbidden", rulings)
