"""The Model Context Protocol: the exchange itself, its errors, the list of tools, and who may call which."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from chaser_contract.model_context import BAD_PARAMS, call, refusal, rpc, wrong
from chaser_contract.promises import promise
from chaser_contract.sandboxes import session
from chaser_contract.subject import Subject

_VERSIONS = (
    ("2025-06-18", "2025-06-18"), ("2025-03-26", "2025-03-26"), ("2024-11-05", "2024-11-05"),
    ("2025-11-25", "2025-06-18"), ("2025-05-01", "2025-03-26"), ("2024-12-31", "2024-11-05"), (None, "2025-06-18"),
)  # fmt: skip


@promise(writes=False)
def a_client_and_the_server_agree_on_a_version(chaser: Subject) -> None:
    """`initialize` answers the newest version that the client knows, the server's name, and that it has tools."""
    for asked, due in _VERSIONS:
        with chaser.case():
            params: dict[str, Any] = {"capabilities": {}, "clientInfo": {"name": "contract", "version": "1"}}
            sent = params if asked is None else {**params, "protocolVersion": asked}
            answer, told = rpc(chaser.client, "initialize", sent)
            result = told["result"]
            answer.require(result["protocolVersion"] == due, f"a client of {asked} is answered {due}")
            answer.require(result["serverInfo"] == {"name": "chaser", "version": "1.0.0"}, "it says who it is")
            answer.require(result["capabilities"] == {"tools": {}}, "it has tools, and nothing else")


@promise(writes=False)
def a_request_is_answered_under_its_id(chaser: Subject) -> None:
    """A ping is answered with nothing under the id of the request, be it text or a number."""
    for message_id in (1, 0, -7, 2**53, "a", "", "1", " Aa-Zz ", "null", "ü" * 200):
        with chaser.case():
            answer, told = rpc(chaser.client, "ping", message_id=message_id)
            answer.require(told == {"jsonrpc": "2.0", "id": message_id, "result": {}}, "a ping is answered with {}")


@promise()
def a_notification_is_taken_and_does_nothing(chaser: Subject) -> None:
    """What has no id is answered with 202 and nothing, and nothing is done about it."""
    name = chaser.name("never")
    arguments = {"session_type": "sandbox", "name": name}
    for body in (
        {"method": "notifications/initialized"},
        {"method": "notifications/cancelled", "params": {"requestId": 1}},
        {"method": "ping"},
        {"method": "tools/call", "params": {"name": "chaser_create_workspace", "arguments": arguments}},
    ):
        with chaser.case():
            chaser.ask("mcp-handler", json={"jsonrpc": "2.0", **body}, expect=202)
    rooms = chaser.ask("list-workspaces", expect=200)
    rooms.require(name not in [one["name"] for one in rooms.json], "a notification calls no tool")


@promise(writes=False)
def what_is_no_request_is_refused(chaser: Subject) -> None:
    """What is no JSON is 400 with -32700, what is no request, a batch too, 400 with -32600, under its id."""
    for body, code, message_id in (
        (b"", -32700, None), (b"{", -32700, None), (b'{"jsonrpc": "2.0", "id": 1, "method": "\xff"}', -32700, None),
        (b"null", -32600, None), (b"[]", -32600, None), (b'"ping"', -32600, None), (b"1", -32600, None),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600, None),
        (b'{"id": 1, "method": "ping"}', -32600, 1), (b'{"jsonrpc": "1.0", "id": "a", "method": "ping"}', -32600, "a"),
        (b'{"jsonrpc": "2.0", "id": 1}', -32600, 1), (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', -32600, 1),
        (b'{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": "x"}', -32600, 1),
    ):  # fmt: skip
        with chaser.case():
            answer = chaser.ask("mcp-handler", content=body, media_type="application/json")
            answer.must_be(400, because=f"for {body!r}")
            told = answer.json
            found = (told.get("error", {}).get("code"), told.get("id"))
            answer.require(found == (code, message_id), f"{body!r} is error {code} of {message_id}", f"{found}")


@promise(writes=False)
def wrong_methods_and_parameters_are_errors(chaser: Subject) -> None:
    """An unknown method is -32601 in a 200, and a wrong parameter, an unknown tool too, -32602."""
    for method in ("prompts/list", "resources/list", "tools/delete", "PING", "", "initialise"):
        with chaser.case():
            answer, told = rpc(chaser.client, method)
            answer.require(told.get("error", {}).get("code") == -32601, f"there is no method {method!r}: -32601")
    for method, params in (
        ("initialize", [1]), ("initialize", {"protocolVersion": 1}), ("tools/list", []),
        ("tools/list", {"cursor": "x"}),
        ("tools/call", {}), ("tools/call", [1]), ("tools/call", {"name": 7}), ("tools/call", {"name": "shell"}),
        ("tools/call", {"name": "Terminal"}), ("tools/call", {"name": "chaser_list_sessions", "arguments": []}),
    ):  # fmt: skip
        with chaser.case():
            answer, told = rpc(chaser.client, method, params)
            code = told.get("error", {}).get("code")
            answer.require(code == BAD_PARAMS, f"{method} with {params} is {BAD_PARAMS}", f"it is {code}")
    for method in ("GET", "DELETE", "PUT"):
        request = chaser.http.build_request(method, "/v1/mcp", headers={"Authorization": f"Bearer {chaser.api_key}"})
        answered = chaser.client.send(request)
        chaser.require(
            answered.status == 405 and answered.headers.get("allow") == "POST",
            "mcp-handler: there is no stream and no session, so that GET and DELETE are 405",
            answered.said(),
        )


@promise(writes=False)
def every_tool_is_listed_with_its_schemas(chaser: Subject) -> None:
    """`tools/list` has every tool of the document once, with schemas that stand alone, whatever the key may do."""
    answer, told = rpc(chaser.client, "tools/list")
    tools = told["result"]["tools"]
    names = list(_scopes(chaser))
    answer.require([tool["name"] for tool in tools] == names, "all tools are listed, in the document's order")
    for tool in tools:
        with chaser.case():
            for key in ("inputSchema", "outputSchema"):
                try:
                    jsonschema_rs.validator_for(tool[key])
                except (ValueError, jsonschema_rs.ValidationError) as error:
                    answer.require(False, f"{key} of {tool['name']} is a JSON Schema that stands alone", str(error))
                answer.require(tool[key].get("type") == "object", f"{key} of {tool['name']} is of an object")
            answer.require(len(tool["description"]) > 20, f"{tool['name']} is described")
    takes = {tool["name"]: tool["inputSchema"] for tool in tools}
    for name, (needed, more) in _TAKES.items():
        with chaser.case():
            found = set(takes[name].get("properties", {})), set(takes[name].get("required", []))
            answer.require(found[0] >= needed | more, f"{name} takes {sorted(needed | more)}", f"{sorted(found[0])}")
            answer.require(found[1] == needed, f"{name} needs {sorted(needed)}", f"{sorted(found[1])}")


@promise("emulator")
def each_tool_needs_its_scope(chaser: Subject) -> None:
    """A key without the scope of a tool lists it and is refused, and one with that scope alone may call it."""
    scopes = _scopes(chaser)
    every = {*(one.scope for one in chaser.document.operations.values() if one.scope), *scopes.values()}
    every -= {"full", "dynamic"}
    for tool, scope in scopes.items():
        with chaser.case():
            without = chaser.ask("create-key", json={"scopes": sorted(every - {scope})}, expect=200).json["key"]
            error = refusal(chaser.as_(without), tool, "insufficient_scope")
            chaser.require(
                error.get("details") == {"required": scope}, f"mcp-handler: {tool} needs the scope {scope}", f"{error}"
            )
            if scope == "full":
                continue
            key = chaser.ask("create-key", json={"scopes": [scope]}, expect=200).json["key"]
            answer, told = rpc(chaser.as_(key), "tools/call", {"name": tool, "arguments": {"nothing": 1}})
            code = told.get("error", {}).get("code")
            answer.require(code == BAD_PARAMS, f"with {scope} alone {tool} looks at its arguments")
            answer, told = rpc(chaser.as_(key), "tools/list")
            listed = [one["name"] for one in told["result"]["tools"]]
            answer.require(listed == list(scopes), "all tools are listed for every key")
    with session(chaser) as one:
        for scope, allowed in (("exec.write", True), ("sessions.write", False)):
            key = chaser.ask("create-key", json={"scopes": [scope]}, expect=200).json["key"]
            arguments = {"session_id": one["id"], "command": "echo x"}
            if allowed:
                _, result = call(chaser.as_(key), "terminal", **arguments)
                chaser.require(result["isError"] is False, "mcp-handler: terminal takes exec.write alone", f"{result}")
            else:
                refusal(chaser.as_(key), "terminal", "insufficient_scope", **arguments)


@promise("emulator")
def a_service_account_may_call_all_but_those_for_assistants(chaser: Subject) -> None:
    """A key of a service account lists all tools, and is refused those for assistants and credentials."""
    organization = chaser.ask("create-organization", json={"name": chaser.name("org")}, expect=200).json["account"]
    owner = chaser.as_(chaser.api_key, account=organization["id"])
    robot = owner.ask("create-current-service-account", json={"name": "robot"}, expect=200).json["service_account"]
    key = owner.ask("create-current-service-account-key", said=robot["id"], json={}, expect=200).json["key"]
    client = chaser.as_(key)
    for tool, scope in _scopes(chaser).items():
        with chaser.case():
            if scope == "full":
                refusal(client, tool, "forbidden")
            else:
                wrong(client, tool, "nothing", nothing=1)


@promise()
def wrong_arguments_are_named(chaser: Subject) -> None:
    """An argument that is missing, unknown or not of its schema is an error of the call, which names it."""
    for tool, names, arguments in (
        ("chaser_list_sessions", "limit", {"limit": 0}), ("chaser_list_sessions", "limit", {"limit": 201}),
        ("chaser_list_sessions", "limit", {"limit": "5"}), ("chaser_list_sessions", "limt", {"limt": 5}),
        ("chaser_get_session", "session_id", {}), ("chaser_get_session", "session_id", {"session_id": 5}),
        ("chaser_terminate_session", "force", {"session_id": "x", "force": "yes"}),
        ("chaser_create_sandbox_session", "session_type", {"session_type": "browser"}),
        ("chaser_create_sandbox_session", "workspace", {"workspace": "a", "ephemeral": True}),
        ("chaser_create_sandbox_session", "env", {"ephemeral": True, "env": {"A": 1}}),
        ("chaser_create_workspace", "session_type", {"session_type": "vm"}),
        ("chaser_create_workspace", "name", {"session_type": "sandbox", "name": "a b"}),
        ("chaser_delete_workspace", "workspace", {}), ("chaser_rename_workspace", "name", {"workspace": "a"}),
        ("chaser_create_snapshot", "force", {"workspace": "a", "force": 1}),
        ("chaser_restore_snapshot", "name", {"workspace": "a"}), ("chaser_get_assistant", "assistant_id", {}),
        ("chaser_propose_assistant_config", "patch", {"assistant_id": "a"}),
        ("chaser_store_credential", "value", {"name": "a"}), ("browser", "tool", {}),
        ("browser", "tool", {"tool": "fly"}),
        ("terminal", "command", {}), ("terminal", "command", {"command": "a", "cmd": "b"}),
        ("terminal", "xml", {"command": "a", "xml": "<list_files path='.'/>"}), ("terminal", "comand", {"comand": "a"}),
        ("terminal", "timeout_ms", {"command": "a", "timeout_ms": 3_600_001}),
        ("terminal", "timeout_ms", {"command": "a", "timeout_ms": -1}),
        ("terminal", "workspace", {"command": "a", "workspace": "w", "ephemeral": True}),
        ("terminal", "background", {"command": "a", "background": True}),
    ):  # fmt: skip
        with chaser.case():
            wrong(chaser.client, tool, names, **arguments)


def _scopes(chaser: Subject) -> dict[str, str]:
    """The scope of each tool, as the document has them."""
    node = chaser.document.spec.document["components"]["schemas"]["McpToolName"]
    return {name: node["x-scopes"][name] for name in node["enum"]}


_TAKES: dict[str, tuple[set[str], set[str]]] = {
    "terminal": (set(), {"session_id", "workspace", "ephemeral", "image", "command", "cmd", "xml", "timeout_ms"}),
    "browser": ({"tool"}, {"session_id", "workspace", "ephemeral", "arguments"}),
    "chaser_list_sessions": (set(), {"limit", "offset"}),
    "chaser_get_session": ({"session_id"}, set()),
    "chaser_create_sandbox_session": (set(), {"workspace", "ephemeral", "image", "env", "proxy", "github_repo"}),
    "chaser_create_browser_session": (set(), {"workspace", "ephemeral", "proxy"}),
    "chaser_terminate_session": ({"session_id"}, {"force"}),
    "chaser_list_workspaces": (set(), set()),
    "chaser_delete_workspace": ({"workspace"}, {"force"}),
    "chaser_rename_workspace": ({"workspace", "name"}, set()),
    "chaser_list_snapshots": ({"workspace"}, set()),
    "chaser_create_snapshot": ({"workspace"}, {"name", "force"}),
    "chaser_restore_snapshot": ({"workspace", "name"}, {"force"}),
    "chaser_list_assistants": (set(), set()),
    "chaser_get_assistant": ({"assistant_id"}, set()),
    "chaser_propose_assistant_config": ({"assistant_id", "patch"}, {"reason"}),
    "chaser_store_credential": ({"name", "value"}, {"assistant_id"}),
}
