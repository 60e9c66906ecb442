"""Remove what an emulator that does not run has left: its processes, its folder, and what it has in Docker."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from chaser_emulator import vault, whereabouts
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.store import Store, StoreError, identity

DATABASE = "chaser.db"

# By name, so that nothing else goes where somebody named a folder of their own as --data-dir. The database goes last:
# it knows what else there is, and an end in the middle can be begun again.
_FOLDERS = ("workspaces", "run", "output", "checkouts")
_OURS = (*_FOLDERS, whereabouts.NOTE, vault.KEY, f"{DATABASE}-wal", f"{DATABASE}-shm", DATABASE)
_TRACES = ("ssh_host_ed25519_key", whereabouts.LOCK, "states")
"""What a reset leaves: who has met this emulator by SSH knows it again, and states were kept to go back to them."""

DOCKER_USED = "docker_used"
"""The fact that an emulator has had sandboxes in Docker."""


@dataclass
class Removed:
    """How many of what, in the words for one and for many, and what may remain and why."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)

    def count(self, one: str, many: str, number: int) -> None:
        self.counts[one, many] += number

    def __str__(self) -> str:
        parts = [f"{number} {one if number == 1 else many}" for (one, many), number in self.counts.items() if number]
        return ", ".join(parts) or "nothing"


def erase(folder: Path, *, traces: bool = False) -> Removed:
    """Remove it all, with `traces` the folder itself as well. The caller holds the folder. Raises OSError."""
    return asyncio.run(remove(folder, traces=traces))


async def remove(folder: Path, *, traces: bool = False) -> Removed:
    """As `erase`, for callers with an event loop."""
    removed = Removed()
    removed.count("process", "processes", await asyncio.to_thread(_end_processes, folder))
    await _from_docker(folder, removed)
    await asyncio.to_thread(_remove_files, folder, removed, (*_OURS, *_TRACES) if traces else _OURS)
    return removed


def _end_processes(folder: Path) -> int:
    """Kill what a killed emulator's sandboxes have left running on this machine."""
    from chaser_emulator.sandbox import bubblewrap, plain

    if sys.platform != "linux":
        return 0
    run = folder.resolve() / "run"
    found = len(set(plain.marked(run)))
    found += bubblewrap.kill_strays(run)
    plain.kill_all(run)
    return found


async def _from_docker(folder: Path, removed: Removed) -> None:
    """Remove this emulator's containers and volumes; its database knows under which name it has them."""
    if not (folder / DATABASE).exists():
        return
    try:
        store = await Store.open(folder / DATABASE)
    except StoreError:
        removed.kept.append("the database cannot be read, so containers and volumes may remain in Docker")
        return
    try:
        instance = await identity.fact(store, "instance")
        used = await identity.fact(store, DOCKER_USED)
    finally:
        await store.close()
    if instance is None:
        return
    from chaser_emulator.sandbox import docker_labelled

    try:
        async with docker_labelled.connected() as line:
            containers, volumes = await docker_labelled.remove(line, instance)
    except SandboxError as error:
        if used:
            label = f"{docker_labelled.INSTANCE}={instance}"
            removed.kept.append(f"containers and volumes labelled {label} may remain in Docker: {error}")
        return
    removed.count("container", "containers", containers)
    removed.count("volume", "volumes", volumes)


def _remove_files(folder: Path, removed: Removed, names: tuple[str, ...]) -> None:
    from chaser_emulator.sandbox.files import remove_tree

    removed.count("workspace or snapshot", "workspaces and snapshots", len(_entries(folder / "workspaces")))
    removed.count("run folder", "run folders", sum(len(_entries(one)) for one in _entries(folder / "run")))
    removed.count("database", "databases", int((folder / DATABASE).exists()))
    for name in names:
        entry = folder / name
        if entry.is_dir() and not entry.is_symlink():
            remove_tree(entry)
        else:
            entry.unlink(missing_ok=True)
    if names != _OURS:
        with contextlib.suppress(OSError):  # somebody else's files are in it
            folder.rmdir()


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
