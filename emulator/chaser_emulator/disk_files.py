"""Files of workspaces' disks, now or as a snapshot keeps them: what is there, and what two states differ in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Literal

from chaser_emulator.errors import ApiError, Problem, invalid
from chaser_emulator.paths import in_sandbox
from chaser_emulator.sandbox import WORKSPACE_ROOT, DiskEntry, FileDownload, NotAFile, PathNotFound, SandboxError
from chaser_emulator.store import Reader, snapshots, workspaces
from chaser_emulator.world import World

LARGEST_TEXT = 1_048_576
"""Bytes of a file that is compared line by line."""

ChangeKind = Literal["added", "removed", "changed"]
Aspect = Literal["kind", "size", "content", "mode", "target"]


@dataclass(frozen=True)
class State:
    """What a workspace holds: on the disk that it has now (`snapshot` None), or on that of a snapshot."""

    workspace_id: str
    snapshot: str | None
    disk_id: str


@dataclass(frozen=True)
class Change:
    """What became of a path from one state to another, and in which respects, where it is in both."""

    path: str
    kind: ChangeKind
    aspects: Sequence[Aspect]
    before: DiskEntry | None
    after: DiskEntry | None


async def find(reader: Reader, selector: str, snapshot: str | None) -> State:
    """A state by the id of a workspace, or by the name that one alone has in this world. Raises ApiError."""
    row = await workspaces.get(reader, selector.lower())
    if row is None:
        named = await workspaces.called(reader, selector)
        if len(named) > 1:
            ids = ", ".join(one["id"] for one in named[:5])
            raise invalid([Problem("path", "ws", f"is the name of workspaces of several accounts; say which: {ids}")])
        if not named:
            raise ApiError("not_found", f"no account of this world has a workspace {selector[:100]!r}")
        row = named[0]
    if snapshot is None:
        return State(row["id"], None, row["disk_id"])
    kept = await snapshots.named(reader, row["id"], snapshot)
    if kept is None:
        raise ApiError("not_found", f"workspace {row['name'] or row['id']} has no snapshot {snapshot[:100]!r}")
    return State(row["id"], kept["name"], kept["disk_id"])


async def entries(world: World, state: State, folder: str, *, recursive: bool) -> Sequence[DiskEntry]:
    """What is in a folder of a state, parents before what is in them. Raises SandboxError."""
    async with world.disks.held(state.disk_id):
        real = await _real(world, state, folder)
        with _told():
            return await world.engine.disk_entries(state.disk_id, real, recursive=recursive)


async def _real(world: World, state: State, path: str) -> str:
    """The path that is shown so: names that are no UTF-8 are told with another character in them."""
    if "\N{REPLACEMENT CHARACTER}" not in path:
        return path
    found = await world.engine.disk_entries(state.disk_id)
    return next((entry.path for entry in found if shown(entry.path) == path), path)


@contextmanager
def _told() -> Iterator[None]:
    """Let what an engine says of a path be told as the path is."""
    try:
        yield
    except SandboxError as error:
        raise type(error)(shown(str(error))) from None


@asynccontextmanager
async def opened(world: World, state: State, path: str) -> AsyncGenerator[FileDownload]:
    """A file of a state, for as long as the block lasts. Raises PathNotFound, NotAFile."""
    async with world.disks.held(state.disk_id):
        real = await _real(world, state, path)
        with _told():
            download = await world.engine.read_disk_file(state.disk_id, real)
        try:
            yield download
        finally:
            close = getattr(download.chunks, "aclose", None)
            if close is not None:
                await close()


async def text_of(world: World, state: State, path: str) -> bytes | None:
    """The bytes of a file that is to be compared; None where there is no file. Raises ApiError `payload_too_large`."""
    try:
        async with opened(world, state, path) as download:
            if download.size > LARGEST_TEXT:
                text = f"{path} has {download.size} bytes, and files of at most {LARGEST_TEXT} are compared by line"
                raise ApiError("payload_too_large", text, details={"limit": LARGEST_TEXT})
            return b"".join([chunk async for chunk in download.chunks])
    except (PathNotFound, NotAFile):
        return None


async def changes(world: World, before: State, after: State) -> list[Change]:
    """All that differs between two states, by path. Raises SandboxError."""
    async with world.disks.held(before.disk_id, after.disk_id):
        old, new = await asyncio.gather(
            *(world.engine.disk_entries(state.disk_id, digests=True) for state in (before, after))
        )
    return await asyncio.to_thread(differences, old, new)


def differences(old: Sequence[DiskEntry], new: Sequence[DiskEntry]) -> list[Change]:
    """What two lists of entries differ in; when something was written last makes no difference."""
    before = {entry.path: entry for entry in old}
    after = {entry.path: entry for entry in new}
    return list(_differences(before, after, sorted(before.keys() | after.keys(), key=lambda path: path.split("/"))))


def _differences(before: dict[str, DiskEntry], after: dict[str, DiskEntry], paths: Sequence[str]) -> Iterator[Change]:
    for path in paths:
        was, now = before.get(path), after.get(path)
        if was is None:
            yield Change(path, "added", (), None, now)
        elif now is None:
            yield Change(path, "removed", (), was, None)
        elif aspects := _aspects(was, now):
            yield Change(path, "changed", aspects, was, now)


def _aspects(was: DiskEntry, now: DiskEntry) -> list[Aspect]:
    if was.kind != now.kind:
        return ["kind"]
    found: list[Aspect] = []
    if was.size != now.size:
        found += ["size", "content"]
    elif was.digest != now.digest and None not in (was.digest, now.digest):
        # Of what may not be read nothing is known.
        found.append("content")
    if was.target != now.target:
        found.append("target")
    if was.mode != now.mode and was.kind != "symlink":
        found.append("mode")
    return found


def shown(path: str) -> str:
    """A path of a disk as it is told: a name need not be UTF-8, but what is told has to be."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def on_disk(path: str) -> str:
    """A path of a request, from /workspace or absolute, as one of the disk; "" for the disk itself. Raises ApiError."""
    place = in_sandbox(path)
    if place == WORKSPACE_ROOT:
        return ""
    if not place.startswith(f"{WORKSPACE_ROOT}/"):
        raise invalid([Problem("query", "path", f"leads out of {WORKSPACE_ROOT}")])
    return place[len(WORKSPACE_ROOT) + 1 :]
