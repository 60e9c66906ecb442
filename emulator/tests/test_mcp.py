"""MCP over HTTP: the exchange itself, the list of tools, and who may call which."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import jsonschema_rs
import pytest
from chaser_emulator import spec
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from mcp import MCPError
from mcp_calls import MCP, call, done, official, refusal, rpc, wrong
from people import Organization, failed_audits, ok, refused

TOOLS = list(spec.load().document["components"]["schemas"]["McpToolName"]["enum"])
SCOPES = spec.load().scopes_of("McpToolName")


def _tools(client: httpx.Client) -> dict[str, dict[str, Any]]:
    return {tool["name"]: tool for tool in rpc(client, "tools/list")["result"]["tools"]}


# The exchange.


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2024-11-05"),
        ("2025-11-25", "2025-06-18"),
        ("2025-05-01", "2025-03-26"),
        ("2024-01-01", "2025-06-18"),
        ("newest", "2025-06-18"),
        (None, "2025-06-18"),
    ],
)
def test_the_newest_version_that_the_client_knows_is_spoken(
    client: httpx.Client, asked: str | None, answered: str
) -> None:
    params = {"capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    result = rpc(client, "initialize", params if asked is None else params | {"protocolVersion": asked})["result"]
    assert result["protocolVersion"] == answered
    assert result["capabilities"] == {"tools": {}}
    assert result["serverInfo"] == {"name": "chaser", "version": "1.0.0"}
    assert "terminal" in result["instructions"]


def test_an_exchange_may_begin_without_parameters_but_not_with_wrong_ones(client: httpx.Client) -> None:
    assert rpc(client, "initialize")["result"]["protocolVersion"] == "2025-06-18"
    for params in ({"protocolVersion": 1}, [1]):
        assert rpc(client, "initialize", params)["error"]["code"] == -32602


def test_a_ping_is_answered_with_nothing(client: httpx.Client) -> None:
    assert rpc(client, "ping")["result"] == {}
    for message_id in ("a", "", 0, -7, 2**53, "x" * 1000):
        answer = client.post(MCP, json={"jsonrpc": "2.0", "id": message_id, "method": "ping", "params": {"_meta": {}}})
        assert answer.json() == {"jsonrpc": "2.0", "id": message_id, "result": {}}


@pytest.mark.parametrize(
    "message",
    [
        {"method": "notifications/initialized"},
        {"method": "notifications/cancelled", "params": {"requestId": 1}},
        {"method": "notifications/whatever", "params": [1]},
        {
            "method": "tools/call",
            "params": {"name": "chaser_create_workspace", "arguments": {"session_type": "sandbox"}},
        },
    ],
)
def test_what_has_no_id_is_taken_and_not_answered(client: httpx.Client, message: dict[str, Any]) -> None:
    before = ok(client.get("/v1/workspaces"))
    answer = client.post(MCP, json={"jsonrpc": "2.0", **message})
    assert (answer.status_code, answer.content) == (202, b"")
    assert "x-ratelimit-remaining" in answer.headers
    assert ok(client.get("/v1/workspaces")) == before


@pytest.mark.parametrize("method", ["prompts/list", "resources/list", "server/discover", "tools/delete", "", "PING"])
def test_an_unknown_method_is_an_error_in_an_answer(client: httpx.Client, method: str) -> None:
    error = rpc(client, method)["error"]
    assert error["code"] == -32601
    assert "tools/list" in error["message"]


@pytest.mark.parametrize(
    ("body", "code", "message_id", "says"),
    [
        (b"", -32700, None, "empty"),
        (b"{", -32700, None, "JSON"),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700, None, "UTF-8"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}', -32700, None, "NaN"),
        (b"[" * 5000 + b"]" * 5000, -32700, None, "nested"),
        (b"null", -32600, None, "object"),
        (b'"ping"', -32600, None, "object"),
        (b"[]", -32600, None, "batch"),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, None, "batch"),
        (b'{"id":1,"method":"ping"}', -32600, 1, "jsonrpc"),
        (b'{"jsonrpc":"1.0","id":"a","method":"ping"}', -32600, "a", "2.0"),
        (b'{"jsonrpc":"2.0","id":1}', -32600, 1, "method"),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}', -32600, 1, "method"),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600, 1, "method"),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None, "id"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, None, "id"),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None, "id"),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, None, "id"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', -32600, 1, "params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}', -32600, 1, "params"),
    ],
)
def test_what_is_no_request_is_refused_in_the_words_of_json_rpc(
    client: httpx.Client, body: bytes, code: int, message_id: Any, says: str
) -> None:
    answer = client.post(MCP, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    told = answer.json()
    assert (told["jsonrpc"], told["id"], told["error"]["code"]) == ("2.0", message_id, code)
    assert says in told["error"]["message"]


def test_what_stops_a_request_on_its_way_is_an_error_of_the_api(client: httpx.Client, emulator: Running) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    refused(client.post(MCP, json=ping, headers={"Authorization": "Bearer sk_no"}), 401, "unauthorized")
    refused(client.post(MCP, json=ping, headers={"X-Chaser-Account": "nobody"}), 404, "not_found")
    refused(client.post(MCP, content=json.dumps(ping)), 415, "unsupported_media_type")
    large = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"a": "x" * (2**21)}}
    refused(client.post(MCP, json=large), 413, "payload_too_large")
    for method in ("GET", "DELETE", "PUT"):
        answer = client.request(method, MCP, headers={"Accept": "text/event-stream"})
        refused(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"


def test_a_version_in_the_header_is_taken_from_clients_of_all_ages(client: httpx.Client) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for version in ("2024-11-05", "2025-06-18", "2025-11-25", "2026-07-28"):
        assert ok(client.post(MCP, json=ping, headers={"MCP-Protocol-Version": version}))["result"] == {}
    answer = client.post(MCP, json=ping, headers={"MCP-Protocol-Version": "bogus"})
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (400, -32600, 1)
    assert "2025-06-18" in answer.json()["error"]["message"]


# The tools.


def test_every_tool_of_the_document_is_listed_in_its_order(client: httpx.Client) -> None:
    assert list(_tools(client)) == TOOLS
    assert len(TOOLS) == 18
    assert rpc(client, "tools/list", {"cursor": "x"})["error"]["code"] == -32602
    assert rpc(client, "tools/list", [])["error"]["code"] == -32602


def test_the_schemas_of_a_tool_stand_alone_and_suit_the_makers_of_models(client: httpx.Client) -> None:
    for name, tool in _tools(client).items():
        for key in ("inputSchema", "outputSchema"):
            schema = tool[key]
            jsonschema_rs.meta.validate(schema)
            text = json.dumps(schema)
            assert schema["type"] == "object", name
            assert "$ref" not in text, name
            assert '"x-' not in text, name
        assert schema["type"] == "object"
        takes = tool["inputSchema"]
        assert takes["additionalProperties"] is False
        assert not {"oneOf", "anyOf", "allOf", "not", "enum", "if"} & set(takes), name
        assert all("description" in node for node in takes["properties"].values()), name
        assert tool["title"]
        assert len(tool["description"]) > 30
        assert isinstance(tool["annotations"]["readOnlyHint"], bool)


def test_only_what_changes_nothing_says_that_it_reads(client: httpx.Client) -> None:
    reads = {name for name, tool in _tools(client).items() if tool["annotations"]["readOnlyHint"]}
    assert reads == {name for name in TOOLS if "_list_" in name or "_get_" in name}


@pytest.mark.parametrize("params", [None, {}, {"name": 7}, {"name": "shell"}, {"name": "Terminal"}, [1]])
def test_an_unknown_tool_is_a_wrong_parameter(client: httpx.Client, params: Any) -> None:
    assert rpc(client, "tools/call", params)["error"]["code"] == -32602


@pytest.mark.parametrize("arguments", [[], "x", 7, True])
def test_arguments_are_an_object(client: httpx.Client, arguments: Any) -> None:
    error = rpc(client, "tools/call", {"name": "chaser_list_sessions", "arguments": arguments})["error"]
    assert (error["code"], "arguments" in error["message"]) == (-32602, True)


@pytest.mark.parametrize("sent", [{}, {"arguments": None}, {"arguments": {}}, {"arguments": {}, "_meta": {"a": 1}}])
def test_a_tool_that_needs_nothing_takes_nothing(client: httpx.Client, sent: dict[str, Any]) -> None:
    result = rpc(client, "tools/call", {"name": "chaser_list_workspaces", **sent})["result"]
    assert "workspaces" in result["structuredContent"]


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("chaser_list_sessions", {"limit": 0}, "limit"),
        ("chaser_list_sessions", {"limit": "5"}, "limit"),
        ("chaser_list_sessions", {"limt": 5}, "limt"),
        ("chaser_get_session", {}, "session_id"),
        ("chaser_get_session", {"session_id": 5}, "session_id"),
        ("chaser_get_session", {"session_id": ""}, "session_id"),
        ("chaser_terminate_session", {"session_id": "x", "force": "yes"}, "force"),
        ("chaser_create_sandbox_session", {"session_type": "browser"}, "session_type"),
        ("chaser_create_sandbox_session", {"image": "x"}, "ephemeral"),
        ("chaser_create_sandbox_session", {"workspace": "a", "ephemeral": True}, "workspace"),
        ("chaser_create_sandbox_session", {"env": {"A": 1}}, "env/A"),
        ("chaser_create_browser_session", {}, "workspace"),
        ("chaser_create_browser_session", {"image": "x", "ephemeral": True}, "image"),
        ("chaser_create_workspace", {}, "session_type"),
        ("chaser_create_workspace", {"session_type": "vm"}, "session_type"),
        ("chaser_create_workspace", {"session_type": "sandbox", "name": "a b"}, "name"),
        ("chaser_delete_workspace", {}, "workspace"),
        ("chaser_rename_workspace", {"workspace": "a"}, "name"),
        ("chaser_rename_workspace", {"name": "a"}, "workspace"),
        ("chaser_create_snapshot", {"workspace": "a", "force": 1}, "force"),
        ("chaser_restore_snapshot", {"workspace": "a"}, "name"),
        ("chaser_get_assistant", {}, "assistant_id"),
        ("chaser_propose_assistant_config", {"assistant_id": "a"}, "patch"),
        ("chaser_store_credential", {"name": "a"}, "value"),
        ("browser", {}, "tool"),
        ("browser", {"tool": "fly"}, "tool"),
    ],
)
def test_wrong_arguments_are_an_error_that_names_them(
    client: httpx.Client, tool: str, arguments: dict[str, Any], field: str
) -> None:
    error = wrong(client, tool, **arguments)
    assert field in error["message"]
    assert tool in error["message"]
    assert all(one["pointer"].startswith("/params/arguments") for one in error["data"]["details"])


def test_a_whole_number_is_an_integer_however_it_is_written(client: httpx.Client) -> None:
    body = '{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"chaser_list_sessions","arguments":%s}}'
    for arguments in ('{"limit": 5.0}', '{"limit": 5e0, "offset": 0.0}'):
        answer = client.post(MCP, content=body % arguments, headers={"Content-Type": "application/json"})
        assert (ok(answer)["id"], ok(answer)["result"]["isError"]) == (1, False)
    assert "limit" in wrong(client, "chaser_list_sessions", limit=5.5)["message"]


def test_null_is_no_argument_except_where_it_says_something(client: httpx.Client) -> None:
    name = done(client, "chaser_create_workspace", session_type="sandbox", name=None, image=None)["name"]
    found = done(client, "chaser_rename_workspace", workspace=name, name=None)
    assert found["name"] is None
    assert done(client, "chaser_delete_workspace", workspace=found["id"], force=None)["workspace_id"] == found["id"]
    assert "session_id" in wrong(client, "chaser_get_session", session_id=None)["message"]


# Who may.


def test_each_tool_needs_the_scope_of_its_twin(client: httpx.Client) -> None:
    twins = {name: tool.twin for name, tool in _table().items() if tool.twin is not None}
    document = spec.load()
    assert set(TOOLS) - set(twins) == {"browser"}
    assert {name: document.operations[twin].scope for name, twin in twins.items()} == {
        name: scope for name, scope in SCOPES.items() if name in twins
    }


def _table() -> Any:
    from chaser_emulator.tools.table import table_of

    return table_of(spec.load())


@pytest.mark.parametrize("tool", TOOLS)
def test_a_key_without_the_scope_of_a_tool_lists_it_and_is_refused(
    client: httpx.Client, emulator: Running, tool: str
) -> None:
    scope = SCOPES[tool]
    scopes = sorted(spec.load().scopes - {scope})
    with http_of(emulator, ok(client.post("/v1/keys", json={"scopes": scopes}))["key"]) as scoped:
        assert list(_tools(scoped)) == TOOLS
        # Rights come before arguments.
        for arguments in ({}, {"typo": 1}, {"session_id": "x", "workspace": "x", "command": "echo"}):
            error = refusal(scoped, tool, **arguments)
            assert (error["code"], error["details"]) == ("insufficient_scope", {"required": scope})


@pytest.mark.parametrize("tool", [name for name in TOOLS if SCOPES[name] != "full" and name != "browser"])
def test_a_key_with_the_scope_of_a_tool_alone_may_call_it(client: httpx.Client, emulator: Running, tool: str) -> None:
    with http_of(emulator, ok(client.post("/v1/keys", json={"scopes": [SCOPES[tool]]}))["key"]) as scoped:
        arguments = {"session_id": "nope", "workspace": "nope", "name": "nope", "command": "true"}
        known = _tools(scoped)[tool]["inputSchema"]["properties"]
        told = rpc(
            scoped, "tools/call", {"name": tool, "arguments": {k: v for k, v in arguments.items() if k in known}}
        )
        assert "insufficient_scope" not in json.dumps(told)


def test_a_service_account_sees_all_tools_and_is_refused_those_for_assistants(
    organization: Organization, emulator: Running
) -> None:
    robots = "/v1/accounts/current/service-accounts"
    robot = ok(organization.owner.post(robots, json={"name": "ci"}))["service_account"]["id"]
    key = ok(organization.owner.post(f"{robots}/{robot}/keys", json={}))["key"]
    with http_of(emulator, key) as client:
        assert list(_tools(client)) == TOOLS
        for tool in TOOLS:
            if SCOPES[tool] == "full":
                assert refusal(client, tool)["code"] == "forbidden"
        made = done(client, "chaser_create_workspace", session_type="sandbox", name="by-robot")
        session = done(client, "chaser_create_sandbox_session", workspace="by-robot")
        assert session["workspace_id"] == made["id"]
        assert done(client, "terminal", session_id=session["id"], command="echo hi")["output"] == "hi\n"
        assert done(client, "chaser_list_sessions")["total"] == 1
        assert done(client, "chaser_terminate_session", session_id=session["id"])["terminated"] is True
    [row] = ok(organization.owner.get("/v1/audit/events", params={"action": "session.exec"}))["events"]
    assert (row["actor_type"], row["actor_id"]) == ("service_account", robot)


def test_what_a_tool_is_refused_is_written_down_as_of_its_twin(organization: Organization, emulator: Running) -> None:
    key = ok(organization.owner.post("/v1/keys", json={"scopes": ["workspaces.read"]}))["key"]
    with http_of(emulator, key) as scoped:
        refusal(scoped, "chaser_create_workspace", session_type="sandbox")
        refused(scoped.post("/v1/workspaces", json={"session_type": "sandbox"}), 403, "insufficient_scope")
        refusal(scoped, "terminal", command="echo")
        refused(scoped.post("/v1/exec", json={"command": "echo"}), 403, "insufficient_scope")
    for action in ("workspace.create", "session.exec"):
        tool, twin = failed_audits(organization.owner, action)
        assert _without(tool) == _without(twin)


def test_wrong_fields_of_a_change_are_written_down_as_of_its_twin(organization: Organization) -> None:
    wrong(organization.owner, "chaser_create_workspace", session_type="sandbox", name="a b")
    refused(
        organization.owner.post("/v1/workspaces", json={"session_type": "sandbox", "name": "a b"}),
        400,
        "invalid_request",
    )
    tool, twin = failed_audits(organization.owner, "workspace.create")
    assert _without(tool) == _without(twin)


def _without(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("id", "created_at")}


def test_a_tool_acts_in_the_account_that_the_request_selects(organization: Organization, emulator: Running) -> None:
    done(organization.owner, "chaser_create_workspace", session_type="sandbox", name="ours")
    assert [one["name"] for one in done(organization.member, "chaser_list_workspaces")["workspaces"]] == ["ours"]
    with http_of(emulator, organization.people["owner"].key) as personal:
        assert done(personal, "chaser_list_workspaces")["workspaces"] == []
        assert refusal(personal, "chaser_delete_workspace", workspace="ours")["code"] == "not_found"


def test_only_the_limit_of_mcp_counts() -> None:
    limits = {"mcp": Limits(per_principal=4, per_account=100), "exec": Limits(per_principal=1, per_account=1)}
    with emulator_on("scripted", rate_limits=limits) as one, http_of(one) as client:
        for _ in range(4):
            done(client, "terminal", command="true", ephemeral=True)
        answer = client.post(MCP, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
        refused(answer, 429, "rate_limited")
        assert answer.headers["retry-after"]
        assert client.post("/v1/exec", json={"command": "true", "ephemeral": True}).status_code == 200


# The official client.


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_lists_and_calls_tools(emulator: Running, client: httpx.Client, mode: str) -> None:
    async def talk() -> None:
        async with official(emulator.url, emulator.api_key, mode) as agent:
            assert agent.session.initialize_result is not None
            assert agent.session.initialize_result.protocol_version == "2025-06-18"
            assert agent.session.initialize_result.server_info.name == "chaser"
            listed = await agent.list_tools()
            assert [tool.name for tool in listed.tools] == TOOLS
            result = await agent.call_tool("terminal", {"command": "echo hello", "ephemeral": True})
            assert (result.is_error, result.structured_content["output"]) == (False, "hello\n")
            result = await agent.call_tool("terminal", {"command": "exit 7", "ephemeral": True})
            assert (result.is_error, result.structured_content["exit_code"]) == (True, 7)
            result = await agent.call_tool("chaser_get_session", {"session_id": "nope"})
            assert (result.is_error, result.structured_content) == (True, None)
            assert "not_found" in result.content[0].model_dump_json()
            with pytest.raises(MCPError, match="session_id: is required"):
                await agent.call_tool("chaser_get_session", {})

    asyncio.run(talk())


def test_every_result_keeps_the_output_schema_that_the_official_client_holds_it_to(
    emulator: Running, client: httpx.Client
) -> None:
    async def talk() -> None:
        async with official(emulator.url, emulator.api_key) as agent:

            async def good(tool: str, **arguments: Any) -> dict[str, Any]:
                result = await agent.call_tool(tool, arguments)
                assert not result.is_error, result
                assert result.structured_content is not None
                return dict(result.structured_content)

            await good("chaser_create_workspace", session_type="sandbox", name="held")
            await good("chaser_create_snapshot", workspace="held", name="one")
            await good("chaser_list_snapshots", workspace="held")
            await good("chaser_restore_snapshot", workspace="held", name="one")
            await good("chaser_create_workspace", clone_from="held", name="held-2")
            session = await good("chaser_create_sandbox_session", workspace="held", env={"A": "b"})
            ephemeral = await good("chaser_create_sandbox_session", ephemeral=True, image="debian:12")
            await good("chaser_get_session", session_id=session["id"])
            await good("chaser_get_session", session_id=ephemeral["id"])
            await good("chaser_list_sessions", limit=200, offset=0)
            await good("chaser_list_workspaces")
            await good("chaser_terminate_session", session_id=ephemeral["id"], force=True)
            await good("chaser_rename_workspace", workspace="held-2", name="held-3")
            await good("chaser_delete_workspace", workspace="held", force=True)
            await good("chaser_delete_workspace", workspace="held-3")
            assistant = (await asyncio.to_thread(_assistant, client))["id"]
            await good("chaser_list_assistants")
            await good("chaser_get_assistant", assistant_id=assistant)
            patch = {"tools": {"browser": True}, "system_prompt": None}
            await good("chaser_propose_assistant_config", assistant_id=assistant, patch=patch, reason="links")
            await good("chaser_store_credential", name="token", value="s3cret", assistant_id=assistant)

    asyncio.run(talk())


def _assistant(client: httpx.Client) -> dict[str, Any]:
    made: dict[str, Any] = ok(client.post("/v1/assistants", json={"name": "helper", "config": {}}))["assistant"]
    return made


def test_what_a_tool_fails_at_by_itself_is_a_result(client: httpx.Client) -> None:
    error = refusal(client, "chaser_create_browser_session", workspace="no-such-workspace")
    assert error["code"] == "not_found"
    assert call(client, "terminal", command="false", ephemeral=True)["isError"] is True
