"""What an explanation calls the nearest request that passes does pass, made as it stands after those before it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from explanations import Replay, explained
from people import ok
from planned import world_of

# Each of them really comes about (see provoking), in a world of its own, and stays so while it is explained.
REFUSALS = [
    ("add-current-member", "account_mismatch"),
    ("add-current-member", "already_exists"),
    ("add-current-member", "forbidden"),
    ("remove-current-member", "last_owner"),
    ("remove-current-member", "not_found"),
    ("update-current-member", "insufficient_scope"),
    ("create-organization", "name_taken"),
    ("create-current-service-account", "not_found"),
    ("revoke-current-service-account-key", "not_found"),
    ("create-assistant", "plan_limit_exceeded"),
    ("add-assistant-channel", "already_exists"),
    ("remove-assistant-channel", "not_found"),
    ("resolve-assistant-channel", "not_found"),
    ("put-assistant-runtime-state", "conflict"),
    ("approve-assistant-config-change-request", "invalid_state"),
    ("approve-assistant-config-change-request", "not_found"),
    ("create-key", "unknown_scope"),
    ("revoke-key", "not_found"),
    ("create-ssh-key", "already_exists"),
    ("delete-ssh-key", "not_found"),
    ("create-session", "not_found"),
    ("create-session", "payment_required"),
    ("create-session", "plan_limit_exceeded"),
    ("create-session", "storage_limit_exceeded"),
    ("create-session", "rate_limited"),
    ("create-session", "unauthorized"),
    ("create-session", "insufficient_scope"),
    ("get-session", "account_mismatch"),
    ("get-session", "not_found"),
    ("terminate-session", "session_leased"),
    ("resize-session-pty", "not_running"),
    ("exec-session", "invalid_json"),
    ("exec-session", "unsupported_media_type"),
    ("exec-session", "not_a_sandbox"),
    ("exec-session", "not_running"),
    ("exec-sandbox", "plan_limit_exceeded"),
    ("get-session-command", "not_found"),
    ("kill-session-command", "not_running"),
    ("upload-session-file", "unsupported_media_type"),
    ("download-session-file", "not_found"),
    ("download-session-file", "not_running"),
    ("create-job", "idempotency_conflict"),
    ("create-job", "unknown_job_kind"),
    ("create-job", "insufficient_scope"),
    ("get-job", "not_found"),
    ("cancel-job", "invalid_state"),
    ("retry-job", "invalid_state"),
    ("create-webhook", "conflict"),
    ("create-webhook", "unknown_event"),
    ("delete-webhook", "not_found"),
    ("replay-webhook-delivery", "invalid_state"),
    ("discard-webhook-delivery", "invalid_state"),
    ("get-webhook-delivery", "not_found"),
    ("create-workspace", "name_taken"),
    ("create-workspace", "plan_limit_exceeded"),
    ("create-workspace", "workspace_active"),
    ("delete-workspace", "workspace_active"),
    ("delete-workspace", "not_found"),
    ("set-workspace-name", "name_taken"),
    ("create-workspace-snapshot", "already_exists"),
    ("create-workspace-snapshot", "plan_limit_exceeded"),
    ("restore-workspace-snapshot", "not_found"),
    ("restore-workspace-snapshot", "workspace_active"),
]


@pytest.fixture(scope="module")
def many() -> Iterator[Running]:
    """An emulator of its own: these tests fill worlds up to their limits."""
    with emulator_on("scripted") as one:
        yield one


def content_of(request: dict[str, Any]) -> bytes | None:
    """The body of a request as the control plane shows it."""
    if "body" not in request:
        return None
    if request.get("encoding") == "base64":
        return base64.b64decode(request["body"])
    body = request["body"]
    return str(body).encode() if "encoding" in request else json.dumps(body).encode()


@pytest.mark.parametrize(("operation", "code"), REFUSALS, ids=lambda value: str(value))
def test_the_nearest_request_passes(many: Running, operation: str, code: str) -> None:
    with world_of(many) as world, http_of(many) as root:
        here = {"X-Chaser-World": world.id}
        wish = {"operation": operation, "code": code, "send": False}
        request = ok(root.post("/_emulator/provoke", json=wish, headers=here))["request"]
        answer = httpx.request(
            request["method"], many.url + request["url"], headers=request["headers"], content=content_of(request)
        )
        assert answer.json()["code"] == code, answer.text
        told = explained(root, answer, world.id)
        assert (told["code"], bool(told["rules"])) == (code, True)
        name = answer.headers["x-request-id"]
        replay = Replay(many, world, ok(root.get(f"/_emulator/requests/{name}", headers=here)))
        if told.get("wait_seconds") and not told.get("first"):
            ok(root.post("/_emulator/clock/advance", json={"seconds": told["wait_seconds"]}, headers=here))
        passed = replay.passes(told)
        assert passed.status_code < 400, (told["changes"], passed.text)
