"""The journal of a world: every request to the API, whatever became of it, and nothing that is secret."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator import journal
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from people import ok, refused
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted") as one:
        yield one


@pytest.fixture
def client(emulator: Running) -> Iterator[httpx.Client]:
    with http_of(emulator) as one:
        ok(one.delete("/_emulator/requests"))
        yield one


def found(client: httpx.Client, **given: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = ok(client.get("/_emulator/requests", params=given))["requests"]
    return listed


def whole(client: httpx.Client, number: int) -> dict[str, Any]:
    told: dict[str, Any] = ok(client.get(f"/_emulator/requests/{number}"))
    return told


def test_an_exchange_is_kept_as_it_came_and_went(client: httpx.Client) -> None:
    made = client.post(
        "/v1/workspaces", json={"session_type": "sandbox", "name": "kept"}, headers={"x-request-id": "a"}
    )
    [brief] = found(client)
    assert (brief["operation"], brief["method"], brief["path"]) == ("create-workspace", "POST", "/v1/workspaces")
    assert (brief["request_id"], brief["status"], brief["done"]) == ("a", 200, True)
    told = whole(client, brief["number"])
    assert told["request_body"] == {"session_type": "sandbox", "name": "kept"}
    assert told["response_body"] == made.json()
    assert told["request_headers"]["authorization"] == "Bearer [hidden]"
    assert told["response_headers"]["content-type"] == "application/json"
    assert told["account_id"]
    assert told["key_id"]


def test_what_no_operation_answers_is_kept_as_well(client: httpx.Client) -> None:
    client.get("/v1/nothing?here=1")
    client.patch("/v1/sessions")
    httpx.get(f"{client.base_url}/v1/sessions")
    lost, wrong, nobody = found(client)
    assert ("operation" in lost, lost["path"], lost["query"], lost["status"]) == (False, "/v1/nothing", "here=1", 404)
    assert (wrong["method"], wrong["status"], wrong["code"]) == ("PATCH", 405, "method_not_allowed")
    assert (nobody["operation"], nobody["code"]) == ("list-sessions", "unauthorized")
    assert "account_id" not in whole(client, nobody["number"])


def test_requests_to_the_control_plane_are_not_in_it(client: httpx.Client) -> None:
    ok(client.get("/_emulator/clock"))
    assert found(client) == []


def test_exchanges_are_found_by_what_they_are_about(client: httpx.Client) -> None:
    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    other = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    for each in (session, other, session):
        ok(client.post(f"/v1/sessions/{each}/exec", json={"command": "true"}))
    refused(client.post(f"/v1/sessions/{session}/exec", json={}), 400, "invalid_request")
    assert len(found(client, operation="exec-session", session_id=session)) == 3
    assert [one["operation"] for one in found(client, session_id=other)] == ["create-session", "exec-session"]
    assert len(found(client, status=400)) == len(found(client, refused=True)) == 1
    assert len(found(client, path=f"/v1/sessions/{session}/*")) == 3
    assert len(found(client, operation="*-session", limit=2)) == 2
    [first, *_] = found(client)
    assert len(found(client, after=first["number"])) == 5
    counted = ok(client.get("/_emulator/requests/count", params={"operation": "exec-session", "method": "POST"}))
    assert counted["count"] == 4
    refused(client.get("/_emulator/requests", params={"operations": "x"}), 400, "invalid_request")


def test_streams_files_and_sockets_are_noted_without_their_bytes(client: httpx.Client, emulator: Running) -> None:
    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    form = {"path": "/workspace/file"}
    ok(client.post(f"/v1/sessions/{session}/upload", data=form, files={"file": b"x" * 5000}))
    assert client.get(f"/v1/sessions/{session}/download", params=form).content == b"x" * 5000
    address = emulator.url.replace("http", "ws") + f"/v1/sessions/{session}/pty?access_token={emulator.api_key}"
    with connect(address, proxy=None) as terminal:
        terminal.recv()
    upload, download, socket = found(client)[1:]
    assert whole(client, upload["number"])["request_body"].startswith("[multipart/form-data, ")
    assert whole(client, download["number"])["response_body"] == "[application/octet-stream, 5000 bytes]"
    told = whole(client, socket["number"])
    assert (told["status"], told["upgraded"], told["operation"]) == (101, True, "open-session-pty")
    assert told["query"] == "access_token=[hidden]"


def test_a_key_is_hidden_under_whatever_name_it_stands(client: httpx.Client, emulator: Running) -> None:
    spelled = emulator.api_key.replace("_", "%5F")
    ok(client.get(f"/v1/sessions?limit=5&Access_Token={emulator.api_key}&key={spelled}&q=a;token={emulator.api_key}"))
    [one] = found(client)
    assert whole(client, one["number"])["query"] == "limit=5&Access_Token=[hidden]&key=[hidden]&q=[hidden]"


def test_what_nobody_reads_is_told(client: httpx.Client) -> None:
    ok(client.get("/v1/sessions", params={"limit": 5, "colour": "red"}))
    [one] = found(client)
    assert whole(client, one["number"])["ignored"] == ["query colour"]


def test_it_forgets_the_oldest(emulator: Running, client: httpx.Client) -> None:
    world = emulator.world.journal
    for _ in range(journal.KEPT + 5):
        client.get("/api-docs/none")
    assert len(world) == journal.KEPT
    last = world.last()
    assert last is not None
    assert world.find()[0].number == last.number - journal.KEPT + 1


def test_it_keeps_no_more_bytes_than_it_says(emulator: Running, client: httpx.Client) -> None:
    text = "x" * 60_000
    for _ in range(journal.KEPT_BYTES // 60_000 + 20):
        client.post("/v1/workspaces", json={"session_type": "sandbox", "name": text})
    kept = [one.kept for one in emulator.world.journal.find()]
    assert sum(kept) <= journal.KEPT_BYTES
    client.post("/v1/workspaces", json={"session_type": "sandbox", "name": text * 2})
    newest = emulator.world.journal.last()
    assert newest is not None
    assert newest.request_body.startswith("[application/json, 1200")


def test_a_refusal_keeps_nothing_of_its_request_alive(emulator: Running, client: httpx.Client) -> None:
    refused(client.get("/v1/sessions", headers={"X-Chaser-Account": "nobody's"}), 404, "not_found")
    newest = emulator.world.journal.last()
    assert newest is not None
    assert newest.error is not None
    assert (newest.error.__traceback__, newest.error.__context__, newest.error.__cause__) == (None, None, None)


def test_a_body_that_is_no_json_is_not_shown(client: httpx.Client) -> None:
    secret = uuid.uuid4().hex
    refused(
        client.post("/auth/login", content=f'{{"password": "{secret}"', headers={"Content-Type": "application/json"}),
        400,
        "invalid_json",
    )
    [one] = found(client)
    told = client.get(f"/_emulator/requests/{one['number']}").text
    assert secret not in told
    assert "[no JSON, " in told
