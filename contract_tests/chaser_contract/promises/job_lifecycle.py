"""Jobs from the queue to their end, held against a model: their time, what comes of them, cancel, retry, events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import unlike
from chaser_contract.waiting import until

_FINAL = ("completed", "failed", "canceled")

_EXEC = {"kind": "exec", "status": "completed", "output_truncated": False, "ephemeral": True, "background": False}


@dataclass(frozen=True)
class _Kind:
    """A job to queue, and what comes of it: the end, its error (None: none, "": any), what its result has in it."""

    kind: str
    input: dict[str, Any]
    becomes: str
    error: str | None = None
    result: dict[str, Any] | None = None


_KINDS = (
    _Kind(
        "session.bulk_terminate", {"all": True, "session_type": "browser"}, "completed",
        result={"terminated": [], "failed": []},
    ),
    _Kind("session.terminate", {"session_id": UNKNOWN}, "failed", error=""),
    _Kind("workspace.delete", {"workspace": UNKNOWN, "force": True}, "failed", error=""),
    _Kind(
        "workspace.bulk_delete", {"ids": ["nothing"]}, "completed",
        result={"requested": 1, "deleted": 0, "failed": 1},
    ),
    _Kind(
        "sandbox.exec", {"command": "echo done", "ephemeral": True}, "completed",
        result={**_EXEC, "exit_code": 0, "output": "done\n", "command": "echo done"},
    ),
    _Kind(
        "sandbox.exec", {"command": "exit 2", "ephemeral": True}, "failed", error="command exited with 2",
        result={**_EXEC, "exit_code": 2, "output": "", "command": "exit 2"},
    ),
    _Kind("sandbox.exec", {"command": "sleep 600", "ephemeral": True, "timeout_ms": 600_000}, "running"),
)  # fmt: skip


@promise("emulator", stateful=True)
def jobs_live_as_a_model_says(chaser: Subject) -> None:
    """Whatever is queued, delayed, run, canceled and run again: every reader and every event tells just that."""
    chaser.machine(lambda: _Jobs(chaser), steps=15)


@dataclass
class _Job:
    told: dict[str, Any]
    of: _Kind
    run_at: datetime | None
    status: str = "queued"
    events: list[str] = field(default_factory=lambda: ["job.queued"])

    @property
    def id(self) -> str:
        return str(self.told["id"])


class _Jobs(RuleBasedStateMachine):
    """The queue of one account on a clock that stands still."""

    def __init__(self, chaser: Subject) -> None:
        super().__init__()
        self.chaser = chaser
        chaser.steered.reset()
        self.now = chaser.steered.clock.freeze()
        self.hook = making.webhook(chaser, events=["job.*"])
        self.jobs: list[_Job] = []

    # What is done

    @precondition(lambda self: len(self.jobs) < 8)
    @rule(kind=st.sampled_from(_KINDS), minutes=st.sampled_from([None, None, -60, 0, 10, 70, 300]), keyed=st.booleans())
    def queue(self, kind: _Kind, minutes: int | None, keyed: bool) -> None:
        if kind.becomes == "running" and sum(one.status == "running" for one in self.jobs) >= 2:
            return
        said: dict[str, Any] = {"kind": kind.kind, "input": kind.input}
        run_at = None if minutes is None else self.now + timedelta(minutes=minutes)
        if run_at is not None:
            said["run_at"] = run_at.isoformat()
        if keyed:
            said["idempotency_key"] = self.chaser.name("key")
        told = self.chaser.ask("create-job", json=said, expect=200).json
        wanted = {
            "id": told["id"], "kind": kind.kind, "status": "queued", "input": kind.input,
            "created_at": told["created_at"], "updated_at": told["created_at"],
            **({} if run_at is None else {"run_at": _text(run_at)}),
            **({"idempotency_key": said["idempotency_key"]} if keyed else {}),
        }  # fmt: skip
        self.chaser.require(told == wanted, "create-job: the job is what was queued", unlike(told, wanted))
        self.jobs.append(_Job(told, kind, run_at))
        self._settle()

    @precondition(lambda self: bool(self.jobs))
    @rule(index=st.integers(0, 7))
    def cancel(self, index: int) -> None:
        one = self.jobs[index % len(self.jobs)]
        answer = self.chaser.ask("cancel-job", id=one.id)
        if one.status in _FINAL:
            answer.must_be(409, "invalid_state", because=f"the job is {one.status}")
            return
        answer.must_be(200, because=f"the job is {one.status}")
        answer.require(answer.json["status"] == "canceled", "the answer is the job, canceled")
        one.status = "canceled"
        one.events.append("job.canceled")
        one.told = answer.json

    @precondition(lambda self: bool(self.jobs))
    @rule(index=st.integers(0, 7))
    def retry(self, index: int) -> None:
        one = self.jobs[index % len(self.jobs)]
        running = sum(each.status == "running" for each in self.jobs)
        if one.status in _FINAL and one.of.becomes == "running" and running >= 2:
            return
        answer = self.chaser.ask("retry-job", id=one.id)
        if one.status not in _FINAL:
            answer.must_be(409, "invalid_state", because=f"the job is {one.status}")
            return
        answer.must_be(200, because=f"the job is {one.status}")
        told = answer.json
        answer.require(
            told["status"] == "queued" and "result" not in told and "error" not in told,
            "the answer is the job, queued, without what came of it before",
        )
        kept = ("id", "kind", "input", "created_at", "idempotency_key")
        answer.require(
            all(told.get(name) == one.told.get(name) for name in kept), "it is the same job that is queued again"
        )
        one.status, one.run_at, one.told = "queued", None, told
        one.events.append("job.queued")
        self._settle()

    @rule(minutes=st.sampled_from([7, 61, 299]))
    def move_on(self, minutes: int) -> None:
        self.chaser.steered.clock.advance(timedelta(minutes=minutes))
        self.now += timedelta(minutes=minutes)
        self._settle()

    @rule()
    def ask_for_none(self) -> None:
        for operation in ("get-job", "cancel-job", "retry-job"):
            self.chaser.ask(operation, id=UNKNOWN).must_be(404, "not_found", because="there is no such job")

    # What is seen

    @invariant()
    def every_reader_sees_it(self) -> None:
        listed = self.chaser.ask("list-jobs", query={"limit": 200}, expect=200)
        told = listed.json["jobs"]
        wanted = [one.id for one in reversed(self.jobs)]
        ids = [one["id"] for one in told]
        listed.require(ids == wanted, "all jobs are listed, newest first", f"{ids}, not {wanted}")
        for one, shown in zip(reversed(self.jobs), told, strict=True):
            listed.require(shown["status"] == one.status, f"this job is {one.status}", f"{shown}")
            self._is_as_it_became(one, shown)
            if one.status in _FINAL:
                read = self.chaser.ask("get-job", id=one.id, expect=200)
                read.require(read.json == shown, "a job is read as it is listed")
                if "result" in one.told or "error" in one.told or one.status == "canceled":
                    read.require(read.json == one.told, "a final job stays as it is", f"{read.json}, was {one.told}")
                one.told = read.json

    def teardown(self) -> None:
        """Every step of every job was told by an event, once and in order."""
        received = self.chaser.steered.webhooks.all("job.*", name=self.hook["received"])
        for one in self.jobs:
            seen = [each.type for each in received if each.body["resource_id"] == one.id]
            self.chaser.require(
                seen == one.events, "create-webhook: each step of a job is an event, once and in order",
                f"{seen}, not {one.events}, of a job of {one.of.kind}",
            )  # fmt: skip
        for each in received:
            self.chaser.require(
                each.data["status"] == {"started": "running"}.get(word := each.type.partition(".")[2], word),
                "create-webhook: a job's event has the job as it was then", f"{each.type}: {each.data}",
            )  # fmt: skip
        self.chaser.ask("bulk-terminate-sessions", json={"all": True, "force": True})

    # The model

    def _settle(self) -> None:
        """Wait for what is due to come to where it comes by itself."""
        for one in self.jobs:
            if one.status == "queued" and (one.run_at is None or one.run_at <= self.now):
                until(
                    lambda one=one: self.chaser.ask("get-job", id=one.id, expect=200),  # type: ignore[misc]
                    lambda told, one=one: told["status"] in (*_FINAL, *(("running",) * (one.of.becomes == "running"))),  # type: ignore[misc]
                    "a job that is due is run",
                )
                one.status = one.of.becomes
                one.events += ["job.started", *([] if one.status == "running" else [f"job.{one.status}"])]

    def _is_as_it_became(self, one: _Job, shown: dict[str, Any]) -> None:
        ended = one.status in ("completed", "failed")
        result = one.of.result if ended else None
        error = one.of.error if ended else None
        told = shown.get("result") or {}
        self.chaser.require(
            ("result" in shown) == (result is not None)
            and (result is None or all(told.get(name) == value for name, value in result.items())),
            "get-job: an ended job has its result, and no other has one", f"{shown}, not {result}",
        )  # fmt: skip
        self.chaser.require(
            ("error" in shown) == (error is not None) and (not error or shown["error"] == error)
            and (error != "" or shown["error"]),
            "get-job: a failed job has its error, and no other has one", f"{shown}, not {error!r}",
        )  # fmt: skip
        if one.run_at is not None and one.status == one.of.becomes:
            self.chaser.require(
                shown["updated_at"] >= _text(one.run_at), "create-job: a job does not run before its time", f"{shown}"
            )
        if one.status == "queued":
            self.chaser.require(
                shown == one.told, "get-job: a job that waits stays as it was queued", f"{shown}, was {one.told}"
            )


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
