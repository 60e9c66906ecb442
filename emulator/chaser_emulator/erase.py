"""Remove what an emulator that does not run has kept, in its folder and in the container engine."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from chaser_emulator import engines, whereabouts
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.settings import Settings
from chaser_emulator.store import Store, StoreError, identity, workspaces

DATABASE = "chaser.db"

# By name, so that nothing else goes where somebody named a folder of their own as --data-dir.
_OURS = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", whereabouts.NOTE, "workspaces", "run", "output", "checkouts")


def erase(folder: Path) -> str | None:
    """Remove it all; answers what could not be removed and why. The caller holds the folder. Raises OSError."""
    kept = asyncio.run(from_docker(folder))
    for name in _OURS:
        entry = folder / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
    return kept


async def from_docker(folder: Path) -> str | None:
    """Remove this emulator's containers and volumes; answers what may remain and why.

    A folder does not tell which engine ran its sandboxes, so Docker is always asked.
    """
    try:
        store = await Store.open(folder / DATABASE)
    except StoreError:
        return "the database cannot be read, so volumes of its workspaces may remain in Docker"
    try:
        instance = await identity.fact(store, "instance")
        disks = await workspaces.disks(store)
    finally:
        await store.close()
    if instance is None:
        return None
    engine = engines.docker(Settings(), instance)
    try:
        await engine.open()
        for ref in await engine.refs():
            await engine.stop(ref)
        for disk_id in await engine.disks() | disks:
            await engine.delete_disk(disk_id)
    except SandboxError as error:
        return f"containers and volumes labelled {instance} may remain in Docker: {error}" if disks else None
    finally:
        await engine.close()
    return None
