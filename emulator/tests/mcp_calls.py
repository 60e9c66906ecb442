"""MCP as a plain JSON-RPC client speaks it, for tests: one request, one call of a tool, and what came of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

MCP = "/v1/mcp"

_ids = itertools.count(1)


def rpc(client: httpx.Client, method: str, params: Any = None) -> dict[str, Any]:
    """The answer to a request, which must be one of JSON-RPC."""
    message_id = next(_ids)
    body = {"jsonrpc": "2.0", "id": message_id, "method": method} | ({} if params is None else {"params": params})
    answer = client.post(MCP, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = answer.json()
    assert (told["jsonrpc"], told["id"]) == ("2.0", message_id)
    assert ("result" in told) != ("error" in told)
    return told


def call(client: httpx.Client, tool: str, /, **arguments: Any) -> dict[str, Any]:
    """The result of a tool, good or bad."""
    told = rpc(client, "tools/call", {"name": tool, "arguments": arguments})
    assert "result" in told, told
    result: dict[str, Any] = told["result"]
    return result


def done(client: httpx.Client, tool: str, /, **arguments: Any) -> dict[str, Any]:
    """What a tool gave that must have gone well: its object, which its text says as well."""
    result = call(client, tool, **arguments)
    assert result["isError"] is False, result
    assert [json.loads(part["text"]) for part in result["content"]] == [result["structuredContent"]]
    found: dict[str, Any] = result["structuredContent"]
    return found


def refusal(client: httpx.Client, tool: str, /, **arguments: Any) -> dict[str, Any]:
    """Why a tool did nothing: an Error of the API as text, and no object."""
    result = call(client, tool, **arguments)
    assert result["isError"] is True
    assert "structuredContent" not in result
    [part] = result["content"]
    error: dict[str, Any] = json.loads(part["text"])
    assert error["error"] == error["code"]
    assert error["message"]
    assert error["request_id"]
    return error


def wrong(client: httpx.Client, tool: Any, /, **arguments: Any) -> dict[str, Any]:
    """The JSON-RPC error that wrong arguments are."""
    error: dict[str, Any] = rpc(client, "tools/call", {"name": tool, "arguments": arguments})["error"]
    assert error["code"] == -32602
    assert error["data"]["code"] == "invalid_request"
    return error


@asynccontextmanager
async def official(url: str, key: str, mode: str = "auto") -> AsyncIterator[Client]:
    """The official client over its streamable HTTP transport."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
        Client(streamable_http_client(f"{url}{MCP}", http_client=http), mode=mode) as client,
    ):
        yield client
