"""Refusals on demand: every code that the document declares really comes, or it is told why none does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from chaser_emulator import assembly, handlers, spec
from chaser_emulator.app import open_emulator
from chaser_emulator.meter import Limits
from chaser_emulator.operations import HANDLERS
from chaser_emulator.provoking.provoke import pairs
from chaser_emulator.provoking.reasons import REASONS
from chaser_emulator.provoking.requests import send
from chaser_emulator.provoking.stage import open_stage
from chaser_emulator.provoking.valid import request_for
from chaser_emulator.sandbox.scripted import ScriptedEngine
from chaser_emulator.server import Running
from chaser_emulator.settings import Settings
from chaser_emulator.validation import Validator
from chaser_sdk import ChaserClient
from emulators import emulator_on, http_of
from people import ok, refused
from planned import client_of, plan

handlers.load()
DOCUMENT = spec.load(HANDLERS)
VALIDATOR = Validator(DOCUMENT)


@pytest.fixture
def control(emulator: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{emulator.url}/_emulator", timeout=60) as one:
        yield one


def provoke(control: httpx.Client, operation: str, code: str, **more: Any) -> dict[str, Any]:
    wish = {"operation": operation, "code": code, **more}
    provoked: dict[str, Any] = ok(control.post("/provoke", json=wish))
    return provoked


def wrong_with(operation: spec.Operation, code: str, provoked: dict[str, Any]) -> str | None:
    """What in an answer is not as the document has it."""
    status, answer = operation.codes[code], provoked["response"]
    if (answer["status"], answer["body"]["code"], answer["body"]["error"]) != (status, code, code):
        return f"{answer['status']} {answer['body']} in place of {status}"
    # That the answer fits this very status the pipeline has checked; a schema for each would cost seconds here.
    VALIDATOR.body(DOCUMENT.document["components"]["schemas"]["Error"], answer["body"])
    node = DOCUMENT.document["paths"][operation.path][operation.method.lower()]["responses"][str(status)]
    for name, header in node.get("headers", {}).items():
        if assembly.resolve(DOCUMENT.document, header).get("required") and name.lower() not in answer["headers"]:
            return f"{name} is missing"
    if {answer["body"]["request_id"], answer["headers"]["x-request-id"]} != {provoked["request_id"]}:
        return "it has another request id"
    if status == 429 and not 1 <= int(answer["headers"]["retry-after"]) <= 60:
        return f"Retry-After is {answer['headers']['retry-after']}"
    return None if provoked["arranged"] else "nothing says what was arranged"


@pytest.mark.parametrize("operation_id", sorted(DOCUMENT.operations))
def test_every_declared_refusal_of_an_operation_comes_as_documented(control: httpx.Client, operation_id: str) -> None:
    operation = DOCUMENT.operations[operation_id]
    wrong = []
    for code in operation.codes:
        if (operation_id, code) in REASONS:
            error = refused(
                control.post("/provoke", json={"operation": operation_id, "code": code}), 409, "cannot_be_provoked"
            )
            assert REASONS[operation_id, code] in error["message"]
        elif (found := wrong_with(operation, code, provoke(control, operation_id, code))) is not None:
            wrong.append(f"{code}: {found}")
    assert not wrong
    assert ok(control.get("/provoke", params={"operation": operation_id}))["arranged"] == []


def test_the_exceptions_are_few_and_have_reasons(control: httpx.Client, capsys: pytest.CaptureFixture[str]) -> None:
    told = ok(control.get("/provoke"))
    without = [one for one in told["refusals"] if not one["possible"]]
    with capsys.disabled():
        print(f"\n{told['count']} pairs: {told['possible']} provoked, {len(without)} with reasons")  # noqa: T201
    assert told["count"] == len(pairs(DOCUMENT)) == told["possible"] + len(without)
    assert {(one["operation"], one["code"]) for one in without} == set(REASONS)
    assert all(re.fullmatch(r"[A-Z].{20,}\.", one["reason"]) for one in without)
    some = ok(control.get("/provoke", params={"operation": "login", "code": "invalid_credentials"}))
    assert some["refusals"] == [
        {"operation": "login", "code": "invalid_credentials", "status": 401, "possible": True, "by": "request"}
    ]


def test_the_requests_that_are_to_be_refused_would_succeed() -> None:
    """Else they could be refused for another reason than the one that was arranged."""

    async def all_of_them() -> dict[str, str]:
        failed = {}
        async with open_emulator(Settings(port=0, sandbox="scripted"), ScriptedEngine(), "http://localhost") as one:
            for operation in DOCUMENT.operations.values():
                stage = await open_stage(one.worlds.default, DOCUMENT, operation, own=False, request_id=None, given={})
                request = await request_for(stage)
                if operation.id == "stream-session-command":
                    # It lasts as long as the command.
                    await stage.perform_at("kill-session-command", request.path, {"signal": "KILL"})
                answer = await send(one.app, request, base_url="http://localhost", request_id="sent")
                if answer.status >= 400:
                    failed[operation.id] = f"{answer.status} {answer.json()}"
                await stage.strike()
        return failed

    assert asyncio.run(all_of_them()) == {}


def test_what_is_arranged_meets_the_users_own_client_until_it_is_undone(
    control: httpx.Client, sdk: ChaserClient, client: httpx.Client
) -> None:
    arranged = provoke(control, "create-session", "plan_limit_exceeded", send=False)
    assert "response" not in arranged
    assert arranged["request"]["body"] == {"ephemeral": True}
    assert [one["id"] for one in ok(control.get("/provoke"))["arranged"]] == [arranged["id"]]
    for _ in range(2):
        refused(client.post("/v1/sessions", json={"ephemeral": True}), 403, "plan_limit_exceeded")
    assert ok(client.get("/v1/sessions"))["total"] == 20
    assert control.delete(f"/provoke/{arranged['id']}").status_code == 204
    assert ok(client.get("/v1/sessions"))["total"] == 0
    session = sdk.sessions.create(ephemeral=True)
    assert session["status"] == "running"
    sdk.sessions.terminate(session["id"])
    refused(control.delete(f"/provoke/{arranged['id']}"), 404, "not_found")


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("create-session", "payment_required"),
        ("create-session", "rate_limited"),
        ("create-session", "internal_error"),
        ("create-workspace", "storage_limit_exceeded"),
        ("create-webhook", "conflict"),
        ("exec-sandbox", "sandbox_unavailable"),
    ],
)
def test_nothing_is_left_of_it_once_it_is_undone(
    control: httpx.Client, client: httpx.Client, operation: str, code: str
) -> None:
    before = {path: ok(client.get(path)) for path in ("/v1/workspaces", "/v1/webhooks", "/v1/sessions")}
    limits = ok(client.get("/v1/billing/summary"))["limits"]
    arranged = provoke(control, operation, code, send=False)
    request = arranged["request"]
    again = {"headers": request["headers"], "json": request.get("body")}
    refused(client.request(request["method"], request["url"], **again), arranged["status"], code)
    assert ok(control.delete("/provoke")) == {"undone": [arranged["id"]]}
    assert {path: ok(client.get(path)) for path in before} == before
    assert ok(client.get("/v1/billing/summary"))["limits"] == limits
    made = ok(client.request(request["method"], request["url"], **again))
    undo = {"create-session": "/v1/sessions/{id}", "create-workspace": "/v1/workspaces/{id}"}
    if operation in undo:
        client.delete(undo[operation].format(**made), params={"force": "true"})
    elif operation == "create-webhook":
        client.delete(f"/v1/webhooks/{made['webhook']['id']}")


@pytest.mark.parametrize(
    ("code", "operations"),
    [
        ("payment_required", ("create-session", "exec-sandbox")),
        ("rate_limited", ("create-session", "bulk-terminate-sessions")),
        ("storage_limit_exceeded", ("create-workspace", "create-assistant")),
        ("plan_limit_exceeded", ("create-session", "exec-sandbox")),
    ],
)
def test_two_that_have_one_reason_are_undone_in_any_order(
    control: httpx.Client, client: httpx.Client, code: str, operations: tuple[str, str]
) -> None:
    first, second = (provoke(control, operation, code, send=False)["id"] for operation in operations)
    assert provoke(control, operations[0], code, send=False)["id"] == first
    for each in (first, second):
        assert control.delete(f"/provoke/{each}").status_code == 204
    made = ok(client.post("/v1/sessions", json={"ephemeral": True}))
    client.delete(f"/v1/sessions/{made['id']}")
    made = ok(client.post("/v1/workspaces", json={"session_type": "sandbox"}))
    client.delete(f"/v1/workspaces/{made['id']}")


def test_it_happens_to_what_the_user_names(control: httpx.Client, client: httpx.Client) -> None:
    one, other = (ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"] for _ in range(2))
    provoke(control, "exec-session", "sandbox_unavailable", path={"id": one})
    assert ok(client.post(f"/v1/sessions/{one}/exec", json={"command": "true"}))["exit_code"] == 0
    leased = provoke(control, "terminate-session", "session_leased", path={"id": one}, send=False)
    refused(client.delete(f"/v1/sessions/{one}"), 409, "session_leased")
    control.delete(f"/provoke/{leased['id']}")
    ended = provoke(control, "exec-session", "not_running", path={"id": one})
    assert ended["request"]["path_parameters"] == {"id": one}
    assert ok(client.get(f"/v1/sessions/{one}"))["status"] == "terminated"
    assert ok(client.post(f"/v1/sessions/{other}/exec", json={"command": "true"}))["exit_code"] == 0
    client.delete(f"/v1/sessions/{other}")


def test_it_happens_in_the_account_that_the_user_names(control: httpx.Client, client: httpx.Client) -> None:
    name = ok(client.post("/v1/accounts/organizations", json={"name": "provoked here"}))["account"]["name"]
    there = {"X-Chaser-Account": name}
    arranged = provoke(control, "create-session", "plan_limit_exceeded", send=False, account=name)
    refused(client.post("/v1/sessions", json={"ephemeral": True}, headers=there), 403, "plan_limit_exceeded")
    client.delete(f"/v1/sessions/{ok(client.post('/v1/sessions', json={'ephemeral': True}))['id']}")
    assert control.delete(f"/provoke/{arranged['id']}").status_code == 204
    for operation, code in (("delete-current-service-account", "forbidden"), ("add-current-member", "already_exists")):
        provoke(control, operation, code, account=name)
    assert ok(client.get("/v1/accounts/current/service-accounts", headers=there))["service_accounts"] == []
    refused(
        control.post("/provoke", json={"operation": "get-me", "code": "forbidden", "account": "nobody"}),
        404,
        "not_found",
    )


def test_a_fault_of_one_call_meets_no_other(control: httpx.Client, client: httpx.Client) -> None:
    """Refusals that limits, engines and handlers are the reason of, while somebody else works on."""
    wanted = [
        ("create-session", "internal_error"),
        ("create-session", "rate_limited"),
        ("create-session", "plan_limit_exceeded"),
        ("exec-sandbox", "sandbox_unavailable"),
        ("exec-sandbox", "not_running"),
        ("create-workspace", "storage_limit_exceeded"),
        ("create-workspace-snapshot", "sandbox_unavailable"),
        ("delete-workspace", "sandbox_unavailable"),
    ]

    def work(number: int) -> None:
        name = f"mine-{number}"
        made = ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": name}))["id"]
        assert ok(client.post("/v1/exec", json={"workspace": name, "command": "true"}))["exit_code"] == 0
        [session] = ok(client.post("/v1/sessions/bulk-terminate", json={"workspaces": [name]}))["terminated"]
        assert session
        ok(client.post(f"/v1/workspaces/{made}/snapshots", json={}))
        ok(client.delete(f"/v1/workspaces/{made}"))

    with ThreadPoolExecutor(8) as pool:
        mine = [pool.submit(work, number) for number in range(12)]
        theirs = [pool.submit(provoke, control, *pair) for pair in wanted * 3]
        assert all(one.result()["arranged"] for one in theirs)
        assert [one.result() for one in mine] == [None] * 12
    assert ok(client.get("/v1/sessions"))["total"] == 0


def test_a_world_is_refused_alone(control: httpx.Client, client: httpx.Client) -> None:
    forked = ok(control.post("/worlds/default/fork", json={}))
    headers = {"X-Chaser-World": forked["id"]}
    wish = {"operation": "create-session", "code": "rate_limited", "send": False}
    arranged = ok(control.post("/provoke", json=wish, headers=headers))
    request = arranged["request"]
    assert request["headers"]["Authorization"] == f"Bearer {forked['api_key']}"
    refused(client.post("/v1/sessions", json={"ephemeral": True}, headers=request["headers"]), 429, "rate_limited")
    mine = ok(client.post("/v1/sessions", json={"ephemeral": True}))
    client.delete(f"/v1/sessions/{mine['id']}")
    assert ok(control.get("/provoke"))["arranged"] == []
    assert control.delete(f"/worlds/{forked['id']}").status_code == 204


def test_it_comes_where_requests_are_not_counted() -> None:
    with emulator_on("scripted", rate_limit=Limits(enabled=False)) as one, http_of(one) as client:
        wish = {"operation": "create-session", "code": "rate_limited"}
        provoked = ok(client.post("/_emulator/provoke", json=wish))
        assert provoked["response"]["headers"]["x-ratelimit-remaining"] == "0"


def test_an_account_that_does_not_allow_it_is_told_so_and_no_request_with_something_wrong_needs_it() -> None:
    with emulator_on("scripted", plan="free") as one, http_of(one) as client:

        def arrange(operation: str, code: str) -> httpx.Response:
            wish = {"operation": operation, "code": code, "send": False}
            return client.post("/_emulator/provoke", json=wish)

        error = refused(arrange("delete-workspace", "workspace_active"), 409, "invalid_state")
        assert "create-workspace was refused itself (plan_limit_exceeded" in error["message"]
        for operation, code in (
            ("create-workspace", "plan_limit_exceeded"),
            ("restore-workspace-snapshot", "rate_limited"),
            ("pause-assistant", "internal_error"),
            ("update-assistant", "invalid_json"),
        ):
            request = ok(arrange(operation, code))["request"]
            body = request.get("body")
            content = {"content": body} if "encoding" in request else {"json": body}
            answer = client.request(request["method"], request["url"], headers=request["headers"], **content)
            assert answer.json()["code"] == code
        assert len(ok(client.delete("/_emulator/provoke"))["undone"]) == 4


def test_the_journal_and_the_audit_log_show_it(control: httpx.Client, client: httpx.Client) -> None:
    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    provoked = provoke(control, "terminate-session", "session_leased", path={"id": session})
    assert provoked["request"]["headers"]["Authorization"] == "Bearer [hidden]"
    [exchange] = ok(control.get("/requests", params={"request_id": provoked["request_id"]}))["requests"]
    assert (exchange["operation"], exchange["status"]) == ("terminate-session", 409)
    found = ok(client.get("/v1/audit/events", params={"resource_id": session, "status": "failure"}))["events"]
    assert [event["metadata"]["code"] for event in found] == ["session_leased"]
    client.delete(f"/v1/sessions/{session}")


def test_a_planned_fault_that_has_its_turn_first_is_told_and_one_that_comes_later_is_no_part_of_it(
    emulator: Running,
) -> None:
    with client_of(emulator) as client:
        plan(client, "create-session", reset=True, times=1)
        wish = {"operation": "create-session", "code": "not_found"}
        error = refused(client.post("/_emulator/provoke", json=wish), 409, "invalid_state")
        assert "create-session cut the connection in place of 404 not_found" in error["message"]
        late = plan(client, engine={"kind": "slow", "delay": 0.01, "on": ["stop"]})
        wish = {"operation": "exec-session", "code": "invalid_json"}
        provoked = ok(client.post("/_emulator/provoke", json=wish))
        # The sandbox that it was about is stopped once it is over.
        assert late.counts() == (1, 1)
        named = {"request_id": provoked["request_id"]}
        [exchange] = ok(client.get("/_emulator/requests", params=named))["requests"]
        assert "fault" not in exchange


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"operation": "stop_session", "code": "not_found"}, "body /operation: .*get-session"),
        ({"operation": "create-sesion", "code": "not_found"}, "body /operation: .*create-session"),
        ({"operation": "login", "code": "not_found"}, "body /code: .*invalid_credentials"),
        ({"operation": "login", "code": "invalid_json", "path": {"id": "x"}}, "body /path/id: .*none"),
        ({"operation": "get-session", "code": "not_found", "path": {"cid": "x"}}, "body /path/cid: .* id"),
    ],
)
def test_what_the_document_does_not_have_is_refused_with_what_it_has(
    control: httpx.Client, wish: dict[str, Any], words: str
) -> None:
    error = refused(control.post("/provoke", json=wish), 400, "invalid_request")
    assert re.match(words, error["message"])
