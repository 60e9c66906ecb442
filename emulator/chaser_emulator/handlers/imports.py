"""Imports: a new workspace with a clone of a repository in it."""

from __future__ import annotations

from chaser_emulator import creation, devcontainer, names
from chaser_emulator.clock import new_id
from chaser_emulator.errors import Problem, invalid, invalid_field
from chaser_emulator.operations import Call, operation
from chaser_emulator.repositories import Selector
from chaser_emulator.sandbox import files
from chaser_emulator.shapes import ImportWorkspaceResponse
from chaser_emulator.storage import require_room
from chaser_emulator.store import Transaction, workspaces

_FIELDS = ("github_repo", "repo")


@operation("import-workspace")
async def import_workspace(call: Call) -> ImportWorkspaceResponse:
    """Clone a repository into a new workspace, whose row comes when all files are there (W17–W21)."""
    selector = _selector(call)
    async with call.store.transaction() as tx:
        # What the last transaction asks is asked here too: a refusal should not cost a clone.
        await creation.require_place(call, tx)
        await creation.free_name(call, tx, call.body.get("name"))
    await require_room(call)
    workspace_id = new_id()
    async with call.world.repositories.checkout(selector) as checkout:
        asked = await files.in_thread(devcontainer.read, checkout.folder)
        await require_room(call, await files.in_thread(files.used_bytes, checkout.folder))
        async with call.world.disks.new() as disk_id:
            await call.engine.fill_disk(disk_id, checkout.folder)
            async with call.store.transaction() as tx:
                await creation.require_place(call, tx)
                name = await _name(call, tx, checkout.selector)
                await workspaces.insert(
                    tx,
                    workspace_id,
                    account_id=call.account.id,
                    name=name,
                    session_type="sandbox",
                    disk_id=disk_id,
                    created_at=call.clock.timestamp(),
                    github_repo=str(checkout.selector),
                )
                summary = f"imported {checkout.selector} as workspace {name}"
                info = await creation.created(call, tx, workspace_id, summary)
    return {
        "workspace": info,
        "github_repo": str(checkout.selector),
        "private": checkout.private,
        "default_branch": checkout.default_branch,
        "devcontainer": asked,
    }


def _selector(call: Call) -> Selector:
    """The repository, under one of its two names (W17)."""
    found: dict[str, Selector] = {}
    for field in _FIELDS:
        if field in call.body:
            try:
                found[field] = call.world.repositories.parse(call.body[field])
            except ValueError as error:
                raise invalid_field(f"/{field}", str(error)) from None
    if len({(one.repository.lower(), one.ref) for one in found.values()}) > 1:
        message = "names another repository than /github_repo; send one of the two, or the same in both"
        raise invalid([Problem("body", "/repo", message)])
    return next(iter(found.values()))


async def _name(call: Call, tx: Transaction, selector: Selector) -> str:
    """The name that is asked for, else that of the repository where it can be one, else a generated one."""
    name: str | None = call.body.get("name")
    if name is None and names.allowed(selector.name):
        name = selector.name if await workspaces.named(tx, call.account.id, selector.name) is None else None
    return await creation.free_name(call, tx, name)
