"""A clock that was set or is being moved: restarts in between, and two who move it at once."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx
from chaser_emulator.clock import moment
from emulators import emulator_on, http_of
from people import ok
from queues import queue, runs
from test_crash import server
from test_exec import until

_HOUR = timedelta(hours=1)


def test_rows_keep_their_order_when_a_frozen_clock_is_restarted(tmp_path: Path) -> None:
    made: list[str] = []
    for _ in range(3):
        with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
            if not made:
                ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": "2030-01-01T00:00:00Z"}))
            made += [
                queue(client, "sandbox.exec", {"command": "true"}, run_at="2031-01-01T00:00:00Z")["id"] for _ in "12345"
            ]
            assert [job["id"] for job in ok(client.get("/v1/jobs"))["jobs"]] == made[::-1]
            assert ok(client.get("/_emulator/clock"))["now"].startswith("2030-01-01T00:00:00.0")


def test_a_clock_that_two_move_by_an_hour_at_once_has_moved_by_two(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        start = moment(ok(client.post("/_emulator/clock", json={"mode": "frozen"}))["now"])
        job = queue(
            client, "sandbox.exec", {"ephemeral": True, "command": "sleep 1"}, run_at=(start + _HOUR / 2).isoformat()
        )

        def advance() -> None:
            with http_of(one) as other:
                ok(other.post("/_emulator/clock/advance", json={"seconds": 3600}))

        first = threading.Thread(target=advance)
        first.start()
        runs(client, job)
        advance()
        first.join()
        passed = moment(ok(client.get("/_emulator/clock"))["now"]) - start
        assert 2 * _HOUR <= passed < 2 * _HOUR + timedelta(seconds=1)


def test_a_crash_while_the_clock_is_moved_leaves_nothing_ahead_of_it(tmp_path: Path) -> None:
    with server("scripted", tmp_path) as first, first.client() as client:
        start = moment(ok(client.post("/_emulator/clock", json={"mode": "frozen"}))["now"])
        slow = {"ephemeral": True, "command": "sleep 60"}
        job = queue(client, "sandbox.exec", slow, run_at=(start + _HOUR).isoformat())

        def advance() -> None:
            with first.client() as other, suppress(httpx.HTTPError):
                other.post("/_emulator/clock/advance", json={"seconds": 7200})

        moving = threading.Thread(target=advance)
        moving.start()
        begun = moment(runs(client, job)["updated_at"])
        first.kill()
        moving.join()
    assert begun >= start + _HOUR
    with server("scripted", tmp_path) as second, second.client() as client:
        until(lambda: ok(client.get(f"/v1/jobs/{job['id']}"))["status"] == "failed")
        assert moment(ok(client.get("/_emulator/clock"))["now"]) >= start + 2 * _HOUR
        second.stop()
