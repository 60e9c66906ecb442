"""Faults behind the API: engines that fail, deliveries that misbehave, and what jobs and tools see of faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import mcp_calls
import pytest
from chaser_emulator.server import Running
from emulators import http_of
from people import ok, refused
from planned import client_of, noted, plan, sandbox, sessions, world_of
from queues import done
from receivers import answer, receiving
from standardwebhooks import Webhook, WebhookVerificationError
from test_exec import until


@pytest.fixture
def client(emulator: Running) -> Iterator[httpx.Client]:
    with client_of(emulator) as one:
        yield one


def run(client: httpx.Client, session: str) -> httpx.Response:
    return client.post(f"/v1/sessions/{session}/exec", json={"command": "echo hello"})


# Engines


def test_an_image_that_is_missing_fails_the_session_that_wants_it(client: httpx.Client) -> None:
    rule = plan(client, "create-session", engine={"kind": "image_missing", "message": "no such image"}, times=1)
    failed = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    until(lambda: ok(client.get(f"/v1/sessions/{failed}"))["status"] == "failed")
    assert noted(client, "create-session")["fault"] == rule.id
    assert rule.counts() == (1, 1)
    assert run(client, sandbox(client)).status_code == 200


def test_a_sandbox_dies_while_it_runs_a_command(client: httpx.Client) -> None:
    dying, other = sandbox(client), sandbox(client)
    plan(client, "exec-session", engine="sandbox_dies", path={"id": dying})
    assert run(client, other).status_code == 200
    refused(run(client, dying), 409, "not_running")
    until(lambda: ok(client.get(f"/v1/sessions/{dying}"))["status"] in ("failed", "terminated"))
    assert run(client, other).status_code == 200


def test_a_disk_is_full_for_one_upload(client: httpx.Client) -> None:
    session = sandbox(client)
    plan(client, "upload-session-file", engine="disk_full", calls=[2])

    def upload() -> int:
        data, files = {"path": "/workspace/a"}, {"file": ("a", b"x")}
        return client.post(f"/v1/sessions/{session}/upload", data=data, files=files).status_code

    assert [upload() for _ in "123"] == [200, 403, 200]


def test_an_engine_fails_for_whoever_asks_it_where_no_operation_is_named(client: httpx.Client) -> None:
    session = sandbox(client)
    rule = plan(client, engine={"kind": "unavailable", "on": ["exec"]}, times=2)
    assert run(client, session).status_code == 503
    assert client.post("/v1/exec", json={"command": "true", "ephemeral": True}).status_code == 503
    assert run(client, session).status_code == 200
    assert rule.counts() == (3, 2)


def test_an_engine_rule_and_a_rule_about_requests_act_beside_each_other(client: httpx.Client) -> None:
    session = sandbox(client)
    engine = plan(client, "exec-session", engine="unavailable", calls=[1])
    late = plan(client, "exec-session", latency=0.01)
    assert run(client, session).status_code == 503
    assert run(client, session).status_code == 200
    assert (engine.counts(), late.counts()) == ((2, 1), (2, 2))


# Jobs and tools


def test_jobs_and_tools_meet_the_faults_of_the_operations_that_they_perform(client: httpx.Client) -> None:
    session = sandbox(client)
    rule = plan(client, "terminate-session", "exec-session", error="rate_limited", calls=[1])
    # What happens to a connection does not happen to those who have none.
    plan(client, "terminate-session", "exec-session", lost="reset")
    job = done(client, "session.terminate", {"session_id": session})
    assert job["status"] == "failed"
    assert "rate_limited" in str(job) or "Too many" in str(job)
    assert rule.counts() == (1, 1)
    assert done(client, "session.terminate", {"session_id": session})["status"] == "completed"
    assert session not in [
        one for one in sessions(client) if ok(client.get(f"/v1/sessions/{one}"))["status"] == "running"
    ]


def test_a_tool_shows_a_fault_as_its_own_failure(client: httpx.Client) -> None:
    session = sandbox(client)
    plan(client, "exec-session", error="sandbox_unavailable", when="after", times=1)
    result = mcp_calls.call(client, "terminal", session_id=session, command="echo hello")
    assert result["isError"] is True
    assert "sandbox_unavailable" in str(result["content"])
    assert mcp_calls.call(client, "terminal", session_id=session, command="echo hello")["isError"] is False


def test_mcp_fails_inside_in_the_words_of_json_rpc(client: httpx.Client) -> None:
    plan(client, "mcp-handler", raise_=True, when="after", calls=[1])
    plan(client, "mcp-handler", error="internal_error", when="after", calls=[2])
    for _ in range(2):
        assert mcp_calls.rpc(client, "ping")["error"]["code"] == -32603
    assert mcp_calls.rpc(client, "ping")["result"] == {}


# Deliveries


def hooked(client: httpx.Client, url: str) -> tuple[str, str]:
    """The id and the secret of a webhook for events of workspaces."""
    made = ok(client.post("/v1/webhooks", json={"url": url, "events": ["workspace.*"]}))
    return made["webhook"]["id"], made["signing_secret"]


def workspace(client: httpx.Client, name: str) -> str:
    body = {"session_type": "sandbox", "name": name}
    return str(ok(client.post("/v1/workspaces", json=body))["id"])


def test_a_delivery_comes_twice_and_another_is_signed_wrongly(emulator: Running) -> None:
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client, receiving() as got:
        got.usual = answer(200)
        _hook, secret = hooked(client, got.url)
        twice = plan(client, events=["workspace.created"], webhook="duplicate", calls=[1])
        wrong = plan(client, events="workspace.*", webhook="wrong_signature", calls=[2])
        workspace(client, "one")
        first, copy = got.wait(2)
        assert first.headers["webhook-id"] == copy.headers["webhook-id"]
        workspace(client, "two")
        *_rest, third = got.wait(3)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(third.body, third.headers)
        assert Webhook(secret).verify(first.body, first.headers)
        assert (twice.counts(), wrong.counts()) == ((2, 1), (2, 1))


def test_deliveries_to_one_webhook_misbehave_and_those_to_another_do_not(emulator: Running) -> None:
    with (
        world_of(emulator) as world,
        http_of(emulator, world.api_key) as client,
        receiving() as bad,
        receiving() as good,
    ):
        hook, _secret = hooked(client, bad.url)
        hooked(client, good.url)
        plan(client, webhook={"duplicate": 2}, webhook_id=hook)
        workspace(client, "one")
        assert len(bad.wait(3)) == 3
        assert len(good.wait(1)) == 1
        rules: list[dict[str, Any]] = ok(client.get("/_emulator/faults"))["faults"]
        assert [rule["acted"] for rule in rules] == [1]
