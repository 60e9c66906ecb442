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
