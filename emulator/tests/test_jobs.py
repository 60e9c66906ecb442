"""Jobs: what can be queued, by whom, under which key and for when; pages, and what the queue promises."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from chaser_emulator.clock import moment, timestamp
from chaser_emulator.meter import Limits
from chaser_emulator.plans import PLANS
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient
from databases import ask
from emulators import emulator_on, http_of
from people import Organization, ok, organization_of, refused
from queues import Json, count, done, final, get, queue, runs, told, workspace
from strangers import audited, events_of, stranger
from test_exec import until

ECHO = {"ephemeral": True, "command": "echo hi"}
SLEEP = {"ephemeral": True, "command": "sleep 300"}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted", rate_limit=Limits(enabled=False)) as one:
        yield one


@pytest.fixture
def client(emulator: Running) -> Iterator[httpx.Client]:
    """Somebody whose jobs are nobody else's."""
    with http_of(emulator, stranger(emulator)) as one:
        yield one


def test_every_kind_has_a_summary_and_examples_that_are_accepted_as_they_are(client: httpx.Client) -> None:
    found = ok(client.get("/v1/jobs/kinds"))
    kinds = [spec["kind"] for spec in found["worker_kind_specs"]]
    assert kinds == found["worker_kinds"]
    assert len(kinds) == 9
    for spec in found["worker_kind_specs"]:
        assert spec["summary"].endswith(".")
        assert spec["input_examples"]
        assert spec["alias_fields"] == (["cmd"] if spec["kind"] in ("sandbox.exec", "pipeline.run") else [])
        for example in spec["input_examples"]:
            job = queue(client, spec["kind"], example)
            assert (job["kind"], job["status"], job["input"]) == (spec["kind"], "queued", example)
            # What the examples name is not there; the work is tried all the same, and says so.
            ended = final(client, job)
            assert "the emulator failed" not in ended.get("error", "")


def test_a_job_runs_and_its_events_tell_it(emulator: Running, client: httpx.Client) -> None:
    job = queue(client, "sandbox.exec", ECHO)
    assert (job["status"], job["input"], job["created_at"]) == ("queued", ECHO, job["updated_at"])
    ended = final(client, job)
    assert ended == job | {"status": "completed", "result": ended["result"], "updated_at": ended["updated_at"]}
    assert ended["updated_at"] > job["updated_at"]
    assert (ended["result"]["output"], ended["result"]["exit_code"]) == ("hi\n", 0)
    assert told(emulator, job) == ["job.queued", "job.started", "job.completed"]
    first, _, last = (data for _, data in events_of(emulator, job["id"]))
    assert (first, last) == (job, ended)


def test_the_result_is_what_the_route_answers_and_the_audit_log_cannot_tell_them_apart(
    emulator: Running, client: httpx.Client
) -> None:
    workspace(client, "w")
    given = {"workspace": "w", "command": "echo hi", "env": {"A": "secret"}}
    answer = ok(client.post("/v1/exec", json=given))
    assert done(client, "sandbox.exec", given)["result"] == answer
    session = answer["session_id"]
    rows = audited(emulator, session)
    assert [action for action, _, _ in rows] == ["session.create", *["session.exec"] * 2]
    assert rows[1] == rows[2]
    assert "secret" not in str(rows)
    people = ask(emulator, "SELECT DISTINCT actor_type, actor_id FROM audit_events WHERE resource_id = ?", session)
    assert len(people) == 1


def test_a_command_that_fails_or_takes_too_long_fails_its_job_and_leaves_a_result(
    emulator: Running, client: httpx.Client
) -> None:
    failed = done(client, "sandbox.exec", {"ephemeral": True, "cmd": "exit 2"})
    assert (failed["status"], failed["error"]) == ("failed", "command exited with 2")
    assert (failed["result"]["exit_code"], failed["result"]["command"]) == (2, "exit 2")
    assert told(emulator, failed)[-1] == "job.failed"
    late = done(client, "sandbox.exec", SLEEP | {"timeout_ms": 50})
    assert (late["status"], late["error"]) == ("failed", "command timed out after 50 ms")
    assert (late["result"]["status"], late["result"]["exit_code"]) == ("timed_out", 124)
    for job in (failed, late):
        assert ok(client.get(f"/v1/sessions/{job['result']['session_id']}"))["status"] == "terminated"


def test_sessions_and_workspaces_are_ended_by_jobs_as_by_requests(client: httpx.Client) -> None:
    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    job = done(client, "session.terminate", {"session_id": session.upper()})
    assert job["result"] == {"session_id": session, "terminated": True}
    assert ok(client.get(f"/v1/sessions/{session}"))["status"] == "terminated"
    assert done(client, "session.terminate", {"session_id": session})["status"] == "completed"

    ids = [ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"] for _ in range(2)]
    gone = str(uuid.uuid4())
    job = done(client, "session.bulk_terminate", {"ids": [*ids, gone]})
    assert sorted(job["result"]["terminated"]) == sorted(ids)
    assert [(one["id"], one["code"]) for one in job["result"]["failed"]] == [(gone, "not_found")]

    made = workspace(client, "Mine")
    ok(client.post("/v1/sessions", json={"workspace": "mine"}))
    job = done(client, "workspace.delete", {"workspace": "mine"})
    assert (job["status"], "result" in job) == ("failed", False)
    assert "end it first" in job["error"]
    job = done(client, "workspace.delete", {"workspace": "mIne", "force": True})
    assert job["result"] == {"workspace_id": made, "deleted": True}
    job = done(client, "workspace.delete", {"workspace": "mine"})
    assert (job["status"], job["error"]) == ("failed", "there is no workspace 'mine' in this account")

    made = workspace(client, "other")
    job = done(client, "workspace.bulk_delete", {"ids": ["other", "nothing"]})
    assert (job["result"]["requested"], job["result"]["deleted"], job["result"]["failed"]) == (2, 1, 1)
    assert ok(client.get("/v1/workspaces")) == []


def test_steps_of_other_kinds_and_skipped_ones_are_told(client: httpx.Client) -> None:
    made = workspace(client, "w")
    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    steps = [
        {"name": "clean", "kind": "session.terminate", "input": {"session_id": session}},
        {"input": {"cmd": "true"}},
        {"name": "slow", "kind": "sandbox.exec", "input": {"command": "sleep 300"}, "timeout_ms": 50},
        {"name": "never", "kind": "workspace.delete", "input": {"workspace": "w"}},
    ]
    job = done(client, "pipeline.run", {"workspace": "w", "steps": steps})
    assert (job["status"], job["error"]) == ("failed", "step slow: command timed out after 50 ms")
    result = job["result"]
    assert result["workspace_id"] == made
    assert ok(client.get(f"/v1/sessions/{result['session_id']}"))["workspace_id"] == made
    clean, true, slow, never = result["steps"]
    assert clean["result"] == {"session_id": session, "terminated": True}
    assert (true["name"], true["kind"], true["status"], true["exit_code"]) == (None, "sandbox.exec", "completed", 0)
    assert (slow["status"], slow["exit_code"]) == ("failed", 124)
    assert 50 <= slow["duration_ms"] < 60_000
    assert never == {"name": "never", "kind": "workspace.delete", "status": "skipped"}
    gone = done(client, "pipeline.run", {"workspace": "nothing", "steps": [{"command": "true"}]})
    assert (gone["error"], "result" in gone) == ("there is no workspace 'nothing' in this account", False)


def test_the_time_of_a_step_is_up_whatever_its_kind(client: httpx.Client) -> None:
    workspace(client, "w")
    steps: list[Json] = [{"name": "none", "command": "sleep 300", "timeout_ms": 0}]
    job = done(client, "pipeline.run", {"workspace": "w", "steps": steps})
    assert job["error"] == "step none: command timed out after 0 ms"
    steps = [{"kind": "session.bulk_terminate", "input": {"all": True, "force": True}, "timeout_ms": 0}]
    job = done(client, "pipeline.run", {"workspace": "w", "steps": steps})
    assert job["error"] == "step 1: it took longer than 0 ms"
    [step] = job["result"]["steps"]
    assert (step["status"], step["error"], "result" in step) == ("failed", "it took longer than 0 ms", False)
    given = {"command": "sleep 300", "timeout_ms": 50}
    job = done(client, "pipeline.run", {"workspace": "w", "steps": [{"input": given, "timeout_ms": 60_000}]})
    assert job["error"] == "step 1: command timed out after 50 ms"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"kind": "sandbox.run", "input": {}}, "unknown_job_kind", "/kind"),
        ({"kind": None, "input": {}}, "unknown_job_kind", "/kind"),
        ({"input": {}}, "invalid_request", "/kind"),
        ({"kind": "sandbox.exec"}, "invalid_request", "/input"),
        ({"kind": "sandbox.exec", "input": None}, "invalid_request", "/input"),
        ({"kind": "sandbox.exec", "input": {}}, "invalid_request", "/input/command"),
        ({"kind": "sandbox.exec", "input": ECHO | {"background": True}}, "invalid_request", "/input/background"),
        ({"kind": "sandbox.exec", "input": ECHO | {"timeout_ms": -1}}, "invalid_request", "/input/timeout_ms"),
        ({"kind": "sandbox.exec", "input": {"cmd": 5}}, "invalid_request", "/input/cmd"),
        ({"kind": "sandbox.exec", "input": ECHO | {"cmd": "true"}}, "invalid_request", "/input"),
        ({"kind": "pipeline.run", "input": {"workspace": "w", "steps": []}}, "invalid_request", "/input/steps"),
        (
            {"kind": "pipeline.run", "input": {"workspace": "w", "steps": [{"kind": "pipeline.run", "input": {}}]}},
            "invalid_request",
            "/input/steps/0/kind",
        ),
        ({"kind": "session.terminate", "input": {}}, "invalid_request", "/input/session_id"),
        ({"kind": "session.bulk_terminate", "input": {}}, "invalid_request", "/input"),
        ({"kind": "workspace.delete", "input": {"workspace": 1}}, "invalid_request", "/input/workspace"),
        ({"kind": "sandbox.exec", "input": ECHO, "run_at": "tomorrow"}, "invalid_request", "/run_at"),
        ({"kind": "sandbox.exec", "input": ECHO, "run_at": "2026-01-15T10:00:00"}, "invalid_request", "/run_at"),
        ({"kind": "sandbox.exec", "input": ECHO, "run_at": "9999-12-31T23:59:59-05:00"}, "invalid_request", "/run_at"),
        ({"kind": "sandbox.exec", "input": ECHO, "idempotency_key": ""}, "invalid_request", "/idempotency_key"),
        ({"kind": "sandbox.exec", "input": ECHO, "idempotency_key": "a\nb"}, "invalid_request", "/idempotency_key"),
        ({"kind": "sandbox.exec", "input": ECHO, "idempotency_key": "x" * 256}, "invalid_request", "/idempotency_key"),
    ],
)
def test_what_cannot_be_queued_is_named(client: httpx.Client, body: Json, code: str, field: str) -> None:
    assert refused(client.post("/v1/jobs", json=body), 400, code)["details"][0]["pointer"] == field
    assert ok(client.get("/v1/jobs"))["total"] == 0


def test_a_key_answers_the_job_that_was_made_under_it(emulator: Running, client: httpx.Client) -> None:
    first = done(client, "sandbox.exec", ECHO, idempotency_key="k")
    assert first["idempotency_key"] == "k"
    again = {"kind": "sandbox.exec", "input": dict(reversed(ECHO.items())), "run_at": "2090-01-01T00:00:00Z"}
    assert ok(client.post("/v1/jobs", json=again | {"idempotency_key": "k"})) == first
    for other in ({"kind": "sandbox.exec", "input": SLEEP}, {"kind": "session.bulk_terminate", "input": {"all": True}}):
        conflict = refused(client.post("/v1/jobs", json=other | {"idempotency_key": "k"}), 409, "idempotency_conflict")
        assert first["id"] in conflict["message"]
    assert ok(client.get("/v1/jobs"))["total"] == 1
    assert told(emulator, first).count("job.queued") == 1
    with http_of(emulator, stranger(emulator)) as other_account:
        assert queue(other_account, "sandbox.exec", ECHO, idempotency_key="k")["id"] != first["id"]


def test_a_key_sent_many_times_at_once_makes_one_job(emulator: Running, client: httpx.Client) -> None:
    start = threading.Barrier(12)

    def post(_: int) -> Json:
        with http_of(emulator) as one:
            one.headers.update(client.headers)
            start.wait()
            return queue(one, "sandbox.exec", ECHO, idempotency_key="once")

    with ThreadPoolExecutor(12) as pool:
        jobs = list(pool.map(post, range(12)))
    assert len({job["id"] for job in jobs}) == 1
    final(client, jobs[0])
    assert told(emulator, jobs[0]) == ["job.queued", "job.started", "job.completed"]


def test_pages_are_newest_first_and_filters_leave_out_the_rest(client: httpx.Client) -> None:
    made = [done(client, "sandbox.exec", ECHO) for _ in range(3)]
    made.append(done(client, "sandbox.exec", {"ephemeral": True, "command": "false"}))
    made.append(done(client, "session.bulk_terminate", {"all": True}))
    newest = list(reversed(made))
    assert ok(client.get("/v1/jobs")) == {"jobs": newest, "total": 5, "limit": 50, "offset": 0, "has_more": False}
    page = ok(client.get("/v1/jobs", params={"limit": 2, "offset": 1}))
    assert page == {"jobs": newest[1:3], "total": 5, "limit": 2, "offset": 1, "has_more": True}
    assert ok(client.get("/v1/jobs", params={"limit": 2, "offset": 3}))["has_more"] is False
    beyond = ok(client.get("/v1/jobs", params={"offset": 9}))
    assert (beyond["jobs"], beyond["total"], beyond["has_more"]) == ([], 5, False)
    assert ok(client.get("/v1/jobs", params={"status": "failed"}))["jobs"] == [made[3]]
    found = ok(client.get("/v1/jobs", params={"status": "completed", "kind": "sandbox.exec", "limit": 1}))
    assert (found["jobs"], found["total"], found["has_more"]) == ([made[2]], 3, True)
    for params in ({"limit": 0}, {"limit": 201}, {"offset": -1}, {"status": "done"}, {"kind": "sandbox"}):
        [name] = params
        assert name in refused(client.get("/v1/jobs", params=params), 400, "invalid_request")["message"]


def test_a_job_of_another_account_is_not_found(emulator: Running, client: httpx.Client) -> None:
    job = done(client, "sandbox.exec", ECHO)
    assert get(client, {"id": job["id"].upper()}) == job
    with http_of(emulator, stranger(emulator)) as other:
        for answer in (
            other.get(f"/v1/jobs/{job['id']}"),
            other.post(f"/v1/jobs/{job['id']}/cancel"),
            other.post(f"/v1/jobs/{job['id']}/retry"),
            client.get("/v1/jobs/nothing"),
        ):
            refused(answer, 404, "not_found")
        assert ok(other.get("/v1/jobs"))["total"] == 0


def test_members_share_the_jobs_of_their_organization(organization: Organization) -> None:
    job = done(organization.owner, "sandbox.exec", ECHO)
    assert [one["id"] for one in ok(organization.member.get("/v1/jobs"))["jobs"]] == [job["id"]]
    assert final(organization.member, ok(organization.admin.post(f"/v1/jobs/{job['id']}/retry")))["status"] == (
        "completed"
    )


def test_a_scoped_key_queues_what_its_scopes_name_and_what_the_steps_need(emulator: Running) -> None:
    def as_one_with(*scopes: str) -> httpx.Client:
        return http_of(emulator, stranger(emulator, scopes=list(scopes)))

    step = {"kind": "workspace.delete", "input": {"workspace": "w"}}
    pipeline: Json = {"kind": "pipeline.run", "input": {"workspace": "w", "steps": [{"command": "true"}, step]}}
    with as_one_with("exec.write", "sessions.read", "workspaces.write") as client:
        workspace(client, "w")
        assert done(client, "sandbox.exec", {"workspace": "w", "command": "echo hi"})["status"] == "completed"
        only = {"workspace": "w", "steps": [{"command": "echo hi"}]}
        assert done(client, "pipeline.run", only)["status"] == "completed"
        assert "end it first" in done(client, "pipeline.run", pipeline["input"])["error"]
        body = {"kind": "session.terminate", "input": {"session_id": "x"}}
        required = refused(client.post("/v1/jobs", json=body), 403, "insufficient_scope")["details"]["required"]
        assert required == "sessions.write"
    with as_one_with("exec.write") as client:
        required = refused(client.post("/v1/jobs", json=pipeline), 403, "insufficient_scope")["details"]["required"]
        assert required == "workspaces.write"
        refused(client.get("/v1/jobs"), 403, "insufficient_scope")
    with as_one_with("sessions.read") as client:
        assert ok(client.get("/v1/jobs"))["total"] == 0
        refused(client.post("/v1/jobs", json={"kind": "sandbox.exec", "input": ECHO}), 403, "insufficient_scope")


def test_canceling_and_retrying_need_the_scope_of_the_kind(client: httpx.Client) -> None:
    job = done(client, "sandbox.exec", ECHO)
    for scopes in (["sessions.read", "sessions.write"], ["exec.write"]):
        secret = ok(client.post("/v1/keys", json={"scopes": scopes}))["key"]
        headers = {"Authorization": f"Bearer {secret}"}
        cancel = client.post(f"/v1/jobs/{job['id']}/cancel", headers=headers)
        retry = client.post(f"/v1/jobs/{job['id']}/retry", headers=headers)
        if scopes == ["exec.write"]:
            refused(cancel, 409, "invalid_state")
            assert ok(retry)["status"] == "queued"
        else:
            refused(cancel, 403, "insufficient_scope")
            refused(retry, 403, "insufficient_scope")


def test_who_has_left_or_is_switched_off_meanwhile_gets_nothing_done() -> None:
    with emulator_on("scripted") as emulator, organization_of(emulator) as organization:
        _leave_before_their_jobs_run(organization)


def _leave_before_their_jobs_run(organization: Organization) -> None:
    now = moment(ok(organization.owner.get("/_emulator/clock"))["now"])
    later = {"run_at": timestamp(now + timedelta(hours=1))}
    of_member = queue(organization.member, "sandbox.exec", ECHO, **later)
    robots = "/v1/accounts/current/service-accounts"
    robot = ok(organization.owner.post(robots, json={"name": "ci"}))["service_account"]["id"]
    secret = ok(organization.owner.post(f"{robots}/{robot}/keys", json={}))["key"]
    of_robot = ok(
        httpx.post(
            f"{organization.owner.base_url}/v1/jobs",
            json={"kind": "sandbox.exec", "input": ECHO} | later,
            headers={"Authorization": f"Bearer {secret}"},
        )
    )
    member = organization.people["member"].user_id
    ok(organization.owner.delete(f"/v1/accounts/current/members/{member}"))
    ok(organization.owner.delete(f"{robots}/{robot}"))
    ok(organization.owner.post("/_emulator/clock/advance", json={"seconds": 3600}))
    assert "does not belong to the account any more" in final(organization.owner, of_member)["error"]
    assert "service account" in final(organization.owner, of_robot)["error"]
    # Retried by somebody else, it is done for them.
    again = ok(organization.owner.post(f"/v1/jobs/{of_member['id']}/retry"))
    assert final(organization.owner, again)["status"] == "completed"


def test_the_plan_limits_what_jobs_do_as_it_limits_requests(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="free")) as client:
        job = done(client, "sandbox.exec", {"workspace": "w", "command": "true"})
        rest = client.post("/v1/exec", json={"workspace": "w", "command": "true"})
        assert (job["status"], job["error"]) == ("failed", rest.json()["message"])
        room = PLANS["free"].max_concurrency
        for _ in range(room + 2):
            queue(client, "sandbox.exec", SLEEP)
        until(lambda: count(client, status="failed") == 3)
        assert (count(client, status="running"), count(client, status="queued")) == (room, 0)
        errors = {one["error"] for one in ok(client.get("/v1/jobs", params={"status": "failed", "limit": 2}))["jobs"]}
        assert errors == {refused(client.post("/v1/exec", json=ECHO), 403, "plan_limit_exceeded")["message"]}
        for one in ok(client.get("/v1/jobs", params={"status": "running"}))["jobs"]:
            assert ok(client.post(f"/v1/jobs/{one['id']}/cancel"))["status"] == "canceled"


def test_a_job_with_a_time_waits_for_it_on_the_emulators_clock() -> None:
    start = moment("2026-03-01T12:00:00Z")
    with emulator_on("scripted") as emulator, http_of(emulator) as client:
        ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": timestamp(start)}))
        past = queue(client, "sandbox.exec", ECHO, run_at="2026-02-28t12:00:00+01:00")
        assert past["run_at"] == "2026-02-28T11:00:00.000000Z"
        assert final(client, past)["status"] == "completed"
        hour, day = (queue(client, "sandbox.exec", ECHO, run_at=timestamp(start + timedelta(hours=h))) for h in (1, 24))
        assert ok(client.post("/_emulator/clock/advance", json={"seconds": 3599}))["fired"] == []
        assert (get(client, hour)["status"], get(client, day)["status"]) == ("queued", "queued")
        moved = ok(client.post("/_emulator/clock/advance", json={"to": timestamp(start + timedelta(hours=30))}))
        fired = [(one["what"], one["id"]) for one in moved["fired"] if one["what"] == "job.started"]
        assert fired == [("job.started", hour["id"]), ("job.started", day["id"])]
        for job, hours in ((hour, 1), (day, 24)):
            ended = get(client, job)
            assert ended["status"] == "completed"
            assert timedelta() <= moment(ended["updated_at"]) - start - timedelta(hours=hours) < timedelta(seconds=1)


def test_a_job_that_fell_due_while_nobody_was_there_runs_at_the_start(tmp_path: Path) -> None:
    start = "2026-03-01T12:00:00Z"
    with emulator_on("scripted", data_dir=tmp_path) as emulator, http_of(emulator) as client:
        ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": start}))
        job = queue(client, "sandbox.exec", ECHO, run_at="2026-03-01T13:00:00Z")
        # Frozen, it would stand where it was at the next start; going, it is hours after the job's moment by then.
        with closing(sqlite3.connect(tmp_path / "chaser.db")) as store:
            assert store.execute("DELETE FROM facts WHERE name = 'clock'").rowcount == 1
            store.commit()
    with emulator_on("scripted", data_dir=tmp_path) as emulator, http_of(emulator) as client:
        assert final(client, job)["status"] == "completed"


def test_a_clock_that_is_set_back_holds_no_job_that_has_no_time() -> None:
    with emulator_on("scripted") as emulator, http_of(emulator) as client:
        blocking = [queue(client, "sandbox.exec", SLEEP) for _ in range(16)]
        waiting = queue(client, "sandbox.exec", ECHO)
        ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": "2020-01-01T00:00:00Z"}))
        for job in blocking:
            ok(client.post(f"/v1/jobs/{job['id']}/cancel"))
        assert final(client, waiting)["status"] == "completed"


def test_a_waiting_job_is_canceled_and_a_final_one_is_not(emulator: Running, client: httpx.Client) -> None:
    job = queue(client, "sandbox.exec", ECHO, run_at="2090-01-01T00:00:00Z")
    canceled = ok(client.post(f"/v1/jobs/{job['id']}/cancel"))
    assert canceled == job | {"status": "canceled", "updated_at": canceled["updated_at"]}
    assert "canceled" in refused(client.post(f"/v1/jobs/{job['id']}/cancel"), 409, "invalid_state")["message"]
    assert told(emulator, job) == ["job.queued", "job.canceled"]
    # Once more, and at once: nobody waits for a moment that lies ahead.
    again = ok(client.post(f"/v1/jobs/{job['id']}/retry"))
    assert (again["status"], again["id"], "run_at" in again) == ("queued", job["id"], False)
    assert final(client, job)["status"] == "completed"
    refused(client.post(f"/v1/jobs/{job['id']}/cancel"), 409, "invalid_state")


def test_a_retry_is_the_same_job_without_what_came_of_it(emulator: Running, client: httpx.Client) -> None:
    failed = done(client, "workspace.delete", {"workspace": "w"}, idempotency_key="k")
    waiting = queue(client, "sandbox.exec", SLEEP)
    for job in (waiting, runs(client, waiting)):
        refused(client.post(f"/v1/jobs/{job['id']}/retry"), 409, "invalid_state")
    ok(client.post(f"/v1/jobs/{waiting['id']}/cancel"))
    made = workspace(client, "w")
    again = ok(client.post(f"/v1/jobs/{failed['id']}/retry"))
    expected = failed | {"status": "queued", "updated_at": again["updated_at"]}
    del expected["error"]
    assert again == expected
    assert final(client, again)["result"] == {"workspace_id": made, "deleted": True}
    assert told(emulator, failed) == [
        *("job.queued", "job.started", "job.failed"),
        *("job.queued", "job.started", "job.completed"),
    ]
    assert ok(client.get("/v1/jobs", params={"kind": "workspace.delete"}))["total"] == 1


def test_the_official_client_queues_waits_lists_cancels_and_retries(sdk: ChaserClient) -> None:
    job = sdk.jobs.exec(ECHO, idempotency_key=str(uuid.uuid4()))
    ended = sdk.jobs.wait_for_completion(job["id"], timeout_secs=30, interval_secs=0.02)
    assert (ended["status"], ended["result"]["output"]) == ("completed", "hi\n")
    assert sdk.jobs.get(job["id"]) == ended
    assert job["id"] in {one["id"] for one in sdk.jobs.list(status="completed", kind="sandbox.exec", limit=200)["jobs"]}
    later = sdk.jobs.bulk_terminate_sessions({"all": True, "session_type": "browser"}, run_at="2090-01-01T00:00:00Z")
    assert sdk.jobs.cancel(later["id"])["status"] == "canceled"
    assert sdk.jobs.retry(later["id"])["status"] == "queued"
    assert sdk.jobs.wait_for_completion(later["id"], interval_secs=0.02)["status"] == "completed"
    assert "sandbox.exec" in sdk.jobs.list_kinds()["worker_kinds"]
