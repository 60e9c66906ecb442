"""The document of the control plane keeps the promises that Chaser's own keeps, and the control plane keeps it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import jsonschema_rs
import pytest
from chaser_emulator import assembly, keywords, spec
from chaser_emulator.control.operations import control
from chaser_emulator.control.plane import load
from chaser_emulator.server import Running
from documents import Node, open_objects, wrong_path_parameters
from openapi_spec_validator import OpenAPIV31SpecValidator
from people import ok, refused


@pytest.fixture(scope="module")
def document() -> Node:
    return load().document


def _operations(document: Node) -> Iterator[tuple[str, Node]]:
    for path, method, operation in assembly.operations(document):
        yield f"{method.upper()} {path}", operation


def _bodies(operation: Node) -> Iterator[tuple[str, Node]]:
    """Every body that an operation takes or answers, with its place."""
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield f"body {kind}", media
    for status, response in operation["responses"].items():
        for kind, media in response.get("content", {}).items():
            yield f"{status} {kind}", media


def test_the_document_is_valid_openapi(document: Node) -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_a_server_gives_its_document_with_its_own_address_first(emulator: Running) -> None:
    served = ok(httpx.get(f"{emulator.url}/_emulator/openapi.json"))
    assert served["servers"][0]["url"] == f"{emulator.url}/_emulator"
    assert set(served["paths"]) == set(load().document["paths"])
    assert [str(error) for error in OpenAPIV31SpecValidator(served).iter_errors()] == []


def test_a_missing_handler_and_a_second_one_are_noticed() -> None:
    every = set(load().operations)
    with pytest.raises(keywords.DocumentError, match=r"without a handler.*get-clock"):
        spec.load(every - {"get-clock"}, assembly.CONTROL)
    with pytest.raises(keywords.DocumentError, match=r"without an operation.*make-coffee"):
        spec.load(every | {"make-coffee"}, assembly.CONTROL)

    async def answer(_call: object) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="two handlers answer get-clock"):
        control("get-clock")(answer)


def test_every_schema_and_every_body_has_an_example_that_it_accepts(document: Node) -> None:
    schemas = document["components"]["schemas"]
    given = [(name, schema, one) for name, schema in schemas.items() for one in schema.get("examples", [])]
    without = [name for name, schema in schemas.items() if not schema.get("examples")]
    for where, operation in _operations(document):
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            examples = [one["value"] for one in media.get("examples", {}).values()]
            if kind == "application/json" and not examples:
                without.append(f"{where} {kind}")
            given += [(where, media["schema"], one) for one in examples if kind != "application/octet-stream"]
    assert without == []
    broken = []
    for where, schema, example in given:
        root = {"allOf": [schema], "components": document["components"]}
        errors = jsonschema_rs.Draft202012Validator(root, validate_formats=True).iter_errors(example)
        broken += [f"{where}: {error.message}" for error in errors]
    assert broken == []


def test_objects_are_closed_in_requests_and_answers(document: Node) -> None:
    bodies = [
        (f"{where} {place}", media["schema"])
        for where, operation in _operations(document)
        for place, media in _bodies(operation)
        if place[0] not in "45"
    ]
    assert open_objects(document, bodies, known=assembly.assemble()["components"]["schemas"]) == []


def test_names_have_their_form_and_commands_are_given_once(document: Node) -> None:
    ids = [operation["operationId"] for _where, operation in _operations(document)]
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []
    assert len(set(ids)) == len(ids)
    named = [operation["x-command"] for _where, operation in _operations(document) if "x-command" in operation]
    assert [name for name in named if not re.fullmatch(r"[a-z]+(-[a-z]+)*( [a-z]+(-[a-z]+)*)?", name)] == []
    assert len(set(named)) == len(named)
    assert [where for where, operation in _operations(document) if not operation.get("summary")] == []
    tags = {tag["name"] for tag in document["tags"]}
    assert {operation["tags"][0] for _where, operation in _operations(document)} == tags


def test_path_parameters_are_those_of_the_path(document: Node) -> None:
    assert wrong_path_parameters(document) == []


def test_what_nobody_knows_is_refused_by_name(client: httpx.Client) -> None:
    body = {"mode": "frozen", "speed": 2}
    assert "speed" in refused(client.post("/_emulator/clock", json=body), 400, "invalid_request")["message"]
    assert "zone" in refused(client.get("/_emulator/clock?zone=utc"), 400, "invalid_request")["message"]


def test_each_path_says_which_methods_it_takes(document: Node, client: httpx.Client) -> None:
    for path, item in document["paths"].items():
        answer = client.request("TRACE", "/_emulator" + re.sub(r"\{\w+\}", "x", path))
        refused(answer, 405, "method_not_allowed")
        offered = set(answer.headers["allow"].split(", "))
        assert offered - {"HEAD"} == {method.upper() for method in item if method in assembly.METHODS}, path


def test_a_head_is_answered_like_a_get_without_its_body(client: httpx.Client) -> None:
    answer = client.head("/_emulator/clock")
    assert (answer.status_code, answer.content) == (200, b"")
