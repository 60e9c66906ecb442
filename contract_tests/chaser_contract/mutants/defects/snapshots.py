"""Snapshots that hold something else than they should, or go where they should not."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

defect(
    "restore-does-nothing",
    "Going back to a snapshot changes no file.",
    edit(
        "handlers.snapshots:restore_workspace_snapshot",
        'await workspaces.set_disk(tx, workspace["id"], disk_id)',
        "pass",
    ),
    "disks.going-back-brings-files-back",
)
defect(
    "restore-merges",
    "Files that were made after a snapshot are still there when I have gone back to it.",
    edit(
        "sandbox.scripted:ScriptedEngine.copy_disk",
        "self._disks[target_id] = dict(self._disks.get(source_id, {}))",
        "self._disks[target_id] = {k: v for d in self._disks.values() for k, v in d.items()}"
        " | self._disks.get(source_id, {})",
    ),
    "snapshots sessions workspaces writes",
)
defect(
    "restore-leaves-out",
    "Going back to a snapshot loses a file.",
    edit(
        "sandbox.scripted:ScriptedEngine.copy_disk",
        "dict(self._disks.get(source_id, {}))",
        "dict([*self._disks.get(source_id, {}).items()][:-1])",
    ),
    "disks.going-back-brings-files-back",
)
defect(
    "snapshot-follows",
    "A snapshot changes with its workspace.",
    edit(
        "sandbox.scripted:ScriptedEngine.copy_disk",
        "dict(self._disks.get(source_id, {}))",
        "self._disks.setdefault(source_id, {})",
    ),
    "disks.going-back-brings-files-back",
)
defect(
    "restore-ends-session",
    "Going back to a snapshot ends the session of the workspace though I did not force it.",
    edit(
        "handlers.snapshots:restore_workspace_snapshot",
        'force = bool((call.body or {}).get("force"))',
        "force = True",
    ),
    "snapshots sessions workspaces errors inputs secrets",
)
defect(
    "snapshot-of-busy",
    "A snapshot is taken while a session writes, though I did not force it.",
    edit("handlers.snapshots:create_workspace_snapshot", 'force = bool(body.get("force"))', "force = True"),
    "snapshots sessions workspaces errors inputs secrets",
)
defect(
    "snapshot-by-force-refused",
    "A snapshot cannot be taken by force while a session writes.",
    edit("handlers.snapshots:create_workspace_snapshot", 'force = bool(body.get("force"))', "force = False"),
    "snapshots.by-force-a-session-is-no-hindrance",
)
defect(
    "delete-stays",
    "A deleted snapshot is still listed.",
    edit("handlers.snapshots:delete_workspace_snapshot", 'await snapshots.delete(tx, row["disk_id"])', "pass"),
    "snapshots.one-that-is-deleted-is-gone",
)
defect(
    "delete-of-busy",
    "A snapshot is deleted while a session uses the workspace, though I did not force it.",
    edit(
        "handlers.snapshots:delete_workspace_snapshot",
        'force = call.query.get("force", False)',
        "force = True",
    ),
    "workspaces.one-in-use-is-not-touched",
)
defect(
    "restored-at-never",
    "A snapshot that I went back to does not say so.",
    edit("store.snapshots:restored", "SET restored_at = ?", "SET restored_at = nullif(?, '') AND NULL"),
    "snapshots.is-made-and-restored-now",
)
defect(
    "name-made-up-otherwise",
    "A snapshot without a name is called by a number.",
    edit("names:of_snapshot", 'f"snap-{now:%Y%m%dT%H%M%SZ}-{new_hex(4)}"', 'f"{now:%Y%m%d%H%M%S}{new_hex(4)}"'),
    "snapshots.a-name-is-made-up",
)
defect(
    "name-taken-silently",
    "A snapshot replaces the one of the same name.",
    edit(
        "handlers.snapshots:_require_place",
        '(other := await snapshots.named(reader, workspace["id"], name)) is not None',
        "(other := None) is not None",
    ),
    "snapshots.names-are-taken-in-any-case",
)
defect(
    "size-of-another",
    "The size of a snapshot is always 0.",
    edit("handlers.snapshots:create_workspace_snapshot", "used_bytes=used", "used_bytes=0"),
    "disks.storage-is-what-they-hold",
)
defect(
    "event-missing",
    "No event tells of a snapshot.",
    edit("handlers.snapshots:_tell", "await call.emit(", "assert call.emit, ("),
    "happenings.everything-that-happens-is-told-once",
)
defect(
    "event-of-another-kind",
    "Going back to a snapshot sends the event of its creation.",
    edit("handlers.snapshots:_tell", 'f"workspace.snapshot.{what}"', '"workspace.snapshot.created"'),
    "happenings.everything-that-happens-is-told-once",
)
