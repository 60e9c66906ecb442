"""Every kind of job, and the work that it is."""

from __future__ import annotations

from collections.abc import Mapping

from chaser_emulator.work import Task, Work
from chaser_emulator.work.commands import EXEC, PIPELINE, pipeline_run, sandbox_exec
from chaser_emulator.work.endings import (
    session_bulk_terminate,
    session_terminate,
    workspace_bulk_delete,
    workspace_delete,
)


async def _pipeline(task: Task) -> object:
    return await pipeline_run(task, KINDS)


async def _runner(task: Task) -> object:
    # Imported on use, as are the next two: a start need not wait for what reads workflows and drives browsers.
    from chaser_emulator.work.runner import github_runner

    return await github_runner(task)


async def _action(task: Task) -> object:
    from chaser_emulator.work.browsing import browser_action

    return await browser_action(task)


async def _scrape(task: Task) -> object:
    from chaser_emulator.work.browsing import browser_scrape

    return await browser_scrape(task)


KINDS: Mapping[str, Work] = {
    EXEC: sandbox_exec,
    PIPELINE: _pipeline,
    "github.runner": _runner,
    "browser.action": _action,
    "browser.scrape": _scrape,
    "session.terminate": session_terminate,
    "session.bulk_terminate": session_bulk_terminate,
    "workspace.delete": workspace_delete,
    "workspace.bulk_delete": workspace_bulk_delete,
}
