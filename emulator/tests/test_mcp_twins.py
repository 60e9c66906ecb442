"""Every tool that is one operation does what the operation does: the same answers, refusals, rows, events and audit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from emulators import http_of
from mcp_calls import rpc
from people import ok, person

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")
_MADE_UP = re.compile(r"[a-z]+-[a-z]+-\d{4}")
_ENVELOPE = ("request_id", "details")

Step = tuple[str, dict[str, Any], str, str, Any]
"""A tool, its arguments, and the request that does the same; `{name}` in both is what an earlier step gave."""

WORKSPACES: tuple[Step, ...] = (
    ("chaser_list_workspaces", {}, "GET", "/v1/workspaces", None),
    (
        "chaser_create_workspace",
        {"session_type": "sandbox", "name": "app", "image": "debian:12"},
        "POST",
        "/v1/workspaces",
        {"session_type": "sandbox", "name": "app", "image": "debian:12"},
    ),
    (
        "chaser_create_workspace",
        {"session_type": "sandbox", "name": "APP"},
        "POST",
        "/v1/workspaces",
        {"session_type": "sandbox", "name": "APP"},
    ),
    ("chaser_create_workspace", {"session_type": "vm"}, "POST", "/v1/workspaces", {"session_type": "vm"}),
    (
        "chaser_create_workspace",
        {"clone_from": "app", "name": "copy"},
        "POST",
        "/v1/workspaces",
        {"clone_from": "app", "name": "copy"},
    ),
    ("chaser_create_workspace", {"clone_from": "nope"}, "POST", "/v1/workspaces", {"clone_from": "nope"}),
    (
        "chaser_rename_workspace",
        {"workspace": "copy", "name": "twin"},
        "PUT",
        "/v1/workspaces/copy/name",
        {"name": "twin"},
    ),
    (
        "chaser_rename_workspace",
        {"workspace": "twin", "name": "app"},
        "PUT",
        "/v1/workspaces/twin/name",
        {"name": "app"},
    ),
    (
        "chaser_rename_workspace",
        {"workspace": "twin", "name": "a/b"},
        "PUT",
        "/v1/workspaces/twin/name",
        {"name": "a/b"},
    ),
    ("chaser_rename_workspace", {"workspace": "nope", "name": "x"}, "PUT", "/v1/workspaces/nope/name", {"name": "x"}),
    (
        "chaser_create_snapshot",
        {"workspace": "app", "name": "one"},
        "POST",
        "/v1/workspaces/app/snapshots",
        {"name": "one"},
    ),
    (
        "chaser_create_snapshot",
        {"workspace": "app", "name": "one"},
        "POST",
        "/v1/workspaces/app/snapshots",
        {"name": "one"},
    ),
    ("chaser_create_snapshot", {"workspace": "nope"}, "POST", "/v1/workspaces/nope/snapshots", {}),
    ("chaser_list_snapshots", {"workspace": "app"}, "GET", "/v1/workspaces/app/snapshots", None),
    ("chaser_list_snapshots", {"workspace": "nope"}, "GET", "/v1/workspaces/nope/snapshots", None),
    (
        "chaser_restore_snapshot",
        {"workspace": "app", "name": "one"},
        "POST",
        "/v1/workspaces/app/snapshots/one/restore",
        {},
    ),
    (
        "chaser_restore_snapshot",
        {"workspace": "app", "name": "two"},
        "POST",
        "/v1/workspaces/app/snapshots/two/restore",
        {},
    ),
    (
        "chaser_create_sandbox_session",
        {"workspace": "app"},
        "POST",
        "/v1/sessions",
        {"session_type": "sandbox", "workspace": "app"},
    ),
    ("chaser_create_snapshot", {"workspace": "app"}, "POST", "/v1/workspaces/app/snapshots", {}),
    (
        "chaser_create_snapshot",
        {"workspace": "app", "name": "forced", "force": True},
        "POST",
        "/v1/workspaces/app/snapshots",
        {"name": "forced", "force": True},
    ),
    ("chaser_delete_workspace", {"workspace": "app"}, "DELETE", "/v1/workspaces/app", None),
    (
        "chaser_restore_snapshot",
        {"workspace": "app", "name": "forced", "force": True},
        "POST",
        "/v1/workspaces/app/snapshots/forced/restore",
        {"force": True},
    ),
    ("chaser_list_workspaces", {}, "GET", "/v1/workspaces", None),
    ("chaser_delete_workspace", {"workspace": "app", "force": True}, "DELETE", "/v1/workspaces/app?force=true", None),
    ("chaser_delete_workspace", {"workspace": "app"}, "DELETE", "/v1/workspaces/app", None),
)

SESSIONS: tuple[Step, ...] = (
    (
        "chaser_create_sandbox_session",
        {"ephemeral": True, "env": {"A": "b"}},
        "POST",
        "/v1/sessions",
        {"session_type": "sandbox", "ephemeral": True, "env": {"A": "b"}},
    ),
    ("chaser_create_sandbox_session", {}, "POST", "/v1/sessions", {"session_type": "sandbox"}),
    ("chaser_create_sandbox_session", {}, "POST", "/v1/sessions", {"session_type": "sandbox"}),
    (
        "chaser_create_sandbox_session",
        {"workspace": "nope"},
        "POST",
        "/v1/sessions",
        {"session_type": "sandbox", "workspace": "nope"},
    ),
    (
        "chaser_create_sandbox_session",
        {"ephemeral": True, "github_repo": "not a repository"},
        "POST",
        "/v1/sessions",
        {"session_type": "sandbox", "ephemeral": True, "github_repo": "not a repository"},
    ),
    (
        "chaser_create_browser_session",
        {"workspace": "default"},
        "POST",
        "/v1/sessions",
        {"session_type": "browser", "workspace": "default"},
    ),
    ("chaser_create_browser_session", {}, "POST", "/v1/sessions", {"session_type": "browser"}),
    ("chaser_list_sessions", {}, "GET", "/v1/sessions", None),
    ("chaser_list_sessions", {"limit": 1, "offset": 1}, "GET", "/v1/sessions?limit=1&offset=1", None),
    ("chaser_get_session", {"session_id": "{first}"}, "GET", "/v1/sessions/{first}", None),
    ("chaser_get_session", {"session_id": "nope"}, "GET", "/v1/sessions/nope", None),
    ("chaser_terminate_session", {"session_id": "{first}"}, "DELETE", "/v1/sessions/{first}", None),
    (
        "chaser_terminate_session",
        {"session_id": "{first}", "force": True},
        "DELETE",
        "/v1/sessions/{first}?force=true",
        None,
    ),
    ("chaser_terminate_session", {"session_id": "nope"}, "DELETE", "/v1/sessions/nope", None),
    ("chaser_get_session", {"session_id": "{first}"}, "GET", "/v1/sessions/{first}", None),
)

LIMITS: tuple[Step, ...] = (
    ("chaser_create_workspace", {"session_type": "sandbox"}, "POST", "/v1/workspaces", {"session_type": "sandbox"}),
    (
        "chaser_create_sandbox_session",
        {"ephemeral": True},
        "POST",
        "/v1/sessions",
        {"session_type": "sandbox", "ephemeral": True},
    ),
    *(
        (
            "chaser_create_sandbox_session",
            {"ephemeral": True},
            "POST",
            "/v1/sessions",
            {"session_type": "sandbox", "ephemeral": True},
        ),
    )
    * 12,
)


def _by_tool(client: httpx.Client, step: Step, known: Mapping[str, str]) -> Any:
    tool, arguments, *_ = step
    told = rpc(client, "tools/call", {"name": tool, "arguments": _filled(arguments, known)})
    if "error" in told:
        return "refused", told["error"]["data"]["code"]
    result = told["result"]
    if result["isError"]:
        error = json.loads(result["content"][0]["text"])
        return "refused", {key: value for key, value in error.items() if key not in _ENVELOPE}
    found = result["structuredContent"]
    # What a list, or nothing at all, is wrapped in.
    for key in ("workspaces", "snapshots"):
        found = found.get(key, found) if isinstance(found, dict) else found
    return "done", None if "deleted" in found or "terminated" in found else found


def _by_route(client: httpx.Client, step: Step, known: Mapping[str, str]) -> Any:
    _tool, _arguments, method, path, body = step
    answer = client.request(method, _filled(path, known), json=_filled(body, known))
    if answer.status_code >= 400:
        error = answer.json()
        if "pointer" in json.dumps(error.get("details", "")) and "body" in json.dumps(error["details"]):
            return "refused", error["code"]
        return "refused", {key: value for key, value in error.items() if key not in _ENVELOPE}
    return "done", answer.json() if answer.content else None


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: known[found[1]], value)
    if isinstance(value, dict):
        return {key: _filled(part, known) for key, part in value.items()}
    return value


def _code(outcome: Any) -> Any:
    """An outcome with a refused field as its code alone: the two name the field in words of their own."""
    word, told = outcome
    if word == "refused" and isinstance(told, dict) and told["code"] == "invalid_request":
        return word, told["code"]
    return outcome


def _normal(value: Any) -> Any:
    """The same for two accounts: ids by the order in which they appear, and times as one."""
    order: dict[str, str] = {}
    text = _ID.sub(lambda found: order.setdefault(found[0], f"id-{len(order)}"), json.dumps(value))
    return json.loads(_MADE_UP.sub("made-up", _TIME.sub("time", text)))


@pytest.mark.parametrize(
    ("steps", "plan"),
    [(WORKSPACES, "pro"), (SESSIONS, "pro"), (LIMITS, "free"), (LIMITS, "usage_based")],
    ids=["workspaces", "sessions", "free", "usage_based"],
)
def test_tools_and_routes_do_the_same(emulator: Running, steps: tuple[Step, ...], plan: str) -> None:
    seen = []
    for way in (_by_tool, _by_route):
        with http_of(emulator, person(emulator, plan=plan).key) as client:
            known: dict[str, str] = {}
            told = []
            for step in steps:
                outcome = way(client, step, known)
                if isinstance(outcome[1], dict) and "id" in outcome[1]:
                    known.setdefault("first", outcome[1]["id"])
                told.append(_code(outcome))
            audit = ok(client.get("/v1/audit/events", params={"limit": 200}))["events"]
            state = [ok(client.get("/v1/sessions", params={"limit": 200})), ok(client.get("/v1/workspaces"))]
        rows = [{key: value for key, value in row.items() if key not in ("id", "actor_id")} for row in audit]
        seen.append(_normal([told, state, list(reversed(rows))]))
    by_tool, by_route = seen
    for step, tool, route in zip(steps, by_tool[0], by_route[0], strict=True):
        assert tool == route, step
    assert by_tool[1] == by_route[1]
    assert by_tool[2] == by_route[2]
    assert len(by_tool[2]) >= len(steps) / 3
    assert any(word == "refused" for word, _ in by_tool[0])
    assert any(word == "done" for word, _ in by_tool[0])
