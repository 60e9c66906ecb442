"""The Model Context Protocol as a plain client speaks it: one request, one call of a tool, and what came of it."""

from __future__ import annotations

import json
from typing import Any

from chaser_contract.client import Answer, Client

BAD_PARAMS = -32602


def rpc(client: Client, method: str, params: Any = None, *, message_id: str | int = 1) -> tuple[Answer, Any]:
    """The answer to a request, and the JSON in it, which must be an answer to just that one."""
    body = {"jsonrpc": "2.0", "id": message_id, "method": method} | ({} if params is None else {"params": params})
    answer = client.ask("mcp-handler", json=body, expect=200)
    told = answer.json
    answer.require(told["id"] == message_id and type(told["id"]) is type(message_id), "`id` is that of the request")
    return answer, told


def call(client: Client, tool: str, /, **arguments: Any) -> tuple[Answer, Any]:
    """The result of a tool, be it good or bad."""
    answer, told = rpc(client, "tools/call", {"name": tool, "arguments": arguments})
    answer.require("result" in told, f"a call of {tool} with arguments of its schema has a result")
    return answer, told["result"]


def done(client: Client, tool: str, /, *, failed: bool = False, **arguments: Any) -> Any:
    """What a tool gave that is to go well (or whose command is to fail): its object, which its text says as well."""
    answer, result = call(client, tool, **arguments)
    answer.require(result["isError"] is failed, f"`isError` of {tool} is {str(failed).lower()} here")
    given = result.get("structuredContent")
    answer.require(given is not None, f"what {tool} gave is in `structuredContent`")
    text = [part["text"] for part in result["content"] if part["type"] == "text"]
    answer.require(len(text) == 1 and json.loads(text[0]) == given, "`content` says the same as `structuredContent`")
    return given


def refusal(client: Client, tool: str, code: str, /, **arguments: Any) -> Any:
    """Why a tool did nothing: an Error of the API with that code, as text alone."""
    answer, result = call(client, tool, **arguments)
    answer.require(result["isError"] is True, f"{tool} is refused with {code} in a result that `isError`")
    answer.require("structuredContent" not in result, "a tool that gave nothing has no `structuredContent`")
    error = json.loads(result["content"][0]["text"])
    answer.require(error["code"] == code, f"{tool} is refused with {code}", f"it is {error['code']}")
    answer.require(error["error"] == code and error["message"], "a refusal is an Error of the API")
    return error


def wrong(client: Client, tool: str, names: str, /, **arguments: Any) -> None:
    """Raise Broken unless arguments are refused as wrong parameters, by the name of the one that is."""
    answer, told = rpc(client, "tools/call", {"name": tool, "arguments": arguments})
    error = told.get("error", {})
    answer.require(error.get("code") == BAD_PARAMS, f"{tool} refuses wrong arguments with {BAD_PARAMS}: {names}")
    answer.require(names in error["message"], f"{tool} names the argument that is wrong, {names}")
