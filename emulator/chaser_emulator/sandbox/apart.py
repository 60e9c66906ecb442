"""An engine of containers whose image has no Chromium: its browsers run on a second engine, on this machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from chaser_emulator.sandbox import (
    CommandSpec,
    DiskEntry,
    Engine,
    EngineInfo,
    FileDownload,
    SandboxError,
    SandboxSpec,
    SandboxUnavailable,
)
from chaser_emulator.sandbox.layers import Layer

_log = logging.getLogger(__name__)


class BrowsersApart(Layer):
    """An engine that looks like its main one. Which of the two has browsers is found out at the first of them.

    The second one is opened when it is needed: for a browser, for a disk of one, or after a run that had it open.
    """

    def __init__(self, main: Engine, second: Callable[[], Engine], folder: Path, look: CommandSpec) -> None:
        """`folder` is where the second engine has its disks and what runs; `look` succeeds where Chromium is."""
        super().__init__(main)
        self._make_second = second
        self._folder = folder
        self._look = look
        self._second: Engine | None = None
        self._home: Engine | None = None
        self._opening = asyncio.Lock()
        self._deciding = asyncio.Lock()
        self._refs: set[str] = set()

    async def open(self) -> EngineInfo:
        info = await self.inner.open()
        run = self._folder / "run"
        if run.is_dir() and any(run.iterdir()):
            await self._beside()
        return info

    async def close(self) -> None:
        try:
            if self._second is not None:
                await self._second.close()
        finally:
            await self.inner.close()

    async def start(self, spec: SandboxSpec) -> str:
        if not spec.browser:
            return await self.inner.start(spec)
        home = await self._home_of(spec)
        ref = await home.start(spec)
        if home is self._second:
            self._refs.add(ref)
        return ref

    async def stop(self, ref: str) -> None:
        await super().stop(ref)
        self._refs.discard(ref)

    async def refs(self) -> dict[str, str]:
        found = await self.inner.refs()
        return found if self._second is None else found | await self._second.refs()

    async def disks(self) -> set[str]:
        return await self.inner.disks() | self._beside_disks()

    async def delete_disk(self, disk_id: str) -> None:
        await (await self._holder(disk_id)).delete_disk(disk_id)

    async def copy_disk(self, source_id: str, target_id: str) -> None:
        await (await self._holder(source_id)).copy_disk(source_id, target_id)

    async def export_disk(self, disk_id: str, to: BinaryIO) -> None:
        await (await self._holder(disk_id)).export_disk(disk_id, to)

    async def disk_entries(
        self, disk_id: str, folder: str = "", *, recursive: bool = True, digests: bool = False
    ) -> Sequence[DiskEntry]:
        holder = await self._holder(disk_id)
        return await holder.disk_entries(disk_id, folder, recursive=recursive, digests=digests)

    async def read_disk_file(self, disk_id: str, path: str) -> FileDownload:
        return await (await self._holder(disk_id)).read_disk_file(disk_id, path)

    async def disk_bytes(self, disk_id: str) -> int | None:
        return await (await self._holder(disk_id)).disk_bytes(disk_id)

    async def _home_of(self, spec: SandboxSpec) -> Engine:
        """Where a browser runs: with its disk, which an emulator of another image may have made elsewhere."""
        if spec.disk_id is not None and spec.disk_id in self._beside_disks():
            return await self._beside()
        async with self._deciding:
            if self._home is None:
                self._home = self.inner if await self._has_program(spec) else await self._beside()
        if self._home is not self.inner and spec.disk_id is not None and spec.disk_id in await self.inner.disks():
            raise SandboxUnavailable(
                "This browser's profile is in containers, and their image has no Chromium any more; "
                "start the emulator with an --image that has one."
            )
        return self._home

    def _of(self, ref: str) -> Engine:
        return self._second if self._second is not None and ref in self._refs else self.inner

    async def _holder(self, disk_id: str) -> Engine:
        return await self._beside() if disk_id in self._beside_disks() else self.inner

    def _beside_disks(self) -> set[str]:
        folder = self._folder / "workspaces"
        return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()

    async def _beside(self) -> Engine:
        async with self._opening:
            if self._second is None:
                engine = self._make_second()
                await engine.open()
                self._second = engine
            return self._second

    async def _has_program(self, spec: SandboxSpec) -> bool:
        """Whether the main engine's own image has a Chromium: asked in a sandbox of it, once."""
        ref = await self.inner.start(SandboxSpec(spec.session_id))
        try:
            process = await self.inner.exec(ref, self._look)
            return await process.wait() == 0
        finally:
            try:
                await asyncio.shield(self.inner.stop(ref))
            except SandboxError as error:
                _log.warning("the sandbox in which Chromium was looked for could not be stopped yet: %s", error)
