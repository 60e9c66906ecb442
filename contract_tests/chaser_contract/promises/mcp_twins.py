"""Tools that are one operation each: what they answer, refuse and change is what the operation does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from chaser_contract.client import Client
from chaser_contract.model_context import rpc
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")
_MADE_UP = re.compile(r"\b[a-z]+-[a-z]+-\d{4}\b|\bsnap-\d{8,}[-T0-9a-fZ]*")


@dataclass(frozen=True)
class Twin:
    """A call of a tool, and the request that does the same. `{word}` stands for what an earlier answer was kept as."""

    tool: str
    arguments: dict[str, Any]
    operation: str
    path: dict[str, str] = field(default_factory=dict)
    body: Any = None
    query: dict[str, Any] | None = None
    keep: str | None = None


def _both(tool: str, operation: str, body: dict[str, Any], keep: str | None = None, **fixed: Any) -> Twin:
    return Twin(tool, body, operation, body={**body, **fixed}, keep=keep)


_WORKSPACES = (
    Twin("chaser_list_workspaces", {}, "list-workspaces"),
    _both("chaser_create_workspace", "create-workspace", {"session_type": "sandbox", "name": "app", "image": "d:12"}),
    _both("chaser_create_workspace", "create-workspace", {"session_type": "sandbox", "name": "APP"}),
    _both("chaser_create_workspace", "create-workspace", {"session_type": "vm"}),
    _both("chaser_create_workspace", "create-workspace", {"clone_from": "app", "name": "copy"}),
    _both("chaser_create_workspace", "create-workspace", {"clone_from": "nope"}),
    *(
        Twin(
            "chaser_rename_workspace",
            {"workspace": selector, "name": name},
            "set-workspace-name",
            {"ws": selector},
            {"name": name},
        )
        for selector, name in (("copy", "twin"), ("twin", "app"), ("twin", "a/b"), ("nope", "x"), ("twin", None))
    ),
    *(
        Twin("chaser_create_snapshot", {"workspace": ws, **body}, "create-workspace-snapshot", {"ws": ws}, body)
        for ws, body in (("app", {"name": "one"}), ("app", {"name": "one"}), ("nope", {}), ("app", {"name": "a b"}))
    ),
    Twin("chaser_list_snapshots", {"workspace": "app"}, "list-workspace-snapshots", {"ws": "app"}),
    Twin("chaser_list_snapshots", {"workspace": "nope"}, "list-workspace-snapshots", {"ws": "nope"}),
    *(
        Twin(
            "chaser_restore_snapshot",
            {"workspace": "app", "name": name},
            "restore-workspace-snapshot",
            {"ws": "app", "name": name},
            {},
        )
        for name in ("one", "two")
    ),
    _both("chaser_create_sandbox_session", "create-session", {"workspace": "app"}, session_type="sandbox"),
    Twin("chaser_create_snapshot", {"workspace": "app"}, "create-workspace-snapshot", {"ws": "app"}, {}),
    Twin(
        "chaser_create_snapshot",
        {"workspace": "app", "name": "forced", "force": True},
        "create-workspace-snapshot",
        {"ws": "app"},
        {"name": "forced", "force": True},
    ),
    Twin("chaser_delete_workspace", {"workspace": "app"}, "delete-workspace", {"ws": "app"}),
    Twin(
        "chaser_restore_snapshot",
        {"workspace": "app", "name": "forced", "force": True},
        "restore-workspace-snapshot",
        {"ws": "app", "name": "forced"},
        {"force": True},
    ),
    Twin("chaser_list_workspaces", {}, "list-workspaces"),
    Twin(
        "chaser_delete_workspace",
        {"workspace": "app", "force": True},
        "delete-workspace",
        {"ws": "app"},
        query={"force": True},
    ),
    Twin("chaser_delete_workspace", {"workspace": "app"}, "delete-workspace", {"ws": "app"}),
)

_SANDBOX = "chaser_create_sandbox_session"
_SESSIONS = (
    _both(_SANDBOX, "create-session", {"ephemeral": True, "env": {"A": "b"}}, "first", session_type="sandbox"),
    _both(_SANDBOX, "create-session", {}, session_type="sandbox"),
    _both(_SANDBOX, "create-session", {}, session_type="sandbox"),
    _both(_SANDBOX, "create-session", {"workspace": "nope"}, session_type="sandbox"),
    _both("chaser_create_browser_session", "create-session", {"workspace": "default"}, session_type="browser"),
    _both("chaser_create_browser_session", "create-session", {}, session_type="browser"),
    Twin("chaser_list_sessions", {}, "list-sessions"),
    Twin("chaser_list_sessions", {"limit": 1, "offset": 1}, "list-sessions", query={"limit": 1, "offset": 1}),
    Twin("chaser_get_session", {"session_id": "{first}"}, "get-session", {"id": "{first}"}),
    Twin("chaser_get_session", {"session_id": "nope"}, "get-session", {"id": "nope"}),
    Twin("chaser_terminate_session", {"session_id": "{first}"}, "terminate-session", {"id": "{first}"}),
    Twin(
        "chaser_terminate_session",
        {"session_id": "{first}", "force": True},
        "terminate-session",
        {"id": "{first}"},
        query={"force": True},
    ),
    Twin("chaser_terminate_session", {"session_id": "nope"}, "terminate-session", {"id": "nope"}),
    Twin("chaser_get_session", {"session_id": "{first}"}, "get-session", {"id": "{first}"}),
    Twin("chaser_list_sessions", {}, "list-sessions"),
)

_PATCH = {"system_prompt": "Answer in one sentence."}
_ASSISTANTS = (
    Twin("chaser_list_assistants", {}, "list-assistants"),
    Twin("chaser_get_assistant", {"assistant_id": "{one}"}, "get-assistant", {"id": "{one}"}),
    Twin("chaser_get_assistant", {"assistant_id": "nope"}, "get-assistant", {"id": "nope"}),
    Twin(
        "chaser_propose_assistant_config",
        {"assistant_id": "{one}", "patch": _PATCH, "reason": "shorter"},
        "create-assistant-config-change-request",
        {"id": "{one}"},
        {"patch": _PATCH, "reason": "shorter"},
    ),
    Twin(
        "chaser_propose_assistant_config",
        {"assistant_id": "nope", "patch": _PATCH},
        "create-assistant-config-change-request",
        {"id": "nope"},
        {"patch": _PATCH},
    ),
    Twin("chaser_get_assistant", {"assistant_id": "{one}"}, "get-assistant", {"id": "{one}"}),
    _both("chaser_store_credential", "store-assistant-credential", {"name": "TOKEN", "value": "s3cret-of-twins"}),
    *(
        _both("chaser_store_credential", "store-assistant-credential", {"name": "T", "value": "x", "assistant_id": of})
        for of in ("{one}", "nope")
    ),
)  # fmt: skip


@promise("emulator", "peer")
def tools_for_workspaces_do_what_the_routes_do(chaser: Subject) -> None:
    """Tools for workspaces and snapshots answer, refuse, change and are audited as the routes that do the same."""
    _compare(chaser, _WORKSPACES)


@promise("emulator", "peer")
def tools_for_sessions_do_what_the_routes_do(chaser: Subject) -> None:
    """Tools for sessions answer, refuse, change and are audited as the routes that do the same."""
    _compare(chaser, _SESSIONS)


@promise("emulator", "peer")
def tools_for_assistants_do_what_the_routes_do(chaser: Subject) -> None:
    """Tools for assistants and credentials answer, refuse, change and are audited as the routes that do the same."""
    for client in (chaser.client, chaser.peer):
        client.ask("create-assistant", json={"name": "helper", "config": {}}, expect=200)
    _compare(chaser, _ASSISTANTS)
    for client in (chaser.client, chaser.peer):
        one = client.ask("list-assistants", expect=200).json["assistants"][0]["id"]
        body = {"assistant_id": one, "name": "TOKEN"}
        found = client.ask("resolve-assistant-credential", json=body, expect=200)
        found.require(found.json["value"] == "s3cret-of-twins", "a credential that a tool has stored is resolved")


def _compare(chaser: Subject, twins: tuple[Twin, ...]) -> None:
    """Perform all by tools in one account and by routes in another, and compare all but ids and times."""
    told = []
    for client, way in ((chaser.client, _by_tool), (chaser.peer, _by_route)):
        known, before = dict[str, str](), _audited(client)
        if twins is _ASSISTANTS:
            known["one"] = client.ask("list-assistants", expect=200).json["assistants"][0]["id"]
        outcomes: list[Any] = []
        for twin in twins:
            outcome, given = way(client, twin, known)
            if twin.keep is not None:
                known[twin.keep] = given["id"]
            outcomes.append((outcome, given))
        told.append(_normal([*outcomes, _state(client, before)]))
    promises = [f"{twin.tool} with {twin.arguments} answers what {twin.operation} answers" for twin in twins]
    promises.append("tools leave what the routes leave, and are audited as they are")
    for promised, tool, route in zip(promises, *told, strict=True):
        with chaser.case():
            chaser.require(tool == route, f"mcp-handler: {promised}", _difference(tool, route))


def _by_tool(client: Client, twin: Twin, known: dict[str, str]) -> tuple[str, Any]:
    answer, told = rpc(client, "tools/call", {"name": twin.tool, "arguments": _filled(twin.arguments, known)})
    if "error" in told:
        return "refused", told["error"]["data"]["code"]
    result = told["result"]
    if result["isError"]:
        return "refused", json.loads(result["content"][0]["text"])["code"]
    given = result["structuredContent"]
    answer.require(json.loads(result["content"][0]["text"]) == given, "`content` says what `structuredContent` says")
    if twin.operation == "terminate-session":
        due = {"session_id": _filled(twin.arguments, known)["session_id"], "terminated": True}
        answer.require(given == due, f"{twin.tool} answers {due}")
        return "done", None
    if twin.operation == "delete-workspace":
        answer.require(given.get("deleted") is True and "workspace_id" in given, f"{twin.tool} answers what is deleted")
        return "done", None
    for wrapper in ("workspaces", "snapshots"):
        if set(given) == {wrapper}:
            return "done", given[wrapper]
    return "done", given


def _by_route(client: Client, twin: Twin, known: dict[str, str]) -> tuple[str, Any]:
    sent: dict[str, Any] = {} if twin.body is None else {"json": _filled(twin.body, known)}
    answer = client.ask(twin.operation, query=twin.query, **sent, **_filled(twin.path, known))
    if answer.status >= 400:
        return "refused", answer.code
    return "done", answer.json if answer.body else None


def _state(client: Client, before: list[Any]) -> list[Any]:
    """What an account has, and what was audited since, oldest first."""
    known = {row["id"] for row in before}
    fresh = [row for row in _audited(client) if row["id"] not in known]
    rows = [{key: value for key, value in row.items() if key not in ("id", "actor_id")} for row in fresh]
    return [
        client.ask("list-sessions", query={"limit": 200}, expect=200).json,
        client.ask("list-workspaces", expect=200).json,
        client.ask("list-assistants", expect=200).json,
        rows[::-1],
    ]


def _audited(client: Client) -> list[Any]:
    found: list[Any] = client.ask("list-audit-events", query={"limit": 500}, expect=200).json["events"]
    return found


def _filled(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: known[found[1]], value)
    if isinstance(value, dict):
        return {key: _filled(part, known) for key, part in value.items()}
    return value


def _normal(value: Any) -> Any:
    """The same for two accounts: ids by the order in which they appear, and times as one."""
    order: dict[str, str] = {}
    text = _ID.sub(lambda found: order.setdefault(found[0], f"id-{len(order)}"), json.dumps(value))
    # Whether a session still starts when it is answered is a matter of luck.
    text = text.replace('"status": "starting"', '"status": "running"')
    return json.loads(_MADE_UP.sub("made-up", _TIME.sub("time", text)))


def _difference(tool: Any, route: Any) -> str:
    tool_text, route_text = (json.dumps(one) for one in (tool, route))
    at = next((i for i, (a, b) in enumerate(zip(tool_text, route_text, strict=False)) if a != b), 0)
    start = max(0, at - 80)
    return f"…{tool_text[start : at + 120]}… and not …{route_text[start : at + 120]}…"
