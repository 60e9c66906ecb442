"""The files of a workspace of a seed: laid out in a folder, of which its disk is made, as an import does it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chaser_emulator.paths import in_sandbox
from chaser_emulator.sandbox import WORKSPACE_ROOT
from chaser_emulator.seeding.references import decoded
from chaser_emulator.store import workspaces
from chaser_emulator.world import World

Sources = Callable[[str], bytes]
"""Reads a file beside the seed by its path from there."""


async def fill(world: World, workspace_id: str, files: Mapping[str, Any], sources: Sources) -> None:
    """Let a workspace that nobody uses hold these files and no others. Raises SandboxError."""
    before = await workspaces.get(world.store, workspace_id)
    assert before is not None  # noqa: S101 - made just above
    # A world in memory has a folder only once it needs one.
    await asyncio.to_thread(world.data_dir.mkdir, mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=world.data_dir, prefix="seed-") as staging:
        folder = Path(staging) / "workspace"
        await asyncio.to_thread(_lay_out, folder, files, sources)
        async with world.disks.new() as disk_id:
            await world.engine.fill_disk(disk_id, folder)
            async with world.store.transaction() as tx:
                await workspaces.set_disk(tx, workspace_id, disk_id)
    if before["disk_id"] != workspace_id:
        await world.disks.discard(before["disk_id"])


def _lay_out(folder: Path, files: Mapping[str, Any], sources: Sources) -> None:
    folder.mkdir()
    for name, content in files.items():
        path = folder / in_sandbox(name).removeprefix(f"{WORKSPACE_ROOT}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes_of(content, sources))
        executable = isinstance(content, dict) and content.get("executable", False)
        path.chmod(0o755 if executable else 0o644)


def bytes_of(content: Any, sources: Sources) -> bytes:
    """What a file of a seed holds."""
    if isinstance(content, str):
        return content.encode()
    if "text" in content:
        return str(content["text"]).encode()
    if "base64" in content:
        return decoded(content["base64"]) or b""
    return sources(content["from"])
