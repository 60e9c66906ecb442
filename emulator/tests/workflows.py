"""Workflow jobs for tests: a repository with a workflow, registered, queued as a job, and what came of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import httpx
from bases import bare
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from emulators import EngineChoice, emulator_on, http_of
from people import ok
from requirements import require

Json = dict[str, Any]

WORKFLOW = ".github/workflows/ci.yml"
REGISTERED = "/_emulator/github/workflow-jobs"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Runs:
    """An emulator, a client of it, and the folder where its repositories are."""

    emulator: Running
    client: httpx.Client
    base: Path

    def repository(self, workflow: str, files: Mapping[str, str] | None = None) -> str:
        """A new repository with a workflow file; answers its name."""
        name = f"octo/app-{uuid.uuid4().hex[:8]}"
        bare(self.base, name, {WORKFLOW: dedent(workflow), **(files or {})})
        return name

    def register(self, repository: str, job: str = "test", **fields: Any) -> int:
        body = {"repository": repository, "workflow": WORKFLOW, "job": job} | fields
        registered: int = ok(self.client.post(REGISTERED, json=body))["workflow_job_id"]
        return registered

    def queue(self, repo: str, workflow_job_id: int, **fields: Any) -> Json:
        """Queue the job; answers it as it is then."""
        given = {"repo": repo, "workflow_job_id": workflow_job_id} | fields
        queued: Json = ok(self.client.post("/v1/jobs", json={"kind": "github.runner", "input": given}))
        return queued

    def final(self, job: Json) -> Json:
        """A job once it is final."""
        end = time.monotonic() + _PATIENCE
        while job["status"] in ("queued", "running"):
            assert time.monotonic() < end, job
            time.sleep(0.02)
            job = ok(self.client.get(f"/v1/jobs/{job['id']}"))
        return job

    def run(self, workflow: str, job: str = "test", *, files: Mapping[str, str] | None = None, **fields: Any) -> Json:
        """Run a job of a workflow; `fields` are of the registration. Answers the final job."""
        repository = self.repository(workflow, files)
        return self.final(self.queue(repository, self.register(repository, job, **fields)))

    def steps(self, text: str, **fields: Any) -> Json:
        """Run a job that has these steps."""
        return self.run(of_steps(text), **fields)


def of_steps(text: str) -> str:
    """A workflow of one job with these steps."""
    head = "on: push\njobs:\n  test:\n    runs-on: chaser\n    steps:\n"
    return head + indent(dedent(text).strip("\n"), " " * 6) + "\n"


def outputs(job: Json) -> list[str]:
    """What the commands of a job wrote, without those steps that ran none."""
    return [step["output"] for step in job["result"]["steps"] if "output" in step]


def statuses(job: Json) -> list[str]:
    return [step["status"] for step in job["result"]["steps"]]


@contextmanager
def runs_on(engine: EngineChoice, folder: Path, **settings: Any) -> Iterator[Runs]:
    """An emulator on this engine with a base of repositories."""
    require("git")
    base = folder / "base"
    base.mkdir()
    with (
        emulator_on(engine, github_url=str(base), rate_limit=Limits(enabled=False), **settings) as emulator,
        http_of(emulator) as client,
    ):
        yield Runs(emulator, client, base)
