"""What was created, changed and deleted in a world, as tests want to assert it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx
import pytest
from chaser_emulator import differences
from chaser_emulator.differences import COLLECTIONS, Diff
from chaser_emulator.server import Running
from chaser_emulator.store import Store

T = TypeVar("T")


def on(emulator: Running, work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine answers that runs where the emulator does."""
    return asyncio.run_coroutine_threadsafe(work, emulator.loop).result(30)


class Since:
    """Differences since a moment."""

    def __init__(self, emulator: Running) -> None:
        self._emulator = emulator
        self._before = on(emulator, emulator.world.store.image())

    def diff(self) -> Diff:
        now = on(self._emulator, self._emulator.world.store.image())
        return asyncio.run(differences.of_images(self._before, now))


def shown_by_get(found: dict[str, Any], *more: str) -> dict[str, Any]:
    """What a GET answers, without what is of its moment."""
    return {name: value for name, value in found.items() if name not in more and value is not None}


def test_a_created_session_is_shown_as_its_get_shows_it(emulator: Running, client: httpx.Client) -> None:
    since = Since(emulator)
    session = client.post("/v1/sessions", json={"session_type": "sandbox"}).raise_for_status().json()
    shown = client.get(f"/v1/sessions/{session['id']}").raise_for_status().json()
    diff = since.diff()
    assert len(diff.created["sessions"]) == 1
    [created] = diff.created["sessions"]
    for name, value in shown_by_get(shown, "endpoints", "active_connection_leases").items():
        assert created[name] == value
    assert created["account_id"]
    assert diff.changed["sessions"] == diff.deleted["sessions"] == []
    assert [event["action"] for event in diff.created["audit_events"]] == ["session.create"]


def test_an_ended_session_has_changed(emulator: Running, client: httpx.Client) -> None:
    session = client.post("/v1/sessions", json={"session_type": "sandbox"}).raise_for_status().json()
    since = Since(emulator)
    client.delete(f"/v1/sessions/{session['id']}").raise_for_status()
    [change] = since.diff().changed["sessions"]
    assert change["id"] == session["id"]
    assert (change["before"]["status"], change["after"]["status"]) == ("running", "terminated")
    assert (change["before"]["ended_at"], bool(change["after"]["ended_at"])) == (None, True)
    assert set(change["before"]) == set(change["after"]) == {"status", "ended_at"}


def test_what_is_deleted_is_shown_as_it_was(emulator: Running, client: httpx.Client) -> None:
    workspace = (
        client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "to-go"}).raise_for_status().json()
    )
    hook = client.post("/v1/webhooks", json={"url": "https://example.com/hook"}).raise_for_status().json()["webhook"]
    since = Since(emulator)
    client.delete(f"/v1/workspaces/{workspace['id']}").raise_for_status()
    client.delete(f"/v1/webhooks/{hook['id']}").raise_for_status()
    diff = since.diff()
    assert [one["name"] for one in diff.deleted["workspaces"]] == ["to-go"]
    assert [one["id"] for one in diff.deleted["webhooks"]] == [hook["id"]]
    assert not diff.created["workspaces"]


def test_a_change_shows_the_changed_fields_alone(emulator: Running, client: httpx.Client) -> None:
    workspace = (
        client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "before"}).raise_for_status().json()
    )
    since = Since(emulator)
    client.put(f"/v1/workspaces/{workspace['id']}/name", json={"name": "after"}).raise_for_status()
    assert since.diff().changed["workspaces"] == [
        {"id": workspace["id"], "before": {"name": "before"}, "after": {"name": "after"}}
    ]


def test_a_look_is_no_difference(emulator: Running, client: httpx.Client) -> None:
    since = Since(emulator)
    client.get("/v1/sessions").raise_for_status()
    client.get("/v1/keys").raise_for_status()
    assert not since.diff()


def test_no_secret_and_no_column_of_our_own_is_shown(emulator: Running, client: httpx.Client) -> None:
    since = Since(emulator)
    hook = client.post("/v1/webhooks", json={"url": "https://example.com/hook"}).raise_for_status().json()
    key = client.post("/v1/keys", json={"name": "ci"}).raise_for_status().json()
    client.post("/v1/sessions", json={"session_type": "sandbox"}).raise_for_status()
    said = json.dumps(since.diff().info())
    for secret in (hook["signing_secret"], key["key"], "secret_hash", "disk_id", '"ref"', "principal"):
        assert secret not in said
    assert hook["webhook"]["id"] in said
    assert key["id"] in said


def test_collections_are_there_also_when_nothing_happened() -> None:
    async def nothing() -> Diff:
        store = await Store.open(None)
        try:
            image = await store.image()
        finally:
            await store.close()
        return await differences.of_images(image, image)

    diff = asyncio.run(nothing())
    assert not diff
    assert diff.info() == {"created": {}, "changed": {}, "deleted": {}}
    for every in (diff.created, diff.changed, diff.deleted):
        assert tuple(every) == COLLECTIONS
        assert not any(every.values())
    with pytest.raises(KeyError):
        diff.created["sesions"]


def test_every_table_is_a_collection_or_left_out_with_a_reason() -> None:
    left_out = {"facts", "sign_ins", "logins", "usage", "outbox", "delivery_attempts", "assistant_alerts"}

    async def tables() -> set[str]:
        store = await Store.open(None)
        try:
            rows = await store.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        finally:
            await store.close()
        return {row["name"] for row in rows}

    assert asyncio.run(tables()) == {*COLLECTIONS, *left_out}
