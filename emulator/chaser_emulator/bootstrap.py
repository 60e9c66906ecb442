"""What a session finds at /workspace: its workspace's disk, or a checkout of the repository it names, made once."""

from __future__ import annotations

from dataclasses import dataclass

from chaser_emulator.disks import Disks
from chaser_emulator.errors import ApiError
from chaser_emulator.repositories import Repositories
from chaser_emulator.sandbox import CommandSpec, Engine, SandboxSpec
from chaser_emulator.store import Row, Store, sessions, workspaces


@dataclass(frozen=True)
class Bootstrap:
    """Chooses, and if need be makes, the disks that sessions start on."""

    store: Store
    engine: Engine
    disks: Disks
    repositories: Repositories

    async def disk_of(self, session: Row) -> str | None:
        """The disk for a session that starts, with its repository on it; None for an empty one that goes away.

        A workspace that holds anything stays as it is. One that holds nothing gets the repository that the session
        names, else the one that it was imported from; it, or the ephemeral session, names the disk from then on.
        Raises what `Repositories.checkout` and `Engine.fill_disk` do.
        """
        workspace = await workspaces.get(self.store, session["workspace_id"]) if session["workspace_id"] else None
        disk_id: str | None = workspace["disk_id"] if workspace is not None else None
        wanted = session["github_repo"] or (workspace["github_repo"] if workspace is not None else None)
        if session["session_type"] != "sandbox":
            wanted = None
        if wanted is None or (disk_id is not None and not await self._is_empty(session, disk_id)):
            return disk_id
        try:
            selector = self.repositories.parse(wanted)
        except ValueError as error:
            # It was imported while another base was set.
            raise ApiError("not_found", f"{wanted!r} {error}") from None
        async with self.repositories.checkout(selector) as checkout, self.disks.new() as filled:
            await self.engine.fill_disk(filled, checkout.folder)
            async with self.store.transaction() as tx:
                if workspace is None:
                    named = await sessions.set_disk(tx, session["id"], filled)
                else:
                    named = await workspaces.set_disk(tx, workspace["id"], filled)
                    await workspaces.set_repository(tx, workspace["id"], wanted)
                if not named:
                    raise ApiError("not_found", f"session {session['id']} ended while its repository was cloned")
        if disk_id is not None:
            await self.disks.discard(disk_id)
        return filled

    async def _is_empty(self, session: Row, disk_id: str) -> bool:
        """Whether nothing at all is on a disk. That needs a look, as names alone take no bytes."""
        if disk_id not in await self.engine.disks():
            return True
        if await self.engine.disk_bytes(disk_id):
            return False
        spec = SandboxSpec(session["id"], session["workspace_id"], disk_id, session["image"])
        ref = await self.engine.start(spec)
        try:
            process = await self.engine.exec(ref, CommandSpec("ls -A /workspace"))
            listed = [chunk async for chunk in process.output()]
            return await process.wait() == 0 and not listed
        finally:
            await self.engine.stop(ref)
