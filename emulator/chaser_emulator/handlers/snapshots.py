"""Snapshots: keep the files of a workspace under a name, list what is kept, go back to it, delete it."""

from __future__ import annotations

from chaser_emulator import lookup, names, occupancy
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import snapshot_info
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.shapes import WorkspaceSnapshotInfo
from chaser_emulator.storage import require_room
from chaser_emulator.store import Reader, Row, Transaction, snapshots, workspaces

LIMIT = 100
"""How many snapshots a workspace may have (W29)."""


@operation("list-workspace-snapshots")
async def list_workspace_snapshots(call: Call) -> list[WorkspaceSnapshotInfo]:
    """Every snapshot of a workspace, newest first."""
    workspace = await lookup.workspace(call, call.path["ws"])
    return [snapshot_info(row) for row in await snapshots.of_workspace(call.store, workspace["id"])]


@operation("create-workspace-snapshot")
async def create_workspace_snapshot(call: Call) -> WorkspaceSnapshotInfo:
    """Keep what a workspace holds now; by force also while a session writes to it (W26)."""
    body = call.body or {}
    force = bool(body.get("force"))
    workspace = await lookup.workspace(call, call.path["ws"])
    await _require_place(call.store, workspace, body.get("name"))
    if not force:
        await occupancy.rest(call, workspace, force=False)
        workspace = await lookup.workspace(call, workspace["id"])
    await require_room(call, await call.world.storage.of_workspace(workspace))
    async with call.world.disks.copy(workspace["disk_id"]) as disk_id:
        used = await _measured(call, disk_id)
        async with call.store.transaction() as tx:
            if force:
                await lookup.workspace(call, workspace["id"], tx)
            else:
                await occupancy.require_untouched(call, tx, workspace)
            name = await _require_place(tx, workspace, body.get("name")) or await _made_up(call, tx, workspace)
            row = await snapshots.insert(
                tx, workspace["id"], name, disk_id=disk_id, used_bytes=used, created_at=call.clock.timestamp()
            )
            summary = f"kept workspace {occupancy.shown(workspace)} as snapshot {name}"
            await _tell(call, tx, row, "created", summary, force=force)
            return snapshot_info(row)


@operation("restore-workspace-snapshot")
async def restore_workspace_snapshot(call: Call) -> WorkspaceSnapshotInfo:
    """Make the files of a workspace what they were; by force its session ends first (W27)."""
    force = bool((call.body or {}).get("force"))
    workspace = await lookup.workspace(call, call.path["ws"])
    kept = await _snapshot(call.store, workspace, call.path["name"])
    growth = (kept["used_bytes"] or 0) - await call.world.storage.of_workspace(workspace)
    if growth > 0:
        await require_room(call, growth)
    await occupancy.rest(call, workspace, force=force)
    async with call.world.disks.copy(kept["disk_id"]) as disk_id:
        for _ in range(occupancy.ROUNDS):
            await occupancy.rest(call, workspace, force=force)
            async with call.store.transaction() as tx:
                # It may have been deleted meanwhile, and another made under its name.
                before = await lookup.workspace(call, workspace["id"], tx)
                if before["active_session_id"] is not None:
                    if not force:
                        await occupancy.require_idle(call, tx, before)
                    continue
                row = await snapshots.restored(tx, kept["disk_id"], call.clock.timestamp())
                if row is None:
                    raise _unknown(workspace, kept["name"])
                await workspaces.set_disk(tx, workspace["id"], disk_id)
                summary = f"workspace {occupancy.shown(before)} went back to snapshot {row['name']}"
                await _tell(call, tx, row, "restored", summary, force=force)
                break
        else:
            raise occupancy.still_active(workspace)
    await call.world.disks.discard(before["disk_id"])
    return snapshot_info(row)


@operation("delete-workspace-snapshot")
async def delete_workspace_snapshot(call: Call) -> None:
    """Delete a snapshot; by force also while a session uses the workspace (W26)."""
    force = call.query.get("force", False)
    workspace = await lookup.workspace(call, call.path["ws"])
    await _snapshot(call.store, workspace, call.path["name"])
    if not force:
        await occupancy.rest(call, workspace, force=False)
    async with call.store.transaction() as tx:
        if not force:
            await occupancy.require_idle(call, tx, workspace)
        row = await _snapshot(tx, workspace, call.path["name"])
        await snapshots.delete(tx, row["disk_id"])
        summary = f"deleted snapshot {row['name']} of workspace {occupancy.shown(workspace)}"
        await _tell(call, tx, row, "deleted", summary, force=force)
    await call.world.disks.discard(row["disk_id"])


async def _snapshot(reader: Reader, workspace: Row, name: str) -> Row:
    row = await snapshots.named(reader, workspace["id"], name)
    if row is None:
        raise _unknown(workspace, name)
    return row


def _unknown(workspace: Row, name: str) -> ApiError:
    return ApiError("not_found", f"workspace {occupancy.shown(workspace)} has no snapshot {name!r}")


async def _require_place(reader: Reader, workspace: Row, name: str | None) -> str | None:
    """The name, if it is free and one snapshot more is allowed."""
    if name is not None and (other := await snapshots.named(reader, workspace["id"], name)) is not None:
        raise ApiError("already_exists", f"there is a snapshot {other['name']!r} already; names ignore case")
    if await snapshots.count(reader, workspace["id"]) >= LIMIT:
        raise ApiError(
            "plan_limit_exceeded",
            f"a workspace has at most {LIMIT} snapshots; delete one first",
            details={"limit": LIMIT},
        )
    return name


async def _made_up(call: Call, tx: Transaction, workspace: Row) -> str:
    while True:
        name = names.of_snapshot(call.clock.now())
        if await snapshots.named(tx, workspace["id"], name) is None:
            return name


async def _measured(call: Call, disk_id: str) -> int | None:
    try:
        return await call.world.storage.measured(disk_id)
    except SandboxError:
        return None  # what cannot be said now is left out for good; the snapshot is none the worse


async def _tell(call: Call, tx: Transaction, row: Row, what: str, summary: str, *, force: bool) -> None:
    await call.audit(tx, row["workspace_id"], summary, {"snapshot": row["name"], "force": force})
    await call.emit(tx, f"workspace.snapshot.{what}", row["name"], snapshot_info(row))
