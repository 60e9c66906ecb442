"""Results of jobs: what each kind leaves behind when it went well, and what it says when it did not."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.sandboxes import saying, stubbed
from chaser_contract.subject import Subject
from chaser_contract.values import equals, holds, lacks

Json = dict[str, Any]


@promise()
def a_command_leaves_its_answer(chaser: Subject) -> None:
    """The result of a command is the answer of exec: where it ran, what it wrote, its code; its session is over."""
    job = _run(chaser, "sandbox.exec", {"ephemeral": True, "cmd": "echo hello"})
    result = _completed(job)
    holds(job, result, "result", kind="exec", status="completed", command="echo hello", ephemeral=True)
    holds(job, result, "result", background=False, exit_code=0, output="hello\n", output_truncated=False)
    lacks(job, result, "workspace", "workspace_id", "command_id", "pid")
    read = chaser.ask("get-session", id=result["session_id"], expect=200)
    holds(read, read.json, status="terminated")
    room = making.workspace(chaser)
    job = _run(chaser, "sandbox.exec", {"workspace": room["name"], "command": "echo there"})
    result = _completed(job)
    holds(job, result, "result", workspace=room["name"], workspace_id=room["id"], ephemeral=False, output="there\n")
    read = chaser.ask("get-session", id=result["session_id"], expect=200)
    holds(read, read.json, status="running", workspace_id=room["id"])
    chaser.ask("delete-workspace", ws=room["id"], query={"force": True}, expect=204)


@promise()
def a_command_that_fails_fails_its_job(chaser: Subject) -> None:
    """A command that exits with a code fails its job, which says so in a sentence and has the answer all the same."""
    for code in (1, 2, 255):
        with chaser.case():
            job = _run(chaser, "sandbox.exec", {"ephemeral": True, "command": saying(chaser, b"bad\n", exit_code=code)})
            holds(job, job.json, status="failed", error=f"command exited with {code}")
            holds(job, job.json.get("result") or {}, "result", exit_code=code, output="bad\n", status="completed")


@promise()
def what_there_is_not_fails_a_job(chaser: Subject) -> None:
    """A job about a session or a workspace that there is not fails when it runs, with a sentence that names it."""
    nothing = chaser.name("nothing")
    for kind, given in (
        ("sandbox.exec", {"workspace": nothing, "command": "true"}),
        ("pipeline.run", {"workspace": nothing, "steps": [{"command": "true"}]}),
        ("session.terminate", {"session_id": nothing}),
        ("workspace.delete", {"workspace": nothing}),
        ("browser.action", {"session_id": nothing, "steps": [{"method": "Page.enable"}]}),
        ("browser.scrape", {"session_id": nothing, "url": "http://localhost:1"}),
    ):
        with chaser.case():
            job = _run(chaser, kind, given)
            holds(job, job.json, status="failed")
            lacks(job, job.json, "result")
            job.require(nothing in job.json["error"], "`error` names what there is not", job.json["error"])
    job = _run(chaser, "github.runner", {"repo": "octocat/hello-world", "workflow_job_id": 2**53 - 1})
    holds(job, job.json, status="failed")
    made = making.running(chaser)
    for kind, given in (
        ("browser.action", {"session_id": made["id"], "steps": [{"method": "Page.enable"}]}),
        ("browser.scrape", {"session_id": made["id"], "url": "http://localhost:1"}),
    ):
        job = _run(chaser, kind, given)
        holds(job, job.json, status="failed")
    chaser.ask("terminate-session", id=made["id"], expect=204)


@promise()
def a_session_is_ended_by_a_job(chaser: Subject) -> None:
    """Jobs end one session, or those that are named, and their results are what the routes answer."""
    one, two, three = (making.running(chaser)["id"] for _ in range(3))
    job = _run(chaser, "session.terminate", {"session_id": one.upper()})
    equals(job, _completed(job), {"session_id": one, "terminated": True}, "the result names the session that ended")
    job = _run(chaser, "session.bulk_terminate", {"ids": [two, UNKNOWN]})
    result = _completed(job)
    equals(job, result["terminated"], [two], "the result tells which sessions have ended")
    failed = [(each["id"], each["code"]) for each in result["failed"]]
    equals(job, failed, [(UNKNOWN, "not_found")], "the result tells what has not ended")
    for made, status in ((one, "terminated"), (two, "terminated"), (three, "running")):
        read = chaser.ask("get-session", id=made, expect=200)
        holds(read, read.json, status=status)
    chaser.ask("terminate-session", id=three, expect=204)


@promise()
def a_workspace_is_deleted_by_a_job(chaser: Subject) -> None:
    """Jobs delete one workspace, or those that are named; one in use fails without force."""
    rooms = [making.workspace(chaser) for _ in range(3)]
    making.running(chaser, workspace=rooms[0]["id"])
    job = _run(chaser, "workspace.delete", {"workspace": rooms[0]["name"].upper()})
    holds(job, job.json, status="failed")
    lacks(job, job.json, "result")
    job = _run(chaser, "workspace.delete", {"workspace": rooms[0]["name"].upper(), "force": True})
    wanted = {"workspace_id": rooms[0]["id"], "deleted": True}
    equals(job, _completed(job), wanted, "the result names the workspace that is deleted")
    job = _run(chaser, "workspace.bulk_delete", {"ids": [rooms[1]["id"], "nothing"]})
    result = _completed(job)
    holds(job, result, "result", requested=2, deleted=1, failed=1)
    told = {each["id"]: each["deleted"] for each in result["results"]}
    equals(job, told, {rooms[1]["id"]: True, "nothing": False}, "the result tells what became of each")
    left = {one["id"] for one in chaser.ask("list-workspaces", expect=200).json}
    kept = [room["id"] in left for room in rooms]
    chaser.require(kept == [False, False, True], "create-job: a job deletes what it names", str(kept))
    chaser.ask("delete-workspace", ws=rooms[2]["id"], expect=204)


@promise()
def a_pipeline_tells_of_each_step(chaser: Subject) -> None:
    """Steps run in order on one session of the workspace, each told with its name, kind, output and code."""
    room = making.workspace(chaser)
    steps = [
        {"name": "first", "command": "echo one"},
        {"cmd": "echo two"},
        {"kind": "sandbox.exec", "input": {"command": "echo three"}, "name": "third", "timeout_ms": 60000},
        {"kind": "workspace.bulk_delete", "input": {"ids": ["nothing"]}},
    ]
    job = _run(chaser, "pipeline.run", {"workspace": room["name"].upper(), "steps": steps})
    result = _completed(job)
    holds(job, result, "result", workspace_id=room["id"])
    read = chaser.ask("get-session", id=result["session_id"], expect=200)
    holds(read, read.json, workspace_id=room["id"], status="running")
    told = result["steps"]
    names = [step["name"] for step in told]
    equals(job, names, ["first", None, "third", None], "each step has its name, and null where it was given none")
    for step, output in zip(told[:3], ("one\n", "two\n", "three\n"), strict=True):
        holds(job, step, "step", kind="sandbox.exec", status="completed", exit_code=0, output=output)
        holds(job, step, "step", output_truncated=False)
        lacks(job, step, "result", "error")
    holds(job, told[3], "step", kind="workspace.bulk_delete", status="completed")
    holds(job, told[3].get("result") or {}, "step.result", requested=1, deleted=0, failed=1)
    lacks(job, told[3], "exit_code", "output", "output_truncated", "error")
    for step in told:
        job.require(isinstance(step.get("duration_ms"), int), "each step that ran tells how long it took", str(step))
    chaser.ask("delete-workspace", ws=room["id"], query={"force": True}, expect=204)


@promise()
def a_pipeline_stops_at_the_first_failure(chaser: Subject) -> None:
    """The step that fails is the last that runs; it says why, the rest is skipped, and the job fails with a result."""
    room = making.workspace(chaser)
    steps = [
        {"name": "good", "command": "true"},
        {"name": "bad", "command": saying(chaser, b"broken\n", exit_code=7)},
        {"name": "never", "kind": "workspace.delete", "input": {"workspace": room["id"], "force": True}},
        {"command": "true"},
    ]
    job = _run(chaser, "pipeline.run", {"workspace": room["id"], "steps": steps})
    holds(job, job.json, status="failed")
    error = job.json["error"]
    job.require("command exited with 7" in error, "`error` of the job says why the step failed", error)
    told = (job.json.get("result") or {}).get("steps", [])
    states = [step["status"] for step in told]
    equals(job, states, ["completed", "failed", "skipped", "skipped"], "steps after one that failed are skipped")
    holds(job, told[1], "step", exit_code=7, output="broken\n", error="command exited with 7", name="bad")
    holds(job, told[2], "step", name="never", kind="workspace.delete")
    holds(job, told[3], "step", name=None, kind="sandbox.exec")
    for step in told[2:]:
        lacks(job, step, "exit_code", "output", "output_truncated", "duration_ms", "result", "error")
    chaser.require(
        making.workspace_of(chaser, room["id"]) is not None,
        "create-job: a step that is skipped does nothing",
        "the workspace that it would have deleted is gone",
    )
    steps = [{"kind": "session.terminate", "input": {"session_id": UNKNOWN}}, {"command": "true"}]
    job = _run(chaser, "pipeline.run", {"workspace": room["id"], "steps": steps})
    told = (job.json.get("result") or {}).get("steps", [])
    equals(job, [step["status"] for step in told], ["failed", "skipped"], "a step of any kind can fail")
    job.require(UNKNOWN in told[0]["error"], "the step says why it failed", str(told[0]))
    chaser.ask("delete-workspace", ws=room["id"], query={"force": True}, expect=204)


@promise()
def a_command_that_takes_too_long_fails_its_job(chaser: Subject) -> None:
    """A job whose command outlasts its `timeout_ms` fails, with the answer that exec gives then."""
    stubbed(chaser, {"command": "sleep 60", "runs": "forever"})
    job = _run(chaser, "sandbox.exec", {"ephemeral": True, "command": "sleep 60", "timeout_ms": 30})
    holds(job, job.json, status="failed")
    holds(job, job.json.get("result") or {}, "result", status="timed_out", exit_code=124)
    job.require("timed out" in job.json["error"], "`error` says that it took too long", job.json["error"])


@promise("commands")
def steps_share_the_files(chaser: Subject) -> None:
    """What a step of a pipeline writes into the workspace is there for the next, and for whoever comes later."""
    room = making.workspace(chaser)
    steps = [{"command": "echo shared > note"}, {"command": "cat note"}]
    job = _run(chaser, "pipeline.run", {"workspace": room["id"], "steps": steps})
    result = _completed(job)
    holds(job, result["steps"][1], "step", output="shared\n")
    later = chaser.ask("exec-sandbox", json={"workspace": room["id"], "command": "cat note"}, expect=200)
    holds(later, later.json, output="shared\n")
    chaser.ask("delete-workspace", ws=room["id"], query={"force": True}, expect=204)


def _run(chaser: Subject, kind: str, given: Json) -> Answer:
    """A job, once it is final."""
    made = chaser.ask("create-job", json={"kind": kind, "input": given}, expect=200)
    making.finished_job(chaser, made.json["id"])
    listed = chaser.ask("list-jobs", query={"limit": 1, "kind": kind}, expect=200)
    done = chaser.ask("get-job", id=made.json["id"], expect=200)
    equals(done, done.json, listed.json["jobs"][0], "a job is read as it is listed")
    holds(done, done.json, kind=kind, input=given, created_at=made.json["created_at"])
    return done


def _completed(job: Answer) -> Json:
    """The result of a job that went well."""
    holds(job, job.json, status="completed")
    lacks(job, job.json, "error")
    result: Json = job.json["result"]
    return result
