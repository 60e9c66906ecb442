"""Files of a local sandbox, reached from outside without ever following a link out of the place they belong to."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

from chaser_emulator.sandbox import (
    WORKSPACE_ROOT,
    BadPath,
    DiskFull,
    FileDownload,
    NotAFile,
    NotWritable,
    PathNotFound,
    SandboxError,
)

P = ParamSpec("P")
T = TypeVar("T")

CHUNK = 262_144
_LINKS = 40  # as many as the kernel follows
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True)
class Place:
    """A folder of the sandbox (`at`) that is `folder` on the host, and where uploads to it wait until they are whole.

    Links that lead out of it are refused.
    """

    at: str
    folder: Path
    staging: Path


@dataclass(frozen=True)
class View:
    """What a sandbox sees: its own places, and below `rest` everything else, to be read only."""

    places: Sequence[Place]
    rest: Path


@dataclass(frozen=True)
class _Spot:
    place: Place
    parts: tuple[str, ...]
    writable: bool
    path: str


async def read(view: View, path: str) -> FileDownload:
    """Open a regular file; the size is that of the moment, and no more than it is sent."""
    fd, size = await in_thread(_open, _locate(view, path))
    return FileDownload(size=size, chunks=_Chunks(fd, size, path))


async def write(view: View, path: str, content: AsyncIterator[bytes]) -> int:
    """Store a file: collected beside the sandbox, then moved to its place in one step."""
    spot = _locate(view, path)
    if not spot.writable:
        raise NotWritable(f"{path} cannot be written to.")
    await in_thread(_check_target, spot)
    staged = spot.place.staging / f".chaser-upload-{secrets.token_hex(8)}"
    fd = await in_thread(_guard, path, os.open, staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    size = 0
    try:
        waiting = bytearray()
        async for chunk in content:
            waiting += chunk
            if len(waiting) >= CHUNK:
                size += await in_thread(_guard, path, _write_all, fd, bytes(waiting))
                waiting.clear()
        size += await in_thread(_guard, path, _write_all, fd, bytes(waiting))
        await in_thread(_guard, path, _commit, fd, staged, spot)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    return size


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking work in a thread, and see it through even when we are cancelled: it uses what we shall close."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue
        if not task.cancelled() and (error := task.exception()) is not None:
            raise asyncio.CancelledError from error
        raise


def _locate(view: View, path: str) -> _Spot:
    """The place a path belongs to. `..` is resolved by name, as in a URL, and may not leave /workspace."""
    if not path or "\0" in path:
        raise BadPath("A path is not empty and holds no NUL character.")
    names = path.split("/")
    if len(os.fsencode(path)) > 4095 or any(len(os.fsencode(name)) > 255 for name in names):
        raise BadPath("The path is too long.")
    home = WORKSPACE_ROOT.strip("/")
    stack = [] if path.startswith("/") else [home]
    for name in names:
        if name == "..":
            if stack == [home]:
                raise BadPath(f"{path} climbs out of {WORKSPACE_ROOT}.")
            del stack[-1:]
        elif name not in ("", "."):
            stack.append(name)
    if names[-1] in ("", ".", ".."):
        raise NotAFile(f"{path} names a folder.")
    for place in view.places:
        at = place.at.strip("/").split("/")
        if stack[: len(at)] == at:
            if len(stack) == len(at):
                raise NotAFile(f"{path} is a folder.")
            return _Spot(place, tuple(stack[len(at) :]), True, path)
    if stack and stack[0] in ("proc", "sys", "dev"):
        raise NotAFile(f"{path} is no regular file.")
    return _Spot(Place("/", view.rest, view.rest), tuple(stack), False, path)


def _walk(spot: _Spot, *, create: bool = False) -> tuple[int, str]:
    """A descriptor of the folder where the path ends, and the last name, which is no link. The caller closes it.

    Step by step with descriptors, never through a link, so that nobody can swap a folder for a link in between.
    """
    at = [name for name in spot.place.at.split("/") if name]
    fds = [os.open(spot.place.folder, _FOLDER)]
    todo = list(reversed(spot.parts))
    links = 0
    try:
        while True:
            name = todo.pop()
            if name == "..":
                if len(fds) > 1:
                    os.close(fds.pop())
                elif at:
                    raise BadPath(f"{spot.path} leaves {spot.place.at} by a link.")
            elif (target := _link(name, fds[-1])) is not None:
                links += 1
                if links > _LINKS:
                    raise BadPath(f"{spot.path} goes through too many links.")
                steps = [step for step in target.split("/") if step not in ("", ".")]
                if target.startswith("/"):
                    if steps[: len(at)] != at:
                        raise BadPath(f"{spot.path} leaves {spot.place.at} by a link.")
                    steps = steps[len(at) :]
                    while len(fds) > 1:
                        os.close(fds.pop())
                todo += reversed(steps)
            elif todo:
                fds.append(_step(name, fds[-1], create))
            else:
                return fds.pop(), name
            if not todo:
                raise NotAFile(f"{spot.path} is a folder.")
    finally:
        for fd in fds:
            os.close(fd)


def _link(name: str, folder: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


def _step(name: str, folder: int, create: bool) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):  # somebody else may just have made it
        os.mkdir(name, 0o755, dir_fd=folder)
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def _open(spot: _Spot) -> tuple[int, int]:
    try:
        folder, name = _walk(spot)
        try:
            # Looked at before it is opened: opening a device or a pipe is an act of its own.
            if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise NotAFile(f"{spot.path} is no regular file.")
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        finally:
            os.close(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise PathNotFound(f"There is no file {spot.path}.") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BadPath(f"{spot.path} changed while it was looked up.") from None
        raise PathNotFound(f"{spot.path} cannot be read: {error.strerror}.") from None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise NotAFile(f"{spot.path} is no regular file.")
    return fd, found.st_size


def _check_target(spot: _Spot) -> None:
    """Refuse early what could not be stored at the end; a folder that is missing will be made then."""

    def check() -> None:
        try:
            folder, name = _walk(spot)
        except FileNotFoundError:
            return
        try:
            _refuse_special(name, folder, spot)
        finally:
            os.close(folder)

    _guard(spot.path, check)


def _refuse_special(name: str, folder: int, spot: _Spot) -> None:
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise NotAFile(f"{spot.path} is {'a folder' if stat.S_ISDIR(mode) else 'no regular file'}.")


def _commit(fd: int, staged: Path, spot: _Spot) -> None:
    os.fchmod(fd, 0o644)
    folder, name = _walk(spot, create=True)
    try:
        _refuse_special(name, folder, spot)
        os.replace(staged, name, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _write_all(fd: int, data: bytes) -> int:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    return len(data)


def _guard(path: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run file work of a write, with the kernel's refusals in the engine's words."""
    try:
        return work(*args, **kwargs)
    except OSError as error:
        _refuse(path, error)


def _refuse(path: str, error: OSError) -> NoReturn:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            raise DiskFull("No space is left on the disk.") from None
        case errno.ENAMETOOLONG | errno.ELOOP:
            raise BadPath(f"{path} is too long, or changed while it was looked up.") from None
        case errno.EISDIR:
            raise NotAFile(f"{path} is a folder.") from None
        case _:
            raise NotWritable(f"{path} cannot be written to: {error.strerror}.") from None


class _Chunks:
    """The content of an open file. An object and not a generator: one that is never read must close its file too."""

    def __init__(self, fd: int, size: int, path: str) -> None:
        self._fd = fd
        self._left = size
        self._path = path

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        if self._left <= 0 or self._fd < 0:
            self._close()
            raise StopAsyncIteration
        chunk = await in_thread(os.read, self._fd, min(CHUNK, self._left))
        if not chunk:
            self._close()
            raise SandboxError(f"{self._path} became shorter while it was read.")
        self._left -= len(chunk)
        return chunk

    async def aclose(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    __del__ = _close


def remove_tree(folder: Path) -> None:
    """Delete a folder, even one whose owner has taken their own rights away in it."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except PermissionError:
        for parent, names, _ in os.walk(folder):
            for name in names:
                if not os.path.islink(os.path.join(parent, name)):
                    os.chmod(os.path.join(parent, name), 0o700)
        shutil.rmtree(folder)


def used_bytes(folder: Path) -> int:
    """Bytes of disk below a folder, a file with several names counted once."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            try:
                found = os.lstat(os.path.join(parent, name))
            except FileNotFoundError:
                continue
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * 512
    return total
