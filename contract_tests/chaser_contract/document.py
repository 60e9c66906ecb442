"""The document as promises are read from it: operations, where each word stands, and what an answer must look like."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
from chaser_emulator import spec
from chaser_emulator.assembly import components_of, resolve
from chaser_emulator.spec import Operation, Spec, escaped

JSON = "application/json"


class Document:
    """One OpenAPI document of Chaser. Schemas are compiled when the first answer is held against them."""

    def __init__(self, source: Spec) -> None:
        self.spec = source
        self.operations: Mapping[str, Operation] = source.operations
        self._validators: dict[tuple[str, int], jsonschema_rs.Draft202012Validator | None] = {}
        self._paths = [(_pattern(one.path), one) for one in _fixed_first(source.operations.values())]

    def operation(self, operation_id: str) -> Operation:
        """The operation with an id. Raises KeyError with the nearest ones for none."""
        try:
            return self.operations[operation_id]
        except KeyError:
            import difflib

            near = difflib.get_close_matches(operation_id, self.operations, 3)
            raise KeyError(f"there is no operation {operation_id!r}; the nearest are {near}") from None

    def operation_at(self, method: str, path: str) -> Operation | None:
        """The operation that a request is for; `path` as it is sent, without the query."""
        for pattern, operation in self._paths:
            if operation.method == method.upper() and pattern.fullmatch(path):
                return operation
        return None

    def parameters_of(self, operation: Operation, path: str) -> dict[str, str]:
        """The parameters in a path that was sent, decoded."""
        found = _pattern(operation.path).fullmatch(path)
        names = re.findall(r"\{(\w+)\}", operation.path)
        return {} if found is None else dict(zip(names, map(unquote, found.groups()), strict=True))

    @functools.cached_property
    def whole_numbers(self) -> frozenset[str]:
        """Names of fields that are whole numbers wherever the document has them."""
        whole, other = set[str](), set[str]()
        for schema in self.spec.document.get("components", {}).get("schemas", {}).values():
            for name, field in _fields_in(schema):
                types = field.get("type", "")
                known = {types} if isinstance(types, str) else set(types)
                (whole if "integer" in known and "number" not in known else other).add(name)
        return frozenset(whole - other)

    def response_pointer(self, operation: Operation, status: int) -> str:
        """Where the document speaks of an operation's answer, or of its answers at all for an undeclared status."""
        responses = f"{operation.pointer}/responses"
        return f"{responses}/{status}" if status in operation.responses else responses

    def schema_pointer(self, operation: Operation, status: int) -> str:
        """Where the schema of an answer's JSON stands."""
        return f"{self.response_pointer(operation, status)}/content/{escaped(JSON)}/schema"

    def headers(self, operation: Operation, status: int) -> Mapping[str, Mapping[str, Any]]:
        """The headers that are declared for an answer, resolved, by name."""
        node = self.spec.document["paths"][operation.path][operation.method.lower()]["responses"][str(status)]
        headers = resolve(self.spec.document, node).get("headers", {})
        return {name: resolve(self.spec.document, header) for name, header in headers.items()}

    def validator(self, operation: Operation, status: int) -> jsonschema_rs.Draft202012Validator | None:
        """What holds the JSON of an answer against its schema; None where no JSON is declared."""
        key = operation.id, status
        if key not in self._validators:
            response = operation.responses.get(status)
            schema = None if response is None else response.content.get(JSON)
            self._validators[key] = None if schema is None else self.compiled(schema)
        return self._validators[key]

    def compiled(self, schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
        """A validator of any schema of the document, formats included."""
        root = {"allOf": [schema], "components": components_of(self.spec.document, schema)}
        return jsonschema_rs.Draft202012Validator(root, validate_formats=True)


def _fields_in(schema: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fields of all objects in a schema, by their names."""
    if isinstance(schema, list):
        for one in schema:
            yield from _fields_in(one)
    elif isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            yield from ((name, one) for name, one in properties.items() if isinstance(one, dict))
        for one in schema.values():
            yield from _fields_in(one)


@functools.cache
def bundled() -> Document:
    """The document that this distribution carries."""
    return Document(spec.load())


@functools.cache
def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", path)
    return re.compile("([^/]+)".join(map(re.escape, parts)))


def _fixed_first(operations: Any) -> list[Operation]:
    return sorted(operations, key=lambda one: one.path.count("{"))
