"""Workspaces: create or clone, list, rename, mark as a template, delete one or many."""

from __future__ import annotations

import asyncio

from chaser_emulator import creation, lookup, occupancy
from chaser_emulator.clock import new_id
from chaser_emulator.errors import ApiError, not_found
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import workspace_info
from chaser_emulator.shapes import (
    BulkDeleteWorkspaceItem,
    BulkDeleteWorkspacesResponse,
    WorkspaceInfo,
    WorkspaceNameResponse,
    WorkspaceTemplateResponse,
)
from chaser_emulator.storage import require_room
from chaser_emulator.store import Row, workspaces

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
        await creation.require_place(call, tx)
        name = await creation.free_name(call, tx, call.body.get("name"))
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
        return await creation.created(call, tx, workspace_id, f"created workspace {name}")


async def _clone(call: Call) -> WorkspaceInfo:
    """A copy of an idle workspace, with its files and the marks that W10 names."""
    source = await lookup.workspace(call, call.body["clone_from"])
    await occupancy.rest(call, source, force=False)
    async with call.store.transaction() as tx:
        # What the last transaction asks is asked here too: a refusal should not cost a copy.
        await creation.require_place(call, tx)
        await creation.free_name(call, tx, call.body.get("name"))
        source = await occupancy.require_idle(call, tx, source)
    await require_room(call, await call.world.storage.of_workspace(source))
    workspace_id = new_id()
    async with call.world.disks.copy(source["disk_id"]) as disk_id, call.store.transaction() as tx:
        await occupancy.require_untouched(call, tx, source)
        await creation.require_place(call, tx)
        name = await creation.free_name(call, tx, call.body.get("name"))
        await workspaces.insert(
            tx,
            workspace_id,
            account_id=call.account.id,
            name=name,
            session_type=source["session_type"],
            disk_id=disk_id,
            image=source["image"],
            template=bool(call.body.get("template")),
            created_at=call.clock.timestamp(),
            source_workspace_id=source["id"],
            github_repo=source["github_repo"],
        )
        summary = f"created workspace {name} as a copy of {occupancy.shown(source)}"
        return await creation.created(call, tx, workspace_id, summary)


@operation("set-workspace-name")
async def set_workspace_name(call: Call) -> WorkspaceNameResponse:
    """Give a workspace another name, or none (W11)."""
    name = call.body["name"]
    async with call.store.transaction() as tx:
        row = await lookup.workspace(call, call.path["ws"], tx)
        if name is not None:
            await creation.require_free(call, tx, name, but=row["id"])
        await workspaces.rename(tx, row["id"], name)
        renamed = await lookup.workspace(call, row["id"], tx)
        summary = (
            f"renamed workspace {occupancy.shown(row)} to {name}"
            if name
            else f"took the name of workspace {occupancy.shown(row)}"
        )
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
        await call.audit(tx, row["id"], f"workspace {occupancy.shown(row)} is now {state}", {"template": template})
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
    for _ in range(occupancy.ROUNDS):
        await occupancy.rest(call, found, force=force)
        async with call.store.transaction() as tx:
            row = await workspaces.get(tx, found["id"])
            if row is None:
                raise ApiError("not_found", f"workspace {occupancy.shown(found)} has just been deleted")
            if row["active_session_id"] is None:
                disks = await workspaces.delete(tx, row["id"])
                summary = f"deleted workspace {occupancy.shown(row)}"
                await call.audit(tx, row["id"], summary, {"name": row["name"], "force": force})
                await call.emit(tx, "workspace.deleted", row["id"], workspace_info(row))
                break
    else:
        raise occupancy.still_active(found)
    call.world.storage.forget(found["id"])
    await call.world.disks.discard(*disks)
