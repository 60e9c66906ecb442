"""When jobs run and stop: to the second of their time, in the order of their times, and nothing of them goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from chaser_contract import making
from chaser_contract.promises import promise
from chaser_contract.subject import Subject


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
def jobs_that_wait_alike_run_as_they_were_queued(chaser: Subject) -> None:
    """Of jobs that are due at the same moment the one that was queued first starts first."""
    clock = chaser.steered.clock
    now = clock.freeze()
    hook = making.webhook(chaser, events=["job.started"])
    at = (now + timedelta(minutes=10)).isoformat()
    queued = [making.waiting_job(chaser, run_at=at)["id"] for _ in range(8)]
    clock.advance("1h")
    for job in queued:
        making.finished_job(chaser, job)
    started = chaser.steered.webhooks.all("job.started", name=hook["received"])
    order = [one.body["resource_id"] for one in sorted(started, key=lambda one: str(one.body["created_at"]))]
    places = [queued.index(job) for job in order]
    chaser.require(
        places == list(range(8)), "create-job: jobs that are due at one moment start as they were queued", f"{places}"
    )


@promise("commands", stateful=True)
def a_canceled_job_runs_no_more(chaser: Subject) -> None:
    """What a canceled job had started has ended, children in the background with it."""
    disk = making.workspace(chaser)
    beat = "while :; do date +%N > /workspace/beat; sleep 0.02; done"
    said = {"workspace": disk["name"], "command": f"({beat}) & {beat}"}
    job = chaser.ask("create-job", json={"kind": "sandbox.exec", "input": said}, expect=200).json
    read = {"workspace": disk["name"], "command": "cat /workspace/beat 2>/dev/null"}
    making.until(
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
