"""The words that a schema of the document may use: those that all of its readers understand."""

from __future__ import annotations

from typing import Any

# Keywords of JSON Schema and OpenAPI that validation, generation and the contract tests all understand.
_KEYWORDS = frozenset(
    [
        "$ref",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "items",
        "minItems",
        "maxItems",
        "uniqueItems",
        "enum",
        "const",
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentRequired",
        "dependentSchemas",
        "default",
        "description",
        "title",
        "example",
        "examples",
        "deprecated",
        "writeOnly",
        "readOnly",
        "contentMediaType",
        "contentEncoding",
        "prefixItems",
        "x-provenance",
        "x-ruling",
        "x-code",
        "x-accepted",
        "x-scopes",
        "x-summaries",
        "x-argument",
        "x-option",
        "x-duration",
        "x-secret",
    ]
)


class DocumentError(Exception):
    """The files of the document contradict each other, or use a word that nobody would act on."""


def check(document: Any, where: str = "") -> None:
    """Look at every schema of the document. Raises DocumentError."""
    if isinstance(document, list):
        for index, part in enumerate(document):
            check(part, f"{where}/{index}")
    elif isinstance(document, dict):
        for key, part in document.items():
            if key == "schema":
                _check(part, f"{where}/{key}")
            elif key == "schemas" and where.endswith("/components"):
                for name, schema in part.items():
                    _check(schema, f"{where}/schemas/{name}")
            elif key not in ("example", "examples"):
                check(part, f"{where}/{key}")


def _check(schema: Any, where: str) -> None:
    if isinstance(schema, bool):
        return
    if unknown := set(schema) - _KEYWORDS:
        raise DocumentError(f"{where}: unknown keywords {sorted(unknown)} in a schema")
    for keyword in ("x-scopes", "x-summaries"):
        if keyword in schema and set(schema[keyword]) != set(schema.get("enum", [])):
            raise DocumentError(f"{where}: {keyword} must say something of each word of the enum, and of no other")
    for keyword in (
        "items",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "not",
        "if",
        "then",
        "else",
    ):
        if keyword in schema:
            _check(schema[keyword], f"{where}/{keyword}")
    for keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
        for index, part in enumerate(schema.get(keyword, [])):
            _check(part, f"{where}/{keyword}[{index}]")
    for keyword in ("properties", "dependentSchemas"):
        for name, part in schema.get(keyword, {}).items():
            _check(part, f"{where}/{name}")
