"""Engines around engines: what all of them do, and how the one of a kind is found."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

from chaser_emulator.sandbox import (
    CommandSpec,
    DiskEntry,
    Engine,
    EngineInfo,
    EngineName,
    FileDownload,
    FileListing,
    Process,
    SandboxSpec,
    Terminal,
    TerminalSpec,
)

Kind = TypeVar("Kind")


class Layer:
    """An engine that does what its inner one does; each kind of layer says what it does otherwise."""

    def __init__(self, inner: Engine) -> None:
        self.inner = inner
        self.name: EngineName = inner.name
        self.outlives = inner.outlives

    def _of(self, ref: str) -> Engine:
        """The engine that has a sandbox."""
        return self.inner

    async def open(self) -> EngineInfo:
        return await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def start(self, spec: SandboxSpec) -> str:
        return await self.inner.start(spec)

    async def stop(self, ref: str) -> None:
        await self._of(ref).stop(ref)

    async def alive(self, ref: str) -> bool:
        return await self._of(ref).alive(ref)

    async def refs(self) -> dict[str, str]:
        return await self.inner.refs()

    async def exec(self, ref: str, command: CommandSpec) -> Process:
        return await self._of(ref).exec(ref, command)

    async def read_file(self, ref: str, path: str) -> FileDownload:
        return await self._of(ref).read_file(ref, path)

    async def list_files(self, ref: str, path: str, *, recursive: bool, limit: int) -> FileListing:
        return await self._of(ref).list_files(ref, path, recursive=recursive, limit=limit)

    async def write_file(self, ref: str, path: str, content: AsyncIterator[bytes], *, keep_mode: bool = False) -> int:
        return await self._of(ref).write_file(ref, path, content, keep_mode=keep_mode)

    async def open_terminal(self, ref: str, spec: TerminalSpec) -> Terminal:
        return await self._of(ref).open_terminal(ref, spec)

    async def ports(self, ref: str) -> list[int]:
        return await self._of(ref).ports(ref)

    async def connect(self, ref: str, port: int) -> socket.socket:
        return await self._of(ref).connect(ref, port)

    async def disks(self) -> set[str]:
        return await self.inner.disks()

    async def delete_disk(self, disk_id: str) -> None:
        await self.inner.delete_disk(disk_id)

    async def copy_disk(self, source_id: str, target_id: str) -> None:
        await self.inner.copy_disk(source_id, target_id)

    async def fill_disk(self, disk_id: str, folder: Path) -> None:
        await self.inner.fill_disk(disk_id, folder)

    async def export_disk(self, disk_id: str, to: BinaryIO) -> None:
        await self.inner.export_disk(disk_id, to)

    async def import_disk(self, disk_id: str, archive: BinaryIO, *, owners: bool) -> None:
        await self.inner.import_disk(disk_id, archive, owners=owners)

    async def disk_entries(
        self, disk_id: str, folder: str = "", *, recursive: bool = True, digests: bool = False
    ) -> Sequence[DiskEntry]:
        return await self.inner.disk_entries(disk_id, folder, recursive=recursive, digests=digests)

    async def read_disk_file(self, disk_id: str, path: str) -> FileDownload:
        return await self.inner.read_disk_file(disk_id, path)

    async def disk_bytes(self, disk_id: str) -> int | None:
        return await self.inner.disk_bytes(disk_id)


def find(engine: Engine, kind: type[Kind]) -> Kind | None:
    """The engine itself or the one that it is around, if it is of this kind."""
    while not isinstance(engine, kind):
        if not isinstance(engine, Layer):
            return None
        engine = engine.inner
    return engine
