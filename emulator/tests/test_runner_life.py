"""Jobs of GitHub Actions that run out of time, are canceled, or are a stranger's: nothing of them is left."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator

import psutil
import pytest
from emulators import http_of
from imports import clean
from people import ok
from strangers import audited, stranger
from workflows import Json, Runs, of_steps, outputs, runs_on, statuses


@pytest.fixture(name="runs", scope="module")
def runs_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with runs_on("local", tmp_path_factory.mktemp("github")) as one:
        yield one


def test_a_step_that_takes_too_long_fails_and_the_job_goes_on(runs: Runs) -> None:
    job = runs.steps(
        """
        - {run: echo begun; sleep 600, timeout-minutes: 0.05}
        - {if: always(), run: echo after}
        """
    )
    assert (job["status"], statuses(job), outputs(job)) == ("failed", ["failed", "completed"], ["begun\n", "after\n"])
    assert "it took longer than its timeout-minutes" in job["error"]


def test_a_job_that_takes_too_long_is_stopped_at_once(runs: Runs) -> None:
    mark = str(uuid.uuid4().int % 10**8)
    steps = of_steps(f"- run: echo begun; exec sleep {mark}\n- {{if: always(), run: echo after}}")
    repository = runs.repository(steps)
    limited = runs.final(runs.queue(repository, runs.register(repository), timeout_ms=5000))
    by_itself = runs.run(steps.replace("steps:", "timeout-minutes: 0.05\n    steps:"))
    for job, said in ((limited, "within 5000 ms"), (by_itself, "was not done within")):
        assert (job["status"], statuses(job), outputs(job)) == ("failed", ["failed", "skipped"], ["begun\n"])
        assert said in job["error"]
    assert running(mark) == 0
    assert clean(runs.emulator)
    none = runs.final(runs.queue(repository, runs.register(repository), timeout_ms=0))
    assert (none["status"], none["result"]["steps"]) == ("failed", [])
    assert "within 0 ms" in none["error"]


def test_a_job_that_is_canceled_leaves_nothing(runs: Runs) -> None:
    mark = str(uuid.uuid4().int % 10**8)
    repository = runs.repository(of_steps(f"- run: sleep {mark} & sleep {mark}"))
    job = runs.queue(repository, runs.register(repository))
    until(lambda: running(mark) == 2)
    canceled = ok(runs.client.post(f"/v1/jobs/{job['id']}/cancel"))
    assert canceled["status"] == "canceled"
    assert running(mark) == 0
    assert ok(runs.client.get("/v1/sessions"))["sessions"] == []
    assert clean(runs.emulator)


def test_a_job_that_is_canceled_while_it_starts_leaves_nothing(runs: Runs) -> None:
    repository = runs.repository(of_steps("- run: sleep 600"))
    registered = runs.register(repository)

    def begun(job: Json) -> bool:
        return bool(ok(runs.client.get(f"/v1/jobs/{job['id']}"))["status"] == "running")

    def live(_: Json) -> bool:
        return bool(ok(runs.client.get("/v1/sessions"))["sessions"])

    moments: tuple[Callable[[Json], bool], ...] = (lambda _: True, begun, live)
    for moment in moments * 3:
        job = runs.queue(repository, registered)
        until(lambda job=job, moment=moment: moment(job))  # type: ignore[misc]
        assert ok(runs.client.post(f"/v1/jobs/{job['id']}/cancel"))["status"] == "canceled"
        assert ok(runs.client.get("/v1/sessions"))["sessions"] == []
        assert clean(runs.emulator)


def test_the_right_to_run_commands_is_enough_and_all_is_audited(runs: Runs) -> None:
    repository = runs.repository(of_steps("- run: echo allowed"))
    with http_of(runs.emulator, stranger(runs.emulator, plan="free", scopes=["exec.write", "sessions.read"])) as client:
        theirs = Runs(runs.emulator, client, runs.base)
        job = theirs.final(theirs.queue(repository, runs.register(repository)))
    assert (job["status"], outputs(job)) == ("completed", ["allowed\n"])
    actions = [action for action, _, _ in audited(runs.emulator, job["result"]["session_id"])]
    assert actions == ["session.create", "session.exec", "session.terminate"]


def running(word: str) -> int:
    """How many programs run that have this word as an argument."""
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return sum(word in line for line in lines)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
