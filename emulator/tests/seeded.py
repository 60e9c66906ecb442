"""Worlds for tests of seeds: one each, with a client of its first user."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from chaser_emulator.server import Running
from emulators import http_of
from people import ok

YAML = {"Content-Type": "application/yaml"}


@contextmanager
def fresh_world(emulator: Running, **settings: Any) -> Iterator[httpx.Client]:
    """A world with nothing in it, until the block ends."""
    made = ok(httpx.post(f"{emulator.url}/_emulator/worlds", json={"id": f"w-{uuid.uuid4()}", **settings}))
    with http_of(emulator, made["api_key"]) as client:
        yield client
    httpx.delete(f"{emulator.url}/_emulator/worlds/{made['id']}")


def sow(client: httpx.Client, text: str, **query: str) -> dict[str, Any]:
    """The ids of what a seed that must be accepted has made."""
    ids: dict[str, Any] = ok(client.post("/_emulator/seed", content=text.encode(), headers=YAML, params=query))
    return ids


def problems(client: httpx.Client, text: str, status: int = 400) -> list[str]:
    """What is wrong with a seed that must be refused, one line for each, without the name of the file."""
    answer = client.post("/_emulator/seed", content=text.encode(), headers=YAML, params={"file": "s.yaml"})
    assert answer.status_code == status, answer.text
    first, *lines = answer.json()["message"].splitlines()
    assert first == "the seed is refused"
    told = [
        f"s.yaml:{one['line']}:{one['column']}: " + (f"{one['field']}: " if one["field"] else "") + one["message"]
        for one in answer.json()["details"]["problems"]
    ]
    assert lines == told
    return [line.removeprefix("s.yaml:") for line in lines]


def as_key(key: str) -> dict[str, str]:
    """The header of somebody else in the same world."""
    return {"Authorization": f"Bearer {key}"}
