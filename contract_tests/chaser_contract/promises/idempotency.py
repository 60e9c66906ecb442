"""Repetitions: what is asked for twice is done once, and answered as it was, or refused, and never done twice."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject


@promise()
def a_key_makes_one_job(chaser: Subject) -> None:
    """With an idempotency key that was used before, the job that it made is answered, as it is now."""
    for key in (chaser.name("key"), "k", " ", "ü" * 255, '"\\/%00', "x" * 255):
        with chaser.case():
            said = {"kind": "session.terminate", "input": {"session_id": UNKNOWN}, "idempotency_key": key}
            before = _jobs(chaser)
            first = chaser.ask("create-job", json={**said, "run_at": making.LATER}, expect=200).json
            chaser.require(
                first.get("idempotency_key") == key, "create-job: the job tells its idempotency key", f"{first}"
            )
            for repeated in ({**said, "run_at": making.LATER}, said, {**said, "run_at": "2098-01-01T00:00:00+02:00"}):
                again = chaser.ask("create-job", json=repeated, expect=200)
                again.require(again.json == first, "a repetition is answered with the job as it is, unchanged")
            chaser.require(_jobs(chaser) == before + 1, "create-job: a repetition queues nothing", f"{_jobs(chaser)}")
            chaser.ask("cancel-job", id=first["id"], expect=200)
            again = chaser.ask("create-job", json=said, expect=200)
            again.require(
                again.json["id"] == first["id"] and again.json["status"] == "canceled",
                "the key belongs to its job for ever, also when that has ended",
            )


@promise("emulator")
def a_key_with_another_body_is_a_conflict(chaser: Subject) -> None:
    """An idempotency key that is sent with another kind or input is refused, and the job stays as it was."""
    key = chaser.name("key")
    said: dict[str, Any] = {
        "kind": "sandbox.exec",
        "input": {"command": "true", "ephemeral": True, "env": {"A": "1", "B": "2"}},
        "run_at": making.LATER,
        "idempotency_key": key,
    }
    made = chaser.ask("create-job", json=said, expect=200).json
    others: list[dict[str, Any]] = [
        {"input": {**said["input"], "command": "false"}},
        {"input": {**said["input"], "env": {"A": "1"}}},
        {"input": {**said["input"], "env": {"A": "1", "B": "3"}}},
        {"input": {"command": "true", "ephemeral": True}},
        {"kind": "session.terminate", "input": {"session_id": UNKNOWN}},
        {"kind": "session.bulk_terminate", "input": {"ids": [UNKNOWN]}},
    ]
    total = _jobs(chaser)
    for other in others:
        with chaser.case():
            chaser.ask("create-job", json={**said, **other}).must_be(
                409, "idempotency_conflict", because="the key belongs to a job of another kind or input"
            )
    now = chaser.ask("get-job", id=made["id"], expect=200)
    now.require(now.json == made, "a refused repetition leaves the job as it was", f"{now.json}, was {made}")
    chaser.require(_jobs(chaser) == total, "create-job: a refused repetition queues nothing", f"{_jobs(chaser)}")
    mixed = {**said, "input": {"env": {"B": "2", "A": "1"}, "ephemeral": True, "command": "true"}}
    same = chaser.ask("create-job", json=mixed, expect=200)
    same.require(same.json["id"] == made["id"], "the order of what is in an object does not matter")
    for near in (key.upper(), f"{key} ", f" {key}", key[:-1]):
        with chaser.case():
            other_job = chaser.ask("create-job", json={**said, **others[0], "idempotency_key": near}, expect=200)
            other_job.require(other_job.json["id"] != made["id"], "a key is its very characters")


@promise("emulator", "peer")
def a_key_belongs_to_its_account(chaser: Subject) -> None:
    """The same idempotency key in another account makes another job; all who act in one account share it."""
    key = chaser.name("key")
    said = {
        "kind": "session.terminate",
        "input": {"session_id": UNKNOWN},
        "run_at": making.LATER,
        "idempotency_key": key,
    }
    in_organization, _ = making.organization(chaser)
    robot = in_organization.ask("create-current-service-account", json={"name": "robot"}, expect=200)
    made = in_organization.ask(
        "create-current-service-account-key", said=robot.json["service_account"]["id"], json={}, expect=200
    )
    second = chaser.ask("create-key", json={}, expect=200).json["key"]
    callers = {
        "own": chaser.client,
        "peer": chaser.peer,
        "organization": in_organization,
        "own again": chaser.as_(second),
        "robot": chaser.as_(made.json["key"]),
    }
    jobs = {name: client.ask("create-job", json=said, expect=200).json["id"] for name, client in callers.items()}
    chaser.require(
        len({jobs["own"], jobs["peer"], jobs["organization"]}) == 3,
        "create-job: an idempotency key is that of an account",
        f"{jobs}",
    )
    chaser.require(
        jobs["own"] == jobs["own again"] and jobs["organization"] == jobs["robot"],
        "create-job: all credentials of an account share its idempotency keys",
        f"{jobs}",
    )
    chaser.peer.ask(
        "create-job",
        json={**said, "kind": "workspace.delete", "input": {"workspace": "x"}, "idempotency_key": f"{key}2"},
        expect=200,
    )
    chaser.ask("create-job", json={**said, "idempotency_key": f"{key}2"}, expect=200)


@promise("emulator")
def a_key_outlives_its_job(chaser: Subject) -> None:
    """A repetition after a job has completed, failed or been run again answers that job, and runs nothing."""
    for kind, given, becomes in (
        ("session.bulk_terminate", {"all": True, "session_type": "browser"}, "completed"),
        ("session.terminate", {"session_id": UNKNOWN}, "failed"),
    ):
        with chaser.case():
            said = {"kind": kind, "input": given, "idempotency_key": chaser.name("key")}
            made = chaser.ask("create-job", json=said, expect=200).json
            ended = making.finished_job(chaser, made["id"])
            again = chaser.ask("create-job", json=said, expect=200)
            again.require(again.json == ended, "a repetition answers the job as it has ended", f"it had {ended}")
            again.require(ended["status"] == becomes, f"such a job has {becomes}")
            chaser.ask("retry-job", id=made["id"], expect=200)
            retried = making.finished_job(chaser, made["id"])
            chaser.ask("create-job", json=said, expect=200).require(
                making.finished_job(chaser, made["id"]) == retried, "a repetition does not run a job again"
            )


@promise()
def jobs_without_a_key_are_their_own(chaser: Subject) -> None:
    """Without an idempotency key every request queues another job, which tells of no key."""
    made = [making.waiting_job(chaser) for _ in range(3)]
    chaser.require(len({one["id"] for one in made}) == 3, "create-job: without a key each job is a new one", f"{made}")
    chaser.require(
        not any("idempotency_key" in one for one in made), "create-job: no key is told where none was sent", f"{made}"
    )
    for wrong in ("", "x" * 256, "line\nbreak", "nul\u0000", 1, None, ["x"]):
        with chaser.case():
            said = {"kind": "session.terminate", "input": {"session_id": UNKNOWN}, "idempotency_key": wrong}
            chaser.ask("create-job", json=said).must_be(400, "invalid_request", because="that is no key")


@promise()
def a_workspace_has_one_live_session(chaser: Subject) -> None:
    """Whoever asks for a session of a workspace gets the one that is live, however the workspace is named."""
    disk = making.workspace(chaser)
    other_key = chaser.as_(chaser.ask("create-key", json={}, expect=200).json["key"])
    live = making.session(chaser, session_type="sandbox", workspace=disk["name"])
    names = (disk["name"], disk["id"], disk["name"].upper(), disk["name"].swapcase(), disk["id"].upper())
    for name in names:
        for said in ({"workspace": name}, {"session_type": "sandbox", "workspace": name, "ephemeral": False}):
            with chaser.case():
                for client in (chaser.client, other_key):
                    found = client.ask("create-session", json=said, expect=200)
                    found.require(found.json["id"] == live["id"], "the live session of the workspace is answered")
                    found.require(
                        found.json["created_at"] == live["created_at"] and found.json["workspace_id"] == disk["id"],
                        "a session that is found is the one that was made",
                    )
    with chaser.case():
        env = chaser.ask("create-session", json={"workspace": disk["name"], "env": {"A": "1"}}, expect=200)
        env.require(env.json["id"] == live["id"], "the live session is answered whatever else is asked for")
    with chaser.case():
        wrong = chaser.ask("create-session", json={"workspace": disk["name"], "session_type": "browser"})
        wrong.must_be(400, "invalid_request", because="the workspace is one of sandboxes")
    with chaser.case():
        wrong = chaser.ask("create-session", json={"workspace": disk["name"], "image": "python:3.12"})
        wrong.must_be(400, "invalid_request", because="a workspace has its own image")
    with chaser.case():
        wrong = chaser.ask("create-session", json={"workspace": disk["name"], "ephemeral": True})
        wrong.must_be(400, "invalid_request", because="an ephemeral session has no workspace")
    making.ready(chaser, live["id"])
    told = chaser.ask("exec-sandbox", json={"workspace": disk["name"], "command": "true"}, expect=200)
    told.require(
        told.json["session_id"] == live["id"] and told.json["workspace"] == disk["name"], "exec uses the live session"
    )
    mine = [
        one["id"]
        for one in chaser.ask("list-sessions", query={"limit": 200}, expect=200).json["sessions"]
        if one["workspace_id"] == disk["id"]
    ]
    chaser.require(mine == [live["id"]], "list-sessions: a workspace has one live session", f"{mine}")
    chaser.ask("terminate-session", id=live["id"], query={"force": True}, expect=204)
    after = making.session(chaser, workspace=disk["name"])
    chaser.require(after["id"] != live["id"], "create-session: a session that has ended is not answered", f"{after}")


@promise("emulator")
def ephemeral_sessions_are_always_new(chaser: Subject) -> None:
    """Every ephemeral session is a new one, without a workspace; without a target the default workspace is used."""
    made = [making.session(chaser) for _ in range(3)]
    chaser.require(len({one["id"] for one in made}) == 3, "create-session: an ephemeral session is new", f"{made}")
    chaser.require(
        all(one.get("workspace_id") is None and not one.get("persistence") for one in made),
        "create-session: an ephemeral session has no workspace",
        f"{made}",
    )
    plain = [chaser.ask("create-session", json=said, expect=200).json for said in ({}, {}, {"session_type": "sandbox"})]
    chaser.require(
        len({one["id"] for one in plain}) == 1 and plain[0]["persistence"] is True,
        "create-session: without a target the live session of the default workspace is answered",
        f"{plain}",
    )
    disk = making.workspace_of(chaser, plain[0]["workspace_id"]) or {}
    chaser.require(
        (disk.get("name"), disk.get("session_type")) == ("default", "sandbox"),
        "create-session: the default workspace is a sandbox called `default`",
        f"{disk}",
    )
    making.ready(chaser, plain[0]["id"])
    told = chaser.ask("exec-sandbox", json={"command": "true"}, expect=200)
    told.require(told.json["session_id"] == plain[0]["id"], "exec without a target uses the default workspace, too")


@promise("emulator")
def a_second_end_is_answered_as_ruled(chaser: Subject) -> None:
    """Ending a session or revoking a key again is fine and changes nothing; what is deleted is not found again."""
    live = making.session(chaser)
    for _ in range(3):
        chaser.ask("terminate-session", id=live["id"], expect=204)
    key = chaser.ask("create-key", json={}, expect=200).json
    first = chaser.ask("revoke-key", id=key["id"], expect=200)
    for _ in range(2):
        again = chaser.ask("revoke-key", id=key["id"], expect=200)
        again.require(again.json == first.json, "revoking again answers with the first time", f"{again.json}")
    listed = next(one for one in chaser.ask("list-keys", expect=200).json["keys"] if one["id"] == key["id"])
    chaser.require(listed["revoked"] == first.json["revoked"], "list-keys: `revoked` is the first time", f"{listed}")
    disk = making.workspace(chaser)
    hook = making.webhook(chaser)
    ssh = chaser.ask("create-ssh-key", json={"public_key": making.ssh_line(chaser)}, expect=200).json["key"]
    chaser.ask("create-workspace-snapshot", ws=disk["id"], json={"name": "one"}, expect=200)
    for operation, path in (
        ("delete-workspace-snapshot", {"ws": disk["id"], "name": "one"}),
        ("delete-workspace", {"ws": disk["id"]}),
        ("delete-webhook", {"id": hook["id"]}),
        ("delete-ssh-key", {"id": ssh["id"]}),
    ):
        with chaser.case():
            chaser.ask(operation, expect=204, **path)
            chaser.ask(operation, **path).must_be(404, "not_found", because="it is deleted already")
    job = making.waiting_job(chaser)
    ended = chaser.ask("cancel-job", id=job["id"], expect=200).json
    chaser.ask("cancel-job", id=job["id"]).must_be(409, "invalid_state", because="the job is canceled already")
    now = chaser.ask("get-job", id=job["id"], expect=200)
    now.require(now.json == ended, "a refused cancel changes nothing", f"{now.json}, was {ended}")


@promise("emulator")
def what_is_said_again_changes_nothing(chaser: Subject) -> None:
    """A name, a flag or a pause that is there already can be set again, and what is so stays so."""
    disk = making.workspace(chaser, template=True)
    for name in (disk["name"], disk["name"], disk["name"].upper()):
        with chaser.case():
            told = chaser.ask("set-workspace-name", ws=disk["id"], json={"name": name})
            told.must_be(200, because="a workspace may keep its name").require(
                told.json == {"id": disk["id"], "name": name}, "the answer has the name", f"{told.json}"
            )
    for value in (True, True, False, False):
        with chaser.case():
            told = chaser.ask("set-workspace-template", ws=disk["id"], json={"template": value}, expect=200)
            told.require(told.json == {"id": disk["id"], "template": value}, "the answer has the flag", f"{told.json}")
            now = making.workspace_of(chaser, disk["id"]) or {}
            chaser.require(now.get("template") is value, "list-workspaces: a template is told as one", f"{now}")
    one = making.assistant(chaser)
    for operation, status in (("pause-assistant", "paused"), ("resume-assistant", "active")):
        answers = [chaser.ask(operation, id=one["id"], expect=200).json["assistant"] for _ in range(3)]
        chaser.require(
            answers[0] == answers[1] == answers[2] and answers[0]["status"] == status,
            f"{operation}: again, it answers the same",
            f"{answers}",
        )


def _jobs(chaser: Subject) -> int:
    return int(chaser.ask("list-jobs", query={"limit": 1}, expect=200).json["total"])
