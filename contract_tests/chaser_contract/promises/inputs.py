"""Inputs: each field and each parameter is refused beyond what the document accepts, by name, and taken within it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chaser_emulator.assembly import resolve
from chaser_emulator.spec import Parameter

from chaser_contract.arranging import Arranged
from chaser_contract.asking import Asking
from chaser_contract.client import Answer
from chaser_contract.document import JSON, Document
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

Node = Mapping[str, Any]

_CODES = ("invalid_request", "unknown_scope", "unknown_event", "unknown_job_kind")

_ANY: tuple[Any, ...] = (
    None, True, 5, -1, 1.5, 10**12, "", " ", "text", "a\x00b", "a\nb", "ä" * 3, "x" * 300, [], [1], ["text"], {"a": 1},
)  # fmt: skip

_TEXTS = (
    "",
    "0",
    "-1",
    "1",
    "1.5",
    "x",
    "1e3",
    "+1",
    " 1",
    "9" * 25,
    "true",
    "TRUE",
    "null",
    "2026-01-01",
    "[]",
    "1,2",
)


@promise()
def a_field_that_is_wrong_is_refused_by_name(chaser: Subject) -> None:
    """A field of a body that the document does not accept is 400, and `details` names it by its JSON pointer."""
    document = chaser.document
    for asking in Arranged(chaser).every(lambda one: one.body is not None and JSON in one.body.content):
        if asking.operation.id == "mcp-handler":
            # It refuses in the words of JSON-RPC.
            continue
        whole = document.compiled(asking.operation.body.content[JSON]) if asking.operation.body else None
        for name, variants in _fields(document, asking).items():
            for value in _values(variants):
                body = {**asking.json, name: value}
                if whole is None or whole.is_valid(body):
                    continue
                with chaser.case():
                    answer = asking.but(json=body).by(chaser.client)
                    _refused(answer, f"{name} = {_shown(value)}")
                    if not any(document.compiled(one).is_valid(value) for one in variants):
                        pointers = [one["pointer"] for one in answer.json["details"]]
                        answer.require(
                            any(one == f"/{name}" or one.startswith(f"/{name}/") for one in pointers),
                            f"`details` names /{name}, which is wrong", f"for {_shown(value)} it names {pointers}",
                        )  # fmt: skip


@promise()
def a_field_that_is_missing_is_refused(chaser: Subject) -> None:
    """A field without which the document accepts no body is 400 where it is left out, and `details` names it."""
    document = chaser.document
    for asking in Arranged(chaser).every(lambda one: one.body is not None and JSON in one.body.content):
        body = asking.operation.body
        if body is None or asking.operation.id == "mcp-handler":
            continue
        whole = document.compiled(body.content[JSON])
        for name in asking.json:
            rest = {key: value for key, value in asking.json.items() if key != name}
            if not whole.is_valid(rest):
                with chaser.case():
                    answer = asking.but(json=rest).by(chaser.client)
                    _refused(answer, f"a body without {name}")
                    answer.require(name in answer.json["message"], f"the message names {name}, which is missing")


@promise()
def a_field_within_its_bounds_is_accepted(chaser: Subject) -> None:
    """A field at the bounds that the document gives it is no invalid_request."""
    document = chaser.document
    for asking in Arranged(chaser).every(lambda one: one.body is not None and JSON in one.body.content):
        body = asking.operation.body
        if body is None or asking.operation.id in ("mcp-handler", "update-billing-account"):
            continue
        whole = document.compiled(body.content[JSON])
        for name, variants in _fields(document, asking).items():
            for value in _edges(variants):
                changed = {**asking.json, name: value}
                if whole.is_valid(changed):
                    with chaser.case():
                        answer = asking.but(json=changed).by(chaser.client)
                        details = answer.json.get("details") if answer.status == 400 else None
                        refused = isinstance(details, list) and any(one["pointer"] == f"/{name}" for one in details)
                        answer.require(
                            not (refused and answer.operation.id not in _KNOWN_BY_THE_SANDBOX),
                            f"{name} is accepted where the document accepts it",
                            f"{_shown(value)}: {answer.exchange.said()}",
                        )


_KNOWN_BY_THE_SANDBOX = ("exec-session", "exec-sandbox", "create-session", "import-workspace")
"""What only a sandbox, a workspace or a server of repositories can tell to be there, beyond the document."""


@promise()
def a_parameter_that_is_wrong_is_refused_by_name(chaser: Subject) -> None:
    """A parameter of a query beyond what the document accepts is 400, and named; within it is none."""
    for asking in Arranged(chaser).every(lambda one: any(each.location == "query" for each in one.parameters)):
        if asking.operation.upgrades or "login" in asking.operation.id:
            continue
        for parameter in asking.operation.parameters:
            if parameter.location != "query":
                continue
            for text in _texts(parameter):
                with chaser.case():
                    _parameter(chaser, asking, parameter, text)
            with chaser.case():
                twice = {**(asking.query or {}), parameter.name: ["1", "2"]}
                _named(asking.but(query=twice).by(chaser.client), parameter.name, "that is sent twice")
            if parameter.required:
                with chaser.case():
                    rest = {name: text for name, text in (asking.query or {}).items() if name != parameter.name}
                    _named(asking.but(query=rest).by(chaser.client), parameter.name, "that is missing")


def _parameter(chaser: Subject, asking: Asking, parameter: Parameter, text: str) -> None:
    valid = chaser.document.compiled(parameter.schema).is_valid(_read(parameter.schema, text))
    fresh = {**(asking.query or {}), parameter.name: text}
    if not valid:
        _named(asking.but(query=fresh).by(chaser.client), parameter.name, f"= {text!r}")
    elif parameter.name not in ("path", "url", "force") and asking.operation.method == "GET":
        answer = asking.but(query=fresh).by(chaser.client)
        answer.must_be(asking.status, asking.code, because=f"to {parameter.name} = {text!r}")


def _named(answer: Answer, name: str, what: str) -> None:
    _refused(answer, f"{name} {what}")
    named = [(one["in"], one["pointer"]) for one in answer.json["details"]]
    answer.require(
        ("query", name) in named, f"`details` names the parameter {name}, which is wrong", f"it names {named}"
    )


def _refused(answer: Answer, what: str) -> None:
    answer.must_be(400, because=f"to {what}")
    answer.require(answer.code in _CODES, f"it answers 400 {' or '.join(_CODES)} to {what}")
    answer.require(isinstance(answer.json.get("details"), list), f"`details` lists what is wrong with {what}")


def _fields(document: Document, asking: Asking) -> dict[str, list[Node]]:
    """The fields of a body by name, each with its schema in every variant of the body."""
    found: dict[str, list[Node]] = {}
    body = asking.operation.body
    for variant in _variants(document, body.content[JSON] if body else {}):
        for name, schema in variant.get("properties", {}).items():
            found.setdefault(name, []).append(resolve(document.spec.document, schema))
    return found


def _variants(document: Document, schema: Node) -> Iterator[Node]:
    schema = resolve(document.spec.document, dict(schema))
    yield schema
    for word in ("allOf", "anyOf", "oneOf"):
        for one in schema.get(word, []):
            yield from _variants(document, one)


def _values(variants: list[Node]) -> Iterator[Any]:
    yield from _ANY
    yield from _edges(variants, beyond=1)


def _edges(variants: list[Node], *, beyond: int = 0) -> Iterator[Any]:
    """Values at the bounds, or right beyond them."""
    for schema in variants:
        for one in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
            if "minLength" in one and one["minLength"] - beyond >= 0:
                yield "a" * (one["minLength"] - beyond)
            if "maxLength" in one and one["maxLength"] < 2**20:
                yield "a" * (one["maxLength"] + beyond)
            if "minimum" in one:
                yield one["minimum"] - beyond
            if "maximum" in one:
                yield one["maximum"] + beyond
            if "maxItems" in one and not beyond:
                continue
            yield from () if beyond else one.get("enum", ())


def _texts(parameter: Parameter) -> Iterator[str]:
    yield from _TEXTS
    for word, step in (("minimum", -1), ("maximum", 1)):
        if word in parameter.schema:
            yield str(parameter.schema[word])
            yield str(parameter.schema[word] + step)
    yield from map(str, parameter.schema.get("enum", ()))
    if "maxLength" in parameter.schema and parameter.schema["maxLength"] < 10_000:
        yield "a" * (parameter.schema["maxLength"] + 1)


def _read(schema: Node, text: str) -> Any:
    """What the text of a query stands for."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return [text] if kind == "array" else text


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:40]}… ({len(text)})"
