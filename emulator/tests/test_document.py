"""The document keeps its own promises: complete, valid, closed, exemplified, and honest about what it assumes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import pytest
from chaser_emulator import assembly, keywords, spec
from documents import Node, open_objects, wrong_path_parameters
from openapi_spec_validator import OpenAPIV31SpecValidator
from surface import SURFACE

PROVENANCE = {"overview", "spec", "docs", "sdk", "ruled"}

# Rulings about no operation of the document: routes beside it, background work, and what a client does.
OF_THE_PLATFORM = {
    "G18",  # says only that T3 has the tokens
    *("G21", "G22", "G23", "G24"),  # routes of the emulator itself, the form of tags and ids, CORS
    *("S20", "S21", "S25"),  # the gateway, the end of a session by time
    "A25",  # the SSH gateway
}

# The actions that the documentation lists, and those that ruling A26 and T16 add.
AUDITED = {
    *("session.create", "session.terminate", "session.exec"),
    *("workspace.create", "workspace.delete", "workspace.name.update", "workspace.template.update"),
    *("workspace.snapshot.create", "workspace.snapshot.restore", "workspace.snapshot.delete"),
    *("api_key.create", "api_key.revoke", "billing.account.update", "billing.checkout.create"),
    *("account.member.add", "account.member.update", "account.member.remove"),
    *("service_account.create", "service_account.delete", "ssh_key.create", "ssh_key.delete"),
    *("webhook.create", "webhook.delete"),
    "assistant.credential.resolve",
}


@pytest.fixture(scope="module")
def document() -> Node:
    return spec.load().document


@pytest.fixture(scope="module")
def breaks(document: Node) -> Callable[[Any, Any], list[str]]:
    """What in a value breaks a schema of the document."""

    def problems(schema: Any, value: Any) -> list[str]:
        root = {"allOf": [schema], "components": document["components"]}
        validator = jsonschema_rs.Draft202012Validator(root, validate_formats=True)
        return [f"/{'/'.join(map(str, error.instance_path))} {error.message}" for error in validator.iter_errors(value)]

    return problems


def _operations(document: Node) -> Iterator[tuple[str, Node]]:
    """Every operation by its id."""
    for _path, _method, operation in assembly.operations(document):
        yield operation["operationId"], operation


def _walk(node: Any, where: str = "") -> Iterator[tuple[str, Node]]:
    """Every mapping of the document with its place, examples left out: they are values, not marks."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from _walk(child, f"{where}/{index}")
    elif isinstance(node, dict):
        yield where, node
        for key, child in node.items():
            if key not in ("example", "examples", "default", "const", "enum"):
                yield from _walk(child, f"{where}/{key}")


def _media(document: Node) -> Iterator[tuple[str, Node]]:
    """Everything that has a schema and examples beside it: bodies, answers, parameters, headers."""
    for name, operation in _operations(document):
        for parameter in operation.get("parameters", []):
            resolved = assembly.resolve(document, parameter)
            yield f"{name} {resolved['name']}", resolved
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} body {kind}", media
        for status, response in operation["responses"].items():
            for kind, media in assembly.resolve(document, response).get("content", {}).items():
                yield f"{name} {status} {kind}", media
    for name, header in document["components"]["headers"].items():
        yield f"header {name}", header


def _examples(media: Node) -> list[Any]:
    own = [example["value"] for example in media.get("examples", {}).values()]
    return [*own, media["example"]] if "example" in media else own


def test_the_document_has_exactly_the_operations_of_the_surface(document: Node) -> None:
    described = {(method.upper(), path) for path, method, _operation in assembly.operations(document)}
    assert described == SURFACE
    assert len(described) == 107


def test_the_document_is_valid_openapi(document: Node) -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_a_server_names_itself_first(document: Node) -> None:
    served = assembly.served_from(document, "http://localhost:8000")
    assert [server["url"] for server in served["servers"]] == ["http://localhost:8000", "https://api.chaser.sh"]
    assert [str(error) for error in OpenAPIV31SpecValidator(served).iter_errors()] == []


def test_a_handler_without_an_operation_and_an_operation_without_a_handler_stop_the_start() -> None:
    everything = set(spec.load().operations)
    with pytest.raises(keywords.DocumentError, match=r"without an operation.*make-coffee"):
        spec.load(handled=everything | {"make-coffee"})
    with pytest.raises(keywords.DocumentError, match=r"without a handler.*list-accounts"):
        spec.load(handled=everything - {"list-accounts"})


def test_every_schema_has_an_example(document: Node) -> None:
    schemas = document["components"]["schemas"]
    assert [name for name, schema in schemas.items() if not schema.get("examples")] == []


def test_every_body_has_a_named_example(document: Node) -> None:
    bodies = [
        (name, operation["requestBody"]) for name, operation in _operations(document) if "requestBody" in operation
    ]
    assert [name for name, body in bodies for media in body["content"].values() if not media.get("examples")] == []


def test_every_example_keeps_its_schema(document: Node, breaks: Callable[[Any, Any], list[str]]) -> None:
    given = [
        (f"schema {name}", schema, example)
        for name, schema in document["components"]["schemas"].items()
        for example in schema.get("examples", [])
    ]
    # Parts of a form are bytes and text, for which JSON has no words.
    given += [
        (where, media["schema"], example)
        for where, media in _media(document)
        if "multipart/form-data" not in where
        for example in _examples(media)
    ]
    assert len(given) > 300
    assert [f"{where}: {problem}" for where, schema, example in given for problem in breaks(schema, example)] == []


def test_an_example_that_breaks_its_schema_is_noticed(breaks: Callable[[Any, Any], list[str]]) -> None:
    error = {"$ref": "#/components/schemas/Error"}
    assert breaks(error, {"error": "x", "code": "x", "message": "x"}) != []
    assert breaks({"$ref": "#/components/schemas/Timestamp"}, "yesterday") != []


def test_every_part_says_how_firmly_it_is_known(document: Node) -> None:
    parts = [(f"schema {name}", node) for name, node in document["components"]["schemas"].items()]
    parts += [(f"parameter {name}", node) for name, node in document["components"]["parameters"].items()]
    parts += list(_operations(document))
    assert [where for where, node in parts if node.get("x-provenance") not in PROVENANCE] == []
    marked = [(where, node) for where, node in _walk(document) if "x-provenance" in node]
    assert [where for where, node in marked if node["x-provenance"] not in PROVENANCE] == []
    assert [where for where, node in marked if node["x-provenance"] == "ruled" and not node.get("x-ruling")] == []


def test_every_ruled_mark_names_a_ruling(document: Node) -> None:
    known = assembly.rulings()
    marked = [(where, node["x-ruling"]) for where, node in _walk(document) if "x-ruling" in node]
    assert [where for where, numbers in marked if not isinstance(numbers, list)] == []
    assert [f"{where}: {number}" for where, numbers in marked for number in numbers if number not in known] == []


def test_every_ruling_is_marked_where_it_applies_or_concerns_no_operation(document: Node) -> None:
    marked = {number for _where, node in _walk(document) for number in node.get("x-ruling", [])}
    rulings = set(assembly.rulings())
    assert rulings - marked - OF_THE_PLATFORM == set()
    assert OF_THE_PLATFORM - rulings == set()
    assert OF_THE_PLATFORM & marked == set()


def test_the_rulings_are_numbered_without_a_gap() -> None:
    last = {"G": 25, "S": 28, "X": 31, "W": 31, "J": 23, "A": 27, "H": 27, "M": 18, "T": 23}
    assert set(assembly.rulings()) == {f"{group}{n}" for group, most in last.items() for n in range(1, most + 1)}


def test_operation_ids_and_tags_have_their_form(document: Node) -> None:
    declared = {tag["name"] for tag in document["tags"]}
    used = {operation["tags"][0] for _name, operation in _operations(document)}
    assert [name for name, _operation in _operations(document) if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []
    assert used == declared


def test_path_parameters_are_those_of_the_path(document: Node) -> None:
    assert wrong_path_parameters(document) == []


def test_every_operation_declares_what_it_can_meet(document: Node) -> None:
    missing = []
    for name, operation in _operations(document):
        statuses = set(operation["responses"])
        expected = {"500"}
        if assembly.secured(document, operation):
            expected |= {"401", "403", "404"} if operation.get("x-account") != "none" else {"401"}
        if "requestBody" in operation:
            expected |= {"400", "413", "415"}
        if "x-rate" in operation:
            expected.add("429")
        if operation.get("x-scope", "none") != "none" or operation.get("x-roles"):
            expected.add("403")
        missing += [f"{name} {status}" for status in sorted(expected - statuses)]
        assert sum(int(status) < 400 for status in statuses) >= 1
    assert missing == []


def test_only_what_has_no_account_of_its_own_is_open(document: Node) -> None:
    open_ones = {path for path, _method, node in assembly.operations(document) if not assembly.secured(document, node)}
    # Clients open the addresses of a browser without a header, so those are the secret (S22).
    sockets = {"/v1/sessions/{id}/devtools/browser/{guid}", "/v1/sessions/{id}/devtools/page/{target}"}
    assert {path for path in open_ones if path.startswith("/v1/")} == sockets


def test_every_answer_carries_its_headers(document: Node) -> None:
    wrong = []
    for name, operation in _operations(document):
        for status, response in operation["responses"].items():
            headers = {header.lower() for header in response["headers"]}
            expected = {"x-request-id", "x-chaser-emulator"}
            if "x-rate" in operation and status not in ("401", "500"):
                expected |= {f"x-ratelimit-{word}" for word in ("limit", "remaining", "reset", "scope")}
            expected |= {"429": {"retry-after"}, "401": {"www-authenticate"}}.get(status, set())
            wrong += [f"{name} {status} {header}" for header in sorted(expected - headers)]
    assert wrong == []


def test_errors_list_the_codes_of_their_status_and_no_other(document: Node) -> None:
    codes = document["x-error-codes"]
    wrong = []
    for name, operation in _operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and "application/json" in response["content"]:
                schema = response["content"]["application/json"]["schema"]
                # MCP answers some refusals in the words of JSON-RPC, which know no codes of ours (M3).
                listed = schema.get("properties", {}).get("code", {}).get("enum", [])
                wrong += [f"{name} {status} {code}" for code in listed if codes[code]["status"] != int(status)]
    assert wrong == []


def test_every_error_code_can_occur(document: Node) -> None:
    used = {
        code
        for _name, operation in _operations(document)
        for response in operation["responses"].values()
        for media in response.get("content", {}).values()
        for code in media["schema"].get("properties", {}).get("code", {}).get("enum", [])
    }
    # A wrong method meets no operation.
    assert set(document["x-error-codes"]) - used == {"method_not_allowed"}


def test_answers_have_no_field_that_the_document_does_not_name(document: Node) -> None:
    answers = [
        (f"{name} {status}", media["schema"])
        for name, operation in _operations(document)
        for status, response in operation["responses"].items()
        for media in response.get("content", {}).values()
    ]
    assert open_objects(document, answers) == []


def test_requests_may_carry_fields_that_nobody_knows(document: Node) -> None:
    closed = [
        name
        for name, operation in _operations(document)
        for media in operation.get("requestBody", {}).get("content", {}).values()
        if assembly.resolve(document, media["schema"]).get("additionalProperties", True) is False
    ]
    assert closed == []


def test_every_create_links_to_what_takes_its_id(document: Node) -> None:
    # A checkout is paid on its page, which no operation of the document is.
    without = {"create-billing-checkout"}
    creates = {name: node for name, node in _operations(document) if re.match(r"(create|add|import)-", name)}
    assert len(creates) > 12
    linked = {name for name, node in creates.items() if any("links" in answer for answer in node["responses"].values())}
    assert set(creates) - linked == without


def test_every_link_leads_somewhere(document: Node) -> None:
    operations = dict(_operations(document))
    wrong = []
    for name, operation in operations.items():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                target = operations.get(link["operationId"])
                if target is None:
                    wrong.append(f"{name} -> {link['operationId']}")
                    continue
                known = {assembly.resolve(document, parameter)["name"] for parameter in target.get("parameters", [])}
                sent = {parameter.split(".", 1)[-1] for parameter in link.get("parameters", {})}
                wrong += [f"{name} -> {link['operationId']}: {parameter}" for parameter in sorted(sent - known)]
                answers = _answers(document, response)
                for expression in link.get("parameters", {}).values():
                    if all(_value(expression, answer) is None for answer in answers):
                        wrong.append(f"{name}: {expression}")
    assert wrong == []


def _answers(document: Node, response: Node) -> list[Any]:
    media = response["content"]["application/json"]
    return [*_examples(media), *assembly.resolve(document, media["schema"]).get("examples", [])]


def _value(expression: str, body: Any) -> Any:
    """The value of a runtime expression in an example of the answer; one of the request is taken on trust."""
    if not expression.startswith("$response.body#/"):
        return expression
    for part in expression.removeprefix("$response.body#/").split("/"):
        body = body.get(part) if isinstance(body, dict) else None
    return body


def test_changes_are_audited_under_names_that_are_documented(document: Node) -> None:
    named = {node["x-audit"]["action"] for _name, node in _operations(document) if "x-audit" in node}
    assert named - AUDITED == set()
    assert AUDITED - named == set()


def test_patterns_mean_the_same_to_every_reader(document: Node) -> None:
    # Look-arounds, classes like \d, and back references differ between ECMA, Python and Rust, or lack in one of them.
    found = [(where, node["pattern"]) for where, node in _walk(document) if isinstance(node.get("pattern"), str)]
    assert len(found) > 10
    assert [where for where, pattern in found if re.search(r"\(\?[=!<]|\\[dDsSwWbB1-9]", pattern)] == []
    for _where, pattern in found:
        re.compile(pattern)
        jsonschema_rs.Draft202012Validator({"pattern": pattern})


def test_rate_limits_are_on_the_surfaces_that_have_them(document: Node) -> None:
    whole, changing = {"exec", "files", "jobs", "mcp"}, {"sessions": "sessions", "workspaces": "workspaces"}
    changing |= {"snapshots": "workspaces", "webhooks": "webhooks"}
    wrong = []
    for _path, method, operation in assembly.operations(document):
        tag = operation["tags"][0]
        expected = tag if tag in whole else changing.get(tag) if method != "get" else None
        if operation.get("x-rate") != expected:
            wrong.append(f"{operation['operationId']}: {operation.get('x-rate')}, not {expected}")
    assert wrong == []


def test_a_part_comes_with_what_it_refers_to_and_nothing_else(document: Node) -> None:
    # A copy of all components for each compiled schema would take a gigabyte in the end.
    needed = assembly.components_of(document, {"$ref": "#/components/schemas/Error"})
    assert needed == {
        "schemas": {name: document["components"]["schemas"][name] for name in ("Error", "InputProblem")},
    }
