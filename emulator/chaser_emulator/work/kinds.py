"""Every kind of job, and the work that it is."""

from __future__ import annotations

from collections.abc import Mapping

from chaser_emulator.work import Task, Work
from chaser_emulator.work.browsing import browser_action, browser_scrape
from chaser_emulator.work.commands import EXEC, PIPELINE, pipeline_run, sandbox_exec
from chaser_emulator.work.endings import (
    session_bulk_terminate,
    session_terminate,
    workspace_bulk_delete,
    workspace_delete,
)
from chaser_emulator.work.runner import RUNNER, github_runner


async def _pipeline(task: Task) -> object:
    return await pipeline_run(task, KINDS)


KINDS: Mapping[str, Work] = {
    EXEC: sandbox_exec,
    PIPELINE: _pipeline,
    RUNNER: github_runner,
    "browser.action": browser_action,
    "browser.scrape": browser_scrape,
    "session.terminate": session_terminate,
    "session.bulk_terminate": session_bulk_terminate,
    "workspace.delete": workspace_delete,
    "workspace.bulk_delete": workspace_bulk_delete,
}
