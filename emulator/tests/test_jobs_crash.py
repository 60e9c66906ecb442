"""Killed with -9 while jobs run: each is found again, ends once and says so; none is lost, and none is done twice."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

import httpx
from emulators import EngineChoice
from people import ok
from queues import Json, count, final, get, queue, workspace
from test_crash import Server, engine, server
from test_exec import until

__all__ = ["engine"]

FAST = ("--no-rate-limit",)


def events_of(folder: Path) -> dict[str, list[str]]:
    """What the outbox tells of each job, in order."""
    found: dict[str, list[str]] = {}
    with closing(sqlite3.connect(folder / "data" / "chaser.db")) as store:
        for job, kind in store.execute(
            "SELECT resource_id, type FROM outbox WHERE resource_type = 'job' ORDER BY created_at"
        ):
            found.setdefault(job, []).append(kind.removeprefix("job."))
    return found


def test_what_ran_has_failed_what_waited_goes_on_and_no_process_is_left(tmp_path: Path, engine: EngineChoice) -> None:
    append = {"workspace": "kept", "command": "echo begun >> log; sync; sleep 98765"}
    with server(engine, tmp_path) as first, first.client() as client:
        workspace(client, "kept")
        ran = [queue(client, "sandbox.exec", append)]
        ran.append(queue(client, "pipeline.run", {"workspace": "kept", "steps": [{"command": append["command"]}]}))
        log = {"workspace": "kept", "command": "cat log"}
        until(lambda: ok(client.post("/v1/exec", json=log))["output"] == "begun\nbegun\n", 30)
        ran += [queue(client, "sandbox.exec", {"ephemeral": True, "command": "sleep 98765"}) for _ in range(14)]
        until(lambda: count(client, status="running") == 16)
        waits = [queue(client, "sandbox.exec", {"workspace": "kept", "cmd": "echo done >> log"}) for _ in range(3)]
        later = queue(client, "sandbox.exec", append, run_at="2090-01-01T00:00:00Z", idempotency_key="later")
        first.kill()
    with server(engine, tmp_path) as second, second.client() as client:
        for job in ran:
            ended = final(client, job)
            assert (ended["status"], "result" in ended) == ("failed", False)
            assert "the emulator ended while this job ran" in ended["error"]
        assert [final(client, job)["status"] for job in waits] == ["completed"] * 3
        assert get(client, later) == later
        assert queue(client, "sandbox.exec", append, idempotency_key="later") == later
        assert ok(client.post("/v1/exec", json=log))["output"] == "begun\nbegun\ndone\ndone\ndone\n"
        processes = {"workspace": "kept", "command": "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"}
        # In a container that lives on, a command outlives the emulator for a moment.
        until(lambda: "sleep 98765" not in ok(client.post("/v1/exec", json=processes))["output"], 15)
        again = ok(client.post(f"/v1/jobs/{ran[1]['id']}/retry"))
        until(lambda: get(client, again)["status"] == "running")
        assert ok(client.post(f"/v1/jobs/{again['id']}/cancel"))["status"] == "canceled"
        ok(client.delete("/v1/workspaces/kept", params={"force": "true"}))
        second.stop()
    events = events_of(tmp_path)
    assert events[ran[0]["id"]] == ["queued", "started", "failed"]
    assert events[ran[1]["id"]] == ["queued", "started", "failed", "queued", "started", "canceled"]
    assert [events[job["id"]] for job in waits] == [["queued", "started", "completed"]] * 3
    assert events[later["id"]] == ["queued"]


def test_a_crash_at_any_moment_loses_no_job_and_ends_none_twice(tmp_path: Path) -> None:
    promised: dict[str, Json] = {}
    for round_number in range(4):
        with server("scripted", tmp_path, *FAST) as one:
            alive = threading.Event()

            def work(number: int, one: Server = one, alive: threading.Event = alive) -> None:
                with one.client() as client, suppress(httpx.HTTPError):
                    while True:
                        job = queue(client, "sandbox.exec", {"ephemeral": True, "command": "echo hi"})
                        promised[job["id"]] = job
                        alive.set()
                        if number == 0:
                            client.post(f"/v1/jobs/{job['id']}/cancel")
                        if number == 1:
                            client.post(f"/v1/jobs/{job['id']}/retry")

            threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
            for thread in threads:
                thread.start()
            assert alive.wait(30)
            threading.Event().wait(0.2 * (round_number + 1))
            one.kill()
            for thread in threads:
                thread.join()
    with server("scripted", tmp_path, *FAST) as last, last.client() as client:
        until(lambda: count(client, status="queued") + count(client, status="running") == 0, 60)
        for job_id in promised:
            ended = get(client, promised[job_id])
            assert ended["status"] in ("completed", "failed", "canceled")
            if ended["status"] == "failed":
                assert "the emulator ended while this job ran" in ended["error"]
        last.stop()
    events = events_of(tmp_path)
    assert set(promised) <= set(events)
    for told in events.values():
        # Queued, started and ended in turn; a start can be missing where it was canceled before.
        runs = " ".join(told).replace("queued canceled", "queued started canceled").split("queued")
        assert runs[0] == ""
        assert {run.strip() for run in runs[1:]} <= {"started completed", "started failed", "started canceled"}
