"""Disks from their making to their end: none is left that no row names, and none goes while it is being copied."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chaser_emulator.clock import new_id
from chaser_emulator.sandbox import Engine, SandboxError
from chaser_emulator.store import Store, workspaces

_log = logging.getLogger(__name__)


class Disks:
    """The disks of one world.

    A disk counts once a committed row names it, and no longer once none does; so every change of what a workspace
    holds is one transaction, and whatever a crash or a failure leaves beside the rows is rubbish.
    """

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine
        self._making: set[str] = set()
        self._copied: Counter[str] = Counter()
        self._discarded: set[str] = set()

    @asynccontextmanager
    async def new(self) -> AsyncIterator[str]:
        """The id of a disk that the block makes, and names in a row it commits; deleted when the block raises."""
        disk_id = new_id()
        self._making.add(disk_id)
        try:
            yield disk_id
        except BaseException:
            await asyncio.shield(self._give_up(disk_id))
            raise
        finally:
            self._making.discard(disk_id)

    @asynccontextmanager
    async def copy(self, source_id: str) -> AsyncIterator[str]:
        """As `new`, with all that is on another disk, which stays at least as long as the block. Raises SandboxError.

        What the copy holds is the source as it was, whatever its workspace has become meanwhile.
        """
        async with self.held(source_id), self.new() as disk_id:
            await self._engine.copy_disk(source_id, disk_id)
            yield disk_id

    @asynccontextmanager
    async def held(self, *disk_ids: str) -> AsyncIterator[None]:
        """Let disks stay at least as long as the block, also when nothing names them any more."""
        self._copied.update(disk_ids)
        try:
            yield
        finally:
            self._copied -= Counter(disk_ids)
            gone = self._discarded.intersection(disk_ids) - self._copied.keys()
            self._discarded -= gone
            await asyncio.shield(asyncio.gather(*(self._delete(disk_id) for disk_id in gone)))

    async def discard(self, *disk_ids: str) -> None:
        """Delete disks that no row names any more; one that is being copied goes right after that."""
        later = {disk_id for disk_id in disk_ids if disk_id in self._copied}
        self._discarded |= later
        await asyncio.shield(asyncio.gather(*(self._delete(disk_id) for disk_id in disk_ids if disk_id not in later)))

    async def clear(self) -> None:
        """Delete every disk that no row names and nobody is making: what crashes and failed deletions left."""
        there = await self._engine.disks()
        # In this order: what is made now is either among those being made, or named by the time that rows are read.
        busy = self._making | self._copied.keys()
        named = await workspaces.disks(self._store)
        await self.discard(*(there - busy - named))

    async def _give_up(self, disk_id: str) -> None:
        # A caller who is cancelled while a transaction commits cannot know how that ended; the rows do.
        if disk_id not in await workspaces.disks(self._store):
            await self._delete(disk_id)

    async def _delete(self, disk_id: str) -> None:
        try:
            await self._engine.delete_disk(disk_id)
        except (SandboxError, OSError) as error:
            _log.warning("disk %s could not be deleted yet: %s", disk_id, error)
