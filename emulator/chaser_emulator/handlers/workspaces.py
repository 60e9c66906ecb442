"""Workspaces: create or clone, list, rename, mark as a template, delete one or many."""

from __future__ import annotations

import asyncio
import logging

from chaser_emulator import lookup, names
from chaser_emulator.clock import new_id
from chaser_emulator.errors import ApiError, not_found
from chaser_emulator.operations import Call, operation
from chaser_emulator.plans import PLANS
from chaser_emulator.resources import workspace_info
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.shapes import (
    BulkDeleteWorkspaceItem,
    BulkDeleteWorkspacesResponse,
    WorkspaceInfo,
    WorkspaceNameResponse,
    WorkspaceTemplateResponse,
)
from chaser_emulator.storage import require_room
from chaser_emulator.store import Row, Transaction, sessions, workspaces
from chaser_emulator.store.sessions import TERMINATING

_log = logging.getLogger(__name__)

_ROUNDS = 5
"""How often a deletion tries again when a session took the workspace in the meantime."""

_AT_ONCE = 8


@operation("list-workspaces")
async def list_workspaces(call: Call) -> list[WorkspaceInfo]:
    """Every workspace of the account, newest first."""
    return [workspace_info(row) for row in await workspaces.of_account(call.store, call.account.id)]


@operation("create-workspace")
async def create_workspace(call: Call) -> WorkspaceInfo:
    """An empty workspace, or a copy of another one."""
    if call.body.get("clone_from") is not None:
        return await _clone(call)
    await require_room(call)
    workspace_id = new_id()
    async with call.store.transaction() as tx:
        await _require_place(call, tx)
        name = await _name(call, tx)
        await workspaces.insert(
            tx,
            workspace_id,
            account_id=call.account.id,
            name=name,
            session_type=call.body["session_type"],
            image=call.body.get("image"),
            template=bool(call.body.get("template")),
            created_at=call.clock.timestamp(),
        )
        return await _created(call, tx, workspace_id, f"created workspace {name}")


async def _clone(call: Call) -> WorkspaceInfo:
    """A copy of an idle workspace, with its files and the marks that W10 names.

    It stays hidden until its files are whole, so that a crash on the way leaves nothing that looks like a workspace.
    """
    await require_room(call)
    source = await lookup.workspace(call, call.body["clone_from"])
    await _rest(call, source, force=False)
    workspace_id = new_id()
    async with call.store.transaction() as tx:
        await _require_place(call, tx)
        await _name(call, tx)
        source = await _idle(call, tx, source)
        await workspaces.insert(
            tx,
            workspace_id,
            account_id=call.account.id,
            name=None,
            session_type=source["session_type"],
            image=source["image"],
            template=bool(call.body.get("template")),
            created_at=call.clock.timestamp(),
            source_workspace_id=source["id"],
            github_repo=source["github_repo"],
            hidden=True,
        )
    try:
        await call.engine.copy_disk(source["disk_id"], workspace_id)
        async with call.store.transaction() as tx:
            now = await _idle(call, tx, source)
            if now["last_session_id"] != source["last_session_id"]:
                # It came and went while files were copied, so the copy may hold half of what it wrote.
                raise _active(now, str(now["last_session_id"]))
            await _require_place(call, tx)
            name = await _name(call, tx)
            await workspaces.show(tx, workspace_id, name)
            return await _created(call, tx, workspace_id, f"created workspace {name} as a copy of {_shown(source)}")
    except BaseException:
        async with call.store.transaction() as tx:
            await workspaces.doom(tx, workspace_id)
        await asyncio.shield(_delete_disk(call, workspace_id))
        raise


@operation("set-workspace-name")
async def set_workspace_name(call: Call) -> WorkspaceNameResponse:
    """Give a workspace another name, or none (W11)."""
    name = call.body["name"]
    async with call.store.transaction() as tx:
        row = await lookup.workspace(call, call.path["ws"], tx)
        if name is not None:
            await _require_free(call, tx, name, but=row["id"])
        await workspaces.rename(tx, row["id"], name)
        renamed = await lookup.workspace(call, row["id"], tx)
        summary = f"renamed workspace {_shown(row)} to {name}" if name else f"took the name of workspace {_shown(row)}"
        await call.audit(tx, row["id"], summary, {"name": name, "previous_name": row["name"]})
        await call.emit(tx, "workspace.renamed", row["id"], workspace_info(renamed))
    return {"id": row["id"], "name": name}


@operation("set-workspace-template")
async def set_workspace_template(call: Call) -> WorkspaceTemplateResponse:
    """Say whether a workspace is a template."""
    template = call.body["template"]
    async with call.store.transaction() as tx:
        row = await lookup.workspace(call, call.path["ws"], tx)
        await workspaces.set_template(tx, row["id"], template)
        state = "a template" if template else "no template"
        await call.audit(tx, row["id"], f"workspace {_shown(row)} is now {state}", {"template": template})
    return {"id": row["id"], "template": template}


@operation("delete-workspace")
async def delete_workspace(call: Call) -> None:
    """Delete a workspace with its files, and end its session first when that is forced (W13, W14)."""
    await _delete(call, call.path["ws"], force=call.query.get("force", False))


@operation("bulk-delete-workspaces")
async def bulk_delete_workspaces(call: Call) -> BulkDeleteWorkspacesResponse:
    """Delete the workspaces that are named, or all; each one's refusal is told (W15, W16)."""
    rows: list[Row] = []
    results: list[BulkDeleteWorkspaceItem] = []
    if call.body.get("all"):
        rows = await workspaces.of_account(call.store, call.account.id)
    else:
        for selector in dict.fromkeys(call.body["ids"]):
            row = await workspaces.find(call.store, call.account.id, selector)
            if row is None:
                error = not_found("workspace", selector)
                results.append({"id": selector, "deleted": False, "error": error.message})
            else:
                rows.append(row)
    force = bool(call.body.get("force"))
    places = asyncio.Semaphore(_AT_ONCE)

    async def delete(workspace_id: str) -> BulkDeleteWorkspaceItem:
        async with places:
            try:
                await _delete(call, workspace_id, force=force)
            except ApiError as error:
                return {"id": workspace_id, "deleted": False, "error": error.message}
            return {"id": workspace_id, "deleted": True}

    # One that was named twice, by name and by id, is deleted once.
    results += await asyncio.gather(*(delete(name) for name in dict.fromkeys(row["id"] for row in rows)))
    deleted = sum(result["deleted"] for result in results)
    return {"requested": len(results), "deleted": deleted, "failed": len(results) - deleted, "results": results}


async def _delete(call: Call, selector: str, *, force: bool) -> None:
    """Delete one workspace. Raises ApiError `not_found`, `workspace_active` and `sandbox_unavailable`."""
    found = await lookup.workspace(call, selector)
    for _ in range(_ROUNDS):
        await _rest(call, found, force=force)
        async with call.store.transaction() as tx:
            row = await workspaces.get(tx, found["id"])
            if row is None:
                raise ApiError("not_found", f"workspace {_shown(found)} has just been deleted")
            if row["active_session_id"] is None:
                await workspaces.doom(tx, row["id"])
                await call.audit(
                    tx, row["id"], f"deleted workspace {_shown(row)}", {"name": row["name"], "force": force}
                )
                await call.emit(tx, "workspace.deleted", row["id"], workspace_info(row))
                break
    else:
        raise ApiError("sandbox_unavailable", f"the session of workspace {_shown(found)} could not be ended")
    await _delete_disk(call, found["id"])


async def _delete_disk(call: Call, workspace_id: str) -> None:
    """Clear away what is left of a workspace that nobody can see any more."""
    call.world.storage.forget(workspace_id)
    try:
        await call.world.lifecycle.delete_disk(workspace_id)
    except SandboxError as error:
        # Deleted it is, for the API. Its row stays doomed, and the next start tries again.
        _log.warning("the disk of workspace %s could not be deleted yet: %s", workspace_id, error)


async def _rest(call: Call, workspace: Row, *, force: bool) -> None:
    """Wait for a session that ends, end one that may be, and believe no session whose sandbox is gone.

    Raises ApiError `workspace_active` when the session lives and is not to be ended.
    """
    live = await sessions.of_workspace(call.store, workspace["id"])
    if live is None:
        return
    if live["status"] == TERMINATING:
        await call.world.lifecycle.ended(live["id"])
    elif force:
        await call.world.lifecycle.terminate(live, force=True, actor=call.actor)
    else:
        [effective] = await call.world.lifecycle.reconcile([live])
        if effective["ended_at"] is None:
            raise _active(workspace, live["id"])


async def _idle(call: Call, tx: Transaction, workspace: Row) -> Row:
    """The workspace as it is now, if no session uses it."""
    row = await lookup.workspace(call, workspace["id"], tx)
    if row["active_session_id"] is not None:
        raise _active(row, row["active_session_id"])
    return row


def _active(workspace: Row, session_id: str) -> ApiError:
    return ApiError(
        "workspace_active",
        f"session {session_id} uses workspace {_shown(workspace)}; end it first",
        details={"session_id": session_id},
    )


async def _created(call: Call, tx: Transaction, workspace_id: str, summary: str) -> WorkspaceInfo:
    """Tell of a new workspace; answers how the API shows it."""
    row = await lookup.workspace(call, workspace_id, tx)
    info = workspace_info(row)
    named = {field: call.body[field] for field in ("name", "session_type", "image", "clone_from", "template")
             if call.body.get(field) is not None}  # fmt: skip
    await call.audit(tx, workspace_id, summary, named)
    await call.emit(tx, "workspace.created", workspace_id, info)
    return info


async def _require_place(call: Call, tx: Transaction) -> None:
    """Raise unless the plan allows one workspace more (G20)."""
    plan = PLANS[call.account.plan]
    limit = plan.max_workspaces
    if not plan.allow_workspaces:
        raise ApiError(
            "plan_limit_exceeded", f"the plan {plan.code} has no workspaces; change the plan", details={"limit": limit}
        )
    if await workspaces.count(tx, call.account.id) >= limit:
        raise ApiError(
            "plan_limit_exceeded",
            f"the plan {plan.code} allows {limit} workspaces; delete one first",
            details={"limit": limit},
        )


async def _name(call: Call, tx: Transaction) -> str:
    """The name that a create asks for, if it is free, else a generated one that is (W3, W4)."""
    name = call.body.get("name")
    if name is not None:
        await _require_free(call, tx, name)
        return str(name)
    while True:
        name = names.generated()
        if await workspaces.named(tx, call.account.id, name) is None:
            return name


async def _require_free(call: Call, tx: Transaction, name: str, but: str | None = None) -> None:
    other = await workspaces.named(tx, call.account.id, name)
    if other is not None and other["id"] != but:
        raise ApiError("name_taken", f"there is a workspace {other['name']!r} already; names ignore case")


def _shown(workspace: Row) -> str:
    return str(workspace["name"] or workspace["id"])
