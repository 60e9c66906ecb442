"""Data of an emulator from before something was kept: today's goes on with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from people import ok
from test_crash import server


def test_sessions_that_an_emulator_without_metering_left_running_are_metered_from_the_start(tmp_path: Path) -> None:
    with server("docker", tmp_path) as first, first.client() as client:
        session = ok(client.post("/v1/sessions", json={"session_type": "sandbox"}))["id"]
        first.kill()
    with closing(sqlite3.connect(tmp_path / "data" / "chaser.db")) as store, store:
        store.execute("DELETE FROM usage")
    with server("docker", tmp_path) as second, second.client() as client:
        try:
            assert ok(client.get(f"/v1/sessions/{session}"))["status"] == "running"
            ok(client.post("/_emulator/clock/advance", json={"seconds": 3600}))
            assert 3600 <= ok(client.get("/v1/billing/summary"))["usage_last_24h"]["seconds"] < 3700
        finally:
            ok(client.delete(f"/v1/sessions/{session}", params={"force": "true"}))
            client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})
            second.stop()
