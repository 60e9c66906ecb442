"""Jobs that end sessions and delete workspaces, each by the operation that does the same."""

from __future__ import annotations

from typing import Any

from chaser_emulator.shapes import SessionTerminateResult, WorkspaceDeleteResult
from chaser_emulator.store import workspaces
from chaser_emulator.work import Task


async def session_terminate(task: Task) -> SessionTerminateResult:
    """End a session; one that has ended is as good (S9)."""
    session_id = task.input["session_id"]
    await task.perform("terminate-session", path={"id": session_id}, query=_force(task))
    return {"session_id": session_id.lower(), "terminated": True}


async def session_bulk_terminate(task: Task) -> Any:
    """End many sessions; what could not be ended is told in the result (S13)."""
    return await task.perform("bulk-terminate-sessions", task.input)


async def workspace_delete(task: Task) -> WorkspaceDeleteResult:
    """Delete a workspace with its files."""
    selector = task.input["workspace"]
    row = await workspaces.find(task.who.store, task.who.account.id, selector)
    # By its id, as the name may pass to another one; one that is not there is refused as a request would be.
    workspace_id = selector if row is None else row["id"]
    await task.perform("delete-workspace", path={"ws": workspace_id}, query=_force(task))
    return {"workspace_id": workspace_id, "deleted": True}


async def workspace_bulk_delete(task: Task) -> Any:
    """Delete many workspaces; what could not be deleted is told in the result (W16)."""
    return await task.perform("bulk-delete-workspaces", task.input)


def _force(task: Task) -> dict[str, bool]:
    return {"force": task.input.get("force", False)}
