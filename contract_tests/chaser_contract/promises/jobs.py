"""Jobs: what one tells of itself from the queue to its end, when it runs, and what can be done to it."""

from __future__ import annotations

from datetime import timedelta

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, frozen, holds, is_at, is_uuid, lacks, moment, passed, refused, unchanged

KINDS = (
    "sandbox.exec",
    "pipeline.run",
    "browser.action",
    "browser.scrape",
    "github.runner",
    "session.terminate",
    "session.bulk_terminate",
    "workspace.delete",
    "workspace.bulk_delete",
)


@promise()
def a_new_one_is_what_was_asked_for(chaser: Subject) -> None:
    """A new job is queued with the kind, the input and the key as they were sent, and has neither result nor error."""
    given = {"ephemeral": True, "cmd": "true", "unknown": [1, None, {"a": "ä"}], "env": {"A": "b"}}
    key = chaser.name("key")
    wish = {"kind": "sandbox.exec", "input": given, "run_at": making.LATER, "idempotency_key": key}
    made = chaser.ask("create-job", json=wish, expect=200)
    is_uuid(made, made.json, "id")
    holds(made, made.json, kind="sandbox.exec", status="queued", input=given, idempotency_key=key)
    holds(made, made.json, run_at="2099-01-01T00:00:00.000000Z")
    lacks(made, made.json, "result", "error")
    read = chaser.ask("get-job", id=made.json["id"], expect=200)
    equals(read, read.json, made.json, "a job is read as it was made")
    plain = making.waiting_job(chaser)
    read = chaser.ask("get-job", id=plain["id"], expect=200)
    lacks(read, read.json, "idempotency_key", "result", "error")
    for one in (made.json, plain):
        chaser.ask("cancel-job", id=one["id"], expect=200)


@promise("emulator")
def its_moments_are_of_the_clock(chaser: Subject) -> None:
    """`created_at` is when it was asked for and stays; `updated_at` is when it changed last."""
    then = frozen(chaser)
    made = chaser.ask("create-job", json={"kind": "session.bulk_terminate", "input": {"all": True}}, expect=200)
    is_at(made, made.json, "created_at", then)
    holds(made, made.json, updated_at=made.json["created_at"])
    lacks(made, made.json, "run_at")
    making.finished_job(chaser, made.json["id"])
    later = passed(chaser, hours=1)
    again = chaser.ask("retry-job", id=made.json["id"], expect=200)
    holds(again, again.json, created_at=made.json["created_at"])
    is_at(again, again.json, "updated_at", later)
    waits = making.waiting_job(chaser)
    later = passed(chaser, hours=1)
    canceled = chaser.ask("cancel-job", id=waits["id"], expect=200)
    holds(canceled, canceled.json, created_at=waits["created_at"], run_at=waits["run_at"])
    is_at(canceled, canceled.json, "updated_at", later)


@promise("emulator")
def one_runs_when_its_time_has_come(chaser: Subject) -> None:
    """A job waits until `run_at` by the emulator's clock, whatever zone that was given in, and then runs."""
    then = frozen(chaser)
    for given, after in (
        ("2031-05-06T08:08:10Z", timedelta(hours=1, microseconds=876544)),
        ("2031-05-06T12:08:10.5+02:00", timedelta(hours=3, seconds=1, microseconds=376544)),
        ("2031-05-06T05:08:10.000001-06:00", timedelta(hours=4, microseconds=876545)),
        ("2031-05-06t08:08:10z", timedelta(hours=1, microseconds=876544)),
    ):
        with chaser.case():
            chaser.steered.clock.freeze(then)
            wish = {"kind": "session.bulk_terminate", "input": {"all": True}, "run_at": given}
            made = chaser.ask("create-job", json=wish, expect=200)
            due = moment(made, made.json, "run_at")
            made.require(due == then + after, f"`run_at` is {given} in UTC", str(due))
            chaser.steered.clock.advance(to=due - timedelta(seconds=1))
            early = chaser.ask("get-job", id=made.json["id"], expect=200)
            holds(early, early.json, status="queued")
            chaser.steered.clock.advance(to=due + timedelta(seconds=1))
            done = making.finished_job(chaser, made.json["id"])
            read = chaser.ask("get-job", id=made.json["id"], expect=200)
            holds(read, done, status="completed", run_at=made.json["run_at"])
            ended = moment(read, done, "updated_at")
            read.require(ended >= due, "a job does not run before its time", f"it ended {ended}, due {due}")


@promise("emulator")
def one_whose_time_is_over_runs_at_once(chaser: Subject) -> None:
    """A job whose `run_at` has passed runs at once, and keeps that moment."""
    frozen(chaser)
    wish = {"kind": "session.bulk_terminate", "input": {"all": True}, "run_at": "2001-02-03T04:05:06Z"}
    made = chaser.ask("create-job", json=wish, expect=200)
    holds(made, made.json, run_at="2001-02-03T04:05:06.000000Z")
    done = making.finished_job(chaser, made.json["id"])
    holds(made, done, status="completed", run_at="2001-02-03T04:05:06.000000Z")


@promise()
def what_is_no_job_is_refused(chaser: Subject) -> None:
    """An unknown kind is 400 unknown_job_kind, another wrong field 400 invalid_request, and nothing is queued."""
    before = chaser.ask("list-jobs", query={"limit": 1}, expect=200).json["total"]
    good = {"kind": "session.bulk_terminate", "input": {"all": True}}
    for kind in ("nope", "", "SANDBOX.EXEC", "sandbox.exec ", "session", 7, None):
        with chaser.case():
            refused(chaser.ask("create-job", json={**good, "kind": kind}), 400, "unknown_job_kind", "/kind")
    for change, pointer in (
        ({"input": None}, "/input"),
        ({"input": []}, "/input"),
        ({"input": "x"}, "/input"),
        ({"run_at": "soon"}, "/run_at"),
        ({"run_at": "2031-05-06"}, "/run_at"),
        ({"run_at": "2031-05-06T07:08:09"}, "/run_at"),
        ({"run_at": "2031-02-30T07:08:09Z"}, "/run_at"),
        ({"run_at": 1900000000}, "/run_at"),
        ({"run_at": None}, "/run_at"),
        ({"idempotency_key": ""}, "/idempotency_key"),
        ({"idempotency_key": "x" * 256}, "/idempotency_key"),
        ({"idempotency_key": "a\nb"}, "/idempotency_key"),
        ({"idempotency_key": 7}, "/idempotency_key"),
    ):
        with chaser.case():
            refused(chaser.ask("create-job", json={**good, **change}), 400, "invalid_request", pointer)
    for left_out, code in (("kind", None), ("input", "invalid_request")):
        body = {name: value for name, value in good.items() if name != left_out}
        answer = chaser.ask("create-job", json=body, expect=400)
        answer.require(code is None or answer.code == code, "a field that is missing is invalid_request")
    after = chaser.ask("list-jobs", query={"limit": 1}, expect=200)
    after.require(after.json["total"] == before, "what is refused is not queued")


@promise()
def one_that_is_canceled_never_runs(chaser: Subject) -> None:
    """A job that waits is canceled at once and has neither result nor error; a final one is 409 invalid_state."""
    waits = making.waiting_job(chaser, kind="sandbox.exec", input={"ephemeral": True, "command": "true"})
    canceled = chaser.ask("cancel-job", id=waits["id"], expect=200)
    holds(canceled, canceled.json, status="canceled")
    unchanged(canceled, canceled.json, waits, but=["status", "updated_at"])
    read = chaser.ask("get-job", id=waits["id"], expect=200)
    equals(read, read.json, canceled.json, "a job is read as it was canceled")
    refused(chaser.ask("cancel-job", id=waits["id"]), 409, "invalid_state")
    read = chaser.ask("get-job", id=waits["id"], expect=200)
    equals(read, read.json, canceled.json, "what is refused changes nothing")
    done = _done(chaser)
    refused(chaser.ask("cancel-job", id=done.json["id"]), 409, "invalid_state")
    for operation in ("cancel-job", "retry-job", "get-job"):
        refused(chaser.ask(operation, id=UNKNOWN), 404, "not_found")


@promise()
def one_is_run_again_as_itself(chaser: Subject) -> None:
    """A final job is queued again under its id, without result and error, and runs at once; others are 409."""
    key, wish = chaser.name("key"), {"ids": [UNKNOWN]}
    waits = making.waiting_job(chaser, kind="session.bulk_terminate", input=wish, idempotency_key=key)
    refused(chaser.ask("retry-job", id=waits["id"]), 409, "invalid_state")
    chaser.ask("cancel-job", id=waits["id"], expect=200)
    again = chaser.ask("retry-job", id=waits["id"], expect=200)
    _queued_again(again)
    holds(again, again.json, id=waits["id"], kind=waits["kind"], input=wish, idempotency_key=key)
    done = making.finished_job(chaser, waits["id"])
    holds(again, done, status="completed", id=waits["id"], input=waits["input"])
    failed = making.finished_job(
        chaser,
        chaser.ask("create-job", json=_impossible(), expect=200).json["id"],
    )
    again = chaser.ask("retry-job", id=failed["id"], expect=200)
    _queued_again(again)
    done = making.finished_job(chaser, failed["id"])
    unchanged(again, done, failed, but=["updated_at"])
    completed = _done(chaser)
    again = chaser.ask("retry-job", id=completed.json["id"], expect=200)
    _queued_again(again)
    done = making.finished_job(chaser, completed.json["id"])
    unchanged(again, done, completed.json, but=["updated_at"])


@promise()
def kinds_are_told_with_examples_that_work(chaser: Subject) -> None:
    """The nine kinds are told, each with a summary, the other names of its fields, and inputs that can be queued."""
    told = chaser.ask("list-job-kinds", expect=200)
    equals(told, sorted(told.json["worker_kinds"]), sorted(KINDS), "`worker_kinds` are the nine that there are")
    specs = {one["kind"]: one for one in told.json["worker_kind_specs"]}
    equals(told, sorted(specs), sorted(KINDS), "`worker_kind_specs` tell of each kind")
    told.require(len(told.json["worker_kind_specs"]) == len(KINDS), "`worker_kind_specs` tell of each kind once")
    for kind, spec in specs.items():
        told.require(spec["summary"], f"{kind} has a summary")
        told.require(spec["input_examples"], f"{kind} has an example of its input")
        aliases = ["cmd"] if kind in ("sandbox.exec", "pipeline.run") else []
        equals(told, spec["alias_fields"], aliases, f"`alias_fields` of {kind} are {aliases}")
        for example in spec["input_examples"]:
            wish = {"kind": kind, "input": example, "run_at": making.LATER}
            made = chaser.ask("create-job", json=wish, expect=200)
            holds(made, made.json, input=example, kind=kind)
            chaser.ask("cancel-job", id=made.json["id"], expect=200)


def _impossible() -> dict[str, object]:
    return {"kind": "session.terminate", "input": {"session_id": UNKNOWN}}


def _done(chaser: Subject) -> Answer:
    """A job that has been completed."""
    wish = {"kind": "session.bulk_terminate", "input": {"ids": [UNKNOWN]}}
    made = chaser.ask("create-job", json=wish, expect=200)
    making.finished_job(chaser, made.json["id"])
    return chaser.ask("get-job", id=made.json["id"], expect=200)


def _queued_again(answer: Answer) -> None:
    holds(answer, answer.json, status="queued")
    lacks(answer, answer.json, "result", "error")
