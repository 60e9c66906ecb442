"""States of a world: saved to a file or kept under a name, loaded, and compared with what the world began with."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from chaser_emulator import differences
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Reply
from chaser_emulator.sandbox import DiskFull, files
from chaser_emulator.states import KEPT, SealedError, StateError, load, manifest_of, read, save
from chaser_emulator.states.contents import newest_form

_SUFFIX = ".chaser-state"
_CHUNK = 2**18


@control("save-state")
async def save_state(call: ControlCall) -> Reply:
    """All that the world is, as a file."""
    path = _scratch(call)
    try:
        with _room():
            await save(call.world, path, disks=call.body.get("disks", False))
        file = path.open("rb")
        size = os.fstat(file.fileno()).st_size
    finally:
        # Nobody needs its name any more. Windows wants the file to be closed before.
        with suppress(PermissionError):
            path.unlink(missing_ok=True)
    return Reply(chunks=_sent(file, path), media_type="application/octet-stream", headers={"Content-Length": str(size)})


async def _sent(file: BinaryIO, path: Path) -> AsyncGenerator[bytes, None]:
    try:
        while chunk := await files.in_thread(file.read, _CHUNK):
            yield chunk
    finally:
        file.close()
        await files.in_thread(path.unlink, missing_ok=True)


@control("load-state")
async def load_state(call: ControlCall) -> dict[str, Any]:
    """Let the world be what a file holds."""
    async with _received(call) as path:
        return await _load(call, path)


@asynccontextmanager
async def _received(call: ControlCall) -> AsyncIterator[Path]:
    """The file that a request carries, as long as the block lasts."""
    path = _scratch(call)
    try:
        with _room(), path.open("wb") as file:
            async for chunk in call.request.stream():
                await files.in_thread(file.write, chunk)
        yield path
    finally:
        # Windows does not let it go as long as the world may go back to it.
        with suppress(PermissionError):
            path.unlink(missing_ok=True)


@contextmanager
def _room() -> Iterator[None]:
    """The block writes a file or a disk, for which there may be no room."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ApiError("payload_too_large", "no space is left for the state's file") from error
    except DiskFull as error:
        raise ApiError("payload_too_large", f"no space is left for the state's disks: {error}") from error


@contextmanager
def _refused() -> Iterator[None]:
    """The block reads a file, which may be none of ours."""
    try:
        yield
    except SealedError as error:
        raise ApiError("sealed_state", f"the state is not loaded: {error}") from error
    except StateError as error:
        raise ApiError("damaged_state", f"the state is not loaded: {error}") from error


async def _load(call: ControlCall, path: Path) -> dict[str, Any]:
    with _refused(), _room():
        world, manifest = await load(
            call.worlds,
            call.world,
            path,
            api_key=call.headers.get("X-Chaser-State-Key"),
            without_secrets=call.query.get("without_secrets", False),
        )
    return {"world": world.id, "state": manifest.info()}


@control("diff-state")
async def diff_state(call: ControlCall) -> dict[str, Any]:
    """What has become of the world since it began, or since a state that was kept."""
    if name := call.query.get("since"):
        path = _kept(call, name)
        with _refused():
            before = (await files.in_thread(read, path, form=newest_form())).database()
    else:
        assert call.world.beginning is not None  # noqa: S101 - each world that is served has one
        before = call.world.beginning.image
    diff = await differences.of_images(before, await call.world.store.image())
    return diff.info()


# Kept by this emulator


@control("list-states")
async def list_states(call: ControlCall) -> dict[str, Any]:
    """Those that were kept, the newest first."""
    paths = _folder(call).glob(f"*{_SUFFIX}")
    found = await files.in_thread(lambda: [_shown(path) for path in paths])
    return {"states": sorted(found, key=lambda one: (one.get("created_at", ""), one["name"]), reverse=True)}


def _shown(path: Path) -> dict[str, Any]:
    name = path.name.removesuffix(_SUFFIX)
    try:
        return {"name": name, **manifest_of(path).info()}
    except (StateError, OSError) as error:
        return {"name": name, "problem": str(error)}


@control("keep-state")
async def keep_state(call: ControlCall) -> dict[str, Any]:
    """Save the world under a name, in place of what was kept under it."""
    path = _folder(call) / f"{call.path['name']}{_SUFFIX}"
    with _room():
        manifest = await save(call.world, path, disks=call.body.get("disks", False))
    return {"name": call.path["name"], **manifest.info()}


@control("load-kept-state")
async def load_kept_state(call: ControlCall) -> dict[str, Any]:
    """Let the world be what was kept under a name."""
    return await _load(call, _kept(call, call.path["name"]))


@control("delete-state")
async def delete_state(call: ControlCall) -> None:
    """Forget what was kept under a name."""
    _kept(call, call.path["name"]).unlink(missing_ok=True)


def _kept(call: ControlCall, name: str) -> Path:
    path = _folder(call) / f"{name}{_SUFFIX}"
    if not path.is_file():
        raise ApiError("not_found", f"no state is kept under the name {name!r}")
    return path


def _folder(call: ControlCall) -> Path:
    """Where states are kept: one place for all worlds of the process."""
    folder: Path = call.worlds.folder / KEPT
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _scratch(call: ControlCall) -> Path:
    return _folder(call) / f".moving-{secrets.token_hex(8)}"
