"""The rules that a refused request broke, each with its place in the request and in the document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chaser_emulator.errors import ApiError, Problem, Rule
from chaser_emulator.explaining.asking import SELECTOR, Asked
from chaser_emulator.explaining.documents import Place, place
from chaser_emulator.explaining.explanation import BrokenRule
from chaser_emulator.explaining.places import at
from chaser_emulator.explaining.remedies.case import leaves, quoted
from chaser_emulator.rules import along, hides, join, parts_of, rule_of, rulings_at, shown
from chaser_emulator.spec import Operation, Parameter, Spec

_JSON_PLACE = re.compile(r"line (\d+) column (\d+)")
_SELECTOR = "X-Chaser-Account"
_OF_NAMES = ("not_found", "account_mismatch")


def broken_rules(spec: Spec, operation: Operation | None, error: ApiError, was: Asked) -> list[BrokenRule]:
    """Every rule behind a refusal: one for each problem of its form, else the one of its code."""
    if error.problems:
        return [_of_problem(spec, operation, problem, was) for problem in error.problems]
    location, pointer, value = _named(error, was)
    parameter = _parameter(operation, location, pointer)
    # A name that leads nowhere breaks what its parameter says; one of something in a wrong state does not.
    rule = rule_of(spec, operation, error, parameter if error.code in _OF_NAMES else None)
    if location == "body" and operation is not None and error.code != "invalid_json":
        found = field_pointer(spec, operation, pointer)
        rule = replace(rule, document=found) if found is not None else rule
    if error.code == "unsupported_media_type":
        location, pointer, value = "header", "Content-Type", was.ask.headers.get("content-type")
    message = error.message
    if error.code == "invalid_json":
        location, pointer, message, value = "body", "", *_of_json(error, was)
    return [BrokenRule(location, pointer, message, value, rule.accepted, _place(spec, rule, error.code))]


def _of_problem(spec: Spec, operation: Operation | None, problem: Problem, was: Asked) -> BrokenRule:
    rule = problem.rule
    if rule is None:
        pointer = None
        if operation is not None:
            parameter = _parameter(operation, problem.location, problem.pointer)
            pointer = parameter.pointer if parameter is not None else None
            if problem.location == "body":
                pointer = field_pointer(spec, operation, problem.pointer) or join(operation.pointer, ["requestBody"])
        pointer = pointer or "#/x-error-codes/invalid_request"
        sent = at(was.ask.body, parts_of("#" + problem.pointer)) if problem.location == "body" else None
        if problem.location == "query":
            sent = dict(was.ask.query).get(problem.pointer)
        rule = Rule(pointer, rulings_at(spec, pointer), None if hides(spec, pointer) else shown(sent))
    where = place(spec, rule.document, rule.rulings)
    return BrokenRule(problem.location, problem.pointer, problem.message, rule.value, rule.accepted, where)


def _place(spec: Spec, rule: Rule, code: str) -> Place:
    """The place of a rule; where the document says nothing of it there, what it says of the code."""
    where = place(spec, rule.document, rule.rulings)
    if rule.document.startswith("#/components/"):
        return where
    if "/parameters/" in rule.document or "/schema" in rule.document:
        return where
    if rule.document == "#/paths":
        return replace(where, description=None)
    said = spec.document["x-error-codes"].get(code, {}).get("description")
    return replace(where, description=" ".join(said.split()) if said else where.description)


def _named(error: ApiError, was: Asked) -> tuple[str | None, str | None, Any]:
    """What a refusal is about: (location, pointer, value)."""
    if error.message.startswith(_SELECTOR):
        return "header", _SELECTOR, was.ask.headers.get(SELECTOR)
    if error.code == "unauthorized":
        return "header", "Authorization", None
    for name in quoted(error.message):
        for parameter, value in was.parameters.items():
            if value == name:
                return "path", parameter, shown(value)
        for path, value in leaves(was.ask.body):
            if value == name:
                return "body", join("", path), shown(value)
    # Ids stand in sentences without quotes.
    for parameter, value in was.parameters.items():
        if value.lower() in error.message.lower():
            return "path", parameter, shown(value)
    return None, None, None


def _parameter(operation: Operation | None, location: str | None, name: str | None) -> Parameter | None:
    if operation is None:
        return None
    return next((p for p in operation.parameters if (p.location, p.name) == (location, name)), None)


def _of_json(error: ApiError, was: Asked) -> tuple[str, Any]:
    """What is wrong with a text that is no JSON, and where in it."""
    found = _JSON_PLACE.search(error.message)
    return (error.message, {"line": int(found[1]), "column": int(found[2])}) if found else (error.message, None)


def field_pointer(spec: Spec, operation: Operation, pointer: str | None) -> str | None:
    """Where the document describes a field of an operation's body, through each `$ref`; None: it does not."""
    if operation.body is None or pointer is None:
        return None
    media_type = next(iter(operation.body.content))
    found: Sequence[str] = [operation.body.schema_pointer(media_type)]
    for part in parts_of("#" + pointer):
        found = [below for where in found for below in _below(spec, where, part)]
    return found[0] if found else None


def _below(spec: Spec, pointer: str, part: str) -> list[str]:
    """Where the schemas of a field stand, of those that speak of it."""
    found: list[str] = []
    waiting = [pointer]
    while waiting:
        where = waiting.pop(0)
        *_, (_last, node) = along(spec.document, where)
        if not isinstance(node, Mapping):
            continue
        if isinstance(node.get("$ref"), str):
            waiting.append(node["$ref"])
        if part in node.get("properties", {}):
            found.append(join(where, ["properties", part]))
        elif part.isdecimal() and "items" in node:
            found.append(join(where, ["items"]))
        elif isinstance(node.get("additionalProperties"), Mapping):
            found.append(join(where, ["additionalProperties"]))
        for word in ("allOf", "anyOf", "oneOf"):
            waiting += [join(where, [word, index]) for index, _branch in enumerate(node.get(word, []))]
        waiting += [join(where, [word]) for word in ("then", "else") if word in node]
    return found
