"""What a schema's error says to people: one clause, with what was wrong and what is accepted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jsonschema_rs

_MOST, _LONGEST = 10, 100


def pointer_of(error: jsonschema_rs.ValidationError) -> str:
    """The JSON pointer of what is wrong; for a field that is missing, the field's own."""
    kind: Any = error.kind
    parts: list[str | int] = list(error.instance_path)
    if type(kind).__name__ == "Required":
        parts.append(kind.property)
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def accepted(schema: Mapping[str, Any]) -> str:
    """What a schema takes, in short."""
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    kind = schema.get("type", "a value")
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(_TYPES.get(name, str(name)) for name in kinds)


_TYPES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def words_at(root: Any, error: jsonschema_rs.ValidationError) -> str | None:
    """What the schema that was broken, or the closest around it that has a word for it, says that it accepts."""
    words: str | None = None
    for part in error.schema_path:
        if isinstance(root, dict):
            words = root.get("x-accepted", words)
        root = root[part]
    return f"must be {words}" if words is not None else None


def around(root: Any, error: jsonschema_rs.ValidationError) -> Mapping[str, Any]:
    """The schema that holds the keyword which an error is about."""
    for part in list(error.schema_path)[:-1]:
        root = root[part]
    return root if isinstance(root, dict) else {}


def _list(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def _some(names: Sequence[str]) -> str:
    """Names that a caller sent, in a length that can be read."""
    shown = ", ".join(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…" for name in names[:_MOST])
    return shown if len(names) <= _MOST else f"{shown} and {len(names) - _MOST} more"


def explain(error: jsonschema_rs.ValidationError) -> str:
    """One clause: what is wrong with the value, and what is accepted."""
    kind: Any = error.kind  # each kind has fields of its own
    match type(kind).__name__:
        case "Required":
            return "is required"
        case "Type":
            return f"must be {' or '.join(_TYPES[name] for name in reversed(kind.types))}"
        case "Enum":
            return f"must be one of {', '.join(json.dumps(option) for option in kind.options)}"
        case "Constant":
            return f"must be {json.dumps(kind.expected_value)}"
        case "Pattern":
            return f"must match {kind.pattern}"
        case "Format":
            return f"must have the form of {kind.format}"
        case "Minimum":
            return f"must be at least {kind.limit}"
        case "Maximum":
            return f"must be at most {kind.limit}"
        case "ExclusiveMinimum":
            return f"must be more than {kind.limit}"
        case "ExclusiveMaximum":
            return f"must be less than {kind.limit}"
        case "MinLength":
            return f"must be at least {kind.limit} characters long"
        case "MaxLength":
            return f"must be at most {kind.limit} characters long"
        case "MinItems":
            return f"must have at least {kind.limit} items"
        case "MaxItems":
            return f"must have at most {kind.limit} items"
        case "MinProperties":
            return f"must have at least {kind.limit} entries"
        case "MaxProperties":
            return f"must have at most {kind.limit} entries"
        case "UniqueItems":
            return "must not list the same thing twice"
        case "AdditionalProperties" | "UnevaluatedProperties":
            return f"has unknown fields: {_some(kind.unexpected)}"
        case "PropertyNames":
            return f"has a key that is not accepted: {explain(kind.error)}"
        case "FalseSchema":
            return "is not accepted here"
        case "Not":
            return _excluded(kind.schema)
        case "AnyOf" | "OneOfNotValid":
            ways = dict.fromkeys(
                " and ".join(dict.fromkeys(f"{pointer_of(part)} {explain(part)}".strip() for part in branch))
                for branch in kind.context
                if branch
            )
            return "either " + ", or ".join(ways) if len(ways) > 1 else next(iter(ways), "is not accepted")
        case "OneOfMultipleValid":
            return "fits more than one of the forms that exclude each other"
        case _:
            return str(error.message)


def _excluded(schema: Any) -> str:
    """Name the fields that a `not` keeps apart."""
    if isinstance(schema, dict):
        if required := schema.get("required"):
            constants = schema.get("properties", {})
            names = [
                f"{name} = {json.dumps(constants[name]['const'])}" if "const" in constants.get(name, {}) else name
                for name in required
            ]
            return f"{_list(names)} exclude each other" if len(names) > 1 else f"{names[0]} is not accepted here"
        if options := schema.get("anyOf"):
            return "; ".join(_excluded(option) for option in options)
        if "pattern" in schema:
            return f"must not match {schema['pattern']}"
        if "enum" in schema or "const" in schema:
            return f"must not be {json.dumps(schema.get('enum', schema.get('const')))}"
    return "has a form that is not accepted"
