"""An explanation says which rule refused a request, where it stands, with which value, and hides what is secret."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator import assembly, spec
from chaser_emulator.cli import commands
from chaser_emulator.explaining.remedies.choosing import BY_CODE
from chaser_emulator.rules import along
from chaser_emulator.server import Running
from click.testing import CliRunner
from emulators import http_of
from explanations import explained
from people import Organization, ok
from planned import client_of, plan, sandbox, world_of

SPEC = spec.load()
YAML = assembly.API.folder


@pytest.fixture
def alone(emulator: Running) -> Iterator[httpx.Client]:
    """A client in a world of its own."""
    with client_of(emulator) as client:
        yield client


def said_at(pointer: str) -> Any:
    """What the document says at a pointer, which must lead all the way."""
    parts = pointer.split("/")
    found = [node for _part, node in along(SPEC.document, pointer)]
    assert len(found) == len(parts), f"{pointer} leads nowhere"
    return found[-1]


def line_of(rule: dict[str, Any]) -> str:
    """The line of the document that a rule names."""
    name, _, number = rule["file"].partition(":")
    lines: list[str] = (YAML / name).read_text("utf-8").splitlines()
    return lines[int(number) - 1].strip()


def test_a_number_out_of_bounds_names_the_bound_and_where_it_stands(client: httpx.Client) -> None:
    told = explained(client, client.get("/v1/sessions", params={"limit": 900}))
    [rule] = told["rules"]
    assert (told["step"], told["code"], told["operation"]) == ("validation", "invalid_request", "list-sessions")
    assert (rule["in"], rule["pointer"], rule["value"], rule["accepted"]) == ("query", "limit", 900, 200)
    assert said_at(rule["document"]) == 200
    assert line_of(rule) == "maximum: 200"
    assert rule["description"] == "The most sessions to answer with."
    assert [one["number"] for one in rule["rulings"]] == ["S7"]
    assert told["changes"] == ['query limit: "900" -> "200"']
    assert told["passes"]["path"] == "/v1/sessions?limit=200"


def test_a_rule_is_followed_through_every_reference(client: httpx.Client) -> None:
    answer = client.post("/v1/sessions", json={"ephemeral": True, "image": "no image", "env": {"1": "x"}})
    rules = {rule["pointer"]: rule for rule in explained(client, answer)["rules"]}
    assert rules["/env"]["document"] == "#/components/schemas/Environment/propertyNames/pattern"
    assert line_of(rules["/env"]).startswith("pattern:")
    assert rules["/image"]["document"].startswith("#/components/schemas/CreateSessionRequestDoc/properties/image")
    assert rules["/image"]["value"] == "no image"


def test_each_problem_has_its_rule_and_what_is_unknown_is_told_with_what_was_meant(alone: httpx.Client) -> None:
    session = sandbox(alone)
    body = {"comand": "echo $HOME", "timeout_ms": "5"}
    told = explained(alone, alone.post(f"/v1/sessions/{session}/exec", json=body))
    assert {rule["pointer"]: rule.get("value") for rule in told["rules"]} == {"/command": None, "/timeout_ms": "5"}
    assert (told["ignored"], told["hints"]) == (["body /comand"], ["body /command instead of body /comand"])
    assert told["passes"]["body"] == {"command": "echo $HOME", "timeout_ms": 5}
    assert told["changes"] == ["body /comand -> /command", 'body /timeout_ms: "5" -> 5']
    assert told["passes"]["sdk"] == (f"client.exec.in_session('{session}', command='echo $HOME', timeout_ms=5)")


def test_a_line_of_curl_is_read_by_a_shell_as_it_was_meant(alone: httpx.Client) -> None:
    session = sandbox(alone)
    body = {"command": "echo '$HOME' \"`date`\" !! \\ $CHASER_API_KEY", "timeout_ms": "5"}
    told = explained(alone, alone.post(f"/v1/sessions/{session}/exec", json=body))
    words = shlex.split(told["passes"]["curl"])
    assert words[:4] == ["curl", "-X", "POST", str(alone.base_url.join(f"/v1/sessions/{session}/exec"))]
    assert words[words.index("-d") + 1].startswith('{"command": "echo')
    assert "Authorization: Bearer $CHASER_API_KEY" in words


def test_no_json_is_told_by_line_and_column_and_read_as_it_was_meant(alone: httpx.Client) -> None:
    text = '{"ephemeral": True,\n "session_type": "sandbox",}'
    answer = alone.post("/v1/sessions", content=text, headers={"Content-Type": "application/json"})
    told = explained(alone, answer)
    [rule] = told["rules"]
    assert (told["code"], rule["in"], rule["value"]) == ("invalid_json", "body", {"line": 1, "column": 15})
    assert told["passes"]["body"] == {"ephemeral": True, "session_type": "sandbox"}
    assert told["changes"] == ['body: written as JSON, {"ephemeral": true, "session_type": "sandbox"}']


@pytest.mark.parametrize(
    ("change", "step", "document", "place"),
    [
        ({"Authorization": "Bearer sk_unknown"}, "authentication", "#/security", ("header", "Authorization")),
        ({"Authorization": "Basic x"}, "authentication", "#/security", ("header", "Authorization")),
        (
            {"X-Chaser-Account": "persona"},
            "account",
            "#/components/parameters/AccountSelector",
            ("header", "X-Chaser-Account"),
        ),
    ],
)
def test_who_is_not_let_in_learns_at_which_door(
    client: httpx.Client, change: dict[str, str], step: str, document: str, place: tuple[str, str]
) -> None:
    told = explained(client, client.get("/v1/workspaces", headers=change))
    [rule] = told["rules"]
    assert (told["step"], rule["document"], (rule["in"], rule["pointer"])) == (step, document, place)
    assert told["passes"]["headers"]["authorization"] == "Bearer $CHASER_API_KEY"
    assert "sk_" not in told["text"].replace("sk_…", "")


def test_a_missing_scope_is_told_with_the_key_that_has_it(alone: httpx.Client) -> None:
    key = ok(alone.post("/v1/keys", json={"scopes": ["sessions.read"]}))["key"]
    answer = alone.post("/v1/sessions", json={"ephemeral": True}, headers={"Authorization": f"Bearer {key}"})
    told = explained(alone, answer)
    [rule] = told["rules"]
    assert (told["step"], rule["accepted"]) == ("scope", "sessions.write")
    assert said_at(rule["document"]) == "sessions.write"
    assert told["first"][0]["body"] == {"scopes": ["sessions.write"]}
    assert told["passes"]["body"] == {"ephemeral": True}
    assert key not in told["text"]


def test_a_role_that_is_too_low_is_told_with_who_has_it(client: httpx.Client, organization: Organization) -> None:
    answer = organization.member.post("/v1/accounts/current/members", json={"email": "a@example.com"})
    told = explained(client, answer)
    [rule] = told["rules"]
    assert (told["step"], rule["accepted"]) == ("scope", ["owner", "admin"])
    assert rule["document"].endswith("/x-roles")
    assert told["acts_as"]["role"] in ("owner", "admin")
    assert told["acts_as"]["email"] in {person.email for person in organization.people.values()}


def test_what_is_refused_by_state_tells_the_state(alone: httpx.Client) -> None:
    session = sandbox(alone)
    ok(alone.delete(f"/v1/sessions/{session}"))
    told = explained(alone, alone.post(f"/v1/sessions/{session}/exec", json={"command": "true"}))
    assert (told["step"], told["code"]) == ("state", "not_running")
    assert (told["state"]["session"], told["state"]["status"]) == (session, "terminated")
    assert (told["rules"][0]["in"], told["rules"][0]["pointer"]) == ("path", "id")
    assert told["first"][0]["takes"] == {"CHASER_SESSION_ID": "/id"}


@pytest.mark.parametrize(
    ("method", "path", "code", "nearest"),
    [
        ("GET", "/v1/sesions", "not_found", "GET /v1/sessions"),
        ("POST", "/v1/session", "not_found", "POST /v1/sessions"),
        ("GET", "/v1/workspaces/app/snapshot", "not_found", "GET /v1/workspaces/app/snapshots"),
        ("PATCH", "/v1/workspaces/app/name", "method_not_allowed", "PUT /v1/workspaces/app/name"),
        ("PUT", "/v1/sessions", "method_not_allowed", "POST /v1/sessions"),
    ],
)
def test_a_route_that_is_not_there_is_told_with_the_nearest(
    alone: httpx.Client, method: str, path: str, code: str, nearest: str
) -> None:
    told = explained(alone, alone.request(method, path, json={"name": "other", "ephemeral": True}))
    assert (told["step"], told["code"]) == ("routing", code)
    assert f"{told['passes']['method']} {told['passes']['path']}" == nearest


def test_a_path_with_a_slash_too_many_is_no_session_without_an_id(alone: httpx.Client) -> None:
    [rule] = explained(alone, alone.get("/v1/sessions/"))["rules"]
    assert rule["document"] == "#/paths"


def test_what_a_path_names_is_told_as_it_was_meant(alone: httpx.Client) -> None:
    told = explained(alone, alone.get("/v1/workspaces/my%2Eapp/snapshot"))
    assert told["first"][0]["body"]["name"] == "my.app"
    assert told["passes"]["path"] == "/v1/workspaces/my.app/snapshots"


def test_a_planned_fault_is_named_and_how_to_be_rid_of_it(emulator: Running) -> None:
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
        rule = plan(client, "list-workspaces", error="internal_error")
        told = explained(client, client.get("/v1/workspaces"))
        assert (told["step"], told["fault"]["id"]) == ("fault", rule.id)
        assert told["first"][0]["path"] == f"/_emulator/faults/{rule.id}"


def test_of_what_was_not_refused_it_tells_what_nobody_read(alone: httpx.Client) -> None:
    answer = alone.post("/v1/sessions", params={"x": 1}, json={"ephemeral": True, "session_typ": "sandbox"})
    told = explained(alone, answer)
    assert told["summary"] == "Nothing was refused: it was answered with 200."
    assert told["ignored"] == ["query x", "body /session_typ"]
    assert told["hints"] == ["body /session_type instead of body /session_typ"]
    assert "passes" not in told


def test_secrets_are_in_no_explanation(alone: httpx.Client) -> None:
    body = {"ephemeral": True, "env": {"TOKEN": "hush-hush"}, "proxy": "http://user:hush-hush@x y", "image": 5}
    told = explained(alone, alone.post("/v1/sessions", json=body))
    assert "hush" not in str(told)
    broken = alone.post(
        "/v1/assistants/credentials",
        content='{"name": "k", "value": "hush-hush",',
        headers={"Content-Type": "application/json"},
    )
    assert "hush" not in str(explained(alone, broken))
    nowhere = alone.post("/v1/assistants/credential", json={"name": "k", "value": "hush-hush"})
    assert "hush" not in str(explained(alone, nowhere))


def test_the_last_refusal_is_found_without_a_name_and_any_request_by_its_number(alone: httpx.Client) -> None:
    assert alone.get("/_emulator/explain").json()["code"] == "not_found"
    alone.get("/v1/sessions", params={"limit": 0})
    alone.get("/v1/sessions")
    last = ok(alone.get("/_emulator/explain"))
    assert (last["asked"], last["number"]) == ("GET /v1/sessions?limit=0", 1)
    assert ok(alone.get("/_emulator/explain", params={"number": 2}))["status"] == 200
    assert ok(alone.get("/_emulator/explain", params={"request_id": "1"})) == last
    assert alone.get("/_emulator/explain", params={"request_id": "nobody"}).status_code == 404


def test_people_get_a_text(alone: httpx.Client) -> None:
    alone.get("/v1/sessions", params={"limit": 0})
    answer = alone.get("/_emulator/explain", headers={"Accept": "text/plain"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.splitlines()[0] == "GET /v1/sessions?limit=0  ->  400 invalid_request"
    assert 'query limit: "0" -> "1"' in answer.text
    assert "sessions.yaml:" in answer.text


def test_the_command_prints_the_text(emulator: Running) -> None:
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
        client.get("/v1/sessions", params={"limit": 0})
        place = ["--url", emulator.url, "--world", world.id]
        done = CliRunner().invoke(commands, ["explain", "last", *place])
        assert done.exit_code == 0, done.output
        assert done.output.startswith("GET /v1/sessions?limit=0  ->  400 invalid_request\n")


def test_every_code_of_the_document_has_a_remedy() -> None:
    assert set(SPEC.error_status) - set(BY_CODE) == {"internal_error"}


def test_a_body_that_nobody_came_to_read_is_told_all_the_same(emulator: Running, client: httpx.Client) -> None:
    answer = httpx.post(f"{emulator.url}/v1/sessions", json={"ephemeral": "yes"})
    told = explained(client, answer)
    assert (told["code"], told["passes"]["body"]) == ("unauthorized", {"ephemeral": True})


def test_a_secret_that_has_to_be_another_is_named_and_not_told(client: httpx.Client) -> None:
    told = explained(client, client.post("/auth/register", json={"email": "eve@example.com", "password": "tiny"}))
    assert told["changes"] == ['body /password: "[hidden]" -> "[hidden]"']
    assert "tiny" not in str(told)


def test_a_path_that_is_like_none_is_not_bent_into_one(client: httpx.Client) -> None:
    told = explained(client, client.get("/favicon.ico"))
    assert ("passes" in told, told["why_not"]) == (
        False,
        "no path of the document is like it; /api-docs/openapi.json lists them all",
    )


def test_a_form_is_told_with_its_files_by_name(alone: httpx.Client) -> None:
    session = sandbox(alone)
    told = explained(alone, alone.post(f"/v1/sessions/{session}/upload", json={"path": "/workspace/a.txt"}))
    assert told["passes"]["body"] == {"path": "/workspace/a.txt", "file": "@file"}
    assert "-F path=/workspace/a.txt -F file=@file" in told["passes"]["curl"]
