"""Jobs of GitHub Actions: one that was registered runs in a fresh sandbox, in place of a self-hosted runner (J23)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence

from chaser_emulator.commands import DEFAULT_TIMEOUT_MS
from chaser_emulator.errors import ApiError
from chaser_emulator.repositories import GITHUB, Selector
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.shapes import GithubRunnerResult
from chaser_emulator.store import Row, workflow_jobs
from chaser_emulator.targets import Target, started
from chaser_emulator.work import JobFailed, Task, workflow
from chaser_emulator.work.coercions import ExpressionError, text_of
from chaser_emulator.work.expressions import Scope
from chaser_emulator.work.machine import Machine, opened, prepared, workflow_file
from chaser_emulator.work.steps import OutOfTimeError, Run, minutes_of
from chaser_emulator.work.workflow import Job
from chaser_emulator.work.workflow_yaml import WorkflowError

LABEL = "chaser"
"""What leads a job to Chaser's runners, alone or with a dash and more after it."""


async def github_runner(task: Task) -> GithubRunnerResult:
    """Check the repository of a registered workflow job out in a sandbox of its own, and run the job's steps there.

    Raises JobFailed for what is not registered, not supported, or not successful, with all that has become of it.
    """
    begin = asyncio.get_running_loop().time()
    registered = await workflow_jobs.get(task.who.store, task.input["workflow_job_id"])
    if registered is None:
        raise JobFailed(
            f"workflow job {task.input['workflow_job_id']} is not registered; "
            "POST /_emulator/github/workflow-jobs registers one"
        )
    selector = _selector(task, registered)
    timeout_ms = task.input.get("timeout_ms")
    deadline = begin + (DEFAULT_TIMEOUT_MS if timeout_ms is None else timeout_ms) / 1000
    async with opened(task.who, str(selector)) as target:
        result: GithubRunnerResult = {
            "repo": selector.repository,
            "workflow_job_id": registered["id"],
            "session_id": target.session["id"],
            "steps": [],
        }
        try:
            run = await _begun(task, registered, selector, target, deadline)
            result["steps"], deadline = run.results, run.deadline
            await run.all()
        except (WorkflowError, SandboxError) as error:
            raise JobFailed(str(error), result) from None
        except ApiError as error:
            raise JobFailed(error.message, result) from None
        except (OutOfTimeError, TimeoutError):
            raise JobFailed(f"the job was not done within {round((deadline - begin) * 1000)} ms", result) from None
        if run.failure is not None:
            raise JobFailed(run.failure, result)
        return result


def _selector(task: Task, registered: Row) -> Selector:
    """The repository and the ref to check out: those that were registered, with which the input must agree."""
    try:
        wanted = task.who.world.repositories.parse(task.input["repo"])
    except ValueError as error:
        raise JobFailed(f"repo: {task.input['repo']!r} {error}") from None
    repository, ref = registered["repository"], registered["ref"]
    if wanted.repository.lower() != repository.lower():
        raise JobFailed(f"workflow job {registered['id']} is one of {repository}, not of {wanted.repository}")
    if ref is not None and wanted.ref not in (None, ref):
        raise JobFailed(f"workflow job {registered['id']} was registered for the ref {ref!r}, not {wanted.ref!r}")
    owner, _, name = repository.partition("/")
    return Selector(owner, name, ref or wanted.ref)


async def _begun(task: Task, registered: Row, selector: Selector, target: Target, deadline: float) -> Run:
    """The job, read and found fit to run, in a sandbox that is ready for it."""
    async with asyncio.timeout_at(deadline):
        machine = await prepared(task.who, await started(task.who, target))
        text = await workflow_file(machine, registered["workflow"], selector.repository)
        matrix = json.loads(registered["matrix"]) if registered["matrix"] else None
        # In a thread: a large file takes seconds to read, and others are to be served meanwhile.
        job = await asyncio.to_thread(workflow.read, text, registered["workflow"], registered["job"], matrix)
        github = await _github(task, registered, selector, machine, job)
    scope = Scope({"github": github, "matrix": dict(job.matrix)})
    where = f"{registered['workflow']}: jobs.{job.key}"
    _require_labels(job, scope, _labels(task, machine), f"{where}.runs-on")
    minutes = minutes_of(job.timeout_minutes, scope, f"{where}.timeout-minutes")
    if minutes is not None:
        deadline = min(deadline, asyncio.get_running_loop().time() + minutes * 60)
    run = Run(task, job, machine, github, deadline)
    run.begin()
    return run


def _labels(task: Task, machine: Machine) -> Collection[str]:
    """What this runner calls itself, beside everything that begins with `chaser-`."""
    own = [LABEL, "self-hosted", machine.os, machine.arch]
    return [one.lower() for one in [*own, *task.input.get("labels", [])]]


def _require_labels(job: Job, scope: Scope, labels: Collection[str], where: str) -> None:
    """Raise WorkflowError unless the job would be handed to this runner."""
    try:
        if isinstance(job.runs_on, Sequence):
            wanted = [one.text(scope) for one in job.runs_on]
        else:
            value = job.runs_on.value(scope)
            wanted = [text_of(one) for one in value] if isinstance(value, list) else [text_of(value)]
    except ExpressionError as error:
        raise WorkflowError(f"{where}: {error}") from None
    for label in wanted:
        if label.lower() not in labels and not label.lower().startswith(f"{LABEL}-"):
            raise WorkflowError(
                f"{where} wants a runner {label!r}; this one is {', '.join(dict.fromkeys(labels))} or {LABEL}-…, and "
                "what the `labels` of the input say"
            )


async def _github(task: Task, registered: Row, selector: Selector, machine: Machine, job: Job) -> dict[str, str]:
    """The context `github`, as far as it is known here."""
    sha, ref = await machine.commit(selector.ref)
    base = task.who.world.repositories.base
    server = base if isinstance(base, str) else GITHUB
    short = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    return {
        "actor": selector.owner,
        "api_url": "https://api.github.com" if server == GITHUB else f"{server}/api/v3",
        "base_ref": "",
        "event_name": job.event,
        "graphql_url": "https://api.github.com/graphql" if server == GITHUB else f"{server}/api/graphql",
        "head_ref": "",
        "job": job.key,
        "ref": ref,
        "ref_name": short,
        "ref_type": "" if not ref else "tag" if ref.startswith("refs/tags/") else "branch",
        "repository": selector.repository,
        "repository_owner": selector.owner,
        "run_attempt": "1",
        "run_id": str(int(task.input.get("run_id", registered["id"]))),
        "run_number": "1",
        "server_url": server,
        "sha": sha,
        "triggering_actor": selector.owner,
        "workflow": job.workflow,
        "workspace": machine.workspace,
    }
