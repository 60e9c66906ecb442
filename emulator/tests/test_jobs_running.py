"""Jobs that run real commands: canceled they leave nothing, pipelines share files, an orderly stop ends them all."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from databases import ask
from emulators import REAL, EngineChoice, emulator_on, http_of
from people import ok, refused
from queues import Json, count, done, final, get, queue, runs, told, workspace
from strangers import stranger
from test_crash import engine, server
from test_exec import until

__all__ = ["engine"]

NO_LIMITS = Limits(enabled=False)

# A child and a grandchild of the shell, one deaf to what can be ignored.
FAMILY = "trap '' TERM INT; (sleep 98765 & sleep 98765); echo never"


@pytest.fixture(scope="module", params=REAL)
def emulator(request: pytest.FixtureRequest) -> Iterator[Running]:
    with emulator_on(request.param, rate_limit=NO_LIMITS) as one:
        yield one
        with http_of(one) as client:
            client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})


def sleeping(client: httpx.Client, name: str) -> int:
    """How many of the family's long sleeps run in the sandbox of a workspace."""
    look = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null; echo; done"
    answer = ok(client.post("/v1/exec", json={"workspace": name, "command": look}))
    return [line.strip() for line in answer["output"].splitlines()].count("sleep 98765")


def test_a_canceled_job_leaves_no_process_of_its_command(emulator: Running, client: httpx.Client) -> None:
    name = f"w-{uuid.uuid4().hex[:8]}"
    workspace(client, name)
    job = queue(client, "sandbox.exec", {"workspace": name, "command": FAMILY})
    until(lambda: sleeping(client, name) == 2)
    canceled = ok(client.post(f"/v1/jobs/{job['id']}/cancel"))
    assert (canceled["status"], "error" in canceled) == ("canceled", False)
    # At once, without patience: the answer says that it has stopped.
    assert sleeping(client, name) == 0
    assert get(client, job) == canceled
    assert told(emulator, job) == ["job.queued", "job.started", "job.canceled"]
    [session] = ok(client.get("/v1/sessions"))["sessions"]
    assert (session["status"], session["active_connection_leases"]) == ("running", 0)
    ok(client.delete(f"/v1/sessions/{session['id']}"))


def test_a_canceled_job_takes_its_ephemeral_sandbox_along(client: httpx.Client) -> None:
    job = queue(client, "sandbox.exec", {"ephemeral": True, "command": FAMILY})
    until(lambda: ok(client.get("/v1/sessions"))["total"] == 1)
    ok(client.post(f"/v1/jobs/{job['id']}/cancel"))
    assert ok(client.get("/v1/sessions"))["total"] == 0


def test_a_canceled_pipeline_starts_no_further_step(client: httpx.Client) -> None:
    name = f"w-{uuid.uuid4().hex[:8]}"
    workspace(client, name)
    steps = [{"command": "touch one"}, {"command": FAMILY}, {"command": "touch three"}]
    job = queue(client, "pipeline.run", {"workspace": name, "steps": steps})
    until(lambda: sleeping(client, name) == 2)
    assert ok(client.post(f"/v1/jobs/{job['id']}/cancel"))["status"] == "canceled"
    assert sleeping(client, name) == 0
    assert done(client, "sandbox.exec", {"workspace": name, "command": "ls"})["result"]["output"] == "one\n"


def test_steps_share_files_and_the_first_that_fails_is_the_last(client: httpx.Client) -> None:
    name = f"w-{uuid.uuid4().hex[:8]}"
    made = workspace(client, name)
    steps: list[Json] = [
        {"name": "write", "command": "echo from the first > file; pwd"},
        {"name": "read", "cmd": "cat file; pwd >&2"},
        {"name": "elsewhere", "kind": "sandbox.exec", "input": {"ephemeral": True, "cmd": "ls; echo empty"}},
        {"name": "variables", "input": {"command": "echo $A; cat", "env": {"A": "b"}, "stdin": "typed", "cwd": "/tmp"}},
        {"name": "slow", "command": FAMILY, "timeout_ms": 300},
        {"name": "skipped", "command": "touch never"},
    ]
    job = done(client, "pipeline.run", {"workspace": made, "steps": steps})
    result = job["result"]
    assert (job["error"], result["workspace_id"]) == ("step slow: command timed out after 300 ms", made)
    assert [step["name"] for step in result["steps"]] == [step["name"] for step in steps]
    assert [step["status"] for step in result["steps"]] == [*["completed"] * 4, "failed", "skipped"]
    output = [step.get("output") for step in result["steps"]]
    assert output == ["/workspace\n", "from the first\n/workspace\n", "empty\n", "b\ntyped", "", None]
    assert sleeping(client, name) == 0
    assert done(client, "sandbox.exec", {"workspace": name, "command": "ls"})["result"]["output"] == "file\n"


def test_cancellations_at_any_moment_leave_one_end_and_no_sandbox(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator)) as client:
        jobs = [queue(client, "sandbox.exec", {"ephemeral": True, "command": "sleep 0.2"}) for _ in range(16)]

        def cancel(number: int) -> int:
            with http_of(emulator) as one:
                one.headers.update(client.headers)
                threading.Event().wait(number * 0.03)
                return one.post(f"/v1/jobs/{jobs[number]['id']}/cancel").status_code

        with ThreadPoolExecutor(16) as pool:
            codes = list(pool.map(cancel, range(16)))
        ended = [final(client, job) for job in jobs]
        assert {job["status"] for job in ended} <= {"canceled", "completed"}
        for code, job in zip(codes, ended, strict=True):
            assert code == (200 if job["status"] == "canceled" else 409)
            assert [kind for kind in told(emulator, job) if kind in ("job.canceled", "job.completed")] == [
                f"job.{job['status']}"
            ]
        until(lambda: ok(client.get("/v1/sessions"))["total"] == 0)


def test_of_cancellations_at_once_one_is_answered_and_the_rest_refused(emulator: Running, client: httpx.Client) -> None:
    job = queue(client, "sandbox.exec", {"ephemeral": True, "command": "sleep 98765"})
    runs(client, job)

    def cancel(_: int) -> int:
        with http_of(emulator) as one:
            return one.post(f"/v1/jobs/{job['id']}/cancel").status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(cancel, range(4))) == [200, 409, 409, 409]
    assert told(emulator, job) == ["job.queued", "job.started", "job.canceled"]


def test_many_retries_at_once_queue_the_job_once(emulator: Running, client: httpx.Client) -> None:
    job = done(client, "sandbox.exec", {"ephemeral": True, "command": "exit 3"})

    def retry(_: int) -> int:
        with http_of(emulator) as one:
            return one.post(f"/v1/jobs/{job['id']}/retry").status_code

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(retry, range(4)))
    assert final(client, job)["error"] == "command exited with 3"
    queued = codes.count(200)
    assert sorted(codes) == [*[200] * queued, *[409] * (4 - queued)]
    assert told(emulator, job) == ["job.queued", "job.started", "job.failed"] * (1 + queued)


def test_an_orderly_stop_fails_what_runs_and_keeps_what_waits(tmp_path: Path, engine: EngineChoice) -> None:
    family: Json = {"workspace": "kept", "command": FAMILY}
    with server(engine, tmp_path) as one, one.client() as client:
        workspace(client, "kept")
        running = [queue(client, "sandbox.exec", family) for _ in range(2)]
        running += [queue(client, "sandbox.exec", {"ephemeral": True, "command": FAMILY}) for _ in range(2)]
        later = queue(client, "sandbox.exec", {"ephemeral": True, "command": "true"}, run_at="2090-01-01T00:00:00Z")
        until(lambda: sleeping(client, "kept") == 4 and count(client, status="running") == 4, 30)
        one.stop()
    with server(engine, tmp_path) as after, after.client() as client:
        for job in running:
            ended = get(client, job)
            assert (ended["status"], "result" in ended) == ("failed", False)
            assert "the emulator stopped while this job ran" in ended["error"]
        assert get(client, later) == later
        assert sleeping(client, "kept") == 0
        ok(client.delete("/v1/workspaces/kept", params={"force": "true"}))
        after.stop()


def test_a_thousand_jobs_drain_in_their_order_and_none_is_lost_or_done_twice() -> None:
    with emulator_on("scripted", rate_limit=NO_LIMITS) as emulator, http_of(emulator) as client:
        session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
        ok(client.delete(f"/v1/sessions/{session}"))
        made = [queue(client, "session.terminate", {"session_id": session})["id"] for _ in range(1000)]
        until(lambda: count(client, status="completed") == 1000, 60)
        rows = ask(emulator, "SELECT resource_id, type FROM outbox WHERE resource_type = 'job' ORDER BY created_at")
        events: dict[str, list[str]] = {}
        for row in rows:
            events.setdefault(row["resource_id"], []).append(row["type"])
        assert set(events) == set(made)
        assert set(map(tuple, events.values())) == {("job.queued", "job.started", "job.completed")}
        assert [row["resource_id"] for row in rows if row["type"] == "job.started"] == made


def test_sixteen_of_an_account_run_at_once_and_other_accounts_do_not_wait_for_them() -> None:
    with (
        emulator_on("scripted", max_sessions=100) as emulator,
        http_of(emulator) as client,
        http_of(emulator, stranger(emulator)) as other,
    ):
        made = [queue(client, "sandbox.exec", {"ephemeral": True, "command": "sleep 98765"}) for _ in range(18)]
        until(lambda: count(client, status="running") == 16)
        assert [get(client, job)["status"] for job in made[-2:]] == ["queued", "queued"]
        assert done(other, "sandbox.exec", {"ephemeral": True, "command": "echo hi"})["status"] == "completed"
        ok(client.post(f"/v1/jobs/{made[3]['id']}/cancel"))
        until(lambda: get(client, made[16])["status"] == "running")
        assert get(client, made[17])["status"] == "queued"
        refused(client.post(f"/v1/jobs/{made[17]['id']}/retry"), 409, "invalid_state")
