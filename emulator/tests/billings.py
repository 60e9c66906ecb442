"""Wallets, plans and clocks for tests of what accounts are billed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from people import ok

START = "2026-03-01T12:00:00Z"


def freeze(client: httpx.Client, at: str = START) -> None:
    """Let the clock stand still, so that nothing but `advance` lets time pass."""
    ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": at}))


def advance(client: httpx.Client, seconds: float) -> list[dict[str, Any]]:
    """Let time pass; answers what fell due."""
    fired: list[dict[str, Any]] = ok(client.post("/_emulator/clock/advance", json={"seconds": seconds}))["fired"]
    return fired


def summary(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = ok(client.get("/v1/billing/summary"))
    return found


def used(client: httpx.Client, window: str = "usage_last_24h") -> tuple[int, int]:
    """The seconds and the micro-dollars of a window."""
    found = summary(client)[window]
    return found["seconds"], found["amount_micros_usd"]


def wallet(client: httpx.Client) -> int:
    return int(summary(client)["wallet_balance_micros_usd"])


def plan(client: httpx.Client, **body: str) -> dict[str, Any]:
    """Change the plan of the client's account."""
    changed: dict[str, Any] = ok(client.post("/v1/billing/account", json=body))
    return changed


def checkout(client: httpx.Client, **body: Any) -> str:
    """Start a payment; answers its id."""
    return str(ok(client.post("/v1/billing/checkout", json=body))["checkout_session_id"])


def complete(client: httpx.Client, checkout_id: str, outcome: str = "paid") -> httpx.Response:
    return client.post(f"/_emulator/checkout/{checkout_id}/complete", json={"outcome": outcome})


def top_up(client: httpx.Client, dollars: float = 10) -> None:
    """Pay for money in the wallet."""
    ok(complete(client, checkout(client, amount_usd=dollars)))


def create(client: httpx.Client, **body: Any) -> str:
    """A session that runs; answers its id."""
    made: Mapping[str, Any] = ok(client.post("/v1/sessions", json=body or {"ephemeral": True}))
    assert made["status"] == "running"
    return str(made["id"])


def status(client: httpx.Client, session: str) -> str:
    return str(ok(client.get(f"/v1/sessions/{session}"))["status"])
