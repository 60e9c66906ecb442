"""The document against versions of it that differ in one thing each: what that means for clients, and for its marks."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from chaser_contract.cli import commands
from chaser_contract.document import bundled
from chaser_contract.drift import comparing, documents, provenance
from chaser_contract.drift.changes import Verdict
from chaser_emulator.assembly import API
from chaser_emulator.server import running
from chaser_emulator.settings import Settings
from click.testing import CliRunner

Node = dict[str, Any]

SESSIONS, SESSION = "/v1/sessions", "/v1/sessions/{id}"


def schema(document: Node, name: str) -> Node:
    found: Node = document["components"]["schemas"][name]
    return found


def prop(document: Node, name: str, field: str) -> Node:
    found: Node = schema(document, name)["properties"][field]
    return found


def operation(document: Node, path: str, method: str) -> Node:
    found: Node = document["paths"][path][method]
    return found


def nullable_by_choice(document: Node) -> None:
    there = schema(document, "SessionInfo")["properties"]
    there["created_at"] = {"anyOf": [there["created_at"], {"type": "null"}]}


def other_name_in_path(document: Node) -> None:
    document["paths"]["/v1/sessions/{session}"] = document["paths"].pop(SESSION)
    for method in ("get", "delete"):
        node = document["paths"]["/v1/sessions/{session}"][method]
        node["parameters"] = [
            {"name": "session", "in": "path", "required": True, "schema": one["schema"]}
            if one.get("in") == "path"
            else one
            for one in (documents.Version(document).followed(parameter, "")[0] for parameter in node["parameters"])
        ]


CHANGES: dict[str, tuple[Callable[[Node], object], str, Verdict]] = {
    "an operation is gone": (lambda d: d["paths"][SESSION].pop("delete"), "terminate-session", "breaking"),
    "an operation is new": (
        lambda d: d["paths"].update({"/v1/new": {"get": {"operationId": "new", "responses": {}}}}),
        "/v1/new",
        "not breaking",
    ),
    "an operationId is another": (
        lambda d: operation(d, SESSION, "get").update(operationId="read-session"),
        "get-session",
        "unclear",
    ),
    "a parameter is gone": (
        lambda d: operation(d, SESSIONS, "get")["parameters"].pop(0),
        "list-sessions",
        "breaking",
    ),
    "a parameter is new and required": (
        lambda d: operation(d, SESSIONS, "get")["parameters"].append(
            {"name": "region", "in": "query", "required": True, "schema": {"type": "string"}}
        ),
        "list-sessions",
        "breaking",
    ),
    "a parameter is new": (
        lambda d: operation(d, SESSIONS, "get")["parameters"].append(
            {"name": "region", "in": "query", "schema": {"type": "string"}}
        ),
        "list-sessions",
        "not breaking",
    ),
    "a field of a request is new and required": (
        lambda d: (
            schema(d, "CreateKeyRequest")["properties"].update(region={"type": "string"}),
            schema(d, "CreateKeyRequest").setdefault("required", []).append("region"),
        ),
        "create-key",
        "breaking",
    ),
    "a field of a request is new": (
        lambda d: schema(d, "CreateKeyRequest")["properties"].update(region={"type": "string"}),
        "create-key",
        "not breaking",
    ),
    "a field of a request is required now": (
        lambda d: schema(d, "CreateKeyRequest").setdefault("required", []).append("name"),
        "create-key",
        "breaking",
    ),
    "a value of a request is gone": (
        lambda d: prop(d, "CreateBillingCheckoutRequest", "mode")["enum"].remove("topup"),
        "create-billing-checkout",
        "breaking",
    ),
    "a value of a request is new": (
        lambda d: prop(d, "CreateBillingCheckoutRequest", "mode")["enum"].append("gift"),
        "create-billing-checkout",
        "not breaking",
    ),
    "a bound of a request is narrower": (
        lambda d: prop(d, "ResizeSessionRequest", "rows").update(maximum=10),
        "resize-session-pty",
        "breaking",
    ),
    "a bound of a request is wider": (
        lambda d: prop(d, "ResizeSessionRequest", "rows").update(maximum=10**9),
        "resize-session-pty",
        "not breaking",
    ),
    "a type of a request is wider": (
        lambda d: prop(d, "ResizeSessionRequest", "rows").update(type=["integer", "string"]),
        "resize-session-pty",
        "not breaking",
    ),
    "a body is required now": (
        lambda d: operation(d, "/v1/sessions/{id}/commands/{cid}/kill", "post")["requestBody"].update(required=True),
        "kill-session-command",
        "breaking",
    ),
    "a media type is taken no more": (
        lambda d: operation(d, SESSIONS, "post")["requestBody"].update(content={}),
        "create-session",
        "breaking",
    ),
    "a status is answered no more": (
        lambda d: operation(d, SESSION, "get")["responses"].pop("200"),
        "get-session",
        "breaking",
    ),
    "a refusal is gone": (
        lambda d: operation(d, SESSION, "get")["responses"].pop("403"),
        "get-session",
        "not breaking",
    ),
    "a field of an answer is gone": (
        lambda d: schema(d, "SessionInfo")["properties"].pop("endpoints"),
        "get-session",
        "breaking",
    ),
    "a field of an answer is new": (
        lambda d: schema(d, "SessionInfo")["properties"].update(region={"type": "string"}),
        "get-session",
        "not breaking",
    ),
    "a field of an answer is optional now": (
        lambda d: schema(d, "SessionInfo")["required"].remove("created_at"),
        "get-session",
        "breaking",
    ),
    "a field of an answer is of another type": (
        lambda d: schema(d, "SessionInfo")["properties"].update(created_at={"type": "integer"}),
        "get-session",
        "breaking",
    ),
    "a field of an answer may be null now": (nullable_by_choice, "get-session", "breaking"),
    "a value of an answer is new": (
        lambda d: schema(d, "SessionStatus")["enum"].append("paused"),
        "get-session",
        "breaking",
    ),
    "a value of an answer is gone": (
        lambda d: schema(d, "SessionStatus")["enum"].remove("terminating"),
        "get-session",
        "not breaking",
    ),
    "a header is gone": (
        lambda d: operation(d, SESSION, "get")["responses"]["200"]["headers"].pop("x-request-id"),
        "get-session",
        "breaking",
    ),
    "another scope is needed": (
        lambda d: operation(d, SESSION, "get").update({"x-scope": "audit.read"}),
        "get-session",
        "breaking",
    ),
    "no scope is needed": (
        lambda d: operation(d, SESSION, "get").update({"x-scope": "none"}),
        "get-session",
        "not breaking",
    ),
    "no credential is needed": (
        lambda d: operation(d, SESSION, "get").update(security=[]),
        "get-session",
        "not breaking",
    ),
    "a credential is needed": (
        lambda d: operation(d, "/auth/login", "post").pop("security"),
        "login",
        "breaking",
    ),
    "it is deprecated": (
        lambda d: operation(d, SESSION, "get").update(deprecated=True),
        "get-session",
        "not breaking",
    ),
}


SOME = [SESSIONS, SESSION, "/v1/sessions/{id}/commands/{cid}/kill", "/v1/sessions/{id}/resize", "/v1/keys",
        "/v1/billing/checkout", "/auth/login"]  # fmt: skip


def of(change: Callable[[Node], object]) -> comparing.Drift:
    """What a change does to the operations that the changes here are about."""
    whole = bundled().spec.document
    before = {**whole, "paths": {path: whole["paths"][path] for path in SOME}}
    after = copy.deepcopy(before)
    change(after)
    return comparing.drift(documents.Version(before), documents.Version(after))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_told_of_its_operation_with_what_it_means(name: str) -> None:
    change, where, verdict = CHANGES[name]
    found = of(change)
    assert found.changes
    assert {one.verdict for one in found.changes if where in one.operation} == {verdict}, found.changes


@pytest.mark.parametrize(
    "change",
    [
        lambda d: None,
        lambda d: d.update(servers=[{"url": "https://elsewhere.example"}]),
        lambda d: schema(d, "SessionInfo").update(description="Other words."),
        lambda d: schema(d, "SessionStatus")["enum"].reverse(),
        other_name_in_path,
        lambda d: schema(d, "SessionInfo")["properties"].update(status=copy.deepcopy(schema(d, "SessionStatus"))),
    ],
    ids=["nothing", "servers", "words", "order", "a-name-in-a-path", "a-reference-written-out"],
)
def test_what_means_the_same_is_no_change(change: Callable[[Node], object]) -> None:
    assert of(change).changes == []


def test_a_change_of_a_shared_schema_has_the_direction_of_each_operation() -> None:
    found = of(lambda d: schema(d, "SessionType")["enum"].append("desktop"))
    verdicts = {(one.operation.rpartition(" ")[2], one.place.partition("/")[0]): one.verdict for one in found.changes}
    assert verdicts["create-session", "body"] == "not breaking"
    assert verdicts["create-session", "200"] == "breaking"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    document = copy.deepcopy(bundled().spec.document)
    prop(document, "AssistantInfo", "status")["enum"].append("asleep")
    del document["paths"]["/v1/mcp"]
    file = tmp_path / "other.yaml"
    file.write_text(yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)), "utf-8")
    return file


def drift(*arguments: str) -> Any:
    return CliRunner().invoke(commands, ["drift", *arguments], standalone_mode=False)


def test_the_command_tells_by_operation_and_ends_with_1(other: Path, tmp_path: Path) -> None:
    told = drift("--against", str(other), "--json", str(tmp_path / "drift.json"))
    assert told.return_value == 1
    assert "POST /v1/mcp mcp-handler\n  breaking      it is there no more" in told.output
    assert 'there is a value "asleep" more' in told.output
    written = json.loads((tmp_path / "drift.json").read_text("utf-8"))
    assert written["sum"]["breaking"] == len([one for one in written["changes"] if one["verdict"] == "breaking"])


def test_marks_become_facts_where_the_other_says_the_same_or_differs_and_stay_where_it_is_silent(other: Path) -> None:
    old = documents.Version(bundled().spec.document)
    proposed = {one.pointer: one for one in provenance.proposals(comparing.drift(old, documents.read(str(other))))}
    status = "#/components/schemas/AssistantInfo/properties/status"
    assert proposed[status].verdict == "differs"
    assert "asleep" in proposed[status].because
    assert proposed["#/paths/~1v1~1accounts/get"].verdict == "same"
    assert not [pointer for pointer in proposed if pointer.startswith("#/paths/~1v1~1mcp")]
    for one in proposed.values():
        assert f"x-provenance: {one.mark}" in (API.folder / one.file).read_text("utf-8").splitlines()[one.line - 1]


def test_the_patch_can_be_applied_and_leaves_no_mark_of_what_was_met(other: Path, tmp_path: Path) -> None:
    patch = tmp_path / "marks.diff"
    assert drift("--against", str(other), "--patch", str(patch)).return_value == 1
    copied = tmp_path / "emulator" / "chaser_emulator" / "openapi"
    copied.mkdir(parents=True)
    for file in API.folder.glob("*.yaml"):
        (copied / file.name).write_bytes(file.read_bytes())
    subprocess.run(["git", "apply", str(patch)], cwd=tmp_path, check=True)
    met = comparing.drift(documents.Version(bundled().spec.document), documents.read(str(other)))
    assert provenance.proposals(met)
    assert provenance.proposals(met, copied) == []


def test_a_chaser_serves_what_it_is_bundled_with() -> None:
    with running(Settings(port=0, sandbox="scripted")) as emulator:
        for against in (emulator.url, f"{emulator.url}/api-docs/openapi.json"):
            told = drift("--against", against)
            assert told.return_value == 0
            assert "nothing differs" in told.output


@pytest.mark.parametrize("text", ["[]", "{", "openapi: 2.0\npaths: {}", "a: b: c"])
def test_what_is_no_document_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    file.write_text(text, "utf-8")
    assert type(drift("--against", str(file)).exception).__name__ == "ClickException"


@pytest.mark.parametrize(("fail_on", "code"), [("any", 1), ("unclear", 0), ("breaking", 0), ("never", 0)])
def test_what_ends_with_1_can_be_chosen(fail_on: str, code: int, tmp_path: Path) -> None:
    document = copy.deepcopy(bundled().spec.document)
    operation(document, SESSION, "get")["deprecated"] = True
    file = tmp_path / "other.json"
    file.write_text(json.dumps(document), "utf-8")
    assert drift("--against", str(file), "--fail-on", fail_on).return_value == code
