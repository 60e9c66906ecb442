"""The operations of both documents: in short, and each with the schemas that a form about it needs."""

from __future__ import annotations

from typing import Any

from chaser_emulator.assembly import resolve
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import ApiError
from chaser_emulator.paths import CONTROL
from chaser_emulator.spec import Operation, Spec


@control("list-operations")
async def list_operations(call: ControlCall) -> dict[str, Any]:
    """All of them, in short."""
    both = (("api", call.api), ("control", call.spec))
    return {"operations": [_short(plane, spec, one) for plane, spec in both for one in spec.operations.values()]}


@control("get-operation")
async def get_operation(call: ControlCall) -> dict[str, Any]:
    """One of them, in full."""
    name = call.path["id"]
    for plane, spec in (("api", call.api), ("control", call.spec)):
        if name in spec.operations:
            return _full(plane, spec, spec.operations[name])
    raise ApiError("not_found", f"neither document has an operation {name[:128]!r}")


def _short(plane: str, spec: Spec, operation: Operation) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": operation.id,
        "plane": plane,
        "method": operation.method,
        "path": operation.path if plane == "api" else CONTROL + operation.path,
        "tag": operation.tag,
        "summary": _node(spec, operation)["summary"],
        "scope": operation.scope,
        "body": list(operation.body.content) if operation.body is not None else None,
        "command": operation.marks.get("x-command"),
        "parameters": [
            {"name": p.name, "in": p.location, "required": p.required}
            for p in operation.parameters
            if p.location != "header"
        ],
    }
    return {name: value for name, value in shown.items() if value is not None}


def _full(plane: str, spec: Spec, operation: Operation) -> dict[str, Any]:
    node = _node(spec, operation)
    shown = _short(plane, spec, operation)
    shown.pop("body", None)
    if "description" in node:
        shown["description"] = node["description"]
    if operation.codes:
        shown["codes"] = dict(operation.codes)
    if operation.body is not None:
        shown["body"] = {kind: _whole(spec, schema) for kind, schema in operation.body.content.items()}
        shown["body_required"] = operation.body.required
    described = (resolve(spec.document, one) for one in node.get("parameters", []))
    shown["parameters"] = [
        {"name": parameter.name, "in": parameter.location, "required": parameter.required}
        | {"schema": _whole(spec, parameter.schema)}
        | ({"description": one["description"]} if "description" in one else {})
        for parameter, one in zip(operation.parameters, described, strict=True)
    ]
    return shown


def _node(spec: Spec, operation: Operation) -> dict[str, Any]:
    node: dict[str, Any] = spec.document["paths"][operation.path][operation.method.lower()]
    return node


def _whole(spec: Spec, node: Any, within: tuple[str, ...] = ()) -> Any:
    """A schema with what its references name in their places; what contains itself accepts anything there."""
    if isinstance(node, list):
        return [_whole(spec, one, within) for one in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return {name: _whole(spec, value, within) for name, value in node.items()}
    if reference in within:
        return {}
    beside = {name: value for name, value in node.items() if name != "$ref"}
    named = _whole(spec, resolve(spec.document, {"$ref": reference}), (*within, reference))
    return named | {name: _whole(spec, value, within) for name, value in beside.items()}
