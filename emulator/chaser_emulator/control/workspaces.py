"""Workspaces as their disks are: files without a session, what changed since a snapshot, and what each takes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any

from chaser_emulator import disk_files
from chaser_emulator.clock import timestamp
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.disk_files import Change, State
from chaser_emulator.errors import Problem, invalid
from chaser_emulator.operations import Reply
from chaser_emulator.sandbox import DiskEntry
from chaser_emulator.store import Row, snapshots, workspaces

_LINES = 5000
"""Lines of one file's differences that are told."""

_CHANGES = ("added", "removed", "changed")


@control("list-workspace-files")
async def list_workspace_files(call: ControlCall) -> dict[str, Any]:
    """What is in a folder; of more than the limit, what is nearest to it."""
    state = await _state(call, "snapshot")
    folder = disk_files.on_disk(call.query["path"])
    found = await disk_files.entries(call.world, state, folder, recursive=call.query["recursive"])
    limit = call.query["limit"]
    start = len(folder) + 1 if folder else 0
    return _of(state) | {
        "path": folder,
        "entries": [{"path": disk_files.shown(entry.path)[start:]} | _told(entry) for entry in _nearest(found, limit)],
        "count": len(found),
        "truncated": len(found) > limit,
    }


@control("read-workspace-file")
async def read_workspace_file(call: ControlCall) -> Reply:
    """The bytes of one file."""
    state = await _state(call, "snapshot")
    path = _file(call)
    chunks = _sent(call, state, path)
    size = int(await anext(chunks))
    headers = {"Content-Length": str(size)}
    return Reply(chunks=chunks, media_type="application/octet-stream", headers=headers)


async def _sent(call: ControlCall, state: State, path: str) -> AsyncGenerator[bytes, None]:
    """The content of a file. The first value is its size and the handler's to take: what goes wrong does so then."""
    async with disk_files.opened(call.world, state, path) as download:
        yield b"%d" % download.size
        async for chunk in download.chunks:
            yield chunk


@control("diff-workspace")
async def diff_workspace(call: ControlCall) -> dict[str, Any]:
    """What was added, removed and changed since a snapshot."""
    before, after = await _state(call, "from"), await _state(call, "to")
    found = await disk_files.changes(call.world, before, after)
    limit = call.query["limit"]
    return {
        "workspace_id": before.workspace_id,
        "from": before.snapshot,
        "to": after.snapshot,
        **{kind: sum(change.kind == kind for change in found) for kind in _CHANGES},
        "changes": [_change(change) for change in found[:limit]],
        "truncated": len(found) > limit,
    }


@control("diff-workspace-file")
async def diff_workspace_file(call: ControlCall) -> dict[str, Any]:
    """What lines of one file were added and removed since a snapshot."""
    before, after = await _state(call, "from"), await _state(call, "to")
    path = _file(call)
    old = await disk_files.text_of(call.world, before, path)
    new = await disk_files.text_of(call.world, after, path)
    told = {"workspace_id": before.workspace_id, "from": before.snapshot, "to": after.snapshot, "path": path}
    if old is None and new is None:
        raise invalid([Problem("query", "path", f"{path} is a file in neither of the two")])
    change = "added" if old is None else "removed" if new is None else "same" if old == new else "changed"
    texts = _text(old or b""), _text(new or b"")
    if texts[0] is None or texts[1] is None:
        return told | {"change": change, "binary": True, "hunks": [], "truncated": False}
    hunks, truncated = await asyncio.to_thread(_hunks, texts[0], texts[1], call.query["context"])
    return told | {"change": change, "binary": False, "hunks": hunks, "truncated": truncated}


@control("get-workspace-storage")
async def get_workspace_storage(call: ControlCall) -> dict[str, Any]:
    """What each workspace and snapshot takes on disk."""
    account_id = call.query.get("account_id")
    store, storage = call.world.store, call.world.storage
    rows = await (workspaces.of_account(store, account_id) if account_id else workspaces.all_of_them(store))
    kept: dict[str, list[Row]] = {}
    for row in await snapshots.all_of_them(store):
        kept.setdefault(row["workspace_id"], []).append(row)
    used = await storage.of_each(rows)
    listed = [_storage(row, used[row["id"]], kept.get(row["id"], [])) for row in rows]
    return {"workspaces": listed, "used_bytes": sum(one["total_bytes"] for one in listed)}


def _storage(row: Row, used: int | None, kept: Sequence[Row]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"] or row["id"],
        "account_id": row["account_id"],
        "used_bytes": used,
        "snapshots": [{"name": one["name"], "used_bytes": one["used_bytes"]} for one in kept],
        "total_bytes": (used or 0) + sum(one["used_bytes"] or 0 for one in kept),
    }


async def _state(call: ControlCall, parameter: str) -> State:
    """The state that a parameter of the query names: that of a snapshot, or the one that there is now."""
    return await disk_files.find(call.world.store, call.path["ws"], call.query.get(parameter))


def _file(call: ControlCall) -> str:
    path = disk_files.on_disk(call.query["path"])
    if not path or call.query["path"].endswith("/"):
        raise invalid([Problem("query", "path", "names a folder, and a file is meant")])
    return path


def _of(state: State) -> dict[str, Any]:
    return {"workspace_id": state.workspace_id, "snapshot": state.snapshot}


def _nearest(found: Sequence[DiskEntry], limit: int) -> list[DiskEntry]:
    if len(found) <= limit:
        return list(found)
    nearest = sorted(found, key=lambda entry: entry.path.count("/"))[:limit]
    return sorted(nearest, key=lambda entry: entry.path.split("/"))


def _told(entry: DiskEntry) -> dict[str, Any]:
    """What is known of an entry, without its path."""
    told: dict[str, Any] = {"kind": entry.kind, "mode": f"{entry.mode:04o}"}
    if entry.size is not None:
        told["size"] = entry.size
    if entry.modified is not None:
        # A command can set a time that no date says.
        with contextlib.suppress(OverflowError, ValueError, OSError):
            told["modified_at"] = timestamp(datetime.fromtimestamp(entry.modified, UTC))
    if entry.target is not None:
        told["target"] = disk_files.shown(entry.target)
    return told


def _change(change: Change) -> dict[str, Any]:
    told: dict[str, Any] = {"path": disk_files.shown(change.path), "change": change.kind}
    if change.aspects:
        told["aspects"] = list(change.aspects)
    if change.before is not None:
        told["before"] = _told(change.before)
    if change.after is not None:
        told["after"] = _told(change.after)
    return told


def _text(content: bytes) -> str | None:
    """A text, if it is one."""
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None


def _hunks(before: str, after: str, context: int) -> tuple[list[dict[str, Any]], bool]:
    """The hunks of two texts, up to so many lines, and whether there are more."""
    from chaser_emulator.line_differences import hunks_of

    hunks: list[dict[str, Any]] = []
    left = _LINES
    for hunk in hunks_of(before, after, context):
        if left == 0:
            return hunks, True
        lines = [_line(line.kind, line.text) for line in hunk.lines[:left]]
        hunks.append({"before": hunk.before, "after": hunk.after, "lines": lines})
        if len(hunk.lines) > left:
            return hunks, True
        left -= len(lines)
    return hunks, False


def _line(kind: str, text: str) -> dict[str, Any]:
    if text.endswith("\n"):
        return {"kind": kind, "text": text[:-1]}
    return {"kind": kind, "text": text, "unended": True}
