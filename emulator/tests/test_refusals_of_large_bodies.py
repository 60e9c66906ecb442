"""Bodies with thousands of mistakes: refused like any other, without finding all of them first."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

_MANY = 2_000


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/webhooks", {"url": "http://x.example/", "events": [{}] * _MANY}, "/events"),
        ("/v1/webhooks", {"url": "http://x.example/", "events": ["nope"] * _MANY}, "/events"),
        ("/v1/exec", {"command": "true", "env": {f"A{number}": 1 for number in range(_MANY)}}, "/env"),
        ("/v1/jobs", {"kind": "pipeline.run", "input": {"workspace": "w", "steps": [{}] * _MANY}}, "/input/steps/0"),
        ("/v1/assistants", {"name": "x", "config": {"alerts": [{}] * _MANY}}, "/config/alerts"),
    ],
)
def test_of_thousands_of_mistakes_the_first_is_told(client: httpx.Client, path: str, body: Any, pointer: str) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 400, answer.text
    told = answer.json()["details"]
    assert [one["pointer"] for one in told] == [pointer]
    assert f"body {pointer}: " in answer.json()["message"]
    assert len(answer.content) < 10_000


def test_of_a_few_mistakes_all_are_told(client: httpx.Client) -> None:
    answer = client.post("/v1/webhooks", json={"url": 1, "events": [{}], "description": 2})
    assert {one["pointer"] for one in answer.json()["details"]} == {"/url", "/events/0", "/description"}


def test_unknown_fields_are_named_in_a_length_that_can_be_read(client: httpx.Client) -> None:
    body = {"mode": "real"} | {f"{'x' * 300}{number}": 1 for number in range(300)}
    answer = client.post("/_emulator/clock", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "has unknown fields: xxx" in answer.json()["message"]
    assert "and 290 more" in answer.json()["message"]
    assert len(answer.content) < 5_000


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("wait_for", {"text": [1] * _MANY}, "arguments/text"),
        ("evaluate_script", {"function": "() => 1", "args": [1] * _MANY}, "arguments/args"),
        ("list_console_messages", {"types": ["nope"] * _MANY}, "arguments/types"),
    ],
)
def test_arguments_for_a_browser_with_thousands_of_mistakes_are_refused_in_a_sentence(
    client: httpx.Client, tool: str, arguments: Any, named: str
) -> None:
    call = {"name": "browser", "arguments": {"tool": tool, "arguments": arguments}}
    answer = client.post("/v1/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})
    assert answer.json()["error"]["message"] == f"browser: {named}: holds more than 1000 values, for {tool}"
    assert len(answer.content) < 2_000
