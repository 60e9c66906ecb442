"""A request, and a reply, against its operation: coerced parameters and checked bodies."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import jsonschema_rs

from chaser_emulator import rules
from chaser_emulator.assembly import components_of
from chaser_emulator.errors import ApiError, Problem, Rule, invalid
from chaser_emulator.schema_words import accepted, around, explain, pointer_of, words_at
from chaser_emulator.spec import Location, Operation, Parameter, Spec

_INTEGER = re.compile(r"^-?[0-9]{1,18}$")
_NUMBER = re.compile(r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$")
_BOOLEANS = {"true": True, "false": False}
_DEEPEST = 64
_SHOWN = 20
_LONGEST_NAME = 100

_LARGE = 500
"""Values in a body beyond which only the first problem is told: the library finds all before it names one, which takes
a minute and gigabytes for the two megabytes that a body may have."""


class Validator:
    """Compiled schemas of one document, each at its first use, so that a start does not wait for all of them."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._compiled: dict[int, _Compiled] = {}

    def parameters(
        self, operation: Operation, location: Location, given: Iterable[tuple[str, str]]
    ) -> tuple[dict[str, Any], list[Problem], list[str]]:
        """Typed values by name, what is wrong, and the names nobody knows. Absent ones get their default."""
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        received: dict[str, list[str]] = {}
        for name, text in given:
            received.setdefault(name, []).append(text)
        known = {p.name: p for p in operation.parameters if p.location == location}
        for name, parameter in known.items():
            texts = received.pop(name, [])
            if not texts:
                if parameter.required:
                    words = accepted(parameter.schema)
                    rule = self._rule(f"{parameter.pointer}/required", None, words)
                    problems.append(Problem(location, name, f"is required; {words} is accepted", rule))
                elif "default" in parameter.schema:
                    values[name] = parameter.schema["default"]
            elif len(texts) > 1 and not parameter.many:
                rule = self._rule(f"{parameter.schema_pointer}/type", list(texts), accepted(parameter.schema))
                problems.append(Problem(location, name, "was sent more than once; one value is accepted", rule))
            else:
                value = _coerce(parameter, texts)
                found, _code = self._problems(parameter.schema, parameter.schema_pointer, value, location, name)
                problems += found
                values[name] = value
        return values, problems, sorted(received)

    def body(self, schema: Mapping[str, Any], body: Any, pointer: str = "") -> None:
        """Raise ApiError unless the body keeps the schema's rules; `pointer` says where in the document they stand."""
        problems, code = self._problems(schema, pointer, body, "body", "")
        if problems:
            raise invalid(problems, code)

    def errors(self, schema: Mapping[str, Any], value: Any) -> list[jsonschema_rs.ValidationError]:
        """What is wrong with a value, as the library says it: all of a small one, the first thing of a large one."""
        compiled = self._compile(schema)
        return [] if compiled.validator.is_valid(value) else list(compiled.errors(value))

    def accepts(self, schema: Mapping[str, Any], value: Any) -> bool:
        """Whether a value keeps the schema's rules."""
        return self._compile(schema).validator.is_valid(value)

    def reply(self, operation: Operation, status: int, body: Any) -> str | None:
        """What in a JSON reply breaks the document, or None."""
        response = operation.responses.get(status)
        if response is None:
            return f"status {status} is not declared"
        schema = response.content.get("application/json")
        if schema is None:
            return f"status {status} has no JSON body"
        compiled = self._compile(schema)
        if compiled.validator.is_valid(body):
            return None
        problems, _code = self._problems(schema, "", body, "body", "")
        return "; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in problems)

    def _problems(
        self,
        schema: Mapping[str, Any],
        pointer: str,
        value: Any,
        location: Literal["body", "path", "query", "header"],
        name: str,
    ) -> tuple[list[Problem], str]:
        compiled = self._compile(schema)
        if compiled.validator.is_valid(value):
            return [], "invalid_request"
        problems: list[Problem] = []
        codes: list[str] = []
        for error in compiled.errors(value):
            where = name if name else pointer_of(error)
            words = compiled.words(error) or explain(error)
            rule = self._broken(pointer, error) if pointer else None
            problems.append(Problem(location, where, words, rule))
            codes.append(compiled.code(error))
            if len(problems) == _SHOWN:
                break
        return problems, codes[0]

    def _broken(self, pointer: str, error: jsonschema_rs.ValidationError) -> Rule:
        """The rule that a value breaks whose schema stands at `pointer`. The path has gone through each `$ref`."""
        parts: list[str | int] = list(error.schema_path)
        here = parts[:2] == ["allOf", 0]
        where = rules.join(pointer if here else "#", parts[2:] if here else parts)
        way = rules.join(pointer, list(error.evaluation_path)[2:])
        missing = type(error.kind).__name__ == "Required"
        return self._rule(where, None if missing else error.instance, rules.limit(self._spec, where), way)

    def _rule(self, where: str, value: Any, wanted: Any, way: str | None = None) -> Rule:
        shown = None if rules.hides(self._spec, way or where) else rules.shown(value)
        return Rule(where, rules.rulings_at(self._spec, where), shown, wanted)

    def _compile(self, schema: Mapping[str, Any]) -> _Compiled:
        known = self._compiled.get(id(schema))
        if known is None:
            known = self._compiled[id(schema)] = _Compiled(self._spec, schema)
        return known


class _Compiled:
    """One schema with the components beside it that it refers to; the library copies whatever stands there."""

    def __init__(self, spec: Spec, schema: Mapping[str, Any]) -> None:
        # The node itself is kept: its id is the key it is found by.
        self.schema = schema
        self.root = {"allOf": [schema], "components": components_of(spec.document, schema)}
        self.validator = jsonschema_rs.Draft202012Validator(self.root, validate_formats=True)

    def errors(self, value: Any) -> Iterable[jsonschema_rs.ValidationError]:
        """What is wrong with a value that is not valid; the first alone of a large one."""
        if not holds_more_than(value, _LARGE):
            return self.validator.iter_errors(value)
        try:
            self.validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            return [error]
        return []

    def words(self, error: jsonschema_rs.ValidationError) -> str | None:
        """What the document says that this part accepts, where its `x-accepted` says it better than a pattern does.

        And of a field that nobody knows, which one may have been meant.
        """
        if type(error.kind).__name__ == "AdditionalProperties":
            return self._meant(error)
        if type(error.kind).__name__ not in ("AnyOf", "OneOfNotValid", "Pattern"):
            return None
        return words_at(self.root, error)

    def _meant(self, error: jsonschema_rs.ValidationError) -> str | None:
        import difflib  # not before somebody has made a mistake

        unexpected: str = cast("Any", error.kind).unexpected[0]
        known = around(self.root, error).get("properties", {})
        close = difflib.get_close_matches(unexpected[:_LONGEST_NAME], known, 1)
        return f"{explain(error)}; did you mean {close[0]}?" if close else None

    def code(self, error: jsonschema_rs.ValidationError) -> str:
        """The error code that the document gives to breaking this part: its `x-code`, else the usual one."""
        node: Any = self.root
        code = "invalid_request"
        for part in error.schema_path:
            if isinstance(node, dict):
                code = node.get("x-code", code)
            node = node[part]
        return code


@functools.lru_cache(4)
def validator_of(spec: Spec) -> Validator:
    """A validator for who asks now and then, which goes on with the schemas that it has compiled before."""
    return Validator(spec)


def parse_json(raw: bytes) -> Any:
    """The value of a JSON body. Raises ApiError `invalid_json`, also where Python's parser is kinder than JSON."""
    try:
        value = json.loads(raw, parse_constant=_no_constant, parse_float=_finite)
        # Half a surrogate pair is no character: it could be neither stored nor sent back.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ApiError("invalid_json", f"the body is nested deeper than {_DEEPEST} levels") from None
    except UnicodeError:
        raise ApiError("invalid_json", "the body is no JSON: it must be UTF-8 without lone surrogates") from None
    except ValueError as error:
        raise ApiError("invalid_json", f"the body is no JSON: {error}") from None
    if _depth(value) > _DEEPEST:
        raise ApiError("invalid_json", f"the body is nested deeper than {_DEEPEST} levels")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _finite(text: str) -> float:
    """The number, unless it is too large for one: infinity could not be sent back."""
    if math.isinf(number := float(text)):
        raise ValueError(f"the number {text[:40]} is larger than a double can be")
    return number


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= _DEEPEST:
        depth += 1
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return depth


def holds_more_than(value: Any, limit: int) -> bool:
    """Whether there are more than `limit` values in a JSON value; it takes no longer for more of them."""
    left, count = [value], 0
    while left and count <= limit:
        node = left.pop()
        if isinstance(node, (dict, list)):
            count += len(node)
            if count <= limit:
                left += node.values() if isinstance(node, dict) else node
    return count > limit


def _coerce(parameter: Parameter, texts: Sequence[str]) -> Any:
    """Text as the schema's type, or as it is when it has no such form: the schema will say so."""
    if parameter.many:
        item = parameter.schema.get("items", {})
        return [_value(text, item.get("type")) for text in texts]
    if parameter.schema.get("format") == "date-time":
        # The + of an offset that a client did not encode arrives as a space.
        return texts[0].replace(" ", "+")
    return _value(texts[0], parameter.schema.get("type"))


def _value(text: str, kind: str | None) -> Any:
    if kind == "integer" and _INTEGER.match(text):
        return int(text)
    if kind == "number" and _NUMBER.match(text):
        return float(text)
    if kind == "boolean":
        return _BOOLEANS.get(text, text)
    return text
