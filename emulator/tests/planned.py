"""Worlds and planned faults for tests: rules are added over the control plane, each test has a world of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from chaser_emulator.server import Running
from chaser_emulator.world import World
from emulators import http_of
from people import ok


@dataclass(frozen=True)
class Rule:
    """A rule that was added."""

    client: httpx.Client
    id: str

    def info(self) -> dict[str, Any]:
        """What has become of it."""
        found: dict[str, Any] = ok(self.client.get(f"/_emulator/faults/{self.id}"))
        return found

    def counts(self) -> tuple[int, int]:
        """How often it has matched, and how often it has acted."""
        found = self.info()
        return found["matched"], found["acted"]


def plan(client: httpx.Client, *operations: str, **rule: Any) -> Rule:
    """Add a rule; `raise_` stands for its field `raise`."""
    body = {name.rstrip("_"): value for name, value in rule.items()}
    if operations:
        body["operations"] = list(operations)
    answer = client.post("/_emulator/faults", json=body)
    assert answer.status_code == 201, answer.text
    return Rule(client, answer.json()["id"])


@contextmanager
def world_of(emulator: Running) -> Iterator[World]:
    """A world that is gone at the end."""

    def there(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, emulator.loop).result(60)

    world: World = there(emulator.worlds.create())
    try:
        yield world
    finally:
        there(emulator.worlds.delete(world.id))


@contextmanager
def client_of(emulator: Running) -> Iterator[httpx.Client]:
    """A client in a world of its own."""
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
        yield client


def sessions(client: httpx.Client) -> list[str]:
    """The ids of all sessions of the account."""
    return [one["id"] for one in ok(client.get("/v1/sessions"))["sessions"]]


def sandbox(client: httpx.Client) -> str:
    """The id of a new sandbox that runs."""
    made: dict[str, Any] = ok(client.post("/v1/sessions", json={"ephemeral": True}))
    return str(made["id"])


def noted(client: httpx.Client, operation: str) -> dict[str, Any]:
    """The last exchange of an operation, as the journal tells of it."""
    found: list[dict[str, Any]] = ok(client.get("/_emulator/requests", params={"operation": operation}))["requests"]
    return found[-1]
