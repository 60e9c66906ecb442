"""The Model Context Protocol over one route: JSON-RPC requests for the tools, and notifications."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from chaser_emulator import admission
from chaser_emulator.attention import until_left
from chaser_emulator.errors import ApiError, invalid_field
from chaser_emulator.operations import Call, Reply, operation, refusal
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.sandbox_refusals import of_sandbox
from chaser_emulator.shapes import McpInitializeResult
from chaser_emulator.tools import BadArguments, Result, Tool, shown

NO_JSON, NO_REQUEST, NO_METHOD, BAD_PARAMS, FAILED = -32700, -32600, -32601, -32602, -32603

VERSIONS: tuple[Literal["2025-06-18", "2025-03-26", "2024-11-05"], ...] = ("2025-06-18", "2025-03-26", "2024-11-05")
"""The versions of the protocol that are spoken, newest first (M1)."""

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")

_INSTRUCTIONS = """\
Chaser runs sandboxes and browsers. Start with `terminal`, which runs shell commands and works on files in a sandbox, \
and `browser`, which drives a real browser; both start what they need. Files in /workspace outlive a session that has \
a workspace. Send the session_id of an answer with the next call to stay in the same place. The chaser_ tools are for \
explicit control of sessions, workspaces, snapshots and assistants."""


@operation("mcp-handler")
async def mcp_handler(call: Call) -> Reply | dict[str, Any]:
    """Answer one request; a notification is taken, and nothing is to be done about any of them (M2)."""
    # What a client settled on in the beginning. Those that are newer than this server ask it with theirs first.
    version = call.request.headers.get("mcp-protocol-version")
    if version is not None and not _VERSION.fullmatch(version):
        raise invalid_field(
            "", f"MCP-Protocol-Version {shown(version)!r} is no version; accepted are {', '.join(VERSIONS)}"
        )
    message = call.body
    if "id" not in message:
        return Reply(status=202)
    method, params = message["method"], message.get("params", {})
    if method in ("initialize", "tools/list", "tools/call") and not isinstance(params, dict):
        return _error(call, BAD_PARAMS, f"params: must be an object, for {method}")
    match method:
        case "initialize":
            return _initialize(call, params)
        case "ping":
            return _result(call, {})
        case "tools/list":
            if params.get("cursor") is not None:
                return _error(call, BAD_PARAMS, "cursor: all tools are on one page, so there is none to go on from")
            return _result(call, {"tools": [tool.listed() for tool in _tools(call).values()]})
        case "tools/call":
            return await _call_tool(call, params)
    return _error(
        call, NO_METHOD, f"there is no method {shown(method)}; there are initialize, ping, tools/list and tools/call"
    )


@refusal("mcp-handler")
def _refused(call: Call, error: ApiError) -> Reply | None:
    """What is no request is refused in the words of JSON-RPC (M3); what stops one on the way there is an Error."""
    if error.code == "invalid_json":
        return Reply(_envelope(None, {"code": NO_JSON, "message": f"{error.message}."}), status=400)
    if error.code == "invalid_request":
        if call.body is None and call.request.headers.get("content-length", "0") == "0":
            return Reply(_envelope(None, {"code": NO_JSON, "message": "The body is empty."}), status=400)
        text = "one request a call is accepted, no batch" if isinstance(call.body, list) else error.message
        return Reply(_envelope(_id(call), {"code": NO_REQUEST, "message": text}), status=400)
    if error.code == "internal_error" and _id(call) is not None:
        return Reply(_error(call, FAILED, error.message, error))
    return None


def _initialize(call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
    wanted = params.get("protocolVersion", VERSIONS[0])
    if not isinstance(wanted, str):
        return _error(call, BAD_PARAMS, f"protocolVersion: must be a string, such as {VERSIONS[0]}")
    # A client knows what came before its own version, and one that is older than all says itself whether it goes on.
    known = [version for version in VERSIONS if version <= wanted and _VERSION.fullmatch(wanted)]
    answer: McpInitializeResult = {
        "protocolVersion": (known or VERSIONS)[0],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "chaser", "version": "1.0.0"},
        "instructions": _INSTRUCTIONS,
    }
    return _result(call, answer)


def _tools(call: Call) -> Mapping[str, Tool]:
    # Imported on use: a start need not wait for what drives browsers and reads XML.
    from chaser_emulator.tools.table import table_of

    return table_of(call.spec)


async def _call_tool(call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
    """Perform a tool. What it refuses is a result too: models read results, and few of their programs show errors."""
    name, sent = params.get("name"), params.get("arguments")
    if not isinstance(name, str):
        return _error(call, BAD_PARAMS, "name: must be the name of a tool; tools/list has them")
    tool = _tools(call).get(name)
    if tool is None:
        return _error(
            call, BAD_PARAMS, f"name: there is no tool {shown(name)!r}; terminal and browser are the ones to start with"
        )
    if not isinstance(sent, dict | None):
        return _error(call, BAD_PARAMS, f"arguments: must be an object, for {name}")
    needed = tool.input_schema["required"]
    # Null is how some programs say that there is no such argument.
    arguments = {key: value for key, value in (sent or {}).items() if value is not None or key in needed}
    try:
        result = await until_left(call, _perform(call, tool, arguments))
    except BadArguments as error:
        return _error(call, BAD_PARAMS, f"{name}: {error.message}", error)
    except ApiError as error:
        if error.code == "internal_error":
            return _error(call, FAILED, error.message, error)
        return _result(call, _failure(call, error))
    except SandboxError as error:
        return _result(call, _failure(call, of_sandbox(error)))
    text = json.dumps(result.structured, ensure_ascii=False)
    content = result.content or [{"type": "text", "text": text}]
    return _result(call, {"content": content, "structuredContent": result.structured, "isError": result.failed})


async def _perform(call: Call, tool: Tool, arguments: Mapping[str, Any]) -> Result:
    """Perform it for a caller who may: rights come before what is asked, as on every route (G15)."""
    if tool.twin is None:
        admission.require_scope(call.principal, call.spec.scopes_of("McpToolName")[tool.name])
    else:
        try:
            admission.authorise(call.spec.operations[tool.twin], call.principal, call.account)
        except ApiError:
            # It refuses them as well, and is the one to write that down.
            await call.perform(tool.twin)
            raise
    tool.check(arguments)
    return await tool.run(call, arguments)


def _failure(call: Call, error: ApiError) -> dict[str, Any]:
    """A result without an object, which clients would hold against the tool's output schema."""
    text = json.dumps(error.body(call.request_id), ensure_ascii=False)
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _result(call: Call, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call.body["id"], "result": result}


def _error(call: Call, code: int, message: str, error: ApiError | None = None) -> dict[str, Any]:
    told = error or ApiError("invalid_request", message)
    return _envelope(call.body["id"], {"code": code, "message": message, "data": told.body(call.request_id)})


def _envelope(message_id: Any, error: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message_id, "error": error}


def _id(call: Call) -> str | int | None:
    """The id of what was sent, as far as it has one that may be sent back."""
    found = call.body.get("id") if isinstance(call.body, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None
