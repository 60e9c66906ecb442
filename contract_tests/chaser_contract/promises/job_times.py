"""When jobs run and stop: to the second of their time, in the order of their times, and nothing of them goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.broken import NotTried
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.waiting import comes, until

_MANY = 40
"""Jobs: where so many run at once, the places have no end."""

PLACES = 16
"""Jobs of an account that run at once in an emulator."""


@promise("emulator", stateful=True)
def a_job_waits_for_its_moment(chaser: Subject) -> None:
    """A job with `run_at` runs at that moment, in whatever zone it is said, and not a second before."""
    clock = chaser.steered.clock
    for hours in (0, 5.5, -8):
        with chaser.case():
            at = (clock.freeze() + timedelta(minutes=30)).astimezone(timezone(timedelta(hours=hours)))
            job = making.waiting_job(chaser, run_at=at.isoformat())
            shown = datetime.fromisoformat(job["run_at"])
            chaser.require(
                shown == at and job["run_at"].endswith("Z"), "create-job: `run_at` is told in UTC", f"{job}, not {at}"
            )
            clock.advance(to=at.astimezone(UTC) - timedelta(seconds=1))
            early = chaser.ask("get-job", id=job["id"], expect=200)
            early.require(early.json == job, "a job waits for its moment, unchanged")
            clock.advance(2)
            ended = making.finished_job(chaser, job["id"])
            chaser.require(
                at - timedelta(0) <= datetime.fromisoformat(ended["updated_at"]) <= at + timedelta(seconds=2),
                "get-job: `updated_at` of a job that has ended is when it ended",
                f"{ended}, due at {at}",
            )
    for wrong in ("tomorrow", "2026-13-01T00:00:00Z", "2026-01-15", "2026-01-15T10:00:00", "", 0):
        with chaser.case():
            said = {"kind": "session.terminate", "input": {"session_id": "x"}, "run_at": wrong}
            chaser.ask("create-job", json=said).must_be(400, "invalid_request", because="that is no moment")


@promise("emulator", stateful=True)
def jobs_run_in_the_order_of_their_times(chaser: Subject) -> None:
    """When the clock passes the moments of several jobs, each starts at its own, the earliest first."""
    clock = chaser.steered.clock
    now = clock.freeze()
    hook = making.webhook(chaser, events=["job.started"])
    minutes = [40, 10, 30, 20]
    jobs = {
        making.waiting_job(chaser, run_at=(now + timedelta(minutes=each)).isoformat())["id"]: each for each in minutes
    }
    clock.advance("1h")
    for job in jobs:
        making.finished_job(chaser, job)
    started = chaser.steered.webhooks.all("job.started", name=hook["received"])
    order = [jobs[one.body["resource_id"]] for one in started]
    chaser.require(order == sorted(minutes), "create-job: jobs run in the order of their times", f"minutes {order}")
    late = [one.body for one in started if _minute(one.body["created_at"], now) != jobs[one.body["resource_id"]]]
    chaser.require(not late, "create-job: a job starts at its moment, however far the clock goes", f"{late}")


@promise("emulator", stateful=True)
def jobs_wait_in_the_order_of_the_queue(chaser: Subject) -> None:
    """When as many jobs run as may at once, the others wait, and start one after the other as they were queued."""
    hook = making.webhook(chaser, events=["job.started"])
    busy = [_busy(chaser)]
    while _runs(chaser, busy[-1], 10 if len(busy) <= PLACES else 1):
        if len(busy) == _MANY:
            raise NotTried(f"{_MANY} jobs run at once here, and none waits")
        busy.append(_busy(chaser))
    with chaser.case():
        run = len(busy) - 1
        chaser.require(run == PLACES, f"create-job: {PLACES} jobs of an account run at once", f"{run} do")
    nothing = {"kind": "session.terminate", "input": {"session_id": UNKNOWN}}
    waiting = [chaser.ask("create-job", json=nothing, expect=200).json["id"] for _ in range(6)]
    chaser.ask("cancel-job", id=busy.pop(), expect=200)
    # One place is free for all of them.
    chaser.ask("cancel-job", id=busy.pop(), expect=200)
    for job in waiting:
        making.finished_job(chaser, job)
    started = chaser.steered.webhooks.all("job.started", name=hook["received"])
    moments = {str(one.body["resource_id"]): str(one.body["created_at"]) for one in started}
    order = [waiting.index(job) for job in sorted(waiting, key=lambda job: moments[job])]
    for job in busy:
        chaser.ask("cancel-job", id=job, expect=200)
    chaser.require(order == list(range(6)), "create-job: jobs that wait start as they were queued", f"{order}")


def _busy(chaser: Subject) -> str:
    """A job that has no end of its own."""
    said = {"kind": "sandbox.exec", "input": {"ephemeral": True, "command": "sleep 900", "timeout_ms": 900_000}}
    return str(chaser.ask("create-job", json=said, expect=200).json["id"])


def _runs(chaser: Subject, job: str, seconds: float) -> bool:
    """Whether a job comes to run while others go on running: a moment is enough where there is place for it."""
    return comes(
        lambda: chaser.ask("get-job", id=job, expect=200).json["status"],
        lambda status: status == "running",
        seconds=seconds,
    )


@promise("commands", stateful=True)
def a_canceled_job_runs_no_more(chaser: Subject) -> None:
    """What a canceled job had started has ended, children in the background with it."""
    disk = making.workspace(chaser)
    beat = "while :; do date +%N > /workspace/beat; sleep 0.02; done"
    said = {"workspace": disk["name"], "command": f"({beat}) & {beat}"}
    job = chaser.ask("create-job", json={"kind": "sandbox.exec", "input": said}, expect=200).json
    read = {"workspace": disk["name"], "command": "cat /workspace/beat 2>/dev/null"}
    until(
        lambda: chaser.ask("exec-sandbox", json=read, expect=200),
        lambda told: told["output"].strip(),
        "a job that is due is run",
    )
    canceled = chaser.ask("cancel-job", id=job["id"], expect=200)
    canceled.require(canceled.json["status"] == "canceled", "the answer is the job, canceled")
    still = {**read, "command": 'a=$(cat /workspace/beat); sleep 0.3; [ "$a" = "$(cat /workspace/beat)" ]'}
    told = chaser.ask("exec-sandbox", json=still, expect=200)
    told.require(told.json["exit_code"] == 0, "nothing of a canceled job goes on", f"{told.json}")
    ended = chaser.ask("get-job", id=job["id"], expect=200)
    ended.require(ended.json == canceled.json, "a canceled job stays as it is")


def _minute(text: str, since: datetime) -> int:
    return int((datetime.fromisoformat(text) - since).total_seconds() // 60)
