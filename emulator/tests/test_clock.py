"""The clock of a world: it stands still, moves on, and what falls due on the way happens at its moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from chaser_emulator.clock import moment, timestamp
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from people import ok, refused

_TICKS = timedelta(milliseconds=5)
"""How far looks may move a frozen clock in a test."""


@pytest.fixture
def emulator() -> Iterator[Running]:
    with emulator_on("scripted") as one:
        yield one


def test_a_frozen_clock_stands_where_it_was_set(client: httpx.Client) -> None:
    set_to = ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": "2026-03-01T12:00:00Z"}))
    assert set_to["mode"] == "frozen"
    made = ok(client.post("/v1/workspaces", json={"session_type": "sandbox"}))
    assert timedelta() <= moment(made["created_at"]) - moment("2026-03-01T12:00:00Z") < _TICKS


def test_a_session_expires_at_its_moment_when_the_clock_is_moved(client: httpx.Client) -> None:
    start = moment("2026-03-01T12:00:00Z")
    ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": timestamp(start)}))
    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))
    early = ok(client.post("/_emulator/clock/advance", json={"seconds": 24 * 3600 - 60}))
    assert early["fired"] == []
    assert ok(client.get(f"/v1/sessions/{session['id']}"))["status"] == "running"
    moved = ok(client.post("/_emulator/clock/advance", json={"seconds": 3600}))
    [fired] = [one for one in moved["fired"] if one["what"] == "session.expired"]
    assert fired["id"] == session["id"]
    assert timedelta() <= moment(fired["at"]) - (start + timedelta(hours=24)) < _TICKS
    assert ok(client.get(f"/v1/sessions/{session['id']}"))["status"] == "terminated"
    [event] = ok(client.get("/v1/audit/events", params={"action": "session.terminate"}))["events"]
    assert event["actor_type"] == "system"
    assert moment(event["created_at"]) - (start + timedelta(hours=24)) < timedelta(seconds=1)


def test_the_clock_goes_on_from_where_it_was_after_a_restart(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        ok(client.post("/_emulator/clock/advance", json={"seconds": 30 * 86400}))
        before = moment(ok(client.get("/_emulator/clock"))["now"])
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        shown = ok(client.get("/_emulator/clock"))
    assert shown["mode"] == "real"
    assert timedelta() < moment(shown["now"]) - before < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("clock", {"mode": "slow"}, "/mode"),
        ("clock", {}, "/mode"),
        ("clock", {"mode": "frozen", "at": "yesterday"}, "/at"),
        ("clock", {"mode": "frozen", "at": "1969-12-31T23:59:59Z"}, "/at"),
        ("clock", {"mode": "frozen", "at": "9999-01-01T00:00:00Z"}, "/at"),
        ("clock", {"mode": "frozen", "at": "2026-12-31T23:59:60Z"}, "/at"),
        ("clock/advance", {"seconds": -1}, "/seconds"),
        ("clock/advance", {"to": "2001-01-01T00:00:00Z"}, "/to"),
        ("clock/advance", {"to": "9999-12-31T00:00:00Z"}, "/to"),
    ],
)
def test_what_the_clock_does_not_take_is_named(client: httpx.Client, route: str, body: object, field: str) -> None:
    assert field in refused(client.post(f"/_emulator/{route}", json=body), 400, "invalid_request")["message"]


def test_the_control_plane_refuses_foreign_pages_forms_and_wrong_methods(client: httpx.Client) -> None:
    refused(client.get("/_emulator/clock", headers={"Origin": "https://evil.example"}), 403, "forbidden")
    refused(client.post("/_emulator/clock", data={"mode": "frozen"}), 415, "unsupported_media_type")
    wrong = client.delete("/_emulator/clock")
    refused(wrong, 405, "method_not_allowed")
    assert set(wrong.headers["allow"].split(", ")) >= {"GET", "POST"}
    refused(client.get("/_emulator/nothing"), 404, "not_found")
    refused(client.get("/_emulator/clock", headers={"X-Chaser-Delivery": "1"}), 403, "forbidden")
