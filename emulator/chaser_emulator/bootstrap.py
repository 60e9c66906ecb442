"""What a session finds at /workspace: its workspace's disk, or a checkout of the repository it names, made once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from chaser_emulator.disks import Disks
from chaser_emulator.errors import ApiError
from chaser_emulator.repositories import Repositories
from chaser_emulator.sandbox import CommandSpec, Engine, SandboxSpec
from chaser_emulator.store import Row, Store, sessions, workspaces


@dataclass(frozen=True)
class Bootstrap:
    """Starts sandboxes on the disks of their sessions, which it makes if need be."""

    store: Store
    engine: Engine
    disks: Disks
    repositories: Repositories

    async def start(self, session: Row, spec: SandboxSpec) -> str:
        """Start the sandbox that `spec` describes, on the disk where its files are; answers its ref.

        A workspace that holds anything stays as it is. One that holds nothing gets the repository that the session
        names, else the one that it was imported from; it, or the ephemeral session, names the disk from then on.
        Raises what `Repositories.checkout`, `Engine.fill_disk` and `Engine.start` do.
        """
        workspace = await workspaces.get(self.store, session["workspace_id"]) if session["workspace_id"] else None
        disk_id: str | None = workspace["disk_id"] if workspace is not None else None
        wanted = session["github_repo"] or (workspace["github_repo"] if workspace is not None else None)
        if wanted is None or spec.browser:
            return await self.engine.start(replace(spec, disk_id=disk_id))
        if disk_id is not None and disk_id in await self.engine.disks():
            # Only a look tells that nothing is there: names alone take no bytes.
            ref = await self.engine.start(replace(spec, disk_id=disk_id))
            empty = False
            try:
                empty = await self._is_empty(ref)
            except BaseException:
                await asyncio.shield(self.engine.stop(ref))
                raise
            if not empty:
                return ref
            await self.engine.stop(ref)
        return await self.engine.start(replace(spec, disk_id=await self._filled(session, workspace, wanted)))

    async def _filled(self, session: Row, workspace: Row | None, wanted: str) -> str:
        """A disk with the repository on it, named by the workspace's row or the ephemeral session's."""
        try:
            selector = self.repositories.parse(wanted)
        except ValueError as error:
            # It was imported while another base was set.
            raise ApiError("not_found", f"{wanted!r} {error}") from None
        async with self.repositories.checkout(selector) as checkout, self.disks.new() as disk_id:
            await self.engine.fill_disk(disk_id, checkout.folder)
            async with self.store.transaction() as tx:
                if workspace is None:
                    named = await sessions.set_disk(tx, session["id"], disk_id)
                else:
                    named = await workspaces.set_disk(tx, workspace["id"], disk_id)
                    await workspaces.set_repository(tx, workspace["id"], wanted)
                if not named:
                    raise ApiError("not_found", f"session {session['id']} ended while its repository was cloned")
        if workspace is not None:
            await self.disks.discard(workspace["disk_id"])
        return disk_id

    async def _is_empty(self, ref: str) -> bool:
        process = await self.engine.exec(ref, CommandSpec("ls -A", ours=True))
        listed = [chunk async for chunk in process.output()]
        return await process.wait() == 0 and not listed
